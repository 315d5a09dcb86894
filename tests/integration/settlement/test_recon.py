"""Channel bills against the books: 平 / 长款 / 短款 / 金额差 / 状态差, each resolved once, in bounded time and memory (commerce.md §2.8)."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from app.core import clock, sql
from app.core.db import session
from app.core.errors import Conflict, Invalid
from app.core.ids import new_id
from app.core.tx import transaction
from app.orders import service as orders_service
from app.orders.models import Trade
from app.payments import bills as simulator_bills
from app.payments import channels, simulator
from app.payments import service as payments
from app.payments.bills import HEADER
from app.settlement import bill_file
from app.settlement.models import Bill, BillRow, ReconCase, Voucher
from app.settlement.service import bills, cases
from tests.factories import market
from tests.integration.settlement import money

CHANNEL = channels.SIMULATOR


def tomorrow() -> Any:
    """The clock a day on: today's bill can be had."""
    return clock.travel(timedelta(days=1))


def sell(shop: market.Shop, count: int) -> list[tuple[Any, int]]:
    sold = [money.paid_order(shop) for _ in range(count)]
    money.deliver()
    return sold


def simulator_bill(day: date, *, differences: bool = True) -> Bill:
    """Import the simulator's bill and compare it, as the hourly job does."""
    with transaction():
        bill_id = bills.import_bill(money.SYSTEM, CHANNEL, day, simulator_bills.daily_bill(day, differences=differences)).id
    money.deliver()
    session.rollback()
    return session.get_one(Bill, bill_id)


@pytest.fixture
def day(db: Any) -> Iterator[date]:
    """A business day of its own for each test: vouchers outlive tests, so each looks at another day."""
    global _days
    _days += 3
    with clock.travel(timedelta(days=_days)):
        yield clock.business_date()


_days = 400


def found(db: Any) -> list[tuple[str, str, int]]:
    return sorted(db.execute(select(ReconCase.kind, ReconCase.flow, ReconCase.diff_fen)).tuples().all())


def test_a_bill_that_agrees_clears_the_channel(db: Any, day: date) -> None:
    shop = market.make_shop(stock=50)
    before = money.platform("channel", "custody", "channel_fee")
    sold = sell(shop, 3)
    with transaction():
        orders_service.cancel_paid(*sold[0], "不要了")
    money.deliver()
    with tomorrow():
        bill = simulator_bill(day, differences=False)
    assert (bill.status, bill.row_count, bill.matched, bill.cases) == ("compared", 4, 4, 0)
    assert (bill.paid_fen, bill.refunded_fen) == (7_470, 2_490)
    fee = 3 * 15
    assert money.moved(before) == {"custody": 4_980 - fee, "channel_fee": fee}, "nothing is left on the channel's account"
    assert found(db) == []
    money.assert_proven()


def test_the_simulators_differences_become_cases(db: Any, day: date) -> None:
    shop = market.make_shop(stock=50)
    before = money.platform("channel", "suspense", "loss", "other_income")
    sell(shop, 4)
    with tomorrow():
        bill = simulator_bill(day)
        assert found(db) == [("amount", "pay", 1), ("short", "pay", -2_490), ("surplus", "pay", 100)]
        assert (bill.row_count, bill.matched, bill.cases) == (4, 2, 3)
        with transaction():
            assert bills.compare(bill.id) == 0, "comparing again opens nothing"
        left = money.moved(before)["channel"]
        assert left == -(1 - 2_490 + 100), "what is left is the sum of the differences"
        officer = money.finance("对账员")
        for case_id, choice in ((_id(db, "amount"), "other_income"), (_id(db, "short"), "loss"), (_id(db, "surplus"), "suspense")):
            with transaction():
                cases.take(officer, case_id)
            with transaction():
                cases.resolve(officer, case_id, choice, "渠道已书面确认")
            with pytest.raises(Conflict, match=r"case\.state"), transaction():
                cases.resolve(officer, case_id, choice, "再点一次")
    assert money.moved(before) == {"suspense": 100, "loss": 2_490, "other_income": 1}
    rows = db.scalars(select(ReconCase)).all()
    assert {c.status for c in rows} == {"resolved"}
    assert all(db.get_one(Voucher, c.voucher_id).kind == "case" for c in rows)
    money.assert_proven()


def _id(db: Any, kind: str) -> int:
    return int(db.scalar(select(ReconCase.id).where(ReconCase.kind == kind)))


