"""Stored value, gift balance and bank transfers: sources of a trade, frozen shares, four eyes, races with real threads (§2.4, §2.11)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select

from app.core import clock, runtime
from app.core.actor import Actor
from app.core.db import release_session, session
from app.core.errors import AppError, Conflict, Invalid
from app.core.ids import new_id
from app.core.tx import retry_conflicts, transaction
from app.orders import queries as order_queries
from app.orders import service as orders
from app.orders.models import Order, Trade
from app.payments import bank, channels, delivery, refunding, service, wallet
from app.payments.models import AbnormalReceipt, BankSlip, PaymentAttempt, PaymentIntent, Wallet, WalletEntry
from app.payments.refunding import split
from app.settlement.queries import books
from config.settings import Bank
from tests.integration.payments import world
from tests.integration.settlement import money


@pytest.fixture
def shop(app: Any, db: Any) -> Iterator[Any]:
    """Bank transfers switched on; the liabilities of earlier tests as marks."""
    before = runtime.current()
    payment = before.settings.payment.model_copy(update={"bank": Bank(holder="澜州平台", bank_name="澜州银行", number="62220001")})
    runtime.install(replace(before, settings=before.settings.model_copy(update={"payment": payment})))
    yield money.platform("stored_value", "gift_value", "custody")
    runtime.install(before)


def fund(buyer: Actor, principal: int, bonus: int = 0) -> None:
    """Give a buyer stored value as finance does: a slip of one officer, confirmed by another."""
    slip_id, officer = new_id(), money.finance()
    with transaction():
        slip = BankSlip(
            id=slip_id, slip_no=f"S{slip_id}", purpose="wallet", account_id=buyer.account_id, payer="李四", amount_fen=principal,
            bonus_fen=bonus, status="entered", entered_by=1, entered_name="甲", entered_at=clock.now(),
        )  # fmt: skip
        session.add(slip)
    with transaction():
        bank.confirm(officer, slip_id)


def pay(bought: world.Bought, channel: str = "", *, stored: bool = True) -> tuple[str, str, int]:
    """Start with stored value; returns (payment number, channel, fen the channel has to bring)."""
    with transaction():
        made = service.start(bought.buyer, bought.trade_no, channel, stored=stored)
        return made.payment_no, made.channel, made.amount_fen


def notify(payment_no: str, fen: int, txn: str = "SIM-1") -> str:
    body = channels.compose(channels.Notice(f"N-{txn}", payment_no, fen, "paid", txn))
    return delivery.deliver(channels.SIMULATOR, body, channels.sign(body))


def payable(bought: world.Bought) -> int:
    return world.trade(bought).payable_fen


def left(buyer: Actor) -> tuple[int, int]:
    session.rollback()
    found = wallet.balance(buyer.account_id)
    return found.principal_fen, found.bonus_fen


def assert_proven(mark: dict[str, int]) -> None:
    """Books balance, wallets are their entries, and the liability is what buyers have and have set aside."""
    world.work()
    session.rollback()
    assert books.verify() == []
    assert wallet.differences() == []
    now = money.platform(*mark)
    held = world.rows(select(func.coalesce(func.sum(PaymentAttempt.amount_fen), 0)).where(PaymentAttempt.status == "held"))[0]
    held_bonus = world.rows(select(func.coalesce(func.sum(PaymentAttempt.bonus_fen), 0)).where(PaymentAttempt.status == "held"))[0]
    principal, bonus = session.execute(select(func.sum(Wallet.principal_fen), func.sum(Wallet.bonus_fen))).one()
    assert now["stored_value"] - mark["stored_value"] == int(principal or 0) + int(held) - int(held_bonus)
    assert now["gift_value"] - mark["gift_value"] == int(bonus or 0) + int(held_bonus)


def test_a_trade_paid_from_the_balance_alone(shop: dict[str, int], db: Any) -> None:
    bought = world.buy()
    fund(bought.buyer, 4_000, 1_000)
    assert pay(bought)[1] == "wallet"
    assert world.trade(bought).status == "paid"
    spent = payable(bought)
    bonus = spent * 1_000 // 5_000
    assert left(bought.buyer) == (4_000 - spent + bonus, 1_000 - bonus)
    assert_proven(shop)
    with transaction():
        refunding.refund_trade(bought.trade_id, spent, cause="all", reason="整单退")
    world.work()
    assert left(bought.buyer) == (4_000, 1_000)
    assert world.rows(select(WalletEntry.kind).order_by(WalletEntry.id)) == ["top_up", "hold", "refund"]


def test_a_trade_paid_from_balance_and_channel_and_refunded_in_parts(shop: dict[str, int], db: Any) -> None:
    bought = world.buy(quantity=3)
    whole = payable(bought)
    fund(bought.buyer, 900, 301)
    payment_no, channel, rest = pay(bought, channels.SIMULATOR)
    assert (channel, rest) == (channels.SIMULATOR, whole - 1_201)
    assert left(bought.buyer) == (0, 0)
    assert notify(payment_no, rest) == "paid"
    assert_proven(shop)
    for number, part in enumerate((1, 333, 1_000, whole - 1_334)):
        with transaction():
            refunding.refund_trade(bought.trade_id, part, cause=f"part{number}", reason="退一部分")
        with transaction():
            refunding.refund_trade(bought.trade_id, part, cause=f"part{number}", reason="退一部分")
    with pytest.raises(Conflict), transaction():
        refunding.refund_trade(bought.trade_id, 1, cause="more", reason="再退")
    world.work()
    assert left(bought.buyer) == (900, 301)
    back = {refund.attempt_id: 0 for refund in world.refunds()}
    for refund in world.refunds():
        back[refund.attempt_id] += refund.amount_fen
    assert sorted(back.values()) == sorted([1_201, rest])


@given(st.integers(1, 10**7), st.data())
def test_any_sequence_of_refunds_ends_at_what_each_source_paid(total: int, data: Any) -> None:
    stored = data.draw(st.integers(0, total))
    bonus = data.draw(st.integers(0, stored))
    cuts = sorted(data.draw(st.lists(st.integers(0, total), max_size=6)))
    sums, before = [0, 0, 0], 0
    for cut in [*cuts, total]:
        parts = split(total, stored, bonus, before, cut - before)
        assert min(parts) >= 0
        assert parts[0] + parts[1] == cut - before
        assert parts[2] <= parts[1]
        sums = [a + b for a, b in zip(sums, parts, strict=True)]
        before = cut
    assert sums == [total - stored, stored, bonus]


def test_choosing_again_without_the_balance_gives_it_back(shop: dict[str, int], db: Any) -> None:
    bought = world.buy()
    fund(bought.buyer, 500)
    first_no, _, rest = pay(bought, channels.SIMULATOR)
    assert left(bought.buyer) == (0, 0)
    second_no, _, whole = pay(bought, channels.SIMULATOR, stored=False)
    assert (left(bought.buyer), whole) == ((500, 0), rest + 500)
    assert notify(first_no, rest, "SIM-A") == "refunded", "it counted on a balance that is not set aside any more"
    assert notify(second_no, whole, "SIM-B") == "paid"
    assert_proven(shop)


@pytest.mark.parametrize("how", ["cancelled", "expired"])
def test_a_trade_that_ends_unpaid_gives_the_balance_back(shop: dict[str, int], db: Any, how: str) -> None:
    bought = world.buy()
    fund(bought.buyer, 500, 100)
    payment_no, _, rest = pay(bought, channels.SIMULATOR)
    if how == "cancelled":
        with transaction():
            orders.cancel_trade(bought.buyer, bought.trade_id, "不要了")
    else:
        with clock.travel(timedelta(minutes=31)), transaction():
            assert orders.expire_unpaid() == 1
    assert_proven(shop)
    assert left(bought.buyer) == (500, 100)
    assert notify(payment_no, rest) == "refunded"
    assert_proven(shop)
    assert left(bought.buyer) == (500, 100)


def test_a_balance_that_does_not_reach_needs_a_channel(shop: dict[str, int], db: Any) -> None:
    bought = world.buy()
    fund(bought.buyer, 500)
    with pytest.raises(Invalid):
        pay(bought)
    assert left(bought.buyer) == (500, 0), "nothing is set aside by a refusal"


def together(*work: Any) -> list[str]:
    """Run functions at the same moment in threads of their own, as the doors do; returns each outcome."""
    barrier, outcomes = threading.Barrier(len(work)), [""] * len(work)

    def one(place: int) -> None:
        try:
            barrier.wait(30)
            outcomes[place] = str(retry_conflicts(work[place], attempts=12))
        except AppError as error:
            outcomes[place] = error.code
        finally:
            release_session()

    threads = [threading.Thread(target=one, args=(place,)) for place in range(len(work))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return outcomes


def test_one_balance_is_not_spent_twice_at_the_same_moment(shop: dict[str, int], db: Any) -> None:
    first = world.buy()
    buyer = first.buyer
    others = [world.buy() for _ in range(3)]
    with transaction():
        for other in others:
            session.get_one(Trade, other.trade_id).account_id = buyer.account_id
            for order in order_queries.orders_of_trade(other.trade_id):
                session.get_one(Order, order.id).account_id = buyer.account_id
    spent = payable(first)
    fund(buyer, spent)
    trades = [first, *(replace(other, buyer=buyer) for other in others)]
    outcomes = together(*(lambda bought=bought: pay(bought)[1] for bought in trades))
    assert sorted(outcomes) == ["payment.channel"] * 3 + ["wallet"]
    assert left(buyer) == (0, 0)
    assert sorted(world.trade(bought).status for bought in trades) == ["paid", "unpaid", "unpaid", "unpaid"]
    assert_proven(shop)


def test_paying_and_cancelling_at_the_same_moment(shop: dict[str, int], db: Any) -> None:
    for _ in range(4):
        bought = world.buy()
        fund(bought.buyer, 700)
        payment_no, _, rest = pay(bought, channels.SIMULATOR)

        def cancel(bought: world.Bought = bought) -> str:
            with transaction():
                orders.cancel_trade(bought.buyer, bought.trade_id, "不要了")
            return "cancelled"

        outcomes = together(cancel, lambda payment_no=payment_no, rest=rest: notify(payment_no, rest, f"SIM-{payment_no}"))
        assert tuple(outcomes) in {("cancelled", "refunded"), ("trade.state", "paid")}
        world.work()
        assert left(bought.buyer) == ((700, 0) if outcomes[0] == "cancelled" else (0, 0))
    assert_proven(shop)


def test_refunds_at_the_same_moment_never_exceed_what_was_paid(shop: dict[str, int], db: Any) -> None:
    bought = world.buy()
    whole = payable(bought)
    fund(bought.buyer, 700, 70)
    payment_no, _, rest = pay(bought, channels.SIMULATOR)
    assert notify(payment_no, rest) == "paid"

    def refund(number: int) -> str:
        with transaction():
            refunding.refund_trade(bought.trade_id, whole // 2, cause=f"half{number}", reason="退一半")
        return "written"

    outcomes = together(*(lambda number=number: refund(number) for number in range(3)))
    assert sorted(outcomes) == ["refund.exceeds", "written", "written"]
    assert_proven(shop)


# Bank transfers


def transfer(shop_open: Any, fen_off: int = 0) -> tuple[world.Bought, int, Actor, Actor]:
    """A buyer chooses the bank; a slip for it is entered. Returns (trade, slip, who entered, another officer)."""
    bought = world.buy()
    payment_no, channel, fen = pay(bought, channels.BANK, stored=False)
    assert channel == channels.BANK
    first, second = money.finance(), money.finance()
    with transaction():
        slip_id = bank.enter(first, bank.SlipInput(f"HD{payment_no[-10:]}", "trade", payment_no, "李四", fen + fen_off))
    return bought, slip_id, first, second


def confirm(officer: Actor, slip_id: int) -> str:
    with transaction():
        notice_id = bank.confirm(officer, slip_id)
    return delivery.apply(notice_id)


def test_a_transfer_is_confirmed_by_a_second_officer(shop: dict[str, int], db: Any) -> None:
    bought, slip_id, first, second = transfer(shop)
    assert world.trade(bought).expires_at > clock.now() + timedelta(hours=47)
    with pytest.raises(Conflict) as caught, transaction():
        bank.confirm(first, slip_id)
    assert caught.value.code == "slip.four_eyes"
    assert world.trade(bought).status == "unpaid"
    assert confirm(second, slip_id) == "paid"
    assert world.trade(bought).status == "paid"
    with pytest.raises(Conflict):
        confirm(second, slip_id)
    world.work()
    assert books.verify() == []
    assert money.moved(shop)["custody"] == payable(bought), "the money is on the account already, no channel owes it"


def test_a_transfer_of_a_wrong_amount_goes_back_by_hand(shop: dict[str, int], db: Any) -> None:
    bought, slip_id, _, second = transfer(shop, fen_off=-1)
    assert confirm(second, slip_id) == "refunded"
    assert world.trade(bought).status == "unpaid"
    world.work()
    assert sorted(world.rows(select(AbnormalReceipt.kind))) == ["manual_refund", "wrong_amount"]
    refund = world.refunds()[0]
    assert refund.status == "sent"
    with transaction():
        assert refunding.finish(refund.id, "回单 99887766", by_hand=True)
    world.work()
    assert set(world.rows(select(AbnormalReceipt.status))) == {"resolved"}
    assert "custody" not in money.moved(shop)
    assert books.verify() == []


def test_a_slip_is_entered_once_and_its_fields_are_checked(shop: dict[str, int], db: Any) -> None:
    bought, slip_id, first, _ = transfer(shop)
    known = bank.get(slip_id)
    right = bank.SlipInput("HD-NEW-1", "trade", known.payment_no, "李四", 100)
    wrong = {
        "slip_no": replace(right, slip_no=known.slip_no.lower()), "purpose": replace(right, purpose="gift"), "payer": replace(right, payer=" "),
        "amount": replace(right, amount_fen=0), "target": replace(right, target="P1"), "bonus": replace(right, bonus_fen=1),
    }  # fmt: skip
    for field, given_input in wrong.items():
        with pytest.raises(Invalid) as caught, transaction():
            bank.enter(first, given_input)
        assert caught.value.field == field
    for target in ("13900000000", "not a phone"):
        with pytest.raises(Invalid) as caught, transaction():
            bank.enter(first, replace(right, purpose="wallet", target=target))
        assert caught.value.field == "target"
    assert world.rows(select(func.count()).select_from(BankSlip)) == [1]


def test_two_officers_confirm_at_the_same_moment_once(shop: dict[str, int], db: Any) -> None:
    bought, slip_id, _, second = transfer(shop)
    third = money.finance()
    outcomes = together(lambda: confirm(second, slip_id), lambda: confirm(third, slip_id))
    assert sorted(outcomes) == ["paid", "slip.state"]
    assert world.trade(bought).status == "paid"


def test_a_top_up_beyond_the_limit_is_refused(shop: dict[str, int], db: Any) -> None:
    bought = world.buy()
    fund(bought.buyer, 500_000, 0)
    with pytest.raises(Conflict) as caught:
        fund(bought.buyer, 1)
    assert caught.value.code == "wallet.limit"
    assert left(bought.buyer) == (500_000, 0)


def test_every_intent_is_the_sum_of_its_sources(shop: dict[str, int], db: Any) -> None:
    bought = world.buy()
    fund(bought.buyer, 700, 70)
    payment_no, _, rest = pay(bought, channels.SIMULATOR)
    notify(payment_no, rest)
    intent = world.rows(select(PaymentIntent))[0]
    paid = world.rows(select(PaymentAttempt.amount_fen).where(PaymentAttempt.status == "succeeded"))
    assert sum(paid) == intent.amount_fen == payable(bought)
