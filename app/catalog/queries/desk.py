"""What merchants and operators work on: product lists, versions, price history, imports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy import func, select

from app.catalog.models import Document, ImportRun, PriceHistory, Product, ProductVersion, Sku, Tag
from app.core import clock
from app.core.actor import Actor
from app.core.db import session
from app.core.errors import NotFound
from app.core.paging import Page, paginate
from app.merchants import queries as merchants

VIEWS = {
    "all": "全部", "draft": "草稿", "pending": "待审核", "rejected": "已驳回", "on": "在售", "off": "已通过未上架",
    "banned": "已封禁",
}  # fmt: skip
COUNT_CAP = 1_000


@dataclass(frozen=True)
class ProductRow:
    """A line of a desk's product list."""

    product: Product
    shop_name: str


def missing() -> NotFound:
    """Return the refusal for unknown and foreign products alike."""
    return NotFound("product.missing", "商品不存在")


def get_for(actor: Actor, product_id: int) -> Product:
    """Return a product the actor may work on: one's own shop's, or any for operators. Raises NotFound."""
    row = session.get(Product, product_id)
    if row is None:
        raise missing()
    if actor.realm in {"system", "operator"}:
        if actor.realm == "operator" and actor.area_code not in ("-", row.area_code):
            raise missing()
        return row
    if actor.realm != "merchant" or not actor.merchant_id or actor.merchant_id != row.merchant_id:
        raise missing()
    return row


def skus_of(product_id: int) -> Sequence[Sku]:
    """Return all variants of a product, retired ones last."""
    rows = session.scalars(select(Sku).where(Sku.product_id == product_id).order_by(Sku.sort, Sku.id)).all()
    return sorted(rows, key=lambda s: not s.is_active)


def sku_owner(sku_id: int) -> int:
    """Return the merchant of a variant, 0 when there is none."""
    return session.scalar(select(Sku.merchant_id).where(Sku.id == sku_id)) or 0


def _view(view: str) -> list[object]:
    if view in {"draft", "pending", "rejected"}:
        return [Product.review == view]
    if view == "on":
        return [Product.is_listed == 1]
    if view == "off":
        return [Product.review == "approved", Product.shelf == "off"]
    return [Product.shelf == "banned"] if view == "banned" else []


def list_for(
    actor: Actor, *, view: str = "all", q: str = "", category_id: int = 0, merchant_id: int = 0, cursor: str = "",
    size: int = 20, oldest_first: bool = False,
) -> Page[ProductRow]:  # fmt: skip
    """Return products of the actor's shop, or of all shops for operators; two queries.

    q: a merchant's product code, or the beginning of the title. view: see VIEWS.
    """
    statement = select(Product).where(*_view(view))  # type: ignore[arg-type]
    if actor.realm not in {"system", "operator"}:
        statement = statement.where(Product.merchant_id == (actor.merchant_id or -1))
    elif merchant_id:
        statement = statement.where(Product.merchant_id == merchant_id)
    if actor.realm == "operator" and actor.area_code != "-":
        statement = statement.where(Product.area_code == actor.area_code)
    if q:
        statement = statement.where((Product.external_code == q) | Product.title.startswith(q, autoescape=True))
    if category_id:
        statement = statement.where(Product.category_id == category_id)
    page = paginate(statement, [Product.id], lambda p: [p.id], cursor=cursor, size=size, descending=not oldest_first)
    names = merchants.shops([p.merchant_id for p in page.items])
    return Page(
        [ProductRow(p, names[p.merchant_id].shop_name if p.merchant_id in names else "") for p in page.items],
        page.next_cursor,
    )


def counts_for(actor: Actor) -> dict[str, int]:
    """Return how many products stand in the views a desk must act on, each counted up to a cap; one query."""
    scope = []
    if actor.realm not in {"system", "operator"}:
        scope = [Product.merchant_id == (actor.merchant_id or -1)]
    parts = []
    for view in ("draft", "pending", "rejected", "on", "off", "banned"):
        rows = select(Product.id).where(*_view(view), *scope).limit(COUNT_CAP).subquery()  # type: ignore[arg-type]
        parts.append(select(func.count()).select_from(rows).scalar_subquery().label(f"n_{view}"))
    row = session.execute(select(*parts)).one()
    return dict(zip(("draft", "pending", "rejected", "on", "off", "banned"), row, strict=True))


def versions_of(product_id: int, limit: int = 20) -> Sequence[ProductVersion]:
    """Return the newest versions, newest first."""
    return session.scalars(
        select(ProductVersion)
        .where(ProductVersion.product_id == product_id)
        .order_by(ProductVersion.version.desc(), ProductVersion.id.desc())
        .limit(limit)
    ).all()


def approved_version(product_id: int, below: int) -> ProductVersion | None:
    """Return the newest version below a number that passed review, None when none did."""
    return session.scalars(
        select(ProductVersion)
        .where(ProductVersion.product_id == product_id, ProductVersion.version < below, ProductVersion.approved_at.is_not(None))
        .order_by(ProductVersion.version.desc())
        .limit(1)
    ).first()



def price_history(sku_id: int, limit: int = 50) -> Sequence[PriceHistory]:
    """Return the prices of a variant, newest first."""
    return session.scalars(
        select(PriceHistory)
        .where(PriceHistory.sku_id == sku_id)
        .order_by(PriceHistory.at.desc(), PriceHistory.id.desc())
        .limit(limit)
    ).all()


def product_prices(product_id: int, limit: int = 100) -> Sequence[Any]:
    """Return (option key, price, instant) of a product's variants, newest first; one query."""
    return session.execute(
        select(Sku.option_key, PriceHistory.price_fen, PriceHistory.at)
        .join(Sku, Sku.id == PriceHistory.sku_id)
        .where(Sku.product_id == product_id)
        .order_by(PriceHistory.at.desc(), PriceHistory.id.desc())
        .limit(limit)
    ).all()


def documents_of(product_id: int) -> Sequence[Document]:
    """Return the documents of a product."""
    return session.scalars(select(Document).where(Document.product_id == product_id).order_by(Document.id)).all()


def tags_of(product_id: int) -> Sequence[Tag]:
    """Return the tags of a product."""
    return session.scalars(select(Tag).where(Tag.product_id == product_id).order_by(Tag.id)).all()


def today() -> date:
    """Return the business day expiry is measured against."""
    return clock.business_date()


def expiring_documents(actor: Actor, days: int = 30, limit: int = 5) -> Sequence[Any]:
    """Return (product id, title, kind, last day) of the shop's documents that end soon or have ended."""
    until = clock.business_date() + timedelta(days=days)
    return session.execute(
        select(Product.id, Product.title, Document.kind, Document.valid_until_on)
        .join(Product, Product.id == Document.product_id)
        .where(Product.merchant_id == (actor.merchant_id or -1), Document.valid_until_on <= until)
        .order_by(Document.valid_until_on, Document.id)
        .limit(limit)
    ).all()


def get_import(actor: Actor, run_id: int) -> ImportRun:
    """Return an import of the actor's shop. Raises NotFound(`import.missing`)."""
    row = session.get(ImportRun, run_id)
    if row is None or (actor.realm != "system" and row.merchant_id != (actor.merchant_id or -1)):
        raise NotFound("import.missing", "没有这次导入")
    return row


def list_imports(actor: Actor, cursor: str = "", size: int = 20) -> Page[ImportRun]:
    """Return the imports of the actor's shop, newest first."""
    statement = select(ImportRun).where(ImportRun.merchant_id == (actor.merchant_id or -1))
    return paginate(statement, [ImportRun.id], lambda r: [r.id], cursor=cursor, size=size)
