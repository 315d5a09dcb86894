"""Versions: a snapshot of what buyers see, written on every edit; orders name the version."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import select, update

from app.catalog.models import Document, Product, ProductVersion, Sku, Tag
from app.core import cas, clock
from app.core.actor import Actor
from app.core.db import session
from app.core.errors import Conflict
from app.core.ids import new_id
from dbadapters.portable import bulk_insert


def compose(product: Any, skus: Iterable[Any], documents: Iterable[Any], tags: Iterable[Any]) -> dict[str, Any]:
    """Return everything a buyer decides on, as plain JSON."""
    return {
        "title": product.title, "subtitle": product.subtitle or "", "category_id": product.category_id,
        "unit": product.unit, "image_key": product.image_key, "gallery": list(product.gallery),
        "blocks": list(product.blocks), "attributes": dict(product.attributes), "cold_chain": product.cold_chain,
        "option_names": list(product.option_names),
        "skus": [
            {"id": s.id, "option_key": s.option_key, "price_fen": s.price_fen, "weight_g": s.weight_g}
            for s in skus if s.is_active
        ],
        "documents": [
            {"kind": d.kind, "number": d.number, "valid_until": d.valid_until_on.isoformat() if d.valid_until_on else ""}
            for d in documents
        ],
        "tags": [[t.family, t.name] for t in tags],
    }  # fmt: skip


def record(actor: Actor, product: Product) -> None:
    """Write the snapshot of the product's present version."""
    record_many(actor.account_id, [product])


def record_many(account_id: int, products: Sequence[Product]) -> None:
    """Write the snapshots of the products' present versions; three queries and one bulk insert. At most 500."""
    session.flush()  # variants, tags and documents of this transaction belong to it
    ids, parts = [p.id for p in products], {}
    for model, order in ((Sku, (Sku.sort, Sku.id)), (Document, (Document.id,)), (Tag, (Tag.id,))):
        grouped: dict[int, list[Any]] = defaultdict(list)
        for row in session.scalars(select(model).where(model.product_id.in_(ids)).order_by(*order)):  # type: ignore[attr-defined]
            grouped[row.product_id].append(row)
        parts[model] = grouped
    insert_snapshots(
        account_id,
        [
            (p.id, p.version, compose(p, parts[Sku][p.id], parts[Document][p.id], parts[Tag][p.id]))
            for p in products
        ],
    )  # fmt: skip


def insert_snapshots(account_id: int, snapshots: Sequence[tuple[int, int, dict[str, Any]]]) -> None:
    """Insert (product id, version, snapshot) rows in bulk."""
    at = clock.now()
    rows = [
        {"id": new_id(), "product_id": p, "version": v, "snapshot": s, "changed_by": account_id, "at": at}
        for p, v, s in snapshots
    ]
    bulk_insert(session.connection(), ProductVersion.__table__, rows)  # type: ignore[arg-type]


def mark_approved(product_id: int, version: int) -> None:
    """Note that a version passed review; the next one is compared with it."""
    session.execute(
        update(ProductVersion)
        .where(ProductVersion.product_id == product_id, ProductVersion.version == version)
        .values(approved_at=clock.now())
        .execution_options(synchronize_session=False)
    )


def advance(actor: Actor, product: Product, seen: int = 0) -> None:
    """Raise the version by compare-and-set and write its snapshot. Raises Conflict(`product.changed`)."""
    expected = seen or product.version
    session.flush()
    values = {"version": expected + 1, "updated_at": clock.now()}
    if not cas.change(Product, product.id, where={"version": expected}, values=values):
        raise Conflict("product.changed", "商品已被他人修改，请刷新后重新编辑")
    session.refresh(product)
    record(actor, product)
