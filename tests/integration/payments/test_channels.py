"""Alipay, UnionPay and the citizen card against their stand-ins over real HTTP: every outcome, refunds, bills, forged messages (T06)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
from sqlalchemy import func, select

from app.core import clock, egress
from app.core.errors import Forbidden, Invalid
from app.core.ids import new_id
from app.core.tx import transaction
from app.demo.simulators import keys
from app.demo.simulators.alipay import _text
from app.orders import service as orders
from app.payments import channels, gateway, refunding
from app.payments.channels.values import ChannelRefused, ChannelUnclear, Payable, RefundOrder
from app.payments.models import AbnormalReceipt, ChannelNotice
from app.settlement import bill_file
from app.settlement.queries import books
from tests.integration.payments import world
from tests.integration.payments.world import World

OTHERS = ("alipay", "unionpay", "citizen")
OK = 200


@pytest.fixture
def sides(app: Any, db: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Both sides running."""
    with world.joined(app, tmp_path_factory.getbasetemp() / "rsa-shared") as found:
        yield found


@pytest.fixture(params=OTHERS)
def key(request: pytest.FixtureRequest) -> str:
    """A channel."""
    return str(request.param)


def number(letter: str = "P") -> str:
    return f"{letter}{new_id()}"


def payable(payment_no: str, fen: int = 500, **changes: Any) -> Payable:
    return replace(Payable(payment_no, fen, "订单", clock.now() + timedelta(minutes=20), "http://127.0.0.1:1/none"), **changes)


def test_a_code_is_scanned_and_paid_and_refunded(sides: World, db: Any, key: str) -> None:
    bought = world.buy()
    attempt = world.begin(bought, key)
    assert (attempt.status, attempt.pay_kind) == ("pending", "qr")
    assert sides.channels.pay(key, attempt.payment_no, "paid") == [OK]
    assert world.trade(bought).status == "paid"
    assert world.attempt(attempt.payment_no).channel_txn == sides.sim(key).ledger.payments[attempt.payment_no].txn
    with transaction():
        refunding.refund_trade(bought.trade_id, 700, cause="c1", reason="少发一件")
    world.work()
    world.work()
    assert [(refund.amount_fen, refund.status) for refund in world.refunds()] == [(700, "done")]
    assert sides.sim(key).ledger.refunded(sides.sim(key).ledger.payments[attempt.payment_no]) == 700
    assert books.verify() == []


@pytest.mark.parametrize(
    ("scenario", "outcomes", "status", "refund_count", "kind"),
    [
        ("duplicate", ["paid"], "paid", 0, None), ("wrong_amount", ["refunded"], "unpaid", 1, "wrong_amount"),
        ("wrong_app", ["foreign"], "unpaid", 0, "foreign"), ("failed", ["failed"], "unpaid", 0, None),
    ],
)  # fmt: skip
def test_every_scenario(
    sides: World, db: Any, key: str, scenario: str, outcomes: list[str], status: str, refund_count: int, kind: str | None
) -> None:
    bought = world.buy()
    attempt = world.begin(bought, key)
    assert set(sides.channels.pay(key, attempt.payment_no, scenario)) == {OK}
    assert world.rows(select(ChannelNotice.outcome)) == outcomes
    assert world.trade(bought).status == status
    assert len(world.refunds()) == refund_count
    assert world.rows(select(AbnormalReceipt.kind)) == ([kind] if kind else [])


def test_a_lost_notice_is_asked_for_and_closing_comes_before_cancelling(sides: World, db: Any, key: str) -> None:
    paid, unpaid = world.buy(), world.buy()
    first, second = world.begin(paid, key), world.begin(unpaid, key)
    sides.channels.pay(key, first.payment_no, "silent")
    with clock.travel(timedelta(minutes=31)):
        gateway.close_expired()
        with transaction():
            assert orders.expire_unpaid() == 1
    assert (world.trade(paid).status, world.trade(unpaid).status) == ("paid", "cancelled")
    assert world.attempt(second.payment_no).status == "closed"
    if key != "unionpay":  # which has no such verb: its code dies by itself
        state = sides.sim(key).ledger.payments.get(second.payment_no)
        assert state is not None
        assert state.state == "closed"


