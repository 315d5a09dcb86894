"""Verbs of carts: add, change, select, remove, merge (T02; commerce.md §2.3)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import bindparam, delete, select, update

from app.carts.models import Cart, CartLine
from app.catalog import queries as catalog
from app.core import cas, clock, runtime, sql
from app.core.db import Base, session
from app.core.errors import Conflict, Invalid, NotFound
from app.core.ids import new_id
from app.inventory import queries as inventory
from dbadapters.errors import Conflict as RunAgain
from dbadapters.errors import UniqueViolation
from security.tokens import digest

MAX_QUANTITY = 99
TOUCH_EVERY = timedelta(minutes=10)
_CONTENTS = (
    select(
        Cart.id, Cart.account_id, Cart.merged_into, Cart.touched_at, Cart.expires_at, CartLine.id.label("line_id"), CartLine.sku_id,
        CartLine.quantity,
    )
    .outerjoin(CartLine, CartLine.cart_id == Cart.id)
    .where(Cart.owner_key == bindparam("owner"))
)  # fmt: skip
_BOUGHT = delete(sql.table_of(CartLine)).where(
    CartLine.cart_id.in_(select(Cart.id).where(Cart.owner_key == bindparam("owner"))),
    CartLine.sku_id.in_(bindparam("sku_ids", expanding=True)),
)


class CartMerged(Conflict):
    """The guest's cart went into an account at sign-in; its token is used up."""


def owner_key(account_id: int, guest_token: str) -> str:
    """Return the unique key of whose cart it is: an account's, else a guest's by the digest of its token."""
    if account_id:
        return f"a:{account_id}"
    if not guest_token:
        return ""
    return f"g:{digest(guest_token)}"


@dataclass(frozen=True)
class Added:
    """What a cart holds after units were added: of the variant, and of everything."""

    quantity: int
    unit_count: int


def _open(owner: str, account_id: int) -> tuple[int, dict[int, tuple[int, int]]]:
    """Return the owner's cart, made or revived on demand, and its lines as SKU -> (line id, quantity); one query."""
    found = sql.read(_CONTENTS, {"owner": owner}).all()
    at = clock.now()
    expires_at = at + timedelta(seconds=runtime.current().settings.trade.cart_ttl_s)
    if not found:
        cart_id = new_id()
        cart = {"id": cart_id, "owner_key": owner, "account_id": account_id, "merged_into": 0}
        _add_or_run_again(Cart, cart | {"touched_at": at, "expires_at": expires_at})
        return cart_id, {}
    cart = found[0]
    if cart.merged_into:
        raise CartMerged("cart.merged", "购物车已合并到您的账号，请刷新页面")
    lines = {row.sku_id: (row.line_id, row.quantity) for row in found if row.line_id is not None}
    if cart.expires_at <= at and not account_id:
        session.execute(delete(CartLine).where(CartLine.cart_id == cart.id))
        lines = {}
    if at - cart.touched_at >= TOUCH_EVERY or cart.expires_at <= at:  # its life is counted in days
        cas.change(Cart, cart.id, where={"merged_into": 0}, values={"touched_at": at, "expires_at": expires_at})
    return cart.id, lines


def _add_or_run_again(model: type[Base], row: dict[str, Any]) -> None:
    """Insert a row with a unique key (owner; cart and SKU); when a twin request was faster, the door runs this one again."""
    try:
        sql.add(model, row)
    except UniqueViolation as error:
        raise RunAgain("the cart was written by a twin request") from error


def add(account_id: int, guest_token: str, sku_id: int, quantity: int) -> Added:
    """Put units of a variant into the cart; sums with what is there, capped by stock and 99.

    Raises Invalid(`cart.quantity`), NotFound(`product.missing`), Conflict(`stock.short`), CartMerged.
    """
    if not 1 <= quantity <= MAX_QUANTITY:
        raise Invalid("cart.quantity", f"数量为 1–{MAX_QUANTITY}", field="quantity")
    offer = catalog.offers([sku_id]).get(sku_id)
    if offer is None or not offer.is_buyable:
        raise NotFound("product.missing", "商品不存在或已下架")
    free = inventory.available([sku_id])[sku_id]
    if free <= 0:
        raise Conflict("stock.short", "商品已售完")
    cart_id, lines = _open(owner_key(account_id, guest_token), account_id)
    line_id, had = lines.get(sku_id, (0, 0))
    total = min(had + quantity, free, MAX_QUANTITY)
    if line_id:
        if not cas.change(CartLine, line_id, where={"quantity": had}, values={"quantity": total, "is_selected": True}):
            raise RunAgain("the line was changed by a twin request")
    else:
        line = {"id": new_id(), "cart_id": cart_id, "sku_id": sku_id, "quantity": total, "is_selected": True}
        _add_or_run_again(CartLine, line | {"added_at": clock.now()})
    return Added(total, sum(units for _, units in lines.values()) - had + total)


