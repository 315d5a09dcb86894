"""A stand-in of WeChat Pay API v3: certificates, Native, H5, JSAPI, combined orders, refunds, bill, notices; RSA or SM2.

Written from the protocol's description, apart from the client: its signed texts and seals are built here a second time.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from app.core import clock
from app.demo.simulators import keys
from app.demo.simulators.ledger import Ledger, Payment
from app.demo.simulators.server import Message, Reply, Request
from security import sm
from security.symmetric import sm3, sm4_gcm_encrypt

_TOKEN = re.compile(r'(\w+)="([^"]*)"')
_SCHEMAS = {"rsa": "WECHATPAY2-SHA256-RSA2048", "sm": "WECHATPAY2-SM2-WITH-SM3"}
_STATES = {"waiting": "NOTPAY", "paid": "SUCCESS", "closed": "CLOSED", "failed": "PAYERROR"}
_REFUNDS = {"accepted": "PROCESSING", "done": "SUCCESS", "failed": "ABNORMAL"}
BILL = "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,应结订单金额,代金券金额,微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率,订单金额,申请退款金额,费率备注"
TOTALS = "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额"


@dataclass
class Merchant:
    """Our account as WeChat Pay knows it."""

    mch_id: str
    app_id: str
    serial_no: str
    public_pem: str
    api_v3_key: str
    algorithm: str = "rsa"


@dataclass
class Platform:
    """WeChat Pay's own key; certificate and serial are what it announces. rotated: the ones before, still announced."""

    private_pem: str
    certificate: str
    serial: str
    announced: list[tuple[str, str]] = field(default_factory=list)


def platform(algorithm: str, private_pem: str) -> Platform:
    """Return a platform key with a new certificate."""
    certificate = (keys.rsa_certificate if algorithm == "rsa" else keys.sm2_certificate)(private_pem, "Tenpay.com Root CA (simulated)")
    serial = f"{x509.load_pem_x509_certificate(certificate.encode()).serial_number:X}"
    return Platform(private_pem, certificate, serial, [(serial, certificate)])