def test_a_refund_accepted_then_failed_becomes_a_case(sides: World, db: Any, key: str) -> None:
    bought = world.buy()
    attempt = world.begin(bought, key)
    sides.channels.pay(key, attempt.payment_no, "paid")
    sides.sim(key).ledger.refund_plan = "fail_later"
    with transaction():
        refund_id = refunding.refund_trade(bought.trade_id, 500, cause="c1", reason="退")
    gateway.send_refund(refund_id)
    assert world.refunds()[0].status == "accepted"
    sides.sim(key).ledger.end_refund(world.refunds()[0].refund_no)
    gateway.ask_refund(refund_id, 1)
    assert world.refunds()[0].status == "failed"
    assert world.rows(select(AbnormalReceipt.kind)) == ["refund_failed"]


def test_the_end_of_a_refund_is_notified(sides: World, db: Any) -> None:
    for key in ("unionpay", "citizen"):
        bought = world.buy()
        attempt = world.begin(bought, key)
        sides.channels.pay(key, attempt.payment_no, "paid")
        sides.sim(key).ledger.refund_plan = "slow"
        with transaction():
            refund_id = refunding.refund_trade(bought.trade_id, 500, cause=f"c{key}", reason="退")
        gateway.send_refund(refund_id)
        refund = world.refunds()[-1]
        assert refund.status == "accepted"
        assert sides.channels.end_refund(key, refund.refund_no) == OK
        assert world.refunds()[-1].status == "done"


def test_what_the_channel_refuses_is_told_from_what_is_unclear(sides: World, key: str) -> None:
    client, payment_no = channels.get(key), number()
    client.create(payable(payment_no))
    with pytest.raises(ChannelRefused):
        client.create(payable(payment_no, 501))
    assert client.query(payment_no).state == "waiting"
    assert client.query(number()).state == "missing"
    client.close(number())
    sides.channels.pay(key, payment_no, "silent")
    txn = client.query(payment_no).channel_txn
    order = RefundOrder(number("R"), payment_no, txn, 200, 500, "退")
    client.refund(order)
    client.refund(order)
    assert sides.sim(key).ledger.refunded(sides.sim(key).ledger.payments[payment_no]) == 200
    with pytest.raises(ChannelRefused):
        client.refund(replace(order, refund_no=number("R"), amount_fen=301))
    assert client.query_refund(replace(order, refund_no=number("R"))).state in {"missing", "failed"}
    assert client.query_refund(order).state == "done"
    if key != "unionpay":
        with pytest.raises(ChannelRefused):
            client.close(payment_no)
    sides.sim(key).corrupt_answers = True
    with pytest.raises(ChannelUnclear):
        client.query(payment_no)


def test_telephones_get_a_page(sides: World) -> None:
    link = channels.get("alipay").create(payable(number(), scene="h5", return_url="https://shop.example.cn/done"))
    assert link.kind == "link"
    assert dict(parse_qsl(link.value.split("?", 1)[1]))["method"] == "alipay.trade.wap.pay"
    assert channels.get("citizen").create(payable(number(), scene="h5")).value.startswith(sides.url + "/play/citizen?no=P")


def test_the_bill_is_checked_and_read(sides: World, key: str) -> None:
    client, simulated, day = channels.get(key), sides.sim(key), clock.business_date()
    first, second, refund_no = number(), number(), number("R")
    for payment_no, fen in ((first, 500), (second, 1_234)):
        client.create(payable(payment_no, fen))
        sides.channels.pay(key, payment_no, "silent")
    client.refund(RefundOrder(refund_no, second, simulated.ledger.payments[second].txn, 234, 1_234, "退"))
    lines = list(bill_file.read(client.bill(day)))
    assert [(line.flow, line.our_no, line.amount_fen) for line in lines] == [("pay", first, 500), ("pay", second, 1_234), ("refund", refund_no, 234)]
    assert lines[0].ref_no == simulated.ledger.payments[first].txn
    simulated.ledger.bill_differences = True
    assert [(line.our_no, line.amount_fen) for line in bill_file.read(client.bill(day))] == [(first, 501), (refund_no, 234)]
    assert list(bill_file.read(client.bill(day - timedelta(days=3)))) == []


def received(sides: World, key: str) -> tuple[dict[str, str], bytes]:
    """A genuine notice as it arrives."""
    payment_no = number()
    channels.get(key).create(payable(payment_no))
    simulated = sides.sim(key)
    message = simulated.notices(simulated.ledger.pay(payment_no, "paid"), "paid")[0]
    return {name.lower(): value for name, value in message.headers.items()}, message.body