def test_a_case_belongs_to_one_officer_and_allows_what_its_sign_allows(db: Any, day: date) -> None:
    sell(market.make_shop(stock=50), 2)
    first, second = money.finance("甲"), money.finance("乙")
    with tomorrow():
        simulator_bill(day)
        case_id = _id(db, "short")
        with pytest.raises(Conflict, match=r"case\.state"), transaction():
            cases.resolve(first, case_id, "loss", "没有认领")
        with transaction():
            cases.take(first, case_id)
        for who, choice, note, code in (
            (second, "loss", "不是我的", "case.owner"), (first, "other_income", "少了不能记收入", "case.resolution"),
            (first, "loss", " ", "case.note"), (first, "timing", "还没到", "case.differs"),
        ):  # fmt: skip
            with pytest.raises((Conflict, Invalid)) as refused, transaction():
                cases.resolve(who, case_id, choice, note)
            assert refused.value.code == code
        with pytest.raises(Conflict, match=r"case\.state"), transaction():
            cases.take(second, case_id)


def test_a_payment_we_did_not_hear_of_is_a_difference_of_state_until_it_comes(db: Any, day: date) -> None:
    """状态差: the channel was paid, its notice is late; when it comes the case closes itself and the channel is clear."""
    shop = market.make_shop(stock=50)
    buyer, address_id = market.make_buyer()
    trade_id = money.place(buyer, address_id, [(shop.sku_ids[0], 1)])
    with transaction():
        attempt = payments.start(buyer, db.get_one(Trade, trade_id).trade_no, CHANNEL)
    body = simulator.bodies(attempt, "paid")[0]
    notice = channels.parse(body)
    before = money.platform("channel")
    with tomorrow():
        with transaction():
            bills.import_bill(
                money.SYSTEM, CHANNEL, day, _text(day, [(notice.channel_txn, notice.payment_no, "支付", notice.amount_fen)])
            )
        money.deliver()
        assert found(db) == [("state", "pay", 2_490)]
        assert money.moved(before) == {"channel": -2_490}
        assert money.receive(body) == "paid"
        money.deliver()
        with transaction():
            assert bills.close_settled(CHANNEL) == 1
    row = db.scalars(select(ReconCase)).one()
    assert (row.status, row.resolution, row.voucher_id) == ("resolved", "timing", 0)
    assert money.moved(before) == {}
    money.assert_proven()


def test_money_on_the_next_days_bill_closes_yesterdays_case(db: Any, day: date) -> None:
    shop = market.make_shop(stock=50)
    before = money.platform("channel")
    sell(shop, 1)
    voucher = db.scalars(select(Voucher).where(Voucher.kind == "receipt").order_by(Voucher.id.desc()).limit(1)).one()
    line = [(voucher.ref_no, "P1", "支付", voucher.amount_fen)]
    with tomorrow():
        with transaction():
            bills.import_bill(money.SYSTEM, CHANNEL, day, _text(day, []))
        money.deliver()
        assert found(db) == [("short", "pay", -2_490)]
    with clock.travel(timedelta(days=2)):
        with transaction():
            bills.import_bill(money.SYSTEM, CHANNEL, day + timedelta(days=1), _text(day, line))
        money.deliver()
        assert db.scalar(select(ReconCase.resolution)) == "timing"
    assert money.moved(before) == {}
    money.assert_proven()


def test_a_line_twice_on_the_bill_is_a_surplus(db: Any, day: date) -> None:
    shop = market.make_shop(stock=50)
    sell(shop, 1)
    voucher = db.scalars(select(Voucher).where(Voucher.kind == "receipt").order_by(Voucher.id.desc()).limit(1)).one()
    lines = [(voucher.ref_no, "P1", "支付", voucher.amount_fen)] * 2
    with tomorrow():
        with transaction():
            bills.import_bill(money.SYSTEM, CHANNEL, day, _text(day, lines))
        money.deliver()
    assert found(db) == [("surplus", "pay", 2_490)]


def _text(day: date, lines: list[tuple[str, str, str, int]]) -> Iterator[str]:
    """A bill in the channel's form."""
    yield HEADER
    sums = {"支付": 0, "退款": 0}
    for txn, number, kind, fen in lines:
        sums[kind] += fen
        yield f"`{day} 12:00:00,`{txn},`{number},`{kind},`成功,`{fen // 100}.{fen % 100:02d},`0.00"
    paid, back = (f"{sums[k] // 100}.{sums[k] % 100:02d}" for k in ("支付", "退款"))
    yield f"合计,`{len(lines)},`{paid},`{back},`0.00,,"


