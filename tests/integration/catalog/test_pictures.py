"""Pictures by file name, and the comparison a reviewer sees."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from app.catalog import queries, service
from app.catalog.diffing import compare
from app.catalog.diffing import pictures as picture_marks
from app.catalog.service import pictures
from app.core.actor import SYSTEM, Actor
from app.core.db import session
from app.core.errors import Conflict, Invalid
from app.core.tx import transaction
from tests.factories import market

KEY = "ab/" + "0" * 64 + ".jpg"


def draft(shop: market.Shop, code: str) -> int:
    """Make a draft of the shop with a product code."""
    with transaction():
        data = service.ProductInput(
            category_id=queries.list_categories()[0].id, title=f"配图商品 {code}", skus=[service.SkuInput((), 900)], external_code=code,
        )  # fmt: skip
        product = service.create_product(SYSTEM, data, merchant_id=shop.merchant_id)
        session.flush()
        return product.id


@pytest.fixture
def shop(db: Any) -> market.Shop:
    """A shop of its own."""
    return market.make_shop()


def owner(shop: market.Shop) -> Actor:
    """The shop's owner."""
    return Actor(realm="merchant", account_id=1, merchant_id=shop.merchant_id, permissions=frozenset({"product.edit"}))


def test_a_file_name_finds_its_product(shop: market.Shop) -> None:
    first, odd = draft(shop, "P1"), draft(shop, "P1-2")
    with transaction():
        pictures.attach(owner(shop), "P1.JPG", KEY)
        pictures.attach(owner(shop), "C:\\照片\\P1-3.png", KEY)
        pictures.attach(owner(shop), "P1-2.webp", KEY)
    product, other = queries.get_for(SYSTEM, first), queries.get_for(SYSTEM, odd)
    assert (product.image_key, product.gallery, product.version) == (KEY, [KEY], 3)
    assert (other.image_key, other.gallery) == (KEY, []), "a code that ends like a place wins"


def test_what_does_not_fit_is_refused(shop: market.Shop) -> None:
    stranger = market.make_shop()
    draft(stranger, "THEIRS")
    for name in ("THEIRS.jpg", "nobody.jpg"):
        with pytest.raises(Invalid, match=r"picture\.code"):
            pictures.find(owner(shop), name)
    with pytest.raises(Invalid, match=r"picture\.name"):
        pictures.find(owner(shop), "P1.exe")
    with transaction():
        approved = queries.get_for(SYSTEM, shop.product_id)
        approved.external_code = "APPROVED"
    with pytest.raises(Conflict, match=r"picture\.state"):
        pictures.find(owner(shop), "APPROVED.jpg")


def test_a_reviewer_compares_with_the_version_that_passed_last(shop: market.Shop) -> None:
    product = queries.get_for(SYSTEM, shop.product_id)
    passed = product.version
    skus = [service.SkuInput(tuple(s.option_key.split("/")), s.price_fen) for s in queries.skus_of(product.id)]
    data = service.ProductInput(
        category_id=product.category_id, title="改了一次名", skus=skus, option_names=tuple(product.option_names), image_key=KEY,
    )  # fmt: skip
    with transaction():
        service.edit_product(SYSTEM, product.id, data)
    with transaction():
        service.edit_product(SYSTEM, product.id, replace(data, title="又改一次名"))
    now = queries.get_for(SYSTEM, product.id).version
    found = queries.approved_version(product.id, now)
    assert found is not None
    assert found.version == passed < now - 1, "not merely the version before"
    after = queries.versions_of(product.id)[0].snapshot
    rows = compare(found.snapshot, after)
    assert [row["label"] for row in rows if row["changed"]] == ["标题"]
    assert rows[0]["label"] == "标题", "what changed stands first"
    assert picture_marks(found.snapshot, after) == [(KEY, "new"), (found.snapshot["image_key"], "gone")]
