"""Paid orders, made by the product's own verbs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from app.carts import queries as carts
from app.core.db import session
from app.core.tx import transaction
from app.orders import queries as order_queries
from app.orders import service as orders
from app.orders.models import Order, Trade
from app.promotions.queries import Buyer
from security.tokens import random_token
from tests.factories import market


def paid(
    shop: market.Shop, picked: Sequence[tuple[int, int]] = (), points: dict[int, int] | None = None, who: tuple[Any, int] | None = None
) -> Order:
    """A paid order of a shop; picked: (SKU, quantity) pairs, one unit of the first variant by default."""
    buyer, address_id = who or market.make_buyer()
    wanted_lines, chosen = list(picked) or [(shop.sku_ids[0], 1)], points or {}
    modes = dict.fromkeys(chosen, "pickup")
    quote, _, _ = carts.price(wanted_lines, buyer=Buyer(buyer.account_id, area_code="T01"), modes=modes)
    wanted = orders.Submission(
        wanted_lines, address_id, quote.quote_hash, quote.total_fen, random_token(), {}, from_cart=False, points=chosen, modes=modes
    )
    with transaction():
        trade_id = orders.place(buyer, wanted)
    with transaction():
        assert orders.mark_trade_paid(trade_id, session.get_one(Trade, trade_id).payable_fen)
    session.expire_all()
    return order_queries.orders_of_trade(trade_id)[0]