def test_a_bill_is_taken_once_and_never_in_part(db: Any, day: date) -> None:
    line = ("SIM1", "P1", "支付", 100)
    with pytest.raises(Invalid, match=r"bill\.day"), transaction():
        bills.import_bill(money.SYSTEM, CHANNEL, day, _text(day, [line]))
    with tomorrow():
        with transaction():
            first = bills.import_bill(money.SYSTEM, CHANNEL, day, _text(day, [line])).id
        with transaction():
            assert bills.import_bill(money.SYSTEM, CHANNEL, day, _text(day, [line])).id == first
        with pytest.raises(Conflict, match=r"bill\.known"), transaction():
            bills.import_bill(money.SYSTEM, CHANNEL, day, _text(day, [line, line]))
        cut = list(_text(day, [line]))[:-1]
        with pytest.raises(Invalid, match=r"bill\.cut"), transaction():
            bills.import_bill(money.SYSTEM, CHANNEL, day - timedelta(days=1), cut)
    assert db.scalar(select(func.count()).select_from(BillRow)) == 1


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("`2026-01-01 00:00:00,`S,`P,`支付,`成功,`1.005,`0.00", "不是有效的金额"), ("`2026-01-01,`S,`P,`支付,`成功,`1.00,`0.00", "时间"),
        ("`2026-01-01 00:00:00,`S,`P,`转账,`成功,`1.00,`0.00", "无法识别"), ("`2026-01-01 00:00:00,`S", "列"),
        ("`2026-01-01 00:00:00,`,`P,`支付,`成功,`1.00,`0.00", "单号"), ("`2026-01-01 00:00:00,`S,`P,`支付,`成功,`0.00,`0.00", "金额"),
        ("合计,`1,`0.00,`0.00,`0.00,,", "合计"),
    ],
)  # fmt: skip
def test_a_row_that_cannot_be_read_is_named(row: str, problem: str) -> None:
    with pytest.raises(Invalid) as refused:
        list(bill_file.read([HEADER, row, "合计,`0,`0.00,`0.00,`0.00,,"]))
    assert "第 2 行" in refused.value.message
    assert problem in refused.value.message


def test_yesterdays_bill_is_fetched_after_ten(db: Any, day: date) -> None:
    sell(market.make_shop(stock=50), 1)
    hour = clock.now().astimezone(clock.REGION_TZ).hour
    with clock.travel(timedelta(days=1, hours=9 - hour)), transaction():
        assert bills.fetch_yesterday() is False
    with clock.travel(timedelta(days=1, hours=10 - hour)):
        for expected in (True, False):
            with transaction():
                assert bills.fetch_yesterday() is expected
        money.deliver()
        with transaction():
            assert bills.recheck_recent() == 1
    assert db.scalar(select(Bill.day_on)) == day


ROWS = 100_000


def bulk(base: int, day: date, count: int) -> None:
    """Write vouchers of a channel of their own, without entries: only the comparison looks at them."""
    at = clock.day_bounds(day)[0]
    for start in range(0, count, 5_000):
        with transaction():
            sql.add_all(Voucher, [_voucher(base, n, day, at) for n in range(start, min(start + 5_000, count))])


def reconcile(base: int, day: date, count: int) -> int:
    with transaction():
        bill_id = bills.import_bill(money.SYSTEM, f"b{base % 10**9}", day, _many(base, day, count)).id
    with transaction():
        assert bills.compare(bill_id) == 2
    return bill_id


def test_a_hundred_thousand_rows_are_reconciled(db: Any, day: date, engine_key: str, record_property: Any) -> None:
    """Import and comparison of 100,000 rows with 100,000 vouchers."""
    base = new_id()
    bulk(base, day, ROWS)
    with tomorrow():
        began = time.monotonic()
        bill_id = reconcile(base, day, ROWS)
        seconds = time.monotonic() - began
    record_property("seconds", seconds)
    bill = db.get_one(Bill, bill_id)
    assert (bill.row_count, bill.matched, bill.cases) == (ROWS, ROWS - 1, 2)
    assert found(db) == [("short", "pay", -1_000), ("surplus", "pay", 1_000)]
    print(f"\n{engine_key}: {ROWS} rows in {seconds:.1f} s")


def test_memory_does_not_grow_with_the_bill(db: Any, day: date) -> None:
    peaks = []
    for count in (3_000, 15_000):
        base = new_id()
        bulk(base, day, count)
        with tomorrow():
            tracemalloc.start()
            reconcile(base, day, count)
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
    assert peaks[1] < peaks[0] + 2_000_000, peaks


def _voucher(base: int, n: int, day: date, at: Any) -> dict[str, Any]:
    return {
        "id": new_id(), "kind": "receipt", "cause": f"bulk:{base}:{n}", "memo": "-", "amount_fen": 1_000, "order_id": 0,
        "merchant_id": 0, "channel": f"b{base % 10**9}", "flow": "pay", "ref_no": f"B{base}{n:06d}", "occurred_on": day, "occurred_at": at,
        "booked_at": at, "maker_id": 0, "maker_name": "-",
    }  # fmt: skip


def _many(base: int, day: date, count: int) -> Iterator[str]:
    """A bill that lacks the first voucher and has one row more at the end."""
    yield HEADER
    for n in range(1, count + 1):
        yield f"`{day} 12:00:00,`B{base}{n:06d},`P{n},`支付,`成功,`10.00,`0.06"
    yield f"合计,`{count},`{count * 10}.00,`0.00,`{count * 6 // 100}.00,,"
