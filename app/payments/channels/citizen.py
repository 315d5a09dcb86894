"""The region's 数字市民卡: our own documented protocol with SM2 signatures (T06, docs/protocols/citizen-card.md)."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from app.core import clock, egress, runtime
from app.core.errors import Forbidden, Invalid
from app.payments.channels import bill_form
from app.payments.channels.secrets import opened, stored
from app.payments.channels.values import (
    PAYMENT,
    REFUND,
    ChannelRefused,
    ChannelUnclear,
    Limits,
    Notice,
    Payable,
    PaymentState,
    RefundOrder,
    RefundState,
    Started,
)
from security import sm
from security.errors import SecurityError
from security.symmetric import sm3

KEY, TITLE = "citizen", "数字市民卡"
SKEW_S = 300
PROTOCOL = "CITIZEN-CARD-1"
_STATES = {"waiting", "paid", "closed", "failed"}
_REFUNDS = {"accepted", "done", "failed"}
_FLOWS = {"pay": bill_form.PAY, "refund": bill_form.REFUND}


@dataclass(frozen=True)
class Account:
    """Who we are at the card centre: our private key, the centre's public point."""

    base_url: str
    merchant: str
    private_d: bytes = field(repr=False)
    centre_point: bytes = b""


def configured() -> CitizenCard:
    """Return the client of the settings. Raises Conflict(`channel.secret`)."""
    mine = runtime.current().settings.payment.citizen
    private = sm.load_private_pem(opened(mine.private_key, "payment.citizen.private_key"))
    return CitizenCard(Account(mine.base_url.rstrip("/"), mine.app_id, private, sm.load_public_pem(mine.centre_key)))


def signed_text(direction: str, path: str, merchant: str, stamp: str, nonce: str, body: bytes) -> bytes:
    """Return what is signed. direction: request | answer | notice."""
    return "".join(f"{line}\n" for line in (PROTOCOL, direction, path, merchant, stamp, nonce)).encode() + body


