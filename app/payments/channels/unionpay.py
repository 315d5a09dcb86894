"""UnionPay full-channel platform 5.1.0: code payment, query, refund, back notice, settlement file (T06; open.unionpay.com).

Forms signed with RSA over the SHA-256 digest, in hex, of the sorted values. Answers bring the signing certificate along; it counts
only when a pinned certificate of UnionPay issued it to UnionPay. A query names the order's time, which is that of our number itself.
"""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from urllib.parse import parse_qsl, urlencode

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.x509.oid import NameOID

from app.core import clock, egress, ids, runtime
from app.core.errors import Forbidden, Invalid
from app.payments.channels import bill_form
from app.payments.channels.secrets import opened, stored
from app.payments.channels.values import (
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
from security import rsa
from security.errors import InvalidEncoding, InvalidKey

KEY, TITLE = "unionpay", "银联"
OK, WAITING, MISSING = {"00", "A6"}, {"03", "04", "05"}, {"34"}
# Widths of the settlement file's columns (ZM), parted by one blank; those read here are named below.
WIDTHS = (3, 11, 11, 6, 10, 19, 12, 4, 2, 21, 2, 32, 2, 6, 10, 13)
CODE, TIME, AMOUNT, QUERY_ID, ORDER, FEE = 0, 4, 6, 9, 11, 15
PAYMENTS, REFUNDS = {"S22", "S20"}, {"S30", "S40"}


@dataclass(frozen=True)
class Account:
    """Who we are at UnionPay: our key and certificate, the pinned issuers of UnionPay's certificate and the name it must bear."""

    gateway: str
    file_url: str
    mer_id: str
    private_pem: str = field(repr=False)
    certificate: str = ""
    issuers: str = ""
    signer_name: str = "中国银联股份有限公司"


def configured() -> UnionPay:
    """Return the client of the settings. Raises Conflict(`channel.secret`)."""
    mine = runtime.current().settings.payment.unionpay
    private = opened(mine.private_key, "payment.unionpay.private_key")
    return UnionPay(Account(mine.gateway, mine.file_url, mine.app_id, private, mine.certificate, mine.issuers, mine.signer_name))


def signed_text(values: Mapping[str, str]) -> bytes:
    """Return what is signed: SHA-256, in hex, of the sorted `k=v` joined by `&`, without the signature."""
    text = "&".join(f"{key}={values[key]}" for key in sorted(values) if key != "signature")
    return hashlib.sha256(text.encode()).hexdigest().encode()


def order_time(number: str) -> str:
    """Return the time UnionPay knows an order by, from our number (a letter and an id), in the region's time. Raises ValueError."""
    return f"{ids.made_at(int(number[1:])).astimezone(clock.REGION_TZ):%Y%m%d%H%M%S}"


class UnionPay:
    """One merchant account."""

    key, title = KEY, TITLE
    scenes = ("qr",)
    limits = Limits(days=330)

    def __init__(self, account: Account) -> None:
        self.account = account
        self._cert_id = str(rsa.load_certificate(account.certificate).serial_number)
        self._issuers = x509.load_pem_x509_certificates(account.issuers.encode())

    def create(self, payable: Payable) -> Started:
        """Announce a payment; returns the text of the code any bank's application scans."""
        ends = f"{payable.expires_at.astimezone(clock.REGION_TZ):%Y%m%d%H%M%S}"
        answer = self._call(
            "backTransReq.do", "pay", txnType="01", txnSubType="07", orderId=payable.payment_no, txnTime=order_time(payable.payment_no),
            txnAmt=str(payable.amount_fen), currencyCode="156", backUrl=payable.notify_url, payTimeout=ends,
        )  # fmt: skip
        return Started("qr", answer["qrCode"])

    def query(self, payment_no: str) -> PaymentState:
        """Ask what became of a payment."""
        answer = self._query(payment_no)
        code = answer.get("origRespCode", "") if answer["respCode"] == "00" else answer["respCode"]
        if code in MISSING:
            return PaymentState("missing")
        if code in OK:
            return PaymentState("paid", int(answer["txnAmt"]), answer["queryId"][:64])
        return PaymentState("waiting" if code in WAITING else "failed")

    def close(self, payment_no: str) -> None:
        """UnionPay has no such verb: a code dies at its payTimeout, which lies before the trade's end; what comes later is refunded."""

    def refund(self, order: RefundOrder) -> RefundState:
        """Order a refund; UnionPay only ever accepts it, the outcome is asked for or notified."""
        answer = self._call(
            "backTransReq.do", "refund", refuse=False, txnType="04", txnSubType="00", orderId=order.refund_no,
            txnTime=order_time(order.refund_no), origQryId=order.channel_txn, txnAmt=str(order.amount_fen), backUrl=order.notify_url,
        )  # fmt: skip
        if answer["respCode"] in OK | WAITING:
            return RefundState("accepted", answer.get("queryId", "-")[:64])
        raise _refused(answer)

    def query_refund(self, order: RefundOrder) -> RefundState:
        """Ask what became of a refund."""
        answer = self._query(order.refund_no)
        code = answer.get("origRespCode", "") if answer["respCode"] == "00" else answer["respCode"]
        if code in MISSING:
            return RefundState("missing")
        state = "done" if code in OK else "accepted" if code in WAITING else "failed"
        return RefundState(state, answer.get("queryId", "-")[:64], "-" if state != "failed" else f"银联应答码 {code}")

    def _query(self, number: str) -> dict[str, str]:
        return self._call("queryTrans.do", "query", refuse=False, txnType="00", txnSubType="00", orderId=number, txnTime=order_time(number))

    def bill(self, day: date) -> list[str]:
        """Return a day's settlement file in our form; the file's seal (zlib's and zip's check sums) is checked."""
        answer = self._call(
            self.account.file_url, "bill", refuse=False, txnType="76", txnSubType="01", settleDate=f"{day:%m%d}", fileType="00",
            txnTime=f"{clock.now().astimezone(clock.REGION_TZ):%Y%m%d%H%M%S}",
        )  # fmt: skip
        if answer["respCode"] == "98":  # no file: a day without trade
            return list(bill_form.lines([]))
        if answer["respCode"] != "00":
            raise _refused(answer)
        return read_file(answer.get("fileContent", ""), day)

    def verify(self, headers: Mapping[str, str], body: bytes) -> Notice:
        """Verify and read a back notice of a payment or refund."""
        values = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
        if not self._right(values):
            raise Forbidden("payment.signature", "银联通知签名不正确")
        try:
            own = values["merId"] == self.account.mer_id and values.get("currencyCode", "156") == "156"
            good = values["respCode"] in OK
            number, txn, fen = values["orderId"], values["queryId"][:64], int(values["txnAmt"])
            if values["txnType"] == "04":
                result = "foreign" if not own else "done" if good else "failed"
                return Notice(f"{number}-{txn}"[:64], values.get("origOrderId", "-")[:32], fen, result, txn, REFUND, number[:40])
            return Notice(f"{number}-{txn}"[:64], number[:32], fen, "foreign" if not own else "paid" if good else "failed", txn)
        except (KeyError, ValueError):
            raise Invalid("payment.notice", "银联通知缺少字段或格式不正确") from None

    def reply(self, *, accepted: bool) -> tuple[int, str, str]:
        """Return the answer to a notice."""
        return (200, "text/plain", "ok") if accepted else (500, "text/plain", "fail")

    # The wire

    def _call(self, path: str, purpose: str, *, refuse: bool = True, **values: str) -> dict[str, str]:
        """Return the verified answer. Raises ChannelUnclear for anything doubtful, ChannelRefused for a refusal unless refuse is False."""
        whole = {
            "version": "5.1.0", "encoding": "UTF-8", "signMethod": "01", "certId": self._cert_id, "bizType": "000000", "channelType": "07",
            "accessType": "0", "merId": self.account.mer_id, **values,
        }  # fmt: skip
        signature = base64.b64encode(rsa.sign_sha256(self.account.private_pem, signed_text(whole))).decode()
        body = urlencode(whole | {"signature": signature}).encode()
        url = path if "://" in path else f"{self.account.gateway}/gateway/api/{path}"
        headers = {"Content-Type": "application/x-www-form-urlencoded; charset=UTF-8"}
        answer = egress.call("POST", url, headers=headers, body=body, purpose=f"{KEY}.{purpose}")
        found = dict(part.split("=", 1) for part in answer.body.decode("utf-8", "replace").split("&") if "=" in part)
        if answer.status != 200 or "respCode" not in found:
            raise ChannelUnclear("channel.unclear", f"银联暂时无法给出结果（{answer.status}）")
        if not self._right(found) or found.get("merId") != self.account.mer_id:
            raise ChannelUnclear("channel.signature", "银联应答的签名不正确")
        if refuse and found["respCode"] in WAITING:
            raise ChannelUnclear("channel.unclear", "银联正在处理，请稍后查询", reason=found["respCode"])
        if refuse and found["respCode"] not in OK:
            raise _refused(found)
        return found

    def _right(self, values: Mapping[str, str]) -> bool:
        """Tell whether values are signed by a certificate that a pinned issuer gave to UnionPay and that is valid now."""
        try:
            pem = values["signPubKeyCert"]
            signer = rsa.load_certificate(pem)
            signature = base64.b64decode(values["signature"], validate=True)
            return self._trusted(signer) and rsa.verify_sha256(pem, signed_text(values), signature)
        except (KeyError, ValueError, InvalidEncoding, InvalidKey):
            return False

    def _trusted(self, signer: x509.Certificate) -> bool:
        now: datetime = clock.now()
        names = [str(name.value) for name in signer.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
        named = any(self.account.signer_name in name.split("@") for name in names)
        in_time = signer.not_valid_before_utc <= now <= signer.not_valid_after_utc
        return named and in_time and any(_issued(signer, issuer) for issuer in self._issuers)

    def facts(self) -> list[tuple[str, str]]:
        """Return what the operator may see of the account."""
        mine = runtime.current().settings.payment.unionpay
        ends = rsa.load_certificate(self.account.certificate).not_valid_after_utc
        return [
            ("商户号", self.account.mer_id), ("算法", "RSA-SHA256（5.1.0）"), ("证书序列号", self._cert_id),
            ("证书有效至", f"{ends:%Y-%m-%d}"), ("信任的签发者", f"{len(self._issuers)} 个"), ("商户私钥", stored(mine.private_key)),
        ]  # fmt: skip


def _issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _refused(found: Mapping[str, str]) -> ChannelRefused:
    code = found["respCode"]
    return ChannelRefused("channel.refused", f"银联未受理（{code}）：{found.get('respMsg', '')[:80]}", reason=code)


def read_file(content: str, day: date) -> list[str]:
    """Return a settlement file (base64 of deflated zip) in our form. Raises ChannelUnclear(`channel.bill`)."""
    try:
        packed = zlib.decompressobj().decompress(base64.b64decode(content, validate=True), 268_435_456)
        with zipfile.ZipFile(io.BytesIO(packed)) as archive:
            names = [name for name in archive.namelist() if "ZM_" in name]
            text = archive.read(names[0]).decode("gbk") if names else ""
        return list(bill_form.lines(row for line in text.splitlines() if line.strip() for row in _row(line, day)))
    except (ValueError, zlib.error, zipfile.BadZipFile, OSError, IndexError) as error:
        raise ChannelUnclear("channel.bill", f"{day} 的银联对账文件损坏") from error


def _row(line: str, day: date) -> list[bill_form.Row]:
    raw, cells, at = line.encode("gbk"), [], 0
    for width in WIDTHS:
        cells.append(raw[at : at + width].decode("gbk").strip())
        at += width + 1
    stamp, code, fee = cells[TIME], cells[CODE], cells[FEE]
    when = f"{day:%Y}-{stamp[:2]}-{stamp[2:4]} {stamp[4:6]}:{stamp[6:8]}:{stamp[8:10]}"
    fee_fen = (-1 if fee.startswith("D") else 1) * int(fee[1:] or 0)
    if code in PAYMENTS:
        return [bill_form.Row(when, cells[QUERY_ID], cells[ORDER], bill_form.PAY, int(cells[AMOUNT]), fee_fen)]
    if code in REFUNDS:
        return [bill_form.Row(when, cells[QUERY_ID], cells[ORDER], bill_form.REFUND, int(cells[AMOUNT]), fee_fen)]
    raise ValueError(code)