@pytest.mark.parametrize("key", ["alipay", "unionpay"])
def test_forged_forms_are_refused(sides: World, db: Any, key: str) -> None:
    headers, body = received(sides, key)
    client = channels.get(key)
    assert client.verify(headers, body).result == "paid"
    values = dict(parse_qsl(body.decode(), keep_blank_values=True))
    sign = "sign" if key == "alipay" else "signature"
    amount = "total_amount" if key == "alipay" else "txnAmt"
    forged = [
        values | {amount: "0.01"}, values | {sign: "AAAA" + values[sign][4:]}, values | {sign: "not base64 !"}, values | {"extra": "1"},
        {k: v for k, v in values.items() if k != sign}, {},
    ]  # fmt: skip
    if key == "unionpay":
        forged.append(values | {"signPubKeyCert": sides.sim(key).merchant.certificate})
    else:
        forged.append(values | {"sign_type": "RSA"})
    for wrong in forged:
        with pytest.raises(Forbidden):
            client.verify(headers, urlencode(wrong).encode())
    assert db.scalar(select(func.count()).select_from(ChannelNotice)) == 0


def test_a_unionpay_certificate_of_another_issuer_or_name_is_refused(sides: World) -> None:
    headers, _ = received(sides, "unionpay")
    simulated, client = sides.sim("unionpay"), channels.get("unionpay")
    genuine = simulated.certificate
    root = keys.rsa_private()
    other = (root, keys.rsa_certificate(root, "CFCA TEST OCA1 (simulated)"))
    payment = next(iter(simulated.ledger.payments.values()))
    simulated.certificate = keys.rsa_certificate(simulated.private_pem, "041@Z12@中国银联股份有限公司@00000001", issuer=other)
    with pytest.raises(Forbidden):
        client.verify(headers, simulated.notices(payment, "paid")[0].body)
    simulated.certificate = genuine
    wrong = type(client)(replace(client.account, signer_name="别的公司"))
    with pytest.raises(Forbidden):
        wrong.verify(headers, simulated.notices(payment, "paid")[0].body)


def test_forged_citizen_card_messages_are_refused(sides: World) -> None:
    headers, body = received(sides, "citizen")
    client = channels.get("citizen")
    assert client.verify(headers, body).result == "paid"
    old = str(int(headers["x-card-time"]) - 301)
    forged = [
        ({**headers, "x-card-time": old}, body), ({**headers, "x-card-nonce": "0" * 32}, body), (headers, body + b" "), ({}, body),
        ({**headers, "x-card-signature": "!"}, body), ({**headers, "x-card-merchant": "M-OTHER"}, body),
        ({**headers, "x-card-signature": "AAAA" + headers["x-card-signature"][4:]}, body),
    ]  # fmt: skip
    for wrong_headers, wrong_body in forged:
        with pytest.raises(Forbidden):
            client.verify(wrong_headers, wrong_body)


def test_an_answer_to_another_request_is_refused(sides: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A signed answer, played back to the next question, is not its answer."""
    client, real, kept = channels.get("citizen"), egress.call, []

    def replay(*args: Any, **kwargs: Any) -> Any:
        kept.append(real(*args, **kwargs))
        return kept[0]

    payment_no = number()
    client.create(payable(payment_no))
    monkeypatch.setattr(egress, "call", replay)
    assert client.query(payment_no).state == "waiting"
    with pytest.raises(ChannelUnclear):
        client.query(payment_no)


@pytest.mark.parametrize(
    ("key", "body"), [("alipay", b"\xff\xfe=1"), ("unionpay", b""), ("citizen", b"[]"), ("wechat", b"null")], ids=lambda value: str(value)[:12]
)
def test_nonsense_at_the_door_is_refused(sides: World, app: Any, key: str, body: bytes) -> None:
    assert app.test_client().post(f"/api/payments/{key}/notices", data=body).status_code in {403, 422}


def test_a_signed_alipay_notice_without_its_fields_is_refused(sides: World) -> None:
    simulated = sides.sim("alipay")
    values = {"app_id": simulated.merchant.app_id, "trade_status": "TRADE_SUCCESS"}
    signed = values | {"sign": simulated._sign(_text(values)), "sign_type": "RSA2"}
    with pytest.raises(Invalid):
        channels.get("alipay").verify({}, urlencode(signed).encode())
