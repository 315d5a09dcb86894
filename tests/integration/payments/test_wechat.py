"""WeChat Pay client against its stand-in over real HTTP: every outcome, both suites, rotation, refunds, bill, forged messages (T06)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from app.core import clock
from app.core.errors import Forbidden, Invalid
from app.core.jobs import Job
from app.core.tx import transaction
from app.demo.simulators import keys
from app.demo.simulators.server import deliver
from app.orders import service as orders
from app.payments import channels, gateway, refunding, service
from app.payments.channels.values import ChannelRefused, ChannelUnclear, Part, Payable, RefundOrder
from app.payments.models import AbnormalReceipt, ChannelNotice, PlatformKey, Refund
from app.settlement import bill_file
from app.settlement.queries import books
from tests.integration.payments import world
from tests.integration.payments.world import World


@pytest.fixture(scope="module", params=["rsa", "sm"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """An algorithm and a place for its keys, which are costly to make."""
    return request.param, tmp_path_factory.mktemp(request.param)


@pytest.fixture
def both(app: Any, db: Any, folder: tuple[str, Path]) -> Iterator[World]:
    """The two sides, with each suite of algorithms."""
    with world.joined(app, folder[1], algorithm=folder[0]) as found:  # type: ignore[arg-type]
        yield found


@pytest.fixture
def rsa(app: Any, db: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The two sides with RSA, where the suite makes no difference."""
    with world.joined(app, tmp_path_factory.getbasetemp() / "rsa-shared") as found:
        yield found


def payable(number: str, fen: int = 500, **changes: Any) -> Payable:
    until = clock.now() + timedelta(minutes=20)
    return replace(Payable(number, fen, "订单", until, "http://127.0.0.1:1/none"), **changes)


def test_a_code_is_scanned_and_paid(both: World, db: Any) -> None:
    bought = world.buy()
    attempt = world.begin(bought, "wechat")
    assert (attempt.status, attempt.pay_kind) == ("pending", "qr")
    assert str(attempt.pay_value).startswith("weixin://wxpay/bizpayurl")
    assert both.channels.pay("wechat", attempt.payment_no, "paid") == [204]
    assert world.trade(bought).status == "paid"
    assert world.attempt(attempt.payment_no).channel_txn == both.sim("wechat").ledger.payments[attempt.payment_no].txn
    stored = world.rows(select(ChannelNotice))[0]
    assert (stored.state, stored.outcome) == ("applied", "paid")
    assert "ciphertext" in stored.body, "the body is kept as received"
    world.work()
    assert books.verify() == []


@pytest.mark.parametrize(
    ("scenario", "outcomes", "status", "refund_count", "kind"),
    [
        ("duplicate", ["duplicate", "duplicate", "paid"], "paid", 0, None), ("wrong_amount", ["refunded"], "unpaid", 1, "wrong_amount"),
        ("wrong_app", ["foreign"], "unpaid", 0, "foreign"), ("failed", ["failed"], "unpaid", 0, None),
    ],
)  # fmt: skip
def test_every_scenario(rsa: World, db: Any, scenario: str, outcomes: list[str], status: str, refund_count: int, kind: str | None) -> None:
    bought = world.buy()
    attempt = world.begin(bought, "wechat")
    assert set(rsa.channels.pay("wechat", attempt.payment_no, scenario)) == {204}
    assert sorted(world.rows(select(ChannelNotice.outcome))) == outcomes
    assert world.trade(bought).status == status
    assert len(world.refunds()) == refund_count
    cases = world.rows(select(AbnormalReceipt.kind))
    assert cases == ([kind] if kind else [])
    world.work()
    assert {refund.status for refund in world.refunds()} <= {"done"}
    assert books.verify() == []
    if refund_count:
        paid = rsa.sim("wechat").ledger.payments[attempt.payment_no]
        assert rsa.sim("wechat").ledger.refunded(paid) == paid.paid_fen
        assert world.rows(select(AbnormalReceipt.status))[0] == "resolved"


