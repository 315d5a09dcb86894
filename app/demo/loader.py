"""Loads the demo region: people and shops through the verbs, products in bulk; repeating it adds only what is missing.

Nothing is left for the first visitor to wait for: the search replica of this node is built here.
"""

from __future__ import annotations

import random
from datetime import timedelta
from functools import lru_cache

from sqlalchemy import select
from stdnum.cn import uscc

from app.catalog import queries as catalog_queries
from app.catalog import service as catalog
from app.catalog.models import Category
from app.catalog.service import ProductInput
from app.core import cache_reset, clock, runtime
from app.core.actor import SYSTEM
from app.core.db import release_session, session
from app.core.errors import Forbidden
from app.core.ids import new_id
from app.core.tx import transaction
from app.demo import aftersales, art, content, delivery, orders, parcels, promotions, region, settlement, wallets, warehouse
from app.demo.accounts import MERCHANT_LOGIN, PASSWORD, STAFF
from app.demo.goods import Batch, Extra
from app.identity import queries as identity_queries
from app.identity import service as identity
from app.identity.models import Account, Area
from app.merchants import service as merchants
from app.merchants.models import Merchant
from app.search import replica
from security import passwords

SHOPS = 40
PER_SHOP = 15


def load() -> str:
    """Load areas, staff, categories, 40 shops and 600 products; returns a sentence. Refuses in production."""
    if runtime.current().settings.environment == "production":
        raise Forbidden("demo.production", "生产环境不能载入演示数据")
    with transaction():
        fresh = _areas()
    _forget_reads(fresh)
    with transaction():
        _staff()
        fresh = _categories()
    _forget_reads(fresh)
    made = 0
    for number in range(SHOPS):
        with transaction():
            made += _shop(number)
        release_session()
    with transaction():
        content.load()
        promotions.load()
    settlement.load()
    orders.load()
    wallets.load()
    aftersales.load()
    with transaction():
        delivery.load()  # last: the orders above were made at the shops' flat freight
    parcels.load()
    with transaction():
        _give_password("merchant", parcels.CLERK)
    warehouse.load()
    _forget_reads(made)
    replica.current().refresh()  # builds what is missing
    release_session()
    return f"演示区域{runtime.current().settings.site.region}已就绪" + (f"，新增商品 {made} 个" if made else "")


def _forget_reads(added: int) -> None:
    """Empty the caches, the replica among them, when there is something new: a second start keeps its index."""
    if added:
        cache_reset.reset_all()


@lru_cache(maxsize=1)
def _password_hash(iterations: int) -> str:
    """Return the one hash of all demo accounts: they share their password, so a salt for each would protect nothing."""
    return passwords.hash_password(PASSWORD, iterations=iterations)


def _give_password(realm: str, login: str) -> None:
    account = session.scalars(select(Account).where(Account.realm == realm, Account.login_name == login)).one()
    account.password_hash = _password_hash(runtime.current().settings.security.password_iterations)


def _areas() -> int:
    known, added = set(session.scalars(select(Area.code))), 0
    for position, (code, name) in enumerate(region.AREAS):
        if code not in known:
            session.add(Area(id=new_id(), code=code, name=name, parent_code="-", sort=position))
            added += 1
    return added


def _staff() -> None:
    for realm, login, name, roles in STAFF:
        if identity_queries.find_by_login(realm, login) is None:
            identity.create_account(SYSTEM, realm, login, name, roles=roles)
            _give_password(realm, login)


def _categories() -> int:
    known, added = set(session.scalars(select(Category.code))), 0
    for position, (code, name, icon, document, children) in enumerate(region.CATEGORIES):
        if code in known:
            continue
        added += 1
        parent = catalog.create_category(SYSTEM, code=code, name=name, icon=icon, sort=position)
        session.flush()  # the children name their parent
        for order, (child, child_name) in enumerate(children):
            category = catalog.create_category(
                SYSTEM, code=child, name=child_name, parent_id=parent.id, icon=icon, sort=order, document_required=document,
                cold_chain=region.COLD.get(child, "ambient"),
                return_exclusion="fresh" if code in region.PERISHABLE else "-",
            )
            catalog.create_attribute(
                SYSTEM, category.id, code="origin", name="产地", kind="text", is_facet=True, is_required=document != "-"
            )
    return added


