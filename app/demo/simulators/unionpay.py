"""A stand-in of UnionPay's full-channel gateway 5.1.0: code payment, query, refund, file, back notices."""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from app.core import clock
from app.demo.simulators.ledger import Ledger, Payment
from app.demo.simulators.server import Message, Reply, Request

_CODES = {"waiting": "05", "accepted": "05", "paid": "00", "done": "00", "failed": "12", "closed": "12"}


@dataclass
class Merchant:
    """Our account as UnionPay knows it."""

    mer_id: str
    certificate: str


def _digest(values: dict[str, str]) -> bytes:
    text = "&".join(f"{k}={v}" for k, v in sorted(values.items()) if k != "signature")
    return hashlib.sha256(text.encode()).hexdigest().encode()


class UnionPay:
    """The simulated UnionPay; its certificate goes along with every answer."""

    key = "unionpay"

    def __init__(self, merchant: Merchant, private_pem: str, certificate: str) -> None:
        self.merchant, self.private_pem, self.certificate = merchant, private_pem, certificate
        self.ledger = Ledger("88", width=21)
        self.corrupt_answers = False

    def _signed(self, values: dict[str, str]) -> dict[str, str]:
        whole = values | {"version": "5.1.0", "encoding": "UTF-8", "signMethod": "01", "signPubKeyCert": self.certificate}
        key: Any = load_pem_private_key(self.private_pem.encode(), None)
        signature = key.sign(_digest(whole), padding.PKCS1v15(), hashes.SHA256())
        return whole | {"signature": base64.b64encode(signature).decode()}

    def _genuine(self, values: dict[str, str]) -> bool:
        own = x509.load_pem_x509_certificate(self.merchant.certificate.encode())
        public: Any = own.public_key()
        try:
            public.verify(base64.b64decode(values.get("signature", "")), _digest(values), padding.PKCS1v15(), hashes.SHA256())
        except InvalidSignature:
            return False
        return values.get("certId") == str(own.serial_number) and values.get("merId") == self.merchant.mer_id

    def handle(self, request: Request) -> Reply | None:
        """Answer /gateway/api/… and the file service."""
        if not request.path.startswith(("/gateway/api/", "/unionpay-file")):
            return None
        values = dict(parse_qsl(request.body.decode(), keep_blank_values=True))
        if not self._genuine(values):
            return self._reply(values, {"respCode": "11", "respMsg": "验证签名失败"})
        return self._reply(values, self._do(values))

    def _reply(self, values: dict[str, str], found: dict[str, str]) -> Reply:
        kept = {k: values.get(k, "") for k in ("txnType", "txnSubType", "bizType", "merId", "orderId", "txnTime") if values.get(k)}
        signed = self._signed(kept | found)
        if self.corrupt_answers:
            signed["respMsg"] = "x"
        return Reply(200, "&".join(f"{k}={v}" for k, v in signed.items()).encode(), {"Content-Type": "text/html;charset=UTF-8"})

    def _do(self, values: dict[str, str]) -> dict[str, str]:
        kind = values["txnType"]
        if kind == "76":
            content = self._file(values["settleDate"])
            return {"respCode": "00", "fileContent": content} if content else {"respCode": "98", "respMsg": "文件不存在"}
        if kind == "00":
            return self._query(values)
        if kind == "04":
            return self._refund(values)
        made = Payment(values["orderId"], int(values["txnAmt"]), "消费", values["backUrl"], {"time": values["txnTime"]})
        with self.ledger.lock:
            known = self.ledger.payments.setdefault(made.number, made)
        if known.amount_fen != made.amount_fen or known.details != made.details:
            return {"respCode": "12", "respMsg": "重复交易"}
        return {"respCode": "00", "respMsg": "成功", "qrCode": f"https://qr.95516.com/00010000/{made.number}"}

    def _query(self, values: dict[str, str]) -> dict[str, str]:
        number = values["orderId"]
        payment, refund = self.ledger.payments.get(number), self.ledger.refunds.get(number)
        if payment is not None and payment.details["time"] == values["txnTime"]:
            found = {"origRespCode": _CODES[payment.state], "txnAmt": str(payment.paid_fen or payment.amount_fen), "queryId": payment.txn}
            return {"respCode": "00", **found}
        if refund is not None:
            return {"respCode": "00", "origRespCode": _CODES[refund.state], "txnAmt": str(refund.amount_fen), "queryId": refund.txn}
        return {"respCode": "34", "respMsg": "查无此交易"}

    def _refund(self, values: dict[str, str]) -> dict[str, str]:
        payment = next((p for p in self.ledger.payments.values() if p.txn == values["origQryId"]), None)
        if payment is None:
            return {"respCode": "35", "respMsg": "原交易不存在"}
        made = self.ledger.order_refund(values["orderId"], payment, int(values["txnAmt"]), values["backUrl"])
        if made is None:
            return {"respCode": "36", "respMsg": "退款金额超过原交易"}
        return {"respCode": "00", "respMsg": "成功", "queryId": made.txn}

    def notices(self, payment: Payment, scenario: str) -> Sequence[Message]:
        """Return the signed back notices of a scenario."""
        values = {
            "txnType": "01", "txnSubType": "07", "bizType": "000000", "merId": self.merchant.mer_id, "orderId": payment.number,
            "txnTime": payment.details["time"], "txnAmt": str(payment.paid_fen), "currencyCode": "156", "queryId": payment.txn,
            "respCode": "00" if payment.state == "paid" else "12", "respMsg": "成功",
        }  # fmt: skip
        if scenario == "wrong_app":
            values["merId"] = "777290058110000"
        return [self._message(payment.notify_url, values)] * (3 if scenario == "duplicate" else 1)

    def refund_notice(self, number: str) -> Message | None:
        """Return the back notice of a refund's end."""
        refund = self.ledger.refunds[number]
        values = {
            "txnType": "04", "txnSubType": "00", "bizType": "000000", "merId": self.merchant.mer_id, "orderId": number,
            "txnTime": f"{clock.now():%Y%m%d%H%M%S}", "txnAmt": str(refund.amount_fen), "currencyCode": "156", "queryId": refund.txn,
            "origQryId": refund.payment.txn, "respCode": _CODES[refund.state], "respMsg": "-",
        }  # fmt: skip
        return self._message(refund.notify_url, values) if refund.notify_url else None

    def _message(self, url: str, values: dict[str, str]) -> Message:
        return Message(url, {"Content-Type": "application/x-www-form-urlencoded"}, urlencode(self._signed(values)).encode())

    def _file(self, day: str) -> str:
        """Return the day's ZM file, zipped, deflated and in base64; empty for a day without trade."""
        lines = []
        listed = [p for p in self.ledger.payments.values() if p.state == "paid" and _stamp(p.at)[:4] == day]
        for position, payment in enumerate(listed):
            if not (self.ledger.bill_differences and position == 1):
                fen = payment.paid_fen + int(self.ledger.bill_differences and position == 0)
                lines.append(_zm("S22", payment.at, fen, payment.txn, payment.number))
        for refund in self.ledger.refunds.values():
            if refund.state == "done" and _stamp(refund.at)[:4] == day:
                lines.append(_zm("S30", refund.at, refund.amount_fen, refund.txn, refund.number))
        if not lines:
            return ""
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr(f"INN{day}ZM_{self.merchant.mer_id}", "\r\n".join(lines).encode("gbk"))
        return base64.b64encode(zlib.compress(packed.getvalue())).decode()


def _stamp(at: Any) -> str:
    return f"{at.astimezone(clock.REGION_TZ):%m%d%H%M%S}"


def _zm(code: str, at: Any, fen: int, query_id: str, order_id: str) -> str:
    """One line: columns of fixed width parted by a blank, as the interface describes them (the rest of a line is left blank)."""
    columns = [
        f"{code:<3}", " " * 11, " " * 11, "000001", _stamp(at), " " * 19, f"{fen:012d}", " " * 4, "08", f"{query_id:<21}"[:21], "  ",
        f"{order_id:<32}", "  ", " " * 6, " " * 10, "C000000000000",
    ]  # fmt: skip
    return " ".join(columns) + " " * 200