def test_a_lost_notice_is_asked_for_by_the_job(rsa: World, db: Any) -> None:
    bought = world.buy()
    attempt = world.begin(bought, "wechat")
    assert rsa.channels.pay("wechat", attempt.payment_no, "silent") == []
    assert world.trade(bought).status == "unpaid"
    world.work()
    assert world.trade(bought).status == "paid"
    assert gateway.ask(attempt.id) == "succeeded"
    assert world.rows(select(func.count()).select_from(ChannelNotice))[0] == 1


def test_a_late_notice_after_the_question_is_a_duplicate(rsa: World, db: Any) -> None:
    bought = world.buy()
    attempt = world.begin(bought, "wechat")
    rsa.channels.pay("wechat", attempt.payment_no, "silent")
    gateway.ask(attempt.id)
    simulated = rsa.sim("wechat")
    message = simulated.notices(simulated.ledger.payments[attempt.payment_no], "paid")[0]
    assert deliver(message) == 204
    assert deliver(message) == 204
    assert sorted(world.rows(select(ChannelNotice.outcome))) == ["duplicate", "paid"]
    assert world.refunds() == []


def test_expiry_asks_and_closes_before_the_trade_is_cancelled(rsa: World, db: Any) -> None:
    bought = world.buy()
    attempt = world.begin(bought, "wechat")
    with clock.travel(timedelta(minutes=31)):
        with transaction():
            assert orders.expire_unpaid() == 0, "the channel could still take the money"
        gateway.close_expired()
        assert world.attempt(attempt.payment_no).status == "closed"
        with transaction():
            assert orders.expire_unpaid() == 1
    assert rsa.sim("wechat").ledger.payments[attempt.payment_no].state == "closed"
    assert world.trade(bought).status == "cancelled"


def test_expiry_finds_a_payment_whose_notice_was_lost(rsa: World, db: Any) -> None:
    bought = world.buy()
    attempt = world.begin(bought, "wechat")
    rsa.channels.pay("wechat", attempt.payment_no, "silent")
    with clock.travel(timedelta(minutes=31)):
        gateway.close_expired()
        with transaction():
            assert orders.expire_unpaid() == 0
    assert world.trade(bought).status == "paid"


def test_a_channel_that_does_not_answer_holds_a_trade_ten_minutes_only(rsa: World, db: Any) -> None:
    bought = world.buy()
    world.begin(bought, "wechat")
    rsa.sim("wechat").corrupt_answers = True
    with clock.travel(timedelta(minutes=35)):
        gateway.close_expired()
        with transaction():
            assert orders.expire_unpaid() == 0
    with clock.travel(timedelta(minutes=41)), transaction():
        assert orders.expire_unpaid() == 1


def test_success_after_closing_is_refunded(rsa: World, db: Any) -> None:
    bought = world.buy()
    attempt = world.begin(bought, "wechat")
    rsa.channels.pay("wechat", attempt.payment_no, "silent")
    with transaction():
        orders.cancel_trade(bought.buyer, bought.trade_id, "不要了")
    world.work()
    assert world.trade(bought).status == "cancelled"
    assert [(r.amount_fen, r.status) for r in world.refunds()] == [(attempt.amount_fen, "done")]
    assert world.rows(select(AbnormalReceipt.kind))[0] == "late"
    assert books.verify() == []


def test_the_second_payment_of_a_trade_is_refunded(rsa: World, db: Any) -> None:
    bought = world.buy()
    attempt = world.begin(bought, "wechat")
    with transaction():
        second = service.start(bought.buyer, bought.trade_no, channels.SIMULATOR).payment_no
    body = channels.compose(channels.Notice("N-1", second, attempt.amount_fen, "paid", "SIM-1"))
    with transaction():
        row = service.receive_notice(channels.SIMULATOR, body, channels.sign(body))
    with transaction():
        assert service.apply_notice(row) == "paid"
    assert rsa.channels.pay("wechat", attempt.payment_no, "paid") == [204]
    world.work()
    assert [(r.amount_fen, r.status) for r in world.refunds()] == [(attempt.amount_fen, "done")]
    assert world.rows(select(AbnormalReceipt.kind))[0] == "second"