def _credit_code(number: int) -> str:
    """Return a made-up code with a right check digit (区划 999900 does not exist)."""
    body = f"91999900MA{number:07d}"[:17]
    return body + uscc.calc_check_digit(body)


def _shop(number: int) -> int:
    """Make one shop with its products unless it is there; returns how many products were made."""
    code = f"DEMO{number + 1:02d}"
    if session.scalar(select(Merchant.id).where(Merchant.code == code)) is not None:
        return 0
    rng = random.Random(number)  # noqa: S311 - made-up data, the same every time
    area_code, area_name = region.AREAS[number % len(region.AREAS)]
    kind, goods = region.SHOP_KINDS[number % len(region.SHOP_KINDS)]
    person = region.SURNAMES[number % 10] + "掌柜"
    name = f"{area_name[:2]}{region.SURNAMES[(number * 3) % 10]}家{kind}"
    login = MERCHANT_LOGIN if number == 0 else f"shop{number + 1:02d}"
    merchant = merchants.apply(
        SYSTEM, name=f"{area_name}{name}有限公司", shop_name=name, area_code=area_code, contact_name=person,
        contact_phone=f"1390000{number:04d}", licence_number=_credit_code(number + 1), login_name=login, password=None,
        street=f"{area_name}产业园 {number + 1} 号", intro=f"来自{area_name}的{kind}，产地直发，坏损包赔。", code=code,
        licence_valid_until_on=clock.business_date() + timedelta(days=900),
    )  # fmt: skip
    session.flush()  # approval moves the row
    _give_password("merchant", login)
    if number >= SHOPS - 2:
        return 0  # two applications wait for the operators
    merchants.approve(SYSTEM, merchant.id)
    merchant = session.get_one(Merchant, merchant.id)
    merchant.freight_fen, merchant.free_over_fen = 800, 9_900
    merchant.delivery_modes = region.WAYS[number % len(region.WAYS)]
    session.flush()
    batch = Batch(merchant.id, merchant.area_code)
    for position in range(PER_SHOP + (1 if number < 30 else 0)):
        batch.add(*_product(rng, area_name, goods[position % len(goods)], number * 100 + position))
    batch.write()
    return batch.size


def _product(rng: random.Random, area_name: str, goods: str, seed: int) -> tuple[ProductInput, Extra]:
    """Return one product; a few wait for review."""
    motif, main, second, unit, option, values, (low, high), names = region.GOODS[goods]
    name, grade = names[(seed // 3) % len(names)], region.GRADES[seed % len(region.GRADES)]
    category = next(c for c in catalog_queries.list_categories() if c.code == goods)
    base = rng.randint(low, high) * 100 - rng.choice((0, 10, 20))
    rows = [catalog.SkuInput((v,), base + i * base * 3 // 4, weight_g=500 * (i + 1), safety_stock=8) for i, v in enumerate(values)]
    picture = runtime.current().storage.put(art.draw(motif, main, second, name, seed), "svg")
    form = catalog.ProductInput(
        category_id=category.id, title=f"{area_name[:2]}{name} {grade} {seed % 100 + 1:02d} 号", skus=rows, option_names=(option,),
        unit=unit, image_key=picture, gallery=(picture,), subtitle=f"{area_name}{grade}{name}，产地直发",
        attributes={"origin": area_name}, external_code=f"D{seed:05d}",
        blocks=(
            {"kind": "heading", "text": f"{area_name}的{name}"},
            {"kind": "paragraph", "text": f"产自{area_name}，{grade}，下单后 48 小时内发货。坏损当日拍照即可赔付。"},
        ),
    )  # fmt: skip
    tags = [("region", f"{area_name[:2]}特产", f"LZ-QY-{seed:05d}")]
    if seed % 4 == 0:
        tags.append(("welfare", "助农", f"LZ-ZN-{seed:05d}"))
    until = clock.business_date() + timedelta(days=365)
    kind = category.document_required
    documents = [(kind, f"LZ-{seed:06d}", "澜州市检测中心（虚构）", until)] if kind != "-" else []
    return form, Extra(documents, tags, [rng.randint(20, 300) for _ in values], rng.randint(3, 2_600), seed % 100 != 14)
