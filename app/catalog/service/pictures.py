"""Pictures of many products at once: a file named by the product code finds its product (M08)."""

from __future__ import annotations

import re

from sqlalchemy import select

from app.audit import service as audit
from app.catalog.models import Product
from app.catalog.service import versions
from app.core.actor import Actor
from app.core.db import session
from app.core.errors import Conflict, Invalid

MAX_GALLERY = 12
OPEN = {"draft", "rejected"}
_NAME = re.compile(r"^(?P<code>.+?)(?:[-_](?P<place>[2-9]|1[0-2]))?\.(?:jpe?g|png|webp)$", re.I)


def find(actor: Actor, file_name: str) -> tuple[Product, bool]:
    """Return the product a picture belongs to and whether it is the main picture.

    `A001.jpg` is the main picture of product A001, `A001-2.jpg` a further one; a code that ends like that itself wins.
    Raises Invalid(`picture.name`, `picture.code`), Conflict(`picture.state`).
    """
    actor.require("product.edit")
    match = _NAME.match(file_name.replace("\\", "/").rsplit("/", 1)[-1])
    if match is None:
        raise Invalid("picture.name", "文件名须为“商品编码.jpg”或“商品编码-2.jpg”（也可以是 png、webp）")
    code, place = match["code"], match["place"]
    whole = _of_code(actor, f"{code}-{place}") if place else None
    product = whole or _of_code(actor, code)
    if product is None:
        raise Invalid("picture.code", f"本店没有编码为“{code}”的商品")
    if product.review not in OPEN:
        raise Conflict("picture.state", "商品已提交或通过审核，请在商品页修改图片")
    return product, whole is not None or not place


def _of_code(actor: Actor, code: str) -> Product | None:
    return session.scalar(select(Product).where(Product.merchant_id == actor.merchant_id, Product.external_code == code))


def attach(actor: Actor, file_name: str, key: str) -> str:
    """Give a stored picture to the product its name says; returns the product's title. Raises as `find`."""
    product, is_main = find(actor, file_name)
    if is_main:
        product.image_key = key
    elif key not in product.gallery:
        product.gallery = [*product.gallery, key][-MAX_GALLERY:]
    versions.advance(actor, product)
    audit.record(actor, "product.edited", "product", product.id, detail={"version": product.version, "picture": True})
    return product.title