def test_the_shown_code_is_shown_again(rsa: World, db: Any) -> None:
    bought = world.buy()
    first = world.begin(bought, "wechat")
    assert world.begin(bought, "wechat").id == first.id
    assert len(rsa.sim("wechat").ledger.payments) == 1


def paid_trade(both: World, fen: int = 1_990) -> tuple[world.Bought, str]:
    bought = world.buy(price_fen=fen)
    attempt = world.begin(bought, "wechat")
    both.channels.pay("wechat", attempt.payment_no, "paid")
    return bought, attempt.payment_no


def test_a_refund_is_accepted_then_done(rsa: World, db: Any) -> None:
    bought, _ = paid_trade(rsa)
    rsa.sim("wechat").ledger.refund_plan = "slow"
    with transaction():
        refund_id = refunding.refund_trade(bought.trade_id, 700, cause="c1", reason="少发一件")
    gateway.send_refund(refund_id)
    assert world.refunds()[0].status == "accepted"
    gateway.send_refund(refund_id)  # a repeated job orders nothing again
    assert rsa.channels.end_refund("wechat", world.refunds()[0].refund_no) == 204
    found = world.refunds()[0]
    assert (found.status, found.channel_refund) == ("done", rsa.sim("wechat").ledger.refunds[found.refund_no].txn)
    assert len(rsa.sim("wechat").ledger.refunds) == 1


def test_a_refund_accepted_then_failed_becomes_a_case_and_can_be_sent_again(rsa: World, db: Any) -> None:
    bought, _ = paid_trade(rsa)
    simulated = rsa.sim("wechat").ledger
    simulated.refund_plan = "fail_later"
    with transaction():
        refund_id = refunding.refund_trade(bought.trade_id, 1_990, cause="c1", reason="整单退")
    gateway.send_refund(refund_id)
    first_no = world.refunds()[0].refund_no
    rsa.channels.end_refund("wechat", first_no)
    assert world.refunds()[0].status == "failed"
    case = world.rows(select(AbnormalReceipt))[0]
    assert (case.kind, case.status, case.refund_id) == ("refund_failed", "open", refund_id)
    simulated.refund_plan = "done"
    with transaction():
        refunding.resend(refund_id)
    world.work()
    again = world.refunds()[0]
    assert again.status == "done"
    assert again.refund_no != first_no
    db.expire_all()
    assert world.rows(select(AbnormalReceipt.status))[0] == "resolved"
    assert books.verify() == []


def test_a_refund_whose_notice_is_lost_is_asked_for(rsa: World, db: Any) -> None:
    bought, _ = paid_trade(rsa)
    rsa.sim("wechat").ledger.refund_plan = "slow"
    with transaction():
        refund_id = refunding.refund_trade(bought.trade_id, 1, cause="c1", reason="一分")
    gateway.send_refund(refund_id)
    rsa.sim("wechat").ledger.end_refund(world.refunds()[0].refund_no)
    gateway.ask_refund(refund_id, 1)
    assert world.refunds()[0].status == "done"


def test_the_limits_of_refunds(rsa: World, db: Any) -> None:
    bought, payment_no = paid_trade(rsa, 10_000)
    with transaction():
        refunding.refund_trade(bought.trade_id, 1, cause="c0", reason="退")
        later = refunding.refund_trade(bought.trade_id, 1, cause="c1", reason="退")
    due = world.rows(select(Job.due_at).where(Job.name == refunding.REFUND_JOB, Job.key == f"r{later}"))[0]
    assert due - db.get_one(Refund, later).created_at >= timedelta(seconds=59), "a channel wants a minute between two refunds of a payment"
    with transaction():
        for number in range(2, 51):
            refunding.refund_trade(bought.trade_id, 1, cause=f"c{number}", reason="退")
    statuses = [refund.status for refund in world.refunds()]
    assert statuses == ["pending"] * 50 + ["failed"], "the fifty-first is not sent but shown to finance"
    assert "已退 50 次" in world.rows(select(AbnormalReceipt.detail))[0]
    with clock.travel(timedelta(days=366)), transaction():
        old = refunding.write_refund(world.attempt(payment_no).id, 1, "c99", "退")[0]
    assert db.get_one(Refund, old).status == "failed"


