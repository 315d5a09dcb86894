"""Warehouses and bundles."""

from __future__ import annotations

from typing import Any

from flask import request

from app.core.errors import AppError
from app.identity import queries as identity
from app.inventory import queries, reads
from app.inventory.desk import Desk, Route, form_rows, row_id, typed_rows, units, wants_more, whole_of
from app.inventory.service import bundles, warehouses
from app.inventory.service.columns import may_handle
from app.web import access


def warehouse_list(desk: Desk) -> Any:
    """List warehouses by owner, with what each serves."""
    actor = access.actor()
    places = warehouses.visible(actor)
    return desk.page(
        "warehouses", places=places, kinds=warehouses.KINDS, areas=warehouses.areas_of([p.id for p in places]),
        area_name=identity.area_name, names={p.id: p.name for p in places}, handled={p.id for p in places if may_handle(actor, p)},
    )  # fmt: skip


def warehouse_new(desk: Desk) -> Any:
    """Show the empty form."""
    return _form(desk, 0)


def warehouse_detail(desk: Desk, warehouse_id: int) -> Any:
    """Show a warehouse's facts, as a form to who works there."""
    return _form(desk, warehouse_id)


def _form(desk: Desk, warehouse_id: int, problem: AppError | None = None) -> Any:
    actor = access.actor()
    place = warehouses.get_for(actor, warehouse_id) if warehouse_id else None
    kinds = ("merchant", "third_party") if actor.realm == "merchant" else warehouses.PLATFORM_KINDS
    chosen = request.form.getlist("areas") if request.form else (warehouses.areas_of([warehouse_id])[warehouse_id] if place else [])
    return desk.page(
        "warehouse", place=place, kinds=[(k, warehouses.KINDS[k]) for k in kinds], kind_words=warehouses.KINDS,
        areas=identity.list_areas(), chosen=chosen, parents=[p for p in warehouses.visible(actor) if p.id != warehouse_id],
        handles=place is None or (may_handle(actor, place) and place.status == "active"), problem=problem,
        status=problem.status if problem else 200,
    )  # fmt: skip


def _typed() -> warehouses.WarehouseInput:
    form = request.form
    return warehouses.WarehouseInput(
        code=form.get("code", ""), name=form.get("name", ""), kind=form.get("kind", ""), area_code=form.get("area_code", ""),
        parent_id=row_id("parent_id"), priority=units("priority", default=100), partner=form.get("partner", ""),
        area_codes=form.getlist("areas"),
    )  # fmt: skip


def warehouse_create(desk: Desk) -> Any:
    """Add a warehouse."""

    def work(actor: Any) -> None:
        warehouses.create(actor, _typed())

    return desk.attempt(work, lambda error: _form(desk, 0, error), f"{desk.base}/warehouses", "仓库已建立")


def warehouse_edit(desk: Desk, warehouse_id: int) -> Any:
    """Change a warehouse."""

    def again(error: AppError) -> Any:
        return _form(desk, warehouse_id, error)

    return desk.attempt(lambda actor: warehouses.edit(actor, warehouse_id, _typed()), again, f"{desk.base}/warehouses", "仓库已保存")


def warehouse_close(desk: Desk, warehouse_id: int) -> Any:
    """Close an empty warehouse."""

    def again(error: AppError) -> Any:
        return _form(desk, warehouse_id, error)

    return desk.attempt(lambda actor: warehouses.close(actor, warehouse_id), again, f"{desk.base}/warehouses", "仓库已停用")


def bundle_list(desk: Desk) -> Any:
    """List bundles with what they are made of, and the form of a new one."""
    return _bundles(desk)


def _bundles(desk: Desk, problem: AppError | None = None) -> Any:
    page = reads.bundles_page(access.actor(), request.args.get("cursor", ""))
    parts = reads.parts_of([row.sku_id for row in page.items])
    skus = {row.sku_id for row in page.items} | {part.sku_id for rows in parts.values() for part in rows}
    return desk.page(
        "bundles", page=page, parts=parts, wares=reads.wares(skus), free=queries.available([row.sku_id for row in page.items]),
        rows=min(form_rows(), 20), problem=problem, status=problem.status if problem else 200,
    )  # fmt: skip


def bundle_save(desk: Desk) -> Any:
    """Make a SKU a bundle, or change it."""
    if wants_more():
        return _bundles(desk)

    def work(actor: Any) -> None:
        merchant_id = desk.shop(request.form.get("shop", ""))
        parts = [(reads.find_sku(merchant_id, code), whole_of(number, code)) for code, number in typed_rows("code", "number")]
        bundles.set_bundle(actor, reads.find_sku(merchant_id, request.form.get("bundle", ""), field="bundle"), parts)

    return desk.attempt(work, lambda error: _bundles(desk, error), f"{desk.base}/bundles", "组合已保存")


def bundle_dissolve(desk: Desk, sku_id: int) -> Any:
    """Make a bundle an ordinary SKU again."""
    return desk.attempt(
        lambda actor: bundles.dissolve(actor, sku_id), lambda error: _bundles(desk, error), f"{desk.base}/bundles", "组合已解散"
    )


ROUTES: tuple[Route, ...] = (
    ("GET", "/warehouses", "view", warehouse_list), ("GET", "/warehouses/new", "approve", warehouse_new),
    ("POST", "/warehouses", "approve", warehouse_create), ("GET", "/warehouses/<int:warehouse_id>", "view", warehouse_detail),
    ("POST", "/warehouses/<int:warehouse_id>", "approve", warehouse_edit),
    ("POST", "/warehouses/<int:warehouse_id>/close", "approve", warehouse_close),
)  # fmt: skip
BUNDLE_ROUTES: tuple[Route, ...] = (
    ("GET", "/bundles", "view", bundle_list), ("POST", "/bundles", "approve", bundle_save),
    ("POST", "/bundles/<int:sku_id>/dissolve", "approve", bundle_dissolve),
)  # fmt: skip
