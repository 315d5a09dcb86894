"""A small market: one area, one category, one active merchant with products in stock. Committed for real."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import Any

from stdnum.cn import uscc

from app.catalog import queries as catalog_queries
from app.catalog import service as catalog
from app.core import cache_reset, runtime
from app.core.actor import SYSTEM, Actor
from app.core.db import session
from app.core.ids import new_id
from app.core.tx import transaction
from app.identity import queries as identity_queries
from app.identity import service as identity
from app.identity.models import Area
from app.inventory import service as inventory
from app.merchants import service as merchants
from app.merchants.models import Merchant

PASSWORD = "Correct-Horse-9"
_numbers = count(1)


@dataclass(frozen=True)
class Shop:
    """A merchant with its owner's login and its SKUs."""

    merchant_id: int
    login: str
    sku_ids: tuple[int, ...]
    product_id: int


def area() -> None:
    """Make the area of all test shops."""
    if not any(a.code == "T01" for a in identity_queries.list_areas()):
        session.add(Area(id=new_id(), code="T01", name="测试区", parent_code="-", sort=0))
        session.flush()
        cache_reset.reset_all()


def make_shop(stock: int = 10, price_fen: int = 1_990, variants: tuple[str, ...] = ("小", "大"), free_over_fen: int = 0) -> Shop:
    """Make an active shop with one listed product of some variants, each with `stock` units."""
    number = next(_numbers)
    body = f"91999900MB{number:07d}"[:17]
    with transaction():
        area()
    with transaction():
        login = f"owner{number}"
        merchant = merchants.apply(
            SYSTEM, name=f"测试商贸{number}有限公司", shop_name=f"测试店{number}", area_code="T01", contact_name="张三",
            contact_phone=f"1370000{number:04d}", licence_number=body + uscc.calc_check_digit(body), login_name=login,
            password=PASSWORD, street="测试路 1 号", code=f"TEST{number}",
        )  # fmt: skip
        session.flush()
        merchants.approve(SYSTEM, merchant.id)
        row = session.get_one(Merchant, merchant.id)
        row.freight_fen, row.free_over_fen = 500, free_over_fen
        category = catalog.create_category(SYSTEM, code=f"c{number}", name=f"类目{number}")
        session.flush()
        picture = runtime.current().storage.put(b"<svg xmlns='http://www.w3.org/2000/svg'/>", "svg")
        rows = [catalog.SkuInput((v,), price_fen + 100 * i) for i, v in enumerate(variants)]
        product = catalog.create_product(
            SYSTEM,
            catalog.ProductInput(
                category_id=category.id, title=f"测试商品{number}", skus=rows, option_names=("规格",), image_key=picture,
            ),
            merchant_id=merchant.id,
        )  # fmt: skip
        session.flush()
        catalog.submit(SYSTEM, product.id)
        catalog.approve(SYSTEM, product.id)
        catalog.put_on_shelf(SYSTEM, product.id)
        skus = [s.id for s in catalog_queries.skus_of(product.id)]
        inventory.receive_declared(merchant.id, skus, [stock] * len(skus), merchant.id)
    return Shop(merchant.id, login, tuple(skus), product.id)


def make_buyer(number: int = 0) -> tuple[Actor, int]:
    """Make a consumer with one address; returns the actor and the address id."""
    serial = number or next(_numbers)
    with transaction():
        area()
        account = identity.create_account(
            SYSTEM, "consumer", f"buyer{serial}-{new_id()}", f"买家{serial}", phone=f"138{serial:08d}", roles=("consumer",)
        )
    actor = actor_of(account)
    with transaction():
        address = identity.add_address(actor, receiver="李四", phone="13812341234", street="幸福路 88 号", area_code="T01")
    return actor, address.id


def actor_of(account: Any) -> Actor:
    """Return an actor of an account with its permissions."""
    permissions, roles = identity_queries.permissions_of(account.id)
    return Actor(
        realm=account.realm, account_id=account.id, name=account.display_name, permissions=permissions,
        merchant_id=account.merchant_id, roles=roles,
    )  # fmt: skip


def staff(realm: str, role: str) -> str:
    """Make a console account; returns its login name."""
    login = f"{role.replace('_', '')}{next(_numbers)}"
    with transaction():
        identity.create_account(SYSTEM, realm, login, f"{role}用户", password=PASSWORD, roles=(role,))
    return login