# The client alone


def client() -> Any:
    return channels.get("wechat")


def test_scenes_of_the_client(both: World) -> None:
    assert client().create(payable("P1")).kind == "qr"
    link = client().create(payable("P2", scene="h5", return_url="https://shop.example.cn/done?x=1"))
    assert link.kind == "link"
    assert link.value.endswith("&redirect_url=https%3A%2F%2Fshop.example.cn%2Fdone%3Fx%3D1")
    called = client().create(payable("P3", scene="jsapi", payer_id="oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"))
    values = json.loads(called.value)
    account = client().account
    message = f"{account.app_id}\n{values['timeStamp']}\n{values['nonceStr']}\nprepay_id=wxP3\n".encode()
    assert account.suite.verify(both.sim("wechat").merchant.public_pem, message, values["paySign"])
    with pytest.raises(Invalid):
        client().create(payable("P4", scene="jsapi"))


def test_a_combined_order_of_up_to_fifty_parts(rsa: World) -> None:
    parts = [Part(f"S{n}", 10, f"商户 {n}") for n in range(50)]
    assert client().create_combined(payable("C1", 500), parts).kind == "qr"
    states = client().query_combined("C1")
    assert {state.state for state in states.values()} == {"waiting"}
    assert len(states) == 50
    client().close_combined("C1", [part.payment_no for part in parts])
    assert {state.state for state in client().query_combined("C1").values()} == {"closed"}
    with pytest.raises(Invalid):
        client().create_combined(payable("C2", 510), [*parts, Part("S50", 10, "第 51 个")])
    with pytest.raises(Invalid):
        client().create_combined(payable("C3", 501), parts)


def test_what_the_channel_refuses_is_told_from_what_is_unclear(rsa: World) -> None:
    client().create(payable("P1", 500))
    with pytest.raises(ChannelRefused):
        client().create(payable("P1", 501))
    assert client().query("P-unknown").state == "missing"
    client().close("P-unknown")
    rsa.sim("wechat").corrupt_answers = True
    with pytest.raises(ChannelUnclear):
        client().query("P1")


def test_the_same_refund_number_pays_once(rsa: World) -> None:
    client().create(payable("P1", 500))
    rsa.channels.pay("wechat", "P1", "silent")
    order = RefundOrder("R1", "P1", "-", 200, 500, "退")
    assert client().refund(order) == client().refund(order)
    assert rsa.sim("wechat").ledger.refunded(rsa.sim("wechat").ledger.payments["P1"]) == 200
    with pytest.raises(ChannelRefused):
        client().refund(replace(order, refund_no="R2", amount_fen=301))
    assert client().query_refund(replace(order, refund_no="R3")).state == "missing"


def test_a_new_platform_certificate_is_downloaded_when_it_first_signs(both: World, db: Any) -> None:
    client().query("P1")
    before = set(world.rows(select(PlatformKey.serial)))
    assert before == {both.sim("wechat").platform.serial}
    make = keys.rsa_private if both.sim("wechat").merchant.algorithm == "rsa" else keys.sm2_private
    both.sim("wechat").rotate(make())
    with pytest.raises(ChannelUnclear):
        client().query("P1")  # the last download was less than a minute ago
    client()._refreshed_at = None
    client().query("P1")
    db.rollback()
    assert len(set(world.rows(select(PlatformKey.serial)))) == 2


