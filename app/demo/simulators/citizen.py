"""A stand-in of the 数字市民卡 centre, written from docs/protocols/citizen-card.md."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.core import clock
from app.demo.simulators.ledger import Ledger, Payment
from app.demo.simulators.server import Message, Reply, Request
from security import sm
from security.symmetric import sm3


@dataclass
class Merchant:
    """Our account as the centre knows it."""

    number: str
    public_point: bytes


def _text(direction: str, path: str, merchant: str, stamp: str, nonce: str, body: bytes) -> bytes:
    return f"CITIZEN-CARD-1\n{direction}\n{path}\n{merchant}\n{stamp}\n{nonce}\n".encode() + body


class CitizenCard:
    """The simulated centre."""

    key = "citizen"

    def __init__(self, merchant: Merchant, private_d: bytes, public_url: str) -> None:
        self.merchant, self.private_d, self.public_url = merchant, private_d, public_url
        self.ledger = Ledger("CC")
        self.corrupt_answers = False
        self._seen: set[str] = set()

    def _headers(self, direction: str, path: str, nonce: str, body: bytes, merchant: str = "") -> dict[str, str]:
        stamp, number = str(int(clock.now().timestamp())), merchant or self.merchant.number
        signature = sm.sign(self.private_d, _text(direction, path, number, stamp, nonce, body))
        return {
            "Content-Type": "application/json", "X-Card-Merchant": number, "X-Card-Time": stamp, "X-Card-Nonce": nonce,
            "X-Card-Signature": base64.b64encode(signature).decode(),
        }  # fmt: skip

    def _genuine(self, request: Request) -> bool:
        get = request.headers.get
        nonce, stamp = get("x-card-nonce", ""), get("x-card-time", "")
        if nonce in self._seen or not stamp.isdigit() or abs(int(stamp) - clock.now().timestamp()) > 300:
            return False
        self._seen.add(nonce)
        text = _text("request", request.path, self.merchant.number, stamp, nonce, request.body)
        signature = base64.b64decode(get("x-card-signature", ""))
        return get("x-card-merchant") == self.merchant.number and sm.verify(self.merchant.public_point, text, signature)

    def handle(self, request: Request) -> Reply | None:
        """Answer /v1/…"""
        if not request.path.startswith("/v1/"):
            return None
        found = self._do(request.path, json.loads(request.body)) if self._genuine(request) else {"code": "SIGNATURE"}
        body = json.dumps(found, ensure_ascii=False).encode()
        headers = self._headers("answer", request.path, request.headers.get("x-card-nonce", ""), body)
        return Reply(200, body + (b" " if self.corrupt_answers else b""), headers)

    def _do(self, path: str, values: dict[str, Any]) -> dict[str, Any]:
        if path == "/v1/payments":
            return self._announce(values)
        if path == "/v1/bills":
            text = self._bill(values["day"])
            return {"code": "OK", "text": text, "sm3": sm3(text.encode()).hex()}
        if path == "/v1/refunds/query":
            found = self.ledger.refunds.get(values["refund_no"])
            return {"code": "OK", "state": found.state, "card_txn": found.txn} if found else {"code": "NOT_FOUND"}
        payment = self.ledger.payments.get(values["payment_no"])
        if path == "/v1/payments/close":
            if payment is not None and payment.state == "paid":
                return {"code": "PAID"}
            if payment is not None:
                payment.state = "closed"
            return {"code": "OK"}
        if payment is None:
            return {"code": "NOT_FOUND"}
        if path == "/v1/payments/query":
            return {"code": "OK", "state": payment.state, "amount_fen": payment.paid_fen or payment.amount_fen, "card_txn": payment.txn}
        made = self.ledger.order_refund(values["refund_no"], payment, values["amount_fen"], values["notify_url"])
        return {"code": "OK", "state": made.state, "card_txn": made.txn} if made else {"code": "AMOUNT"}

    def _announce(self, values: dict[str, Any]) -> dict[str, Any]:
        made = Payment(values["payment_no"], values["amount_fen"], values["subject"], values["notify_url"])
        with self.ledger.lock:
            known = self.ledger.payments.setdefault(made.number, made)
        if known.amount_fen != made.amount_fen:
            return {"code": "DUPLICATE"}
        return {"code": "OK", "qr": f"citizencard://pay/{made.number}", "page": f"{self.public_url}/play/citizen?no={made.number}"}

    def notices(self, payment: Payment, scenario: str) -> Sequence[Message]:
        """Return the signed notices of a scenario; a repetition has the same notice_id."""
        merchant = "M-OTHER" if scenario == "wrong_app" else self.merchant.number
        told = {"notice_id": secrets.token_hex(12), "merchant": merchant, "kind": "payment", "payment_no": payment.number,
                "state": payment.state, "amount_fen": payment.paid_fen, "card_txn": payment.txn}  # fmt: skip
        body = json.dumps(told).encode()
        message = Message(payment.notify_url, self._headers("notice", "/notice", secrets.token_hex(16), body, merchant), body)
        return [message] * (3 if scenario == "duplicate" else 1)

    def refund_notice(self, number: str) -> Message | None:
        """Return the notice of a refund's end."""
        refund = self.ledger.refunds[number]
        told = {"notice_id": secrets.token_hex(12), "merchant": self.merchant.number, "kind": "refund", "payment_no": refund.payment.number,
                "refund_no": number, "state": refund.state, "amount_fen": refund.amount_fen, "card_txn": refund.txn}  # fmt: skip
        body = json.dumps(told).encode()
        return Message(refund.notify_url, self._headers("notice", "/notice", secrets.token_hex(16), body), body) if refund.notify_url else None

    def _bill(self, day: str) -> str:
        lines, paid, back = [], 0, 0
        for position, payment in enumerate(p for p in self.ledger.payments.values() if p.state == "paid" and _local(p.at)[:10] == day):
            if not (self.ledger.bill_differences and position == 1):
                fen = payment.paid_fen + int(self.ledger.bill_differences and position == 0)
                paid += fen
                lines.append(f"{_local(payment.at)}|pay|{payment.txn}|{payment.number}|{fen}|0")
        for refund in self.ledger.refunds.values():
            if refund.state == "done" and _local(refund.at)[:10] == day:
                back += refund.amount_fen
                lines.append(f"{_local(refund.at)}|refund|{refund.txn}|{refund.number}|{refund.amount_fen}|0")
        return "\n".join([*lines, f"total|{len(lines)}|{paid}|{back}"]) + "\n"


def _local(at: Any) -> str:
    return f"{at.astimezone(clock.REGION_TZ):%Y-%m-%d %H:%M:%S}" if at else "-"
