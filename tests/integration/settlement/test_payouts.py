"""Payouts are claims: never more than the balance, four eyes, every end exactly once (commerce.md §2.8; trap 3)."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from app.core import clock
from app.core.db import release_session
from app.core.errors import AppError, Conflict, Forbidden, Invalid, NotFound
from app.core.tx import retry_conflicts, transaction
from app.settlement import exports
from app.settlement.models import BankAccount, Payout
from app.settlement.service import deposits, ledger, payouts
from tests.factories import market
from tests.integration.settlement import money


def claim(owner: Any, fen: int, key: str) -> int:
    with transaction():
        return payouts.request(owner, fen, key).id


def test_two_hundred_requests_at_once_never_exceed_the_balance(db: Any) -> None:
    """200 threads, room for seven: exactly seven claims, the rest hear that the balance is short."""
    shop = market.make_shop()
    owner = money.with_bank(shop)
    money.fund(shop.merchant_id, 7_500)
    release_session()
    start, outcomes = threading.Barrier(200), []

    def run(index: int) -> None:
        start.wait()
        try:
            retry_conflicts(lambda: claim(owner, 1_000, f"request-{index:04d}"), attempts=40)
            outcomes.append("won")
        except AppError as error:
            outcomes.append(error.code)
        finally:
            release_session()

    with ThreadPoolExecutor(200) as pool:
        list(pool.map(run, range(200)))
    assert (len(outcomes), outcomes.count("won"), set(outcomes)) == (200, 7, {"won", "ledger.short"})
    assert (money.balances(shop)["payable"], money.balances(shop)["transit"]) == (500, 7_000)
    assert db.scalar(select(func.sum(Payout.amount_fen)).where(Payout.merchant_id == shop.merchant_id)) == 7_000
    money.assert_proven()


def test_one_key_is_one_claim_even_at_the_same_moment(db: Any) -> None:
    shop = market.make_shop()
    owner = money.with_bank(shop)
    money.fund(shop.merchant_id, 50_000)
    release_session()
    start = threading.Barrier(8)

    def run(_: int) -> int:
        start.wait()
        try:
            return retry_conflicts(lambda: claim(owner, 2_000, "double-click"), attempts=20)
        finally:
            release_session()

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(run, range(8)))) == 1
    assert money.balances(shop)["payable"] == 48_000
    with pytest.raises(Conflict, match=r"payout\.key"):
        claim(owner, 3_000, "double-click")


def test_the_whole_way_needs_two_officers(db: Any) -> None:
    shop, first, second = market.make_shop(), money.finance("甲"), money.finance("乙")
    owner = money.with_bank(shop)
    money.fund(shop.merchant_id, 50_000)
    before = money.platform("custody")
    payout_id = claim(owner, 20_000, "request-0001")
    with pytest.raises(Conflict, match=r"payout\.state"), transaction():
        payouts.confirm_paid(second, payout_id, "HD-1")
    with transaction():
        payouts.approve(first, payout_id)
    with pytest.raises(Conflict, match=r"payout\.state"), transaction():
        payouts.approve(second, payout_id)
    with transaction():
        batch = payouts.make_batch(first)
        batch_id, amount = batch.id, batch.amount_fen
    assert amount == 20_000
    with pytest.raises(Conflict, match=r"batch\.empty"), transaction():
        payouts.make_batch(second)
    head, rows = payouts.batch_rows(batch_id)
    text = exports.bank_csv((row, payouts.account_number(row)) for row in rows)
    assert money.NUMBER in text
    assert "200.00" in text
    assert money.NUMBER not in rows[0].number_enc
    with pytest.raises(Forbidden, match=r"payout\.four_eyes"), transaction():
        payouts.confirm_paid(first, payout_id, "HD-1")
    with pytest.raises(Invalid, match=r"payout\.bank_ref"), transaction():
        payouts.confirm_paid(second, payout_id, " ")
    with transaction():
        payouts.confirm_paid(second, payout_id, "HD-1")
    with pytest.raises(Conflict, match=r"payout\.state"), transaction():
        payouts.confirm_paid(second, payout_id, "HD-1")
    row = db.get_one(Payout, payout_id)
    assert (row.status, row.checker_name, row.payer_name, head.payouts) == ("paid", "甲", "乙", 1)
    assert (money.balances(shop)["payable"], money.balances(shop)["transit"]) == (30_000, 0)
    assert money.moved(before) == {"custody": -20_000}
    money.assert_proven()


@pytest.mark.parametrize("end", ["withdrawn", "rejected", "failed"])
def test_what_is_not_paid_comes_back_once(db: Any, end: str) -> None:
    shop, officer = market.make_shop(), money.finance()
    owner = money.with_bank(shop)
    money.fund(shop.merchant_id, 9_000)
    payout_id = claim(owner, 9_000, "request-0001")
    if end == "failed":
        with transaction():
            payouts.approve(officer, payout_id)

    def finish() -> None:
        with transaction():
            if end == "withdrawn":
                payouts.withdraw(owner, payout_id)
            elif end == "rejected":
                payouts.reject(officer, payout_id, "户名不符")
            else:
                payouts.confirm_failed(officer, payout_id, "账号已销户")

    finish()
    with pytest.raises(Conflict, match=r"payout\.state"):
        finish()
    assert db.get_one(Payout, payout_id).status == end
    assert (money.balances(shop)["payable"], money.balances(shop)["transit"]) == (9_000, 0)
    money.assert_proven()


def test_a_race_of_approval_and_withdrawal_has_one_winner(db: Any) -> None:
    shop, officer = market.make_shop(), money.finance()
    owner = money.with_bank(shop)
    money.fund(shop.merchant_id, 100_000)
    for index in range(6):
        payout_id = claim(owner, 1_000, f"request-{index:04d}")
        release_session()
        start, outcomes = threading.Barrier(2), []

        def run(verb: Any, payout_id: int = payout_id, start: Any = start, outcomes: list[str] = outcomes) -> None:
            start.wait()
            try:
                retry_conflicts(lambda: _in_transaction(verb, payout_id), attempts=10)
                outcomes.append("won")
            except Conflict as error:
                outcomes.append(error.code)
            finally:
                release_session()

        verbs = (lambda i: payouts.approve(officer, i), lambda i: payouts.withdraw(owner, i))
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(run, verbs))
        assert sorted(outcomes) == ["payout.state", "won"]
    money.assert_proven()


def _in_transaction(verb: Any, payout_id: int) -> None:
    with transaction():
        verb(payout_id)


def test_the_bank_account_must_be_the_merchants_own(db: Any) -> None:
    shop = market.make_shop()
    owner = money.owner(shop)
    money.fund(shop.merchant_id, 9_000)
    with pytest.raises(Conflict, match=r"payout\.bank"):
        claim(owner, 5_000, "request-0001")
    for changes, field in (({"holder": "张三"}, "holder"), ({"number": "62-22"}, "number"), ({"bank_name": ""}, "bank_name")):
        from app.merchants import queries as merchants

        values = {"bank_name": "银行", "holder": merchants.get_merchant(shop.merchant_id).name, "number": money.NUMBER, **changes}
        with pytest.raises(Invalid) as refused, transaction():
            payouts.set_bank(owner, auto_payout=False, **values)
        assert refused.value.field == field
    money.with_bank(shop)
    row = db.scalars(select(BankAccount)).one()
    assert money.NUMBER not in row.number_enc
    assert row.number_mask == "尾号 3445"
    with pytest.raises(Invalid, match=r"payout\.amount"):
        claim(owner, 999, "request-0002")


def test_another_shops_payout_does_not_exist(db: Any) -> None:
    shop, other = market.make_shop(), market.make_shop()
    owner, stranger = money.with_bank(shop), money.owner(other)
    money.fund(shop.merchant_id, 9_000)
    payout_id = claim(owner, 5_000, "request-0001")
    with pytest.raises(NotFound), transaction():
        payouts.withdraw(stranger, payout_id)
    assert payouts.get_for(owner, payout_id).status == "requested"


def test_the_weekly_payout_claims_everything_once_a_day(db: Any) -> None:
    shop, poor = market.make_shop(), market.make_shop()
    for each, fen in ((shop, 12_345), (poor, 5)):
        owner = money.with_bank(each)
        with transaction():
            payouts.set_automatic(owner, on=True)
        money.fund(each.merchant_id, fen)
    days = (8 - clock.business_date().isoweekday()) % 7
    with clock.travel(timedelta(days=days)):  # a Monday
        for _ in range(2):
            with transaction():
                payouts.plan_automatic()
            money.deliver()
        with transaction():
            assert payouts.claim_automatic(shop.merchant_id) is None
    with clock.travel(timedelta(days=days + 1)), transaction():
        assert payouts.plan_automatic() == 0
    made = db.scalars(select(Payout)).all()
    assert [(p.merchant_id, p.amount_fen, p.origin) for p in made] == [(shop.merchant_id, 12_345, "automatic")]


def test_deposits_come_and_go_and_pay_debts(db: Any) -> None:
    shop, officer = market.make_shop(), money.finance()
    owner, merchant_id = money.owner(shop), shop.merchant_id
    money.fund(merchant_id, 30_000)
    assert deposits.missing(merchant_id) == 200_000
    with transaction():
        assert deposits.pay_from_balance(owner, 10_000, "deposit-01")
    with transaction():
        assert not deposits.pay_from_balance(owner, 10_000, "deposit-01")
    with pytest.raises(Conflict, match=r"ledger\.short"), transaction():
        deposits.pay_from_balance(owner, 20_001, "deposit-02")
    for expected in (True, False):
        with transaction():
            assert deposits.take_transfer(officer, merchant_id, 40_000, "HD-20261125-7") is expected
    assert deposits.missing(merchant_id) == 150_000
    with transaction():
        ledger.post("reversal", "test:debt", (ledger.Line("receivable", 45_000, merchant_id), ledger.Line("custody", -45_000)))
    with pytest.raises(Conflict, match=r"deposit\.owes"), transaction():
        deposits.give_back(officer, merchant_id, 1, "back-0001")
    with transaction():
        assert deposits.offset(officer, merchant_id, "offset-01") == 45_000
    now = money.balances(shop)
    assert (now["payable"], now["deposit"], now["receivable"]) == (0, 25_000, 0), "the balance first, then the deposit"
    with transaction():
        assert deposits.offset(officer, merchant_id, "offset-02") == 0
    for expected in (True, False):
        with transaction():
            assert deposits.give_back(officer, merchant_id, 25_000, "back-0002") is expected
    assert money.balances(shop)["payable"] == 25_000
    money.assert_proven()
