"""Loads the demo region through the same verbs as everybody; repeating it adds only what is missing."""

from __future__ import annotations

import random
from datetime import timedelta

from sqlalchemy import select
from stdnum.cn import uscc

from app.catalog import queries as catalog_queries
from app.catalog import service as catalog
from app.catalog.models import Category, Product
from app.core import cache_reset, clock, runtime
from app.core.actor import SYSTEM
from app.core.db import release_session, session
from app.core.errors import Forbidden
from app.core.ids import new_id
from app.core.tx import transaction
from app.demo import art, content, region
from app.demo.accounts import MERCHANT_LOGIN, PASSWORD, STAFF
from app.identity import queries as identity_queries
from app.identity import service as identity
from app.identity.models import Area
from app.inventory import service as inventory
from app.merchants import service as merchants
from app.merchants.models import Merchant

SHOPS = 40
PER_SHOP = 15
DOCUMENTS = {"inspection": "检测报告", "production": "生产许可证"}


def load() -> str:
    """Load areas, staff, categories, 40 shops and 600 products; returns a sentence. Refuses in production."""
    if runtime.current().settings.environment == "production":
        raise Forbidden("demo.production", "生产环境不能载入演示数据")
    with transaction():
        _areas()
    cache_reset.reset_all()
    with transaction():
        _staff()
        _categories()
    cache_reset.reset_all()
    made = 0
    for number in range(SHOPS):
        with transaction():
            made += _shop(number)
        release_session()
    with transaction():
        content.load()
    cache_reset.reset_all()
    return f"演示区域{runtime.current().settings.site.region}已就绪" + (f"，新增商品 {made} 个" if made else "")


def _areas() -> None:
    known = set(session.scalars(select(Area.code)))
    for position, (code, name) in enumerate(region.AREAS):
        if code not in known:
            session.add(Area(id=new_id(), code=code, name=name, parent_code="-", sort=position))


def _staff() -> None:
    for realm, login, name, roles in STAFF:
        if identity_queries.find_by_login(realm, login) is None:
            identity.create_account(SYSTEM, realm, login, name, password=PASSWORD, roles=roles)


def _categories() -> None:
    known = set(session.scalars(select(Category.code)))
    for position, (code, name, icon, document, children) in enumerate(region.CATEGORIES):
        if code in known:
            continue
        parent = catalog.create_category(SYSTEM, code=code, name=name, icon=icon, sort=position)
        session.flush()  # the children name their parent
        for order, (child, child_name) in enumerate(children):
            category = catalog.create_category(
                SYSTEM, code=child, name=child_name, parent_id=parent.id, icon=icon, sort=order, document_required=document
            )
            catalog.create_attribute(
                SYSTEM, category.id, code="origin", name="产地", kind="text", is_facet=True, is_required=document != "-"
            )


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
        contact_phone=f"1390000{number:04d}", licence_number=_credit_code(number + 1), login_name=login, password=PASSWORD,
        street=f"{area_name}产业园 {number + 1} 号", intro=f"来自{area_name}的{kind}，产地直发，坏损包赔。", code=code,
        licence_valid_until_on=clock.business_date() + timedelta(days=900),
    )  # fmt: skip
    session.flush()  # approval moves the row
    if number >= SHOPS - 2:
        return 0  # two applications wait for the operators
    merchants.approve(SYSTEM, merchant.id)
    merchant = session.get_one(Merchant, merchant.id)
    merchant.freight_fen, merchant.free_over_fen = 800, 9_900
    stock: dict[int, int] = {}
    for position in range(PER_SHOP + (1 if number < 30 else 0)):
        stock.update(_product(rng, merchant, area_name, goods[position % len(goods)], number * 100 + position))
    inventory.receive_declared(merchant.id, list(stock), list(stock.values()), merchant.id)
    return PER_SHOP


def _product(rng: random.Random, merchant: Merchant, area_name: str, goods: str, seed: int) -> dict[int, int]:
    """Make one product; a few wait for review. Returns opening stock by SKU id."""
    motif, main, second, unit, option, values, (low, high), names = region.GOODS[goods]
    name, grade = names[(seed // 3) % len(names)], region.GRADES[seed % len(region.GRADES)]
    category = next(c for c in catalog_queries.list_categories() if c.code == goods)
    base = rng.randint(low, high) * 100 - rng.choice((0, 10, 20))
    rows = [catalog.SkuInput((v,), base + i * base * 3 // 4, weight_g=500 * (i + 1), safety_stock=8) for i, v in enumerate(values)]
    title = f"{area_name[:2]}{name} {grade} {seed % 100 + 1:02d} 号"
    picture = runtime.current().storage.put(art.draw(motif, main, second, name, seed), "svg")
    product = catalog.create_product(
        SYSTEM,
        catalog.ProductInput(
            category_id=category.id, title=title, skus=rows, option_names=(option,), unit=unit, image_key=picture, gallery=(picture,),
            subtitle=f"{area_name}{grade}{name}，产地直发", attributes={"origin": area_name}, external_code=f"D{seed:05d}",
            blocks=(
                {"kind": "heading", "text": f"{area_name}的{name}"},
                {"kind": "paragraph", "text": f"产自{area_name}，{grade}，下单后 48 小时内发货。坏损当日拍照即可赔付。"},
            ),
        ),
        merchant_id=merchant.id,
    )  # fmt: skip
    session.flush()  # what follows names this product
    if category.document_required != "-":
        catalog.add_document(
            SYSTEM, product.id, kind=category.document_required, number=f"LZ-{seed:06d}", issuer="澜州市检测中心（虚构）",
            valid_until_on=clock.business_date() + timedelta(days=365),
        )  # fmt: skip
    catalog.add_tag(SYSTEM, product.id, family="region", name=f"{area_name[:2]}特产", evidence=f"LZ-QY-{seed:05d}")
    if seed % 4 == 0:
        catalog.add_tag(SYSTEM, product.id, family="welfare", name="助农", evidence=f"LZ-ZN-{seed:05d}")
    catalog.submit(SYSTEM, product.id)
    if seed % 100 != 14:
        catalog.approve(SYSTEM, product.id)
        catalog.put_on_shelf(SYSTEM, product.id)
    session.get_one(Product, product.id).sold_count = rng.randint(3, 2_600)
    return {sku.id: rng.randint(20, 300) for sku in catalog_queries.skus_of(product.id)}