def _own_line(account_id: int, guest_token: str, line_id: int) -> CartLine:
    line = session.scalar(
        select(CartLine)
        .join(Cart, Cart.id == CartLine.cart_id)
        .where(CartLine.id == line_id, Cart.owner_key == owner_key(account_id, guest_token))
    )
    if line is None:
        raise NotFound("cart.line", "购物车里没有这件商品")
    return line


def set_quantity(account_id: int, guest_token: str, line_id: int, quantity: int) -> int:
    """Set a line's quantity, capped by stock; 0 removes it. Returns the quantity now. Raises NotFound, Invalid."""
    line = _own_line(account_id, guest_token, line_id)
    if not 0 <= quantity <= MAX_QUANTITY:
        raise Invalid("cart.quantity", f"数量为 1–{MAX_QUANTITY}", field="quantity")
    if quantity == 0:
        session.delete(line)
        return 0
    free = inventory.available([line.sku_id])[line.sku_id]
    line.quantity = max(1, min(quantity, free))
    return line.quantity


def select_line(account_id: int, guest_token: str, line_id: int, selected: bool) -> None:
    """Choose or leave out a line for checkout. Raises NotFound."""
    _own_line(account_id, guest_token, line_id).is_selected = selected


def select_all(account_id: int, guest_token: str, selected: bool) -> None:
    """Choose or leave out every line."""
    cart_id = session.scalar(select(Cart.id).where(Cart.owner_key == owner_key(account_id, guest_token)))
    if cart_id is not None:
        session.execute(update(CartLine).where(CartLine.cart_id == cart_id).values(is_selected=selected))


def remove_bought(account_id: int, sku_ids: list[int]) -> None:
    """Take bought variants out of the account's cart."""
    if sku_ids:
        sql.change(_BOUGHT, {"owner": owner_key(account_id, ""), "sku_ids": sku_ids})


def merge(account_id: int, guest_token: str) -> None:
    """Merge a guest's cart into the account's at sign-in: quantities are summed, capped by stock and 99.

    The guest cart is consumed once by compare-and-set; repeating or racing changes nothing.
    """
    if not guest_token:
        return
    guest = session.scalar(select(Cart).where(Cart.owner_key == owner_key(0, guest_token)))
    if guest is None or guest.merged_into or guest.expires_at <= clock.now():
        return
    guest_id = guest.id
    cart_id, _ = _open(owner_key(account_id, ""), account_id)
    if not cas.change(Cart, guest_id, where={"merged_into": 0}, values={"merged_into": cart_id}):
        return
    lines = session.scalars(select(CartLine).where(CartLine.cart_id == guest_id)).all()
    have = {row.sku_id: row for row in session.scalars(select(CartLine).where(CartLine.cart_id == cart_id))}
    free = inventory.available([row.sku_id for row in lines])
    for row in lines:
        cap = max(1, min(MAX_QUANTITY, free[row.sku_id]))  # a sold-out line stays visible, left out of checkout
        if row.sku_id in have:
            have[row.sku_id].quantity = min(have[row.sku_id].quantity + row.quantity, cap)
        else:
            session.add(
                CartLine(
                    id=new_id(), cart_id=cart_id, sku_id=row.sku_id, quantity=min(row.quantity, cap), added_at=row.added_at,
                    is_selected=bool(row.is_selected) and free[row.sku_id] > 0,
                )
            )  # fmt: skip


def purge_expired() -> None:
    """Periodic job: drop guest carts that expired more than a day ago."""
    limit = clock.now() - timedelta(days=1)
    ids = session.scalars(select(Cart.id).where(Cart.expires_at < limit, Cart.account_id == 0).limit(500)).all()
    if ids:
        session.execute(delete(CartLine).where(CartLine.cart_id.in_(ids)))
        session.execute(delete(Cart).where(Cart.id.in_(ids)))
