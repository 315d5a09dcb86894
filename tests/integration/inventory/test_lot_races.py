"""Two hands on one lot: receivers, shipping against quarantine, returns; real threads on the engine under test."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from app.core import clock
from app.core.db import release_session
from app.core.errors import AppError
from app.core.ids import new_id
from app.core.tx import retry_conflicts, transaction
from app.inventory import service
from app.inventory.service import counts, lots, quota, receipts, transfers
from app.inventory.service.lot_rows import Cause
from tests.factories import market
from tests.integration.inventory import test_papers as papers
from tests.integration.inventory import yard


def at_once(*works: Callable[[], Any]) -> list[str]:
    """Run works in threads from one starting line, each as a door would; returns 'ok' or the code of the refusal, in order."""
    gate = threading.Barrier(len(works))

    def run(work: Callable[[], Any]) -> str:
        def unit() -> str:
            with transaction():
                work()
            return "ok"

        gate.wait(30)
        try:
            return retry_conflicts(unit, attempts=12)
        except AppError as refused:
            return refused.code
        finally:
            release_session()

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(run, works))


def test_two_receivers_of_a_new_lot(db: Any) -> None:
    """Both open the lot, one twice by a double click: one lot, each paper counted once."""
    shop, sku, stock = yard.tracked_shop()
    causes = [new_id(), new_id()]

    def receive(cause_id: int) -> Callable[[], Any]:
        def work() -> None:
            lot = lots.open_lot(yard.owner(shop), sku, "L1", expires_on=yard.day(60))
            lots.receive_into(yard.owner(shop), stock, lot, 5, cause=Cause("receive", "test", cause_id))

        return work

    assert at_once(*[receive(c) for c in (*causes, causes[0], causes[1])]) == ["ok"] * 4
    assert yard.lot_units(stock) == {"L1": (10, 0)}
    yard.proven()


@pytest.mark.parametrize("_round", range(4))
def test_shipping_against_quarantine(db: Any, _round: int) -> None:
    """Either the parcel left before the block, or it stays; never a unit of a blocked lot out of the house after it."""
    shop, sku, stock = yard.tracked_shop()
    lot_id = yard.receive(shop, stock, "L1", 4, 60)
    orders = [yard.order((sku, 2))[0] for _ in range(2)]
    answers = at_once(
        lambda: service.ship(orders[0]), lambda: lots.block(yard.owner(shop), lot_id, "抽检不合格"), lambda: service.ship(orders[1])
    )
    assert answers[1] == "ok"
    assert {answers[0], answers[2]} <= {"ok", "stock.lot_short"}
    gone = 2 * [answers[0], answers[2]].count("ok")
    assert yard.lot_units(stock) == ({"L1": (4 - gone, 0)} if gone < 4 else {})
    assert yard.free(sku) == 0
    yard.proven()


def test_a_sale_against_a_block_of_the_same_units(db: Any) -> None:
    """Four free units, two buyers of two and a block: what was not promised in time is not for sale any more."""
    shop, sku, stock = yard.tracked_shop()
    lot_id = yard.receive(shop, stock, "L1", 4, 60)

    def buy() -> None:
        service.reserve([(new_id(), new_id(), sku, 2)], clock.now() + timedelta(minutes=30))

    answers = at_once(buy, lambda: lots.block(yard.owner(shop), lot_id, "抽检不合格"), buy)
    assert answers[1] == "ok"
    promised = 2 * (answers.count("ok") - 1)
    assert yard.columns(sku)["reserved"] == promised
    assert yard.lot_units(stock) == {"L1": (promised, 4 - promised)}
    assert yard.free(sku) == 0
    yard.proven()


def test_two_returns_of_the_last_unit(db: Any) -> None:
    shop, sku, stock = yard.tracked_shop()
    yard.receive(shop, stock, "L1", 2, 60)
    order_id, (line_id,) = yard.order((sku, 1))
    with transaction():
        service.ship(order_id)
    back = service.Returned(order_id, line_id, 1, 1, 0)
    same = new_id()
    answers = at_once(*[lambda c=c: service.receive_return(yard.owner(shop), back, cause_id=c) for c in (same, same, new_id())])
    assert sorted(answers) in (["ok", "ok", "return.too_many"], ["ok", "return.too_many", "return.too_many"])
    assert yard.lot_units(stock) == {"L1": (2, 0)}
    yard.proven()


def test_an_activity_and_buyers_want_the_last_units(db: Any) -> None:
    shop = market.make_shop(stock=4)
    sku, end = shop.sku_ids[0], clock.now() + timedelta(minutes=30)
    cause = new_id()

    def buy() -> None:
        service.reserve([(new_id(), new_id(), sku, 2)], end)

    answers = at_once(lambda: quota.hold("flash", 1, sku, 3, cause_id=cause), buy, lambda: quota.hold("flash", 1, sku, 3, cause_id=cause))
    columns = yard.columns(sku)
    assert (columns["quota_held"], columns["reserved"]) in {(3, 0), (0, 2)}, answers
    yard.proven()
    if columns["quota_held"]:
        sold = at_once(*[lambda: quota.sell("flash", 1, [(new_id(), new_id(), sku, 1)], end)] * 5)
        assert sorted(sold) == ["ok"] * 3 + ["stock.quota"] * 2
        yard.proven()


def test_a_transfer_is_shipped_and_received_once(db: Any) -> None:
    shop = market.make_shop(stock=5)
    sku, place = shop.sku_ids[0], papers.own(shop)
    there = papers.central()
    with transaction():
        move = transfers.request(yard.owner(shop), place, there, [(sku, 4, 0)]).id
    assert sorted(at_once(*[lambda: transfers.ship(yard.owner(shop), move)] * 3)) == ["ok", "transfer.state", "transfer.state"]
    assert transfers.in_transit([sku]) == {sku: 4}
    assert sorted(at_once(*[lambda: transfers.receive(papers.KEEPER, move, {})] * 3)) == ["ok", "transfer.state", "transfer.state"]
    assert yard.free(sku) == 5
    yard.proven()


def test_a_count_against_sales(db: Any) -> None:
    """One unit is missing; two parcels leave and two buyers order while the difference is entered and booked."""
    shop = market.make_shop(stock=10)
    sku, place = shop.sku_ids[0], papers.own(shop)
    parcels = [yard.order((sku, 2))[0] for _ in range(2)]
    clerk, boss, end = yard.owner(shop, 11), yard.owner(shop, 12), clock.now() + timedelta(minutes=9)
    with transaction():
        sheet = counts.begin(clerk, place, [sku]).id
        line = counts.lines_of(sheet)[0].id
    gone: list[int] = []

    def send(order_id: int) -> None:
        service.ship(order_id)

    def enter() -> None:
        """The clerk sees what the book says less one, whatever has been sent by then."""
        seen = yard.on_hand_now(sku)
        counts.enter(clerk, sheet, line, seen - 1)
        gone[:] = [seen]

    answers = at_once(lambda: send(parcels[0]), enter, lambda: send(parcels[1]))
    assert answers == ["ok"] * 3
    assert gone
    with transaction():
        counts.submit(clerk, sheet)
    shift = counts.lines_of(sheet)[0].counted - counts.lines_of(sheet)[0].book
    buyers = [lambda: service.reserve([(new_id(), new_id(), sku, 2)], end)] * 2
    answers = at_once(buyers[0], lambda: counts.approve(boss, sheet), buyers[1])
    assert answers == ["ok"] * 3
    columns = yard.columns(sku)
    assert (columns["on_hand"], columns["reserved"], columns["allocated"]) == (6 + shift, 4, 0)
    yard.proven()


def test_two_reviewers_book_a_count_once(db: Any) -> None:
    shop = market.make_shop(stock=10)
    sku, place = shop.sku_ids[0], papers.own(shop)
    with transaction():
        sheet = counts.begin(yard.owner(shop, 11), place, [sku]).id
        counts.enter(yard.owner(shop, 11), sheet, counts.lines_of(sheet)[0].id, 8)
        counts.submit(yard.owner(shop, 11), sheet)
    answers = at_once(*[lambda i=i: counts.approve(yard.owner(shop, i), sheet) for i in (12, 13, 14)])
    assert sorted(answers) == ["count.state", "count.state", "ok"]
    assert yard.columns(sku)["on_hand"] == 8
    yard.proven()


def test_two_clerks_receive_the_last_announced_units(db: Any) -> None:
    """Both scan the same pallet with papers of their own: the second is over and needs a reason; a double click is nothing."""
    shop = market.make_shop(stock=0)
    note, (line,) = papers.note_for(shop, (shop.sku_ids[0], 5))
    same = new_id()

    def scan(cause_id: int) -> Callable[[], Any]:
        arrival = receipts.Arrival(5)
        return lambda: receipts.receive(yard.owner(shop), note, line, arrival, cause_id=cause_id)

    answers = at_once(scan(same), scan(new_id()), scan(same))
    assert sorted(answers) in (["ok", "ok", "stock.reason"], ["ok", "stock.reason", "stock.reason"])
    assert yard.free(shop.sku_ids[0]) == 5
    assert receipts.lines_of(note)[0].received == 5
    yard.proven()
