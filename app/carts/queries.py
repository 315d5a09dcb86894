"""The cart as its owner sees it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, func, select

from app.carts.models import Cart, CartLine
from app.carts.service import owner_key
from app.catalog import queries as catalog
from app.catalog.queries import Offer
from app.core import clock
from app.core.db import session
from app.inventory import queries as inventory
from app.merchants import queries as merchants
from app.merchants.queries import Shop
from app.promotions import pricing


@dataclass(frozen=True)
class LineView:
    """A line with its present offer; reason says why it cannot be bought now."""

    id: int
    sku_id: int
    quantity: int
    is_selected: bool
    offer: Offer | None
    available: int
    reason: str


@dataclass(frozen=True)
class CartView:
    """Lines by shop, lines that cannot be bought, and the price of the selected ones (None when none is)."""

    shops: Sequence[tuple[Shop, Sequence[LineView]]]
    invalid: Sequence[LineView]
    quote: pricing.Quote | None
    unit_count: int

    @property
    def lines(self) -> list[LineView]:
        """Return all buyable lines."""
        return [line for _, lines in self.shops for line in lines]


def price(picked: Sequence[tuple[int, int]]) -> tuple[pricing.Quote, dict[int, Offer], dict[int, Shop]]:
    """Quote (sku_id, quantity) pairs at present prices; two queries. Raises KeyError for an unknown SKU."""
    offers = catalog.offers([sku_id for sku_id, _ in picked])
    shops = merchants.shops(sorted({offer.merchant_id for offer in offers.values()}))
    rules = {s.id: pricing.MerchantRule(s.freight_fen, s.free_over_fen) for s in shops.values()}
    lines = [
        pricing.Line(sku_id, offers[sku_id].merchant_id, offers[sku_id].price_fen, quantity, offers[sku_id].weight_g)
        for sku_id, quantity in picked
    ]
    return pricing.quote(pricing.QuoteContext(rules), lines), offers, shops


def _living(owner: str) -> ColumnElement[bool]:
    """Return the condition of the owner's usable cart: a guest's ends after its time, an account's does not."""
    in_time = (Cart.account_id != 0) | (Cart.expires_at > clock.now())
    return and_(Cart.owner_key == owner, Cart.merged_into == 0, in_time)


def unit_count(account_id: int, guest_token: str) -> int:
    """Return how many units lie in the owner's cart; one query."""
    owner = owner_key(account_id, guest_token)
    if not owner:
        return 0
    statement = select(func.sum(CartLine.quantity)).join(Cart, Cart.id == CartLine.cart_id).where(_living(owner))
    return int(session.scalar(statement) or 0)


def view(account_id: int, guest_token: str) -> CartView:
    """Return the owner's cart; four queries whatever its size."""
    owner = owner_key(account_id, guest_token)
    statement = select(CartLine).join(Cart, Cart.id == CartLine.cart_id).where(_living(owner)).order_by(CartLine.id.desc())
    rows = session.scalars(statement).all() if owner else []
    ids = [row.sku_id for row in rows]
    offers, free = catalog.offers(ids), inventory.available(ids)
    shops = merchants.shops(sorted({offer.merchant_id for offer in offers.values()}))
    grouped: dict[int, list[LineView]] = {}
    invalid = []
    for row in rows:
        offer = offers.get(row.sku_id)
        reason = "商品已删除" if offer is None else offer.reason
        if offer is not None and not reason and free[row.sku_id] < row.quantity:
            reason = "库存不足" if free[row.sku_id] > 0 else "已售完"
        line = LineView(row.id, row.sku_id, row.quantity, bool(row.is_selected), offer, free.get(row.sku_id, 0), reason)
        if offer is None or (reason and free.get(row.sku_id, 0) <= 0) or not offer.is_buyable:
            invalid.append(line)
        else:
            grouped.setdefault(offer.merchant_id, []).append(line)
    chosen = [line for lines in grouped.values() for line in lines if line.is_selected and not line.reason]
    rules = {s.id: pricing.MerchantRule(s.freight_fen, s.free_over_fen) for s in shops.values()}
    priced = [
        pricing.Line(c.sku_id, c.offer.merchant_id, c.offer.price_fen, c.quantity, c.offer.weight_g) for c in chosen if c.offer
    ]
    total = pricing.quote(pricing.QuoteContext(rules), priced) if priced else None
    by_shop = [(shops[merchant_id], lines) for merchant_id, lines in grouped.items()]
    return CartView(by_shop, invalid, total, sum(row.quantity for row in rows))
