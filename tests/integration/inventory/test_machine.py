"""Random histories of a warehouse against a model in plain Python (commerce.md §2.25 e).

The model knows two places, a SKU without lots and one with three lots; it predicts where each unit goes: which warehouse a line
takes, which lot leaves first, what a blocked lot leaves behind. After every step the database must say the same, and all sums hold.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule, run_state_machine_as_test
from sqlalchemy import select

from app.core import clock
from app.core.actor import SYSTEM
from app.core.db import session
from app.core.errors import AppError
from app.core.ids import new_id
from app.core.tx import transaction
from app.inventory import service
from app.inventory.models import Count, Lot, LotStock, Stock, TransferLine
from app.inventory.service import counts, lots, quota, transfers, verify, warehouses
from app.inventory.service.lot_rows import Cause
from tests.factories import market
from tests.integration.inventory import yard

UNITS = st.integers(1, 4)
OPENING = (("own", None, 9), ("own", 0, 4), ("own", 1, 5), ("own", 2, 3), ("central", None, 4), ("central", 0, 3), ("central", 2, 4))
EXPIRES = (40, 90, 20)  # days ahead, by lot
PLACES, SKUS, LOTS = ("own", "central"), ("plain", "lotted"), (0, 1, 2)


class Refused(Exception):
    """What the model says must be refused."""


@dataclass
class Row:
    """A stock row of the model; lots: [on hand, quarantined] by lot in order of first arrival."""

    on_hand: int = 0
    allocated: int = 0
    reserved: int = 0
    quota: int = 0
    aside: int = 0
    lots: dict[int, list[int]] = field(default_factory=dict)

    @property
    def free(self) -> int:
        return self.on_hand - self.allocated - self.reserved - self.quota


@dataclass
class Order:
    """An order line of the model. parts: (place, units); left: lots it left with, by place."""

    id: int
    line_id: int
    sku: str
    quantity: int
    parts: list[tuple[str, int]]
    state: str = "active"
    left: dict[tuple[str, int], int] = field(default_factory=dict)
    back: dict[str, int] = field(default_factory=dict)


class World:
    """The warehouse in plain Python."""

    def __init__(self) -> None:
        self.rows = {(place, sku): Row() for place in PLACES for sku in SKUS}
        self.blocked: set[int] = set()
        self.activity: dict[tuple[str, str], int] = {}

    def row(self, place: str, sku: str) -> Row:
        return self.rows[place, sku]

    def settle(self) -> None:
        for row in (self.rows[place, "lotted"] for place in PLACES):
            for lot, cell in row.lots.items():
                if lot in self.blocked:
                    units = min(cell[0], row.free)
                    row.on_hand, cell[0], cell[1] = row.on_hand - units, cell[0] - units, cell[1] + units

    def spread(self, sku: str, quantity: int, free: dict[str, int]) -> list[tuple[str, int]]:
        for place in PLACES:
            if free[place] >= quantity:
                return [(place, quantity)]
        parts, missing = [], quantity
        for place in PLACES:
            if free[place] > 0 and missing > 0:
                parts.append((place, min(free[place], missing)))
                missing -= parts[-1][1]
        if missing:
            raise Refused
        return parts

    def first_out(self, place: str, quantity: int) -> dict[int, int]:
        row, taken = self.row(place, "lotted"), {}
        for lot in sorted(row.lots, key=lambda lot: EXPIRES[lot]):
            units = min(row.lots[lot][0], quantity) if lot not in self.blocked else 0
            if units:
                taken[lot], quantity = units, quantity - units
        if quantity:
            raise Refused
        return taken


class Warehouse(RuleBasedStateMachine):
    """The rules; each does the same to both worlds, and both refuse or both agree."""

    orders: Bundle[Order] = Bundle("orders")
    moves: Bundle[Any] = Bundle("moves")

    @initialize(target=orders, first=st.lists(st.tuples(st.sampled_from(SKUS), UNITS), min_size=2, max_size=5))
    def build(self, first: list[tuple[str, int]]) -> Any:
        """Two places with goods, and some orders: an empty house refuses everything and proves nothing."""
        self.model = World()
        self.shop = market.make_shop(stock=0)
        self.actor = yard.owner(self.shop)
        self.sku = dict(zip(SKUS, self.shop.sku_ids, strict=True))
        with transaction():
            lots.keep_by_lots(self.actor, self.sku["lotted"])
            central = warehouses.create(SYSTEM, warehouses.WarehouseInput(f"C{new_id()}", "中心仓", "central", "T01", priority=200))
            self.place = {"own": service.warehouse_of(self.shop.merchant_id).id, "central": central.id}
            self.stock = {
                (place, sku): service.ensure_stock([self.sku[sku]], self.shop.merchant_id, self.place[place])[self.sku[sku]]
                for place in PLACES for sku in SKUS
            }  # fmt: skip
            self.lot = [lots.open_lot(self.actor, self.sku["lotted"], f"L{i}", expires_on=yard.day(EXPIRES[i])).id for i in LOTS]
        for place, lot, units in OPENING:
            self.receive(place, units, lot)
        made = [order for order in (self._reserve(sku, units) for sku, units in first) if order]
        for order in made[::2]:  # every other one stays unpaid
            self.pay(order)
        return multiple(*made)

    def do(self, work: Any, predict: Any) -> bool:
        """Run the verb and the prediction; True when both went through."""
        expected = True
        try:
            predict()
        except Refused:
            expected = False
        try:
            with transaction():
                work()
        except AppError:
            if expected:
                raise  # the model agrees to this
            return False
        assert expected, "the model refuses this"
        return True

    @rule(place=st.sampled_from(PLACES), units=UNITS, lot=st.sampled_from((None, *LOTS)))
    def receive(self, place: str, units: int, lot: int | None) -> None:
        sku = "plain" if lot is None else "lotted"
        stock_id, cause_id = self.stock[place, sku], new_id()

        def work() -> None:
            if lot is None:
                service.change_on_hand(SYSTEM, stock_id, units, cause_id=cause_id, note="到货")
            else:
                lots.receive_into(SYSTEM, stock_id, session.get_one(Lot, self.lot[lot]), units, cause=Cause("receive", "test", cause_id))

        def predict() -> None:
            row = self.model.row(place, sku)
            if lot is not None:
                row.lots.setdefault(lot, [0, 0])[lot in self.model.blocked] += units
            row.on_hand += 0 if lot in self.model.blocked else units
            self.model.settle()

        self.do(work, predict)
        self.do(work, lambda: None)  # a double click

    @rule(target=orders, sku=st.sampled_from(SKUS), units=UNITS)
    def reserve(self, sku: str, units: int) -> Any:
        return self._reserve(sku, units) or multiple()

    def _reserve(self, sku: str, units: int) -> Order | None:
        order = Order(new_id(), new_id(), sku, units, [])

        def predict() -> None:
            order.parts = self.model.spread(sku, units, {place: self.model.row(place, sku).free for place in PLACES})
            for place, n in order.parts:
                self.model.row(place, sku).reserved += n

        line = (order.id, order.line_id, self.sku[sku], units)
        done = self.do(lambda: service.reserve([line], clock.now() + timedelta(minutes=30)), predict)
        return order if done else None

    @rule(order=orders)
    def pay(self, order: Order) -> None:
        def predict() -> None:
            if order.state == "active":
                order.state = "consumed"
                for place, n in order.parts:
                    row = self.model.row(place, order.sku)
                    row.reserved, row.allocated = row.reserved - n, row.allocated + n

        self.do(lambda: service.consume(order.id), predict)

    @rule(order=orders)
    def let_go(self, order: Order) -> None:
        column = {"active": "reserved", "consumed": "allocated"}.get(order.state)

        def predict() -> None:
            if column:
                order.state = "gone"
                for place, n in order.parts:
                    row = self.model.row(place, order.sku)
                    setattr(row, column, getattr(row, column) - n)
                self.model.settle()

        def work() -> None:
            service.release(order.id)
            service.unallocate(order.id)

        self.do(work, predict)

    @rule(order=orders)
    def ship(self, order: Order) -> None:
        def predict() -> None:
            if order.state != "consumed":
                return
            taken = {place: self.model.first_out(place, n) for place, n in order.parts} if order.sku == "lotted" else {}
            order.state = "shipped"
            for place, n in order.parts:
                row = self.model.row(place, order.sku)
                row.on_hand, row.allocated = row.on_hand - n, row.allocated - n
                for lot, units in taken.get(place, {}).items():
                    row.lots[lot][0] -= units
                    order.left[place, lot] = units

        self.do(lambda: service.ship(order.id), predict)

    @rule(order=orders, good=st.integers(0, 3), bad=st.integers(0, 2))
    def give_back(self, order: Order, good: int, bad: int) -> None:
        cause_id = new_id()

        def predict() -> None:
            room = {place: n - order.back.get(place, 0) for place, n in order.parts}
            if order.state != "shipped" or good + bad == 0 or sum(room.values()) < good + bad:
                raise Refused
            g, b = good, bad
            for place, _ in order.parts:
                of_good = min(g, room[place])
                of_bad = min(b, room[place] - of_good)
                g, b = g - of_good, b - of_bad
                order.back[place] = order.back.get(place, 0) + of_good + of_bad
                self._comes_back(order, place, of_good, of_bad)
            self.model.settle()

        back = service.Returned(order.id, order.line_id, order.quantity, good, bad)
        self.do(lambda: service.receive_return(self.actor, back, cause_id=cause_id), predict)

    def _comes_back(self, order: Order, place: str, good: int, bad: int) -> None:
        row = self.model.row(place, order.sku)
        row.on_hand += good
        if order.sku == "plain":
            row.aside += bad
            return
        for lot in sorted(LOTS, key=lambda lot: EXPIRES[lot]):
            room = order.left.get((place, lot), 0)
            of_good = min(good, room)
            of_bad = min(bad, room - of_good)
            good, bad = good - of_good, bad - of_bad
            if of_good or of_bad:
                order.left[place, lot] = room - of_good - of_bad
                row.lots[lot][0] += of_good
                row.lots[lot][1] += of_bad

    @rule(place=st.sampled_from(PLACES), units=UNITS, lot=st.sampled_from((None, *LOTS)))
    def quarantine(self, place: str, units: int, lot: int | None) -> None:
        sku, cause_id = "plain" if lot is None else "lotted", new_id()
        lot_id = 0 if lot is None else self.lot[lot]

        def predict() -> None:
            row = self.model.row(place, sku)
            if row.free < units or (lot is not None and row.lots.get(lot, [0])[0] < units):
                raise Refused
            row.on_hand -= units
            if lot is None:
                row.aside += units
            else:
                row.lots[lot] = [row.lots[lot][0] - units, row.lots[lot][1] + units]

        self.do(lambda: lots.quarantine(SYSTEM, self.stock[place, sku], lot_id, units, "受潮", cause_id=cause_id), predict)

    @rule(place=st.sampled_from(PLACES), units=UNITS, lot=st.sampled_from((None, *LOTS)), verb=st.sampled_from(("restore", "scrap")))
    def judge(self, place: str, units: int, lot: int | None, verb: str) -> None:
        sku, cause_id = "plain" if lot is None else "lotted", new_id()
        wanted = (LotStock.stock_id == self.stock[place, sku], LotStock.lot_id == (0 if lot is None else self.lot[lot]))
        row_id = session.scalar(select(LotStock.id).where(*wanted)) or 1

        def predict() -> None:
            row = self.model.row(place, sku)
            aside = row.aside if lot is None else row.lots.get(lot, [0, 0])[1]
            if aside < units or (verb == "restore" and lot in self.model.blocked):
                raise Refused
            if lot is None:
                row.aside -= units
            else:
                row.lots[lot][1] -= units
            if verb == "restore":
                row.on_hand += units
                if lot is not None:
                    row.lots[lot][0] += units
            self.model.settle()

        self.do(lambda: getattr(lots, verb)(SYSTEM, row_id, units, "看过", cause_id=cause_id), predict)

    @rule(lot=st.sampled_from(LOTS))
    def block(self, lot: int) -> None:
        def predict() -> None:
            if lot in self.model.blocked:
                raise Refused
            self.model.blocked.add(lot)
            self.model.settle()

        self.do(lambda: lots.block(self.actor, self.lot[lot], "抽检"), predict)

    @rule(lot=st.sampled_from(LOTS))
    def reopen(self, lot: int) -> None:
        def predict() -> None:
            if lot not in self.model.blocked:
                raise Refused
            self.model.blocked.remove(lot)

        self.do(lambda: lots.reopen(self.actor, self.lot[lot], "合格"), predict)

    @rule(sku=st.sampled_from(SKUS), units=UNITS)
    def hold(self, sku: str, units: int) -> None:
        cause_id = new_id()

        def predict() -> None:
            missing, chosen = units, []
            for place in PLACES:
                n = min(max(self.model.row(place, sku).free, 0), missing)
                chosen.append((place, n))
                missing -= n
            if missing:
                raise Refused
            for place, n in chosen:
                self.model.row(place, sku).quota += n
                self.model.activity[place, sku] = self.model.activity.get((place, sku), 0) + n

        self.do(lambda: quota.hold("flash", self.shop.merchant_id, self.sku[sku], units, cause_id=cause_id), predict)

    @rule(target=orders, sku=st.sampled_from(SKUS), units=UNITS)
    def sell_from_activity(self, sku: str, units: int) -> Any:
        order = Order(new_id(), new_id(), sku, units, [])

        def predict() -> None:
            missing = units
            for place in PLACES:
                n = min(self.model.activity.get((place, sku), 0), missing)
                missing -= n
                if n:
                    order.parts.append((place, n))
            if missing:
                raise Refused
            for place, n in order.parts:
                row = self.model.row(place, sku)
                row.quota, row.reserved = row.quota - n, row.reserved + n
                self.model.activity[place, sku] -= n

        line = (order.id, order.line_id, self.sku[sku], units)
        sold = self.do(lambda: quota.sell("flash", self.shop.merchant_id, [line], clock.now() + timedelta(minutes=9)), predict)
        return order if sold else multiple()

    @rule()
    def end_activity(self) -> None:
        def predict() -> None:
            for (place, sku), n in self.model.activity.items():
                self.model.row(place, sku).quota -= n
            self.model.activity.clear()
            self.model.settle()

        self.do(lambda: quota.give_back("flash", self.shop.merchant_id, cause_id=new_id()), predict)

    @rule(target=moves, sku=st.sampled_from(SKUS), units=UNITS, to=st.sampled_from(PLACES), lost=st.integers(0, 1))
    def send(self, sku: str, units: int, to: str, lost: int) -> Any:
        """Request and ship a transfer; it stays on its way until a later step."""
        from_ = PLACES[1 - PLACES.index(to)]
        made: dict[str, Any] = {"to": to, "sku": sku, "lost": lost, "open": True, "lots": {}}

        def work() -> None:
            transfer = transfers.request(SYSTEM, self.place[from_], self.place[to], [(self.sku[sku], units, 0)])
            made["id"] = transfer.id
            transfers.ship(SYSTEM, transfer.id)

        def predict() -> None:
            row = self.model.row(from_, sku)
            if row.free < units:
                raise Refused
            made["lots"] = self.model.first_out(from_, units) if sku == "lotted" else {None: units}
            row.on_hand -= units
            for lot, n in made["lots"].items():
                if lot is not None:
                    row.lots[lot][0] -= n

        return made if self.do(work, predict) else multiple()

    @rule(move=moves)
    def arrive(self, move: dict[str, Any]) -> None:
        def work() -> None:
            line = session.scalars(select(TransferLine).where(TransferLine.transfer_id == move["id"]).order_by(TransferLine.id)).first()
            assert line is not None
            transfers.receive(SYSTEM, move["id"], {line.id: (line.quantity - move["lost"], "途中破损")})

        def predict() -> None:
            if not move["open"]:
                raise Refused
            move["open"] = False
            row, lost = self.model.row(move["to"], move["sku"]), move["lost"]
            for lot, n in sorted(move["lots"].items(), key=lambda pair: 0 if pair[0] is None else EXPIRES[pair[0]]):
                row.on_hand += n - lost
                if lot is not None and n - lost:
                    row.lots.setdefault(lot, [0, 0])[0] += n - lost
                lost = 0
            self.model.settle()

        self.do(work, predict)

    @rule(place=st.sampled_from(PLACES), sku=st.sampled_from(SKUS), off=st.integers(-2, 2), early=orders, late=orders)
    def count(self, place: str, sku: str, off: int, early: Order, late: Order) -> None:
        """Count a SKU; orders are shipped before its figures are entered and before its review; book the difference."""
        row = self.model.row(place, sku)
        with transaction():
            sheet = counts.begin(SYSTEM, self.place[place], [self.sku[sku]]).id
        self.ship(early)
        with transaction():
            for position, line in enumerate(counts.lines_of(sheet)):
                seen = self._book(place, line.stock_id, line.lot_id)
                counts.enter(SYSTEM, sheet, line.id, max(0, seen + (off if position == 0 else 0)))
            counts.submit(SYSTEM, sheet)
            first = counts.lines_of(sheet)[0]
            shift, lot_id = first.counted - first.book, first.lot_id
        self.ship(late)
        reviewer = yard.Actor("system", account_id=5, name="复核")

        def predict() -> None:
            lot = self.lot.index(lot_id) if lot_id else None
            if row.free + shift < 0 or (lot is not None and row.lots[lot][0] + shift < 0):
                raise Refused
            row.on_hand += shift
            if lot is not None:
                row.lots[lot][0] += shift
            self.model.settle()

        if not self.do(lambda: counts.approve(reviewer, sheet), predict):
            with transaction():
                assert session.get_one(Count, sheet).status == "review", "a refused review changes nothing"
                counts.cancel(SYSTEM, sheet)

    def _book(self, place: str, stock_id: int, lot_id: int) -> int:
        if not lot_id:
            return self.model.row(place, "plain").on_hand
        return self.model.row(place, "lotted").lots[self.lot.index(lot_id)][0]

    @invariant()
    def both_worlds_agree(self) -> None:
        if not hasattr(self, "stock"):
            return
        session.rollback()
        session.expire_all()
        for (place, sku), row in self.model.rows.items():
            stock = session.get_one(Stock, self.stock[place, sku])
            assert (stock.on_hand, stock.allocated, stock.reserved, stock.quota_held) == (row.on_hand, row.allocated, row.reserved, row.quota)
            wanted = {f"L{lot}": (cell[0], cell[1]) for lot, cell in row.lots.items() if any(cell)}
            if row.aside:
                wanted["-"] = (0, row.aside)
            assert yard.lot_units(stock.id) == wanted
        session.rollback()

    def teardown(self) -> None:
        session.rollback()
        assert verify.verify() == []
        session.rollback()


@pytest.mark.timeout(900)
def test_random_histories(db: Any) -> None:
    slow = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    run_state_machine_as_test(
        Warehouse, settings=settings(max_examples=20, stateful_step_count=40, deadline=None, suppress_health_check=slow)
    )
