"""Orders, officers and threads for the tests of what happens at the desk."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from app.carts import queries as carts
from app.catalog.models import Product
from app.core import db as core_db
from app.core.actor import SYSTEM, Actor
from app.core.errors import AppError
from app.core.tx import retry_conflicts, transaction
from app.identity import service as identity
from app.orders import queries, service
from app.orders.models import Order, Trade
from security.tokens import random_token
from tests.factories import market


def officer(name: str = "运营甲") -> Actor:
    """An operator who handles cases."""
    with transaction():
        account = identity.create_account(SYSTEM, "operator", f"op{random_token()[:12]}", name, roles=("operations",))
    return market.actor_of(account)


def owner(shop: market.Shop) -> Actor:
    """The shop's owner."""
    from app.identity import queries as identity_queries

    account = identity_queries.find_by_login("merchant", shop.login)
    assert account is not None
    return market.actor_of(account)


def placed(picked: list[tuple[int, int]], modes: dict[int, str] | None = None) -> tuple[Actor, int]:
    """Place at present prices; returns the buyer and the trade."""
    buyer, address_id = market.make_buyer()
    quote, _, _ = carts.price(picked, modes=modes or {})
    wanted = service.Submission(
        picked, address_id, quote.quote_hash, quote.total_fen, random_token(), {}, from_cart=False, modes=modes or {}
    )
    with transaction():
        return buyer, service.place(buyer, wanted)


def paid(picked: list[tuple[int, int]], modes: dict[int, str] | None = None) -> tuple[Actor, list[Order]]:
    """Place and pay; returns the buyer and the orders."""
    buyer, trade_id = placed(picked, modes)
    with transaction():
        assert service.mark_trade_paid(trade_id, core_db.session.get_one(Trade, trade_id).payable_fen)
    return buyer, queries.orders_of_trade(trade_id)


def cool(shop: market.Shop, temperature: str) -> None:
    """Let the shop's product travel at another temperature."""
    with transaction():
        core_db.session.get_one(Product, shop.product_id).cold_chain = temperature


def fresh(order_id: int) -> Order:
    """The order as it is now."""
    core_db.session.rollback()
    core_db.session.expire_all()
    return core_db.session.get_one(Order, order_id)


def race(*verbs: Callable[[], Any]) -> list[str]:
    """Run verbs at the same moment, each in its own transaction with the door's retry; 'done' or the code of the refusal."""
    core_db.session.rollback()
    start = threading.Barrier(len(verbs))

    def run(verb: Callable[[], Any]) -> str:
        start.wait()

        def once() -> None:
            with transaction():
                verb()

        try:
            retry_conflicts(once, attempts=8)
        except AppError as error:
            return error.code
        finally:
            core_db.release_session()
        return "done"

    with ThreadPoolExecutor(len(verbs)) as pool:
        found = list(pool.map(run, verbs))
    core_db.session.expire_all()
    return found
