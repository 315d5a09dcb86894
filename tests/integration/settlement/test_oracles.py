"""The soak's checks: silent about honest books, and each one names the row that was tampered with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select, update

from app.carts import queries as carts
from app.core import jobs
from app.core.actor import SYSTEM
from app.core.db import session
from app.core.ids import new_id
from app.core.tx import transaction
from app.inventory.models import Reservation, Stock
from app.orders import service as orders
from app.orders.models import Order, OrderEvent, OrderLine, Trade
from app.orders.placing import event_row
from app.payments.models import ChannelNotice
from app.promotions import service as promotions
from app.promotions.models import PromotionRule
from app.promotions.queries import Buyer
from app.settlement.models import Account, OrderSplit
from tests.factories import market
from tests.factories import promotions as rules
from tests.integration.settlement import money
from tests.soak import oracles


def _set(model: Any, **values: Any) -> Callable[[dict[str, int]], None]:
    """Return a tampering that writes values into the row of the scene that is named like the table's class."""

    def tamper(scene: dict[str, int]) -> None:
        row_id = scene[model.__name__]
        session.execute(update(model).where(model.id == row_id).values(**values).execution_options(synchronize_session=False))

    return tamper


def _paid_twice(scene: dict[str, int]) -> None:
    session.add_all([OrderEvent(**event_row(scene["Order"], "paid", SYSTEM))])


def _given_up(scene: dict[str, int]) -> None:
    jobs.enqueue("payments.apply_notice", {"notice_id": 1}, key=f"x{new_id()}")
    session.execute(update(jobs.Job).where(jobs.Job.status == jobs.QUEUED).values(status=jobs.PARKED))


TAMPERINGS = {
    "balance": ("ledger", _set(Account, balance_fen=Account.balance_fen + Account.side)),
    "line": ("trades", _set(OrderLine, paid_fen=OrderLine.paid_fen + 1)),
    "trade": ("trades", _set(Trade, payable_fen=Trade.payable_fen + 1)),
    "state": ("trades", _set(Order, status="unpaid")),
    "money given back": ("receipts", _set(Order, refunded_fen=1)),
    "notice never applied": ("receipts", _set(ChannelNotice, state="received")),
    "units": ("stock", _set(Stock, on_hand=Stock.on_hand + 1)),
    "held units": ("stock", _set(Reservation, quantity=Reservation.quantity + 1)),
    "timeline": ("timelines", _paid_twice),
    "case count": ("aftersales", _set(Order, case_count=1)),
    "coupon count": ("promotions", _set(PromotionRule, used_count=PromotionRule.used_count + 1)),
    "merchant's net": ("merchants", _set(OrderSplit, net_fen=OrderSplit.net_fen - 1)),
    "job": ("loose_ends", _given_up),
    "channel": ("channel_account", _set(Account, balance_fen=Account.balance_fen + 1)),
}  # fmt: skip


@pytest.fixture
def before(db: Any) -> dict[str, list[str]]:
    """What the checks say of what other tests left in tables that cannot be emptied."""
    return oracles.check()


@pytest.fixture
def scene(db: Any) -> dict[str, int]:
    """A paid order that used a coupon, in the books; ids of its rows by class name."""
    rule_id = rules.start("coupon", tiers=((1_000, 300),))
    shop = market.make_shop()
    buyer, address = market.make_buyer()
    with transaction():
        promotions.claim(buyer, rule_id)
    picked = [(shop.sku_ids[0], 2)]
    quote, _, _ = carts.price(picked, None, Buyer(buyer.account_id))
    wanted = orders.Submission(
        picked=picked, address_id=address, quote_hash=quote.quote_hash, expected_total_fen=quote.total_fen,
        idempotency_key=f"k{new_id()}", notes={}, from_cart=False,
    )  # fmt: skip
    with transaction():
        trade_id = orders.place(buyer, wanted)
    money.pay(buyer, trade_id)
    money.deliver()
    db.rollback()
    order_id = db.scalar(select(Order.id).where(Order.trade_id == trade_id))

    def first(column: Any, *where: Any) -> int:
        return int(db.scalar(select(column).where(*where).order_by(column.desc()).limit(1)))

    found = {
        "Trade": trade_id, "Order": order_id, "PromotionRule": rule_id, "OrderLine": first(OrderLine.id, OrderLine.order_id == order_id),
        "Account": first(Account.id, Account.kind == "channel"), "ChannelNotice": first(ChannelNotice.id),
        "OrderSplit": first(OrderSplit.id, OrderSplit.order_id == order_id),
        "Reservation": first(Reservation.id, Reservation.order_id == order_id), "Stock": first(Stock.id, Stock.merchant_id == shop.merchant_id),
    }  # fmt: skip
    db.rollback()
    return found


class Undo(Exception):
    """Ends a transaction without leaving anything."""


def test_honest_books_pass(db: Any, before: dict[str, list[str]], scene: dict[str, int]) -> None:
    found = oracles.check()
    assert set(found) == set(before)
    for name, problems in found.items():
        assert len(problems) <= len(before[name]), (name, problems)


@pytest.mark.parametrize("what", TAMPERINGS)
def test_tampering_is_named(what: str, scene: dict[str, int]) -> None:
    name, tamper = TAMPERINGS[what]
    oracle = getattr(oracles, name)
    honest, found = set(oracle()), set()
    with pytest.raises(Undo), transaction():
        tamper(scene)
        found = set(oracle()) - honest
        raise Undo
    assert found, f"{name} did not notice"
