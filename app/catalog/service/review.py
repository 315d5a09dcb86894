"""States of a product: draft → pending → approved | rejected, and the shelf: off ↔ on, banned (M05 M11)."""

from __future__ import annotations

from app.audit import service as audit
from app.catalog import gate, queries
from app.catalog.models import Product
from app.catalog.service import listing, versions
from app.core import cas, clock
from app.core.actor import Actor
from app.core.errors import Conflict, Invalid
from app.core.text import clean

MOVED = "product.moved"


def _reason(text: str) -> str:
    reason = clean(text)
    if not 2 <= len(reason) <= 300:
        raise Invalid("product.reason", "请填写原因（2–300 字）", field="reason")
    return reason


def submit(actor: Actor, product_id: int) -> None:
    """Ask for review. Raises Invalid(`product.incomplete`), Conflict(`product.moved`) unless draft or rejected."""
    actor.require("product.edit")
    product = queries.get_for(actor, product_id)
    if product.review not in {"draft", "rejected"}:
        raise Conflict(MOVED, "只有草稿和被驳回的商品可以提交审核")
    gate.check(product)
    _move_review(product_id, ("draft", "rejected"), "pending", submitted_at=clock.now(), reject_reason=None)
    audit.record(actor, "product.submitted", "product", product_id)


def _move_review(product_id: int, from_: object, to: str, **values: object) -> None:
    if not cas.change(Product, product_id, where={"review": from_}, values={"review": to, **values}):
        raise Conflict(MOVED, "商品状态已变化，请刷新后再试")


def _move_shelf(product_id: int, from_: object, to: str, **where: object) -> None:
    if not cas.change(Product, product_id, where={"shelf": from_, **where}, values={"shelf": to}):
        raise Conflict(MOVED, "商品状态已变化，请刷新后再试")


def withdraw(actor: Actor, product_id: int) -> None:
    """Take a product back from the queue into draft. Raises Conflict(`product.moved`)."""
    actor.require("product.edit")
    queries.get_for(actor, product_id)
    _move_review(product_id, "pending", "draft", submitted_at=None)
    audit.record(actor, "product.withdrawn", "product", product_id)


def approve(actor: Actor, product_id: int, *, version: int = 0) -> None:
    """Approve a waiting product, of exactly the version the reviewer saw when one is given.

    Raises Conflict(`product.moved`), Invalid(`product.incomplete`) when it became incomplete meanwhile.
    """
    actor.require("product.audit")
    product = queries.get_for(actor, product_id)
    if product.review != "pending":
        raise Conflict(MOVED, "只有待审核的商品可以审核")
    gate.check(product)
    seen = version or product.version
    where = {"review": "pending", **({"version": version} if version else {})}
    if not cas.change(Product, product_id, where=where, values={"review": "approved", "reject_reason": None}):
        raise Conflict(MOVED, "商家刚刚修改了商品，请刷新后重新审核")
    versions.mark_approved(product_id, seen)
    audit.record(actor, "product.approved", "product", product_id, detail={"version": seen})
    listing.refresh(product_id)


def reject(actor: Actor, product_id: int, reason: str) -> None:
    """Refuse a waiting product with a reason. Raises Conflict(`product.moved`), Invalid(`product.reason`)."""
    actor.require("product.audit")
    queries.get_for(actor, product_id)
    text = _reason(reason)
    _move_review(product_id, "pending", "rejected", reject_reason=text)
    audit.record(actor, "product.rejected", "product", product_id, detail={"reason": text})
    listing.refresh(product_id)


def put_on_shelf(actor: Actor, product_id: int) -> None:
    """Offer an approved product. Raises Invalid(`product.incomplete`), Conflict(`product.moved`) otherwise."""
    actor.require("product.edit")
    product = queries.get_for(actor, product_id)
    if product.shelf == "banned":
        raise Conflict("product.banned", "商品已被平台封禁，不能自行上架")
    if product.review != "approved":
        raise Conflict(MOVED, "商品通过审核后才能上架")
    gate.check(product)
    _move_shelf(product_id, "off", "on", review="approved")
    audit.record(actor, "product.shelf_on", "product", product_id)
    listing.refresh(product_id)


def take_off_shelf(actor: Actor, product_id: int) -> None:
    """Stop offering a product. Raises Conflict(`product.moved`) unless it is on the shelf."""
    actor.require("product.edit")
    queries.get_for(actor, product_id)
    _move_shelf(product_id, "on", "off")
    audit.record(actor, "product.shelf_off", "product", product_id)
    listing.refresh(product_id)


def ban(actor: Actor, product_id: int, reason: str) -> None:
    """Take a product down so that the merchant cannot lift it. Raises Conflict(`product.moved`), Invalid."""
    actor.require("product.audit")
    queries.get_for(actor, product_id)
    text = _reason(reason)
    if not cas.change(Product, product_id, where={"shelf": ("on", "off")}, values={"shelf": "banned", "reject_reason": text}):
        raise Conflict(MOVED, "商品已被封禁")
    audit.record(actor, "product.banned", "product", product_id, detail={"reason": text})
    listing.refresh(product_id)


def lift_ban(actor: Actor, product_id: int) -> None:
    """Lift a ban; the product lies off the shelf. Raises Conflict(`product.moved`)."""
    actor.require("product.audit")
    queries.get_for(actor, product_id)
    _move_shelf(product_id, "banned", "off")
    audit.record(actor, "product.ban_lifted", "product", product_id)