class Wechat:
    """The simulated WeChat Pay."""

    key = "wechat"

    def __init__(self, merchant: Merchant, own: Platform, public_url: str) -> None:
        self.merchant, self.platform, self.public_url = merchant, own, public_url
        self.ledger = Ledger("42000")
        self.corrupt_answers = False

    def rotate(self, private_pem: str) -> None:
        """Sign with a new key from now on; both certificates are announced."""
        fresh = platform(self.merchant.algorithm, private_pem)
        fresh.announced += self.platform.announced
        self.platform = fresh

    # Signatures

    def _sign(self, message: bytes) -> str:
        if self.merchant.algorithm == "sm":
            return base64.b64encode(sm.signature_to_der(sm.sign(sm.load_private_pem(self.platform.private_pem), message))).decode()
        key: Any = load_pem_private_key(self.platform.private_pem.encode(), None)
        return base64.b64encode(key.sign(message, padding.PKCS1v15(), hashes.SHA256())).decode()

    def _genuine(self, request: Request) -> bool:
        schema, _, rest = request.headers.get("authorization", "").partition(" ")
        token = dict(_TOKEN.findall(rest))
        if schema != _SCHEMAS[self.merchant.algorithm] or token.get("mchid") != self.merchant.mch_id:
            return False
        message = f"{request.method}\n{request.target}\n{token.get('timestamp')}\n{token.get('nonce_str')}\n".encode() + request.body + b"\n"
        signature = base64.b64decode(token.get("signature", ""))
        if token.get("serial_no") != self.merchant.serial_no:
            return False
        if self.merchant.algorithm == "sm":
            return sm.verify(sm.load_public_pem(self.merchant.public_pem), message, sm.signature_from_der(signature))
        public: Any = load_pem_public_key(self.merchant.public_pem.encode())
        try:
            public.verify(signature, message, padding.PKCS1v15(), hashes.SHA256())
        except InvalidSignature:
            return False
        return True

    def _seal(self, plain: bytes, aad: str) -> dict[str, str]:
        nonce, key = secrets.token_hex(6), self.merchant.api_v3_key.encode()
        if self.merchant.algorithm == "sm":
            name, sealed = "AEAD_SM4_GCM", sm4_gcm_encrypt(sm3(key)[:16], plain, aad.encode(), nonce.encode())[12:]
        else:
            name, sealed = "AEAD_AES_256_GCM", AESGCM(key).encrypt(nonce.encode(), plain, aad.encode())
        return {"algorithm": name, "nonce": nonce, "associated_data": aad, "ciphertext": base64.b64encode(sealed).decode()}

    def _signed(self, body: bytes) -> dict[str, str]:
        stamp, nonce = str(int(clock.now().timestamp())), secrets.token_hex(16)
        signature = self._sign(f"{stamp}\n{nonce}\n".encode() + body + b"\n")
        return {
            "Wechatpay-Timestamp": stamp, "Wechatpay-Nonce": nonce, "Wechatpay-Serial": self.platform.serial, "Wechatpay-Signature": signature,
            "Wechatpay-Signature-Type": _SCHEMAS[self.merchant.algorithm], "Content-Type": "application/json",
        }  # fmt: skip

    def _reply(self, status: int, found: dict[str, Any] | None = None) -> Reply:
        body = json.dumps(found, ensure_ascii=False).encode() if found is not None else b""
        headers = self._signed(body)
        return Reply(status, body + b" " if self.corrupt_answers else body, headers)

    def _refuse(self, status: int, code: str, message: str) -> Reply:
        return self._reply(status, {"code": code, "message": message})

    # Calls

    def handle(self, request: Request) -> Reply | None:
        """Answer /v3/… and the bill's file."""
        if not request.path.startswith(("/v3/", "/wechat-bill/")):
            return None
        if not self._genuine(request):
            return self._refuse(401, "SIGN_ERROR", "签名错误")
        path, body = request.path, json.loads(request.body) if request.body else {}
        if path == "/v3/certificates":
            return self._certificates()
        if path.startswith("/wechat-bill/"):
            return Reply(200, self._bill_text(path.rsplit("/", 1)[1]).encode())
        if path == "/v3/bill/tradebill":
            return self._bill(request.query)
        if path.startswith("/v3/refund/domestic/refunds"):
            return self._refund(path.removeprefix("/v3/refund/domestic/refunds").strip("/"), body)
        if path.startswith("/v3/combine-transactions/"):
            return self._combined(path.removeprefix("/v3/combine-transactions/"), body)
        return self._payment(path.removeprefix("/v3/pay/transactions/"), body)

    def _certificates(self) -> Reply:
        data = []
        for serial, certificate in self.platform.announced:
            sealed = self._seal(certificate.encode(), "certificate")
            data.append({"serial_no": serial, "effective_time": "", "expire_time": "", "encrypt_certificate": sealed})
        return self._reply(200, {"data": data})

    def _payment(self, rest: str, body: dict[str, Any]) -> Reply:
        if rest.startswith("out-trade-no/"):
            number, _, verb = rest.removeprefix("out-trade-no/").partition("/")
            payment = self.ledger.payments.get(number)
            if payment is None:
                return self._refuse(404, "ORDER_NOT_EXIST", "订单不存在")
            if verb == "close":
                return self._close(payment)
            return self._reply(200, self._facts(payment))
        if body.get("appid") != self.merchant.app_id or body.get("mchid") != self.merchant.mch_id:
            return self._refuse(400, "APPID_MCHID_NOT_MATCH", "appid 和 mch_id 不匹配")
        number, total = body["out_trade_no"], body["amount"]["total"]
        with self.ledger.lock:
            known = self.ledger.payments.get(number)
            if known is not None and (known.amount_fen != total or known.state != "waiting"):
                return self._refuse(400, "ORDERPAID" if known.state == "paid" else "INVALID_REQUEST", "订单号重复")
            payment = Payment(number, total, body["description"], body["notify_url"], {"app": self.merchant.app_id, "type": rest.upper()})
            self.ledger.payments.setdefault(number, payment)
        return self._announced(rest, number, body)

    def _announced(self, rest: str, number: str, body: dict[str, Any]) -> Reply:
        if rest == "native":
            return self._reply(200, {"code_url": f"weixin://wxpay/bizpayurl?pr={number}"})
        if rest == "h5" and "scene_info" in body:
            return self._reply(200, {"h5_url": f"{self.public_url}/play/wechat?no={number}"})
        if rest == "jsapi" and body.get("payer", {}).get("openid"):
            return self._reply(200, {"prepay_id": f"wx{number}"})
        return self._refuse(400, "PARAM_ERROR", "参数错误")

    def _close(self, payment: Payment) -> Reply:
        with self.ledger.lock:
            if payment.state == "paid":
                return self._refuse(400, "ORDERPAID", "订单已支付")
            payment.state = "closed"
        return Reply(204, b"", self._signed(b""))

    def _facts(self, payment: Payment) -> dict[str, Any]:
        facts: dict[str, Any] = {
            "appid": payment.details["app"], "mchid": self.merchant.mch_id, "out_trade_no": payment.number,
            "trade_state": _STATES[payment.state], "trade_type": payment.details["type"], "trade_state_desc": payment.state,
            "amount": {"total": payment.paid_fen or payment.amount_fen, "payer_total": payment.paid_fen, "currency": "CNY"},
        }  # fmt: skip
        if payment.state == "paid":
            facts |= {"transaction_id": payment.txn, "success_time": f"{payment.at:%Y-%m-%dT%H:%M:%S+00:00}", "payer": {"openid": "o-sim"}}
        return facts

    def _combined(self, rest: str, body: dict[str, Any]) -> Reply:
        if rest.startswith("out-trade-no/"):
            number, _, verb = rest.removeprefix("out-trade-no/").partition("/")
            parts = [p for p in self.ledger.payments.values() if p.details.get("whole") == number]
            if not parts:
                return self._refuse(404, "ORDER_NOT_EXIST", "订单不存在")
            if verb == "close":
                if {p.number for p in parts} != {o["out_trade_no"] for o in body["sub_orders"]}:
                    return self._refuse(400, "PARAM_ERROR", "子单不全")
                for part in parts:
                    part.state = "closed"
                return Reply(204, b"", self._signed(b""))
            listed = [
                {"mchid": self.merchant.mch_id, "trade_state": _STATES[p.state], "out_trade_no": p.number, "transaction_id": p.txn,
                 "amount": {"total_amount": p.amount_fen, "currency": "CNY"}}
                for p in parts
            ]  # fmt: skip
            return self._reply(200, {"combine_out_trade_no": number, "sub_orders": listed})
        if not 1 <= len(body["sub_orders"]) <= 50:
            return self._refuse(400, "PARAM_ERROR", "子单最多 50 笔")
        whole = body["combine_out_trade_no"]
        for order in body["sub_orders"]:
            details = {"app": self.merchant.app_id, "type": "NATIVE", "whole": whole}
            number = order["out_trade_no"]
            self.ledger.payments[number] = Payment(number, order["amount"]["total_amount"], order["description"], body["notify_url"], details)
        return self._announced(rest, whole, body)

    def _refund(self, number: str, body: dict[str, Any]) -> Reply:
        if not body:
            found = self.ledger.refunds.get(number)
            if found is None:
                return self._refuse(404, "RESOURCE_NOT_EXISTS", "退款单不存在")
            return self._reply(200, {"refund_id": found.txn, "out_refund_no": found.number, "status": _REFUNDS[found.state]})
        payment = self.ledger.payments.get(body.get("out_trade_no", ""))
        if payment is None or payment.state != "paid" or body["amount"]["total"] != payment.paid_fen:
            return self._refuse(400, "PARAM_ERROR", "订单金额或退款金额不一致")
        made = self.ledger.order_refund(body["out_refund_no"], payment, body["amount"]["refund"], body.get("notify_url", ""))
        if made is None:
            return self._refuse(403, "NOT_ENOUGH", "可退金额不足")
        return self._reply(200, {"refund_id": made.txn, "out_refund_no": made.number, "status": _REFUNDS[made.state]})

    # Bills

    def _bill(self, query: Any) -> Reply:
        text = self._bill_text(query["bill_date"]).encode()
        sm_mode = self.merchant.algorithm == "sm"
        digest = sm3(text).hex() if sm_mode else hashlib.sha1(text, usedforsecurity=False).hexdigest()
        url = f"{self.public_url}/wechat-bill/{query['bill_date']}"
        return self._reply(200, {"hash_type": "SM3" if sm_mode else "SHA1", "hash_value": digest, "download_url": url})

    def _bill_text(self, day: str) -> str:
        """Return the day's trade bill; with differences the second payment is missing and the first is a fen more."""
        rows, paid, back = [BILL], 0, 0
        listed = [p for p in self.ledger.payments.values() if p.state == "paid" and _day(p) == day]
        for position, payment in enumerate(listed):
            if self.ledger.bill_differences and position == 1:
                continue
            fen = payment.paid_fen + int(self.ledger.bill_differences and position == 0)
            paid += fen
            rows.append(self._row(_local(payment.at), payment, "SUCCESS", fen, "0", "0", 0))
        for refund in self.ledger.refunds.values():
            if refund.state == "done" and _day(refund) == day:
                back += refund.amount_fen
                rows.append(self._row(_local(refund.at), refund.payment, "REFUND", 0, refund.txn, refund.number, refund.amount_fen))
        yuan = [f"`{fen / 100:.2f}" for fen in (paid, back, 0, 0, paid, back)]
        return "\r\n".join([*rows, TOTALS, f"`{len(rows) - 1}," + ",".join(yuan)]) + "\r\n"

    def _row(self, at: str, payment: Payment, state: str, fen: int, refund_txn: str, refund_no: str, back: int) -> str:
        cells = [
            at, self.merchant.app_id, self.merchant.mch_id, "0", "", payment.txn, payment.number, "o-sim", payment.details["type"], state,
            "OTHERS", "CNY", f"{fen / 100:.2f}", "0.00", refund_txn, refund_no, f"{back / 100:.2f}", "0.00", "ORIGINAL", "SUCCESS",
            payment.subject.replace(",", " "), "", "0.00000", "0.60%", f"{fen / 100:.2f}", f"{back / 100:.2f}", "",
        ]  # fmt: skip
        return ",".join(f"`{cell}" for cell in cells)

    # Notices

    def notices(self, payment: Payment, scenario: str) -> Sequence[Message]:
        """Return the signed, sealed notices of a scenario."""
        facts = self._facts(payment)
        if scenario == "wrong_app":
            facts["appid"] = "wx0000000000000000"
        event = "TRANSACTION.SUCCESS" if payment.state == "paid" else "TRANSACTION.FAIL"
        return [self._message(payment.notify_url, event, facts) for _ in range(3 if scenario == "duplicate" else 1)]

    def refund_notice(self, number: str) -> Message | None:
        """Return the notice of a refund's end."""
        refund = self.ledger.refunds[number]
        facts = {
            "mchid": self.merchant.mch_id, "out_trade_no": refund.payment.number, "transaction_id": refund.payment.txn, "out_refund_no": number,
            "refund_id": refund.txn, "refund_status": _REFUNDS[refund.state],
            "amount": {"total": refund.payment.paid_fen, "refund": refund.amount_fen},
        }  # fmt: skip
        event = "REFUND.SUCCESS" if refund.state == "done" else "REFUND.ABNORMAL"
        return self._message(refund.notify_url, event, facts) if refund.notify_url else None

    def _message(self, url: str, event: str, facts: dict[str, Any]) -> Message:
        kind = "refund" if event.startswith("REFUND") else "transaction"
        sealed = self._seal(json.dumps(facts).encode(), kind) | {"original_type": kind}
        at = f"{clock.now().astimezone(clock.REGION_TZ):%Y-%m-%dT%H:%M:%S+08:00}"
        told = {"id": f"EV-{secrets.token_hex(14)}", "create_time": at, "event_type": event, "resource_type": "encrypt-resource",
                "summary": event, "resource": sealed}  # fmt: skip
        body = json.dumps(told).encode()
        return Message(url, self._signed(body), body)


def _local(at: Any) -> str:
    return f"{at.astimezone(clock.REGION_TZ):%Y-%m-%d %H:%M:%S}"


def _day(row: Any) -> str:
    return f"{row.at.astimezone(clock.REGION_TZ):%Y-%m-%d}" if row.at else "-"