def test_certificates_not_signed_by_one_of_them_are_refused(rsa: World, db: Any) -> None:
    rsa.sim("wechat").platform.announced = [("OTHER", keys.rsa_certificate(keys.rsa_private(), "other"))]
    with pytest.raises(ChannelUnclear):
        client().refresh_keys()
    assert world.rows(select(PlatformKey)) == []


def test_the_bill_is_checked_and_read(both: World) -> None:
    simulated = both.sim("wechat")
    for number, fen in (("P1", 500), ("P2", 1_234)):
        client().create(payable(number, fen))
        both.channels.pay("wechat", number, "silent")
    client().refund(RefundOrder("R1", "P2", "-", 234, 1_234, "退"))
    day = clock.business_date()
    lines = list(bill_file.read(client().bill(day)))
    assert [(line.flow, line.our_no, line.amount_fen) for line in lines] == [("pay", "P1", 500), ("pay", "P2", 1_234), ("refund", "R1", 234)]
    assert lines[0].ref_no == simulated.ledger.payments["P1"].txn
    simulated.ledger.bill_differences = True
    assert [(line.our_no, line.amount_fen) for line in bill_file.read(client().bill(day))] == [("P1", 501), ("R1", 234)]
    assert list(bill_file.read(client().bill(day - timedelta(days=3)))) == []


def test_a_bill_with_another_hash_is_refused(rsa: World, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = iter(["one", "two"])
    monkeypatch.setattr(rsa.sim("wechat"), "_bill_text", lambda day: next(texts))
    with pytest.raises(ChannelUnclear):
        client().bill(clock.business_date())


def received(both: World) -> tuple[dict[str, str], bytes]:
    """A genuine notice as it arrives."""
    client().create(payable("P1"))
    simulated = both.sim("wechat")
    payment = simulated.ledger.pay("P1", "paid")
    message = simulated.notices(payment, "paid")[0]
    return {name.lower(): value for name, value in message.headers.items()}, message.body


def test_forged_notices_are_refused(both: World, db: Any) -> None:
    headers, body = received(both)
    assert client().verify(headers, body).result == "paid"
    old = str(int(headers["wechatpay-timestamp"]) - 301)
    other = body.replace(b"TRANSACTION.SUCCESS", b"TRANSACTION.success")
    forged = [
        ({**headers, "wechatpay-signature": "AAAA" + headers["wechatpay-signature"][4:]}, body), (headers, other), (headers, body + b" "),
        ({**headers, "wechatpay-nonce": "x"}, body), ({**headers, "wechatpay-timestamp": old}, body), ({}, body),
        ({**headers, "wechatpay-serial": "unknown"}, body), ({**headers, "wechatpay-signature": "not base64 !"}, body),
        ({**headers, "wechatpay-signature-type": "WECHATPAY2-NONE"}, body),
    ]  # fmt: skip
    for wrong_headers, wrong_body in forged:
        with pytest.raises(Forbidden):
            client().verify(wrong_headers, wrong_body)
    assert world.rows(select(func.count()).select_from(ChannelNotice))[0] == 0


def test_a_signed_notice_sealed_with_another_key_is_refused(both: World) -> None:
    client().query("P1")
    simulated = both.sim("wechat")
    client().create(payable("P1"))
    payment = simulated.ledger.pay("P1", "paid")
    simulated.merchant.api_v3_key = "0" * 32
    message = simulated.notices(payment, "paid")[0]
    with pytest.raises(Forbidden):
        client().verify({name.lower(): value for name, value in message.headers.items()}, message.body)


def test_a_forged_notice_at_the_door_is_refused(rsa: World, db: Any, app: Any) -> None:
    headers, body = received(rsa)
    http = app.test_client()
    answer = http.post("/api/payments/wechat/notices", data=body, headers={**headers, "wechatpay-nonce": "x"})
    assert answer.status_code == 403
    assert http.post("/api/payments/alien/notices", data=body).status_code == 404
    assert world.rows(select(func.count()).select_from(ChannelNotice))[0] == 0
