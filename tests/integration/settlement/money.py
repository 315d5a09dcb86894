"""A market whose money moves: orders placed, paid at the simulator, shipped, completed, refunded; events delivered as the worker does."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import select

from app.carts import queries as carts
from app.core import clock, events, jobs
from app.core.actor import SYSTEM, Actor
from app.core.db import session
from app.core.tx import retry_conflicts, transaction
from app.identity import service as identity
from app.orders import queries as orders
from app.orders import service as orders_service
from app.orders.models import Trade
from app.payments import channels, simulator
from app.payments import service as payments
from app.promotions.queries import Buyer
from app.settlement import handlers
from app.settlement.queries import books
from app.settlement.service import ledger, payouts, release
from security.tokens import random_token
from tests.factories import market

NUMBER = "6222020200112233445"


def deliver(limit: int = 2_000) -> int:
    """Run every due job as a worker does, those that take many together; a failing job fails the test. Returns how many ran."""
    count = 0
    while count < limit:
        claimed = retry_conflicts(lambda: jobs.claim("test", 50, 600, 12))
        if not claimed:
            return count
        for group in jobs.in_groups(claimed):
            run = jobs.run_together if len(group) > 1 else lambda group, owner: jobs.run(group[0], owner)
            retry_conflicts(lambda run=run, group=group: run(group, "test"))  # type: ignore[misc]
            count += len(group)
    raise AssertionError("the queue does not end")


def place(buyer: Actor, address_id: int, picked: list[tuple[int, int]]) -> int:
    """Place at present prices; returns the trade."""
    quote, _, _ = carts.price(picked)
    wanted = orders_service.Submission(picked, address_id, quote.quote_hash, quote.total_fen, random_token(), {}, from_cart=False, exclusions_confirmed=True)
    with transaction():
        return orders_service.place(buyer, wanted)


def place_as(buyer: Actor, address_id: int, picked: list[tuple[int, int]]) -> int:
    """Place as a signed-in buyer, with the best of the coupons held; returns the trade."""
    quote, _, _ = carts.price(picked, None, Buyer(buyer.account_id))
    wanted = orders_service.Submission(
        picked, address_id, quote.quote_hash, quote.total_fen, random_token(), {}, from_cart=False, exclusions_confirmed=True
    )
    with transaction():
        return orders_service.place(buyer, wanted)


def pay(buyer: Actor, trade_id: int, outcome: str = "paid") -> list[str]:
    """Pay a trade at the simulator with an outcome; returns what became of each notice."""
    with transaction():
        attempt = payments.start(buyer, session.get_one(Trade, trade_id).trade_no, channels.SIMULATOR)
    return [receive(body) for body in simulator.bodies(attempt, outcome)]


def receive(body: bytes) -> str:
    """Take a notice as the door does."""
    with transaction():
        row = payments.receive_notice(channels.SIMULATOR, body, channels.sign(body))
    with transaction():
        return payments.apply_notice(row)


def paid_order(shop: market.Shop, quantity: int = 1, *, variant: int = 0) -> tuple[Actor, int]:
    """A paid order, not yet delivered to the books; returns (buyer, order id)."""
    buyer, address_id = market.make_buyer()
    trade_id = place(buyer, address_id, [(shop.sku_ids[variant], quantity)])
    assert pay(buyer, trade_id) == ["paid"]
    return buyer, orders.orders_of_trade(trade_id)[0].id


def complete(buyer: Actor, order_id: int) -> None:
    """Ship and confirm an order."""
    with transaction():
        orders_service.mark_shipped(SYSTEM, order_id)
    with transaction():
        orders_service.complete(buyer, order_id)


def releasing(days: int = 8) -> Any:
    """The clock some days on, so that windows have ended."""
    return clock.travel(timedelta(days=days))


def redeliver(name: str, event: Any) -> None:
    """Hand an event to a handler of settlement; one that takes batches gets it twice in one."""
    handler = getattr(handlers, name)
    with transaction():
        handler([event, event] if events.takes_batches(handler) else event)


def release_all() -> None:
    """Run the periodic release and what it queues."""
    with transaction():
        release.release_due()
    deliver()


def released_order(shop: market.Shop, quantity: int = 1) -> tuple[Actor, int]:
    """An order whose money is in the merchant's balance."""
    buyer, order_id = paid_order(shop, quantity)
    deliver()
    complete(buyer, order_id)
    deliver()
    with releasing():
        release_all()
    return buyer, order_id


def owner(shop: market.Shop) -> Actor:
    """The shop's owner as an actor."""
    from app.identity import queries

    account = queries.find_by_login("merchant", shop.login)
    assert account is not None
    return market.actor_of(account)


def finance(name: str = "") -> Actor:
    """A new finance officer."""
    with transaction():
        account = identity.create_account(
            SYSTEM, "operator", f"fin{random_token()[:12].lower().replace('_', 'x').replace('-', 'y')}", name or "财务",
            password=market.PASSWORD, roles=("finance",),
        )  # fmt: skip
    return market.actor_of(account)


def with_bank(shop: market.Shop) -> Actor:
    """The shop's owner, with a bank account kept."""
    from app.merchants import queries as merchants

    who = owner(shop)
    with transaction():
        holder = merchants.get_merchant(shop.merchant_id).name
        payouts.set_bank(who, bank_name="澜州银行城中支行", holder=holder, number=NUMBER, auto_payout=False)
    return who


def fund(merchant_id: int, fen: int, kind: str = "payable") -> None:
    """Give a merchant's account a balance out of the custody account, as a voucher of its own."""
    with transaction():
        ledger.post("deposit", f"test:{random_token()}", (ledger.Line("custody", fen), ledger.Line(kind, -fen, merchant_id)))


def balances(shop: market.Shop) -> dict[str, int]:
    """A merchant's balances, read afresh."""
    session.rollback()
    return books.balances_of(shop.merchant_id)


def platform(*kinds: str) -> dict[str, int]:
    """Sums of the platform's accounts by kind, on their own side; tests look at differences, as the accounts outlive them."""
    from sqlalchemy import func

    from app.settlement.chart import KINDS
    from app.settlement.models import Account

    session.rollback()
    rows = dict(session.execute(select(Account.kind, func.sum(Account.balance_fen)).group_by(Account.kind)).tuples().all())
    return {kind: int(rows.get(kind, 0)) * KINDS[kind].side for kind in kinds}


def moved(before: dict[str, int]) -> dict[str, int]:
    """What changed since, without zeros."""
    now = platform(*before)
    return {kind: now[kind] - before[kind] for kind in before if now[kind] != before[kind]}


def assert_proven() -> None:
    """Every voucher balances, every balance is the sum of its entries."""
    session.rollback()
    assert books.verify() == []