class CitizenCard:
    """One merchant account."""

    key, title = KEY, TITLE
    scenes = ("qr", "h5")
    limits = Limits(days=365)

    def __init__(self, account: Account) -> None:
        self.account = account

    def create(self, payable: Payable) -> Started:
        """Announce a payment: a code for desktops, the centre's page for telephones."""
        answer = self._call("/v1/payments", {
            "payment_no": payable.payment_no, "amount_fen": payable.amount_fen, "subject": payable.subject[:80],
            "expires_at": clock.microseconds(payable.expires_at) // 1_000_000, "notify_url": payable.notify_url,
        })  # fmt: skip
        return Started("link", str(answer["page"])) if payable.scene == "h5" else Started("qr", str(answer["qr"]))

    def query(self, payment_no: str) -> PaymentState:
        """Ask what became of a payment."""
        try:
            answer = self._call("/v1/payments/query", {"payment_no": payment_no})
        except ChannelRefused as error:
            if error.params.get("reason") == "NOT_FOUND":
                return PaymentState("missing")
            raise
        state = str(answer.get("state"))
        if state not in _STATES:
            raise ChannelUnclear("channel.state", f"市民卡中心返回未知状态 {state}")
        return PaymentState(state, int(answer.get("amount_fen", 0)), str(answer.get("card_txn", "-"))[:64])

    def close(self, payment_no: str) -> None:
        """Make a payment unpayable. Raises ChannelRefused(reason PAID) when it is paid."""
        self._call("/v1/payments/close", {"payment_no": payment_no})

    def refund(self, order: RefundOrder) -> RefundState:
        """Order a refund."""
        return _refund(self._call("/v1/refunds", {
            "refund_no": order.refund_no, "payment_no": order.payment_no, "amount_fen": order.amount_fen, "reason": order.reason[:80],
            "notify_url": order.notify_url,
        }))  # fmt: skip

    def query_refund(self, order: RefundOrder) -> RefundState:
        """Ask what became of a refund."""
        try:
            return _refund(self._call("/v1/refunds/query", {"refund_no": order.refund_no}))
        except ChannelRefused as error:
            if error.params.get("reason") == "NOT_FOUND":
                return RefundState("missing")
            raise

    def bill(self, day: date) -> list[str]:
        """Return a day's bill in our form; its digest and totals are checked."""
        answer = self._call("/v1/bills", {"day": f"{day:%Y-%m-%d}"})
        text = str(answer.get("text", ""))
        if sm3(text.encode()).hex() != answer.get("sm3"):
            raise ChannelUnclear("channel.bill", "市民卡账单与所给摘要不符")
        return list(bill_form.lines(read_bill(text, day)))

    def verify(self, headers: Mapping[str, str], body: bytes) -> Notice:
        """Verify and read a notice."""
        self._check("notice", "/notice", headers, body, headers.get("x-card-nonce", ""))
        try:
            raw = json.loads(body)
            kind, state = str(raw["kind"]), str(raw["state"])
            result = state if raw["merchant"] == self.account.merchant else "foreign"
            if kind not in {PAYMENT, REFUND} or state not in ({"paid", "failed"} if kind == PAYMENT else {"done", "failed"}):
                raise Invalid("payment.notice", "市民卡通知内容不正确")
            return Notice(
                str(raw["notice_id"])[:64], str(raw["payment_no"])[:32], int(raw["amount_fen"]), result, str(raw["card_txn"])[:64], kind,
                str(raw.get("refund_no", "-"))[:40],
            )  # fmt: skip
        except (ValueError, KeyError, TypeError, AttributeError):
            raise Invalid("payment.notice", "市民卡通知格式不正确") from None

    def reply(self, *, accepted: bool) -> tuple[int, str, str]:
        """Return the answer to a notice."""
        return (200, "application/json", '{"code":"OK"}') if accepted else (500, "application/json", '{"code":"BUSY"}')

    # The wire

    def _call(self, path: str, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the verified answer. Raises ChannelRefused for a refusal, ChannelUnclear for anything doubtful."""
        body = json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode()
        stamp, nonce = str(clock.microseconds(clock.now()) // 1_000_000), secrets.token_hex(16)
        signature = sm.sign(self.account.private_d, signed_text("request", path, self.account.merchant, stamp, nonce, body))
        headers = {
            "Content-Type": "application/json; charset=utf-8", "X-Card-Merchant": self.account.merchant, "X-Card-Time": stamp,
            "X-Card-Nonce": nonce, "X-Card-Signature": base64.b64encode(signature).decode(),
        }  # fmt: skip
        answer = egress.call("POST", self.account.base_url + path, headers=headers, body=body, purpose=f"{KEY}{path.replace('/', '.')}")
        try:
            self._check("answer", path, answer.headers, answer.body, nonce)
            found = dict(json.loads(answer.body))
        except (Forbidden, ValueError, TypeError) as error:
            raise ChannelUnclear("channel.signature", "市民卡中心应答的签名或格式不正确") from error
        code = str(found.get("code", ""))
        if answer.status != 200 or code == "BUSY":
            raise ChannelUnclear("channel.unclear", "市民卡中心暂时无法给出结果", reason=code)
        if code != "OK":
            raise ChannelRefused("channel.refused", f"市民卡中心未受理（{code}）", reason=code)
        return found

    def _check(self, direction: str, path: str, headers: Mapping[str, str], body: bytes, nonce: str) -> None:
        """Raise Forbidden(`payment.signature`) unless the centre has signed this, now, for this merchant and nonce."""
        stamp, now = headers.get("x-card-time", ""), clock.microseconds(clock.now()) // 1_000_000
        fresh = stamp.isdigit() and len(stamp) <= 12 and abs(int(stamp) - now) <= SKEW_S
        if not fresh or not nonce or headers.get("x-card-nonce") != nonce:
            raise Forbidden("payment.signature", "市民卡消息的时间或随机数不正确")
        text = signed_text(direction, path, headers.get("x-card-merchant", ""), stamp, nonce, body)
        try:
            right = sm.verify(self.account.centre_point, text, base64.b64decode(headers.get("x-card-signature", ""), validate=True))
        except (ValueError, SecurityError):
            right = False
        if not right:
            raise Forbidden("payment.signature", "市民卡消息签名不正确")

    def facts(self) -> list[tuple[str, str]]:
        """Return what the operator may see of the account."""
        mine = runtime.current().settings.payment.citizen
        return [
            ("商户号", self.account.merchant), ("算法", "SM2 with SM3"), ("地址", self.account.base_url),
            ("中心公钥", f"SM3 摘要 {sm3(self.account.centre_point).hex()[:16]}"), ("商户私钥", stored(mine.private_key)),
        ]  # fmt: skip


def _refund(answer: Mapping[str, Any]) -> RefundState:
    state = str(answer.get("state"))
    if state not in _REFUNDS:
        raise ChannelUnclear("channel.state", f"市民卡中心返回未知退款状态 {state}")
    return RefundState(state, str(answer.get("card_txn", "-"))[:64], "-" if state != "failed" else "市民卡中心退款失败")


def read_bill(text: str, day: date) -> list[bill_form.Row]:
    """Return a bill's rows. Raises ChannelUnclear(`channel.bill`) for a line of another form or totals that do not agree."""
    rows: list[bill_form.Row] = []
    try:
        *lines, last = text.rstrip("\n").split("\n")
        for line in lines:
            at, kind, txn, number, amount, fee = line.split("|")
            rows.append(bill_form.Row(at, txn, number, _FLOWS[kind], int(amount), int(fee)))
        paid = sum(row.amount_fen for row in rows if row.flow == bill_form.PAY)
        back = sum(row.amount_fen for row in rows if row.flow == bill_form.REFUND)
        agrees = last == f"total|{len(rows)}|{paid}|{back}"
    except (ValueError, KeyError) as error:
        raise ChannelUnclear("channel.bill", f"{day} 的市民卡账单有无法识别的行") from error
    if not agrees:
        raise ChannelUnclear("channel.bill", f"{day} 的市民卡账单合计与明细不符")
    return rows
