"""A stand-in of Alipay's gateway: precreate, wap pay, query, close, refund, refund query, bill, signed forms as notices (RSA2)."""

from __future__ import annotations

import base64
import io
import json
import secrets
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from app.core import clock
from app.demo.simulators.ledger import Ledger, Payment
from app.demo.simulators.server import Message, Reply, Request

_STATES = {"waiting": "WAIT_BUYER_PAY", "paid": "TRADE_SUCCESS", "closed": "TRADE_CLOSED", "failed": "TRADE_CLOSED"}
DETAIL = "支付宝交易号,商户订单号,业务类型,商品名称,创建时间,完成时间,门店编号,门店名称,操作员,终端号,对方账户,订单金额（元）,商家实收（元）,服务费（元）,退款批次号/请求号,备注"


@dataclass
class Merchant:
    """Our application as Alipay knows it."""

    app_id: str
    seller_id: str
    public_pem: str


def _text(values: dict[str, str], *without: str) -> bytes:
    return "&".join(f"{k}={v}" for k, v in sorted(values.items()) if v != "" and k not in without).encode()


class Alipay:
    """The simulated Alipay."""

    key = "alipay"

    def __init__(self, merchant: Merchant, private_pem: str, public_url: str) -> None:
        self.merchant, self.private_pem, self.public_url = merchant, private_pem, public_url
        self.ledger = Ledger("2026")
        self.corrupt_answers = False

    def _sign(self, text: bytes) -> str:
        key: Any = load_pem_private_key(self.private_pem.encode(), None)
        return base64.b64encode(key.sign(text, padding.PKCS1v15(), hashes.SHA256())).decode()

    def _genuine(self, values: dict[str, str]) -> bool:
        public: Any = load_pem_public_key(self.merchant.public_pem.encode())
        try:
            signature = base64.b64decode(values.get("sign", ""))
            public.verify(signature, _text(values, "sign"), padding.PKCS1v15(), hashes.SHA256())
        except InvalidSignature:
            return False
        return values.get("app_id") == self.merchant.app_id and values.get("sign_type") == "RSA2"

    def handle(self, request: Request) -> Reply | None:
        """Answer /gateway.do and the bill's file."""
        if request.path.startswith("/alipay-bill/"):
            return Reply(200, self._archive(request.path.rsplit("/", 1)[1]))
        if request.path != "/gateway.do":
            return None
        values = dict(request.query) | dict(parse_qsl(request.body.decode(), keep_blank_values=True))
        method = values.get("method", "")
        if not self._genuine(values):
            return self._answer(method, {"code": "40002", "sub_code": "isv.invalid-signature", "sub_msg": "验签出错"})
        content = json.loads(values["biz_content"])
        if method == "alipay.trade.wap.pay":
            self._announce(content, values)
            return Reply(302, b"", {"Location": f"{self.public_url}/play/alipay?no={content['out_trade_no']}"})
        return self._answer(method, self._do(method, content, values))

    def _do(self, method: str, content: dict[str, str], values: dict[str, str]) -> dict[str, str]:
        good = {"code": "10000", "msg": "Success"}
        if method == "alipay.trade.precreate":
            problem = self._announce(content, values)
            return problem or good | {"out_trade_no": content["out_trade_no"], "qr_code": f"https://qr.alipay.com/{content['out_trade_no']}"}
        if method == "alipay.data.dataservice.bill.downloadurl.query":
            return good | {"bill_download_url": f"{self.public_url}/alipay-bill/{content['bill_date']}"}
        payment = self.ledger.payments.get(content["out_trade_no"])
        if payment is None:
            return _refusal("ACQ.TRADE_NOT_EXIST")
        if method == "alipay.trade.query":
            return good | {"out_trade_no": payment.number, "trade_no": payment.txn, "trade_status": _STATES[payment.state],
                           "total_amount": f"{(payment.paid_fen or payment.amount_fen) / 100:.2f}"}  # fmt: skip
        if method == "alipay.trade.close":
            if payment.state == "paid":
                return _refusal("ACQ.TRADE_STATUS_ERROR")
            payment.state = "closed"
            return good | {"out_trade_no": payment.number}
        if method == "alipay.trade.fastpay.refund.query":
            return good | self._refund_facts(content["out_request_no"])
        return self._refund(payment, content, good)

    def _refund_facts(self, number: str) -> dict[str, str]:
        found = self.ledger.refunds.get(number)
        if found is None or found.state == "failed":
            return {}
        facts = {"trade_no": found.payment.txn, "out_request_no": number, "refund_amount": f"{found.amount_fen / 100:.2f}"}
        return facts | ({"refund_status": "REFUND_SUCCESS"} if found.state == "done" else {})

    def _refund(self, payment: Payment, content: dict[str, str], good: dict[str, str]) -> dict[str, str]:
        known = content["out_request_no"] in self.ledger.refunds
        fen = round(float(content["refund_amount"]) * 100)
        made = self.ledger.order_refund(content["out_request_no"], payment, fen, "")
        if made is None:
            return _refusal("ACQ.REFUND_AMT_NOT_EQUAL_TOTAL")
        changed = "Y" if made.state == "done" and not known else "N"
        return good | {"trade_no": payment.txn, "fund_change": changed, "refund_fee": content["refund_amount"]}

    def _announce(self, content: dict[str, str], values: dict[str, str]) -> dict[str, str] | None:
        fen = round(float(content["total_amount"]) * 100)
        with self.ledger.lock:
            known = self.ledger.payments.get(content["out_trade_no"])
            if known is not None and known.amount_fen != fen:
                return _refusal("ACQ.CONTEXT_INCONSISTENT")
            made = Payment(content["out_trade_no"], fen, content["subject"], values.get("notify_url", ""))
            self.ledger.payments.setdefault(made.number, made)
        return None

    def _answer(self, method: str, found: dict[str, str]) -> Reply:
        text = json.dumps(found, ensure_ascii=False)
        signature = self._sign(text.encode())
        if self.corrupt_answers:
            text = text.replace('"10000"', '"10000" ')
        body = f'{{"{method.replace(".", "_")}_response":{text},"sign":"{signature}"}}'
        return Reply(200, body.encode(), {"Content-Type": "text/html;charset=utf-8"})

    def notices(self, payment: Payment, scenario: str) -> Sequence[Message]:
        """Return the signed forms of a scenario; a repetition has the same notify_id."""
        values = {
            "notify_id": secrets.token_hex(17), "notify_type": "trade_status_sync", "app_id": self.merchant.app_id,
            "seller_id": self.merchant.seller_id, "out_trade_no": payment.number, "trade_no": payment.txn,
            "trade_status": _STATES[payment.state], "total_amount": f"{(payment.paid_fen or payment.amount_fen) / 100:.2f}",
            "notify_time": f"{clock.now().astimezone(clock.REGION_TZ):%Y-%m-%d %H:%M:%S}", "charset": "utf-8", "version": "1.0",
            "subject": payment.subject, "passback_params": "",
        }  # fmt: skip
        if scenario == "wrong_app":
            values["app_id"] = "2021000000000000"
        signed = values | {"sign": self._sign(_text(values)), "sign_type": "RSA2"}
        message = Message(payment.notify_url, {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}, urlencode(signed).encode())
        return [message] * (3 if scenario == "duplicate" else 1)

    def refund_notice(self, number: str) -> Message | None:
        """Alipay sends none for a refund by interface; it is asked for."""
        return None

    def _archive(self, day: str) -> bytes:
        """Return the day's bill as Alipay packs it: a zip of GBK tables between `#` lines."""
        rows, paid, back = [], [], []
        for position, payment in enumerate(p for p in self.ledger.payments.values() if p.state == "paid" and _day(p.at) == day):
            if self.ledger.bill_differences and position == 1:
                continue
            fen = payment.paid_fen + int(self.ledger.bill_differences and position == 0)
            paid.append(fen)
            rows.append(self._line(payment, "交易", fen, payment.at, ""))
        for refund in self.ledger.refunds.values():
            if refund.state == "done" and _day(refund.at) == day:
                back.append(refund.amount_fen)
                rows.append(self._line(refund.payment, "退款", -refund.amount_fen, refund.at, refund.number))
        total = (sum(paid) - sum(back)) / 100
        text = "\r\n".join([
            "#支付宝业务明细查询", f"#账号：[{self.merchant.seller_id}]", "#-----业务明细列表-----", DETAIL, *rows, "#-----业务明细列表结束-----",
            f"#交易合计：交易：{len(paid)}笔，退款：{len(back)}笔，订单金额：{total:.2f}元，商家实收：{total:.2f}元",
        ])  # fmt: skip
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr(f"{self.merchant.seller_id}_{day}_DETAIL.csv", text.encode("gbk"))
            archive.writestr("(汇总).csv", "#汇总".encode("gbk"))
        return packed.getvalue()

    def _line(self, payment: Payment, kind: str, fen: int, at: Any, request_no: str) -> str:
        when = f"{at.astimezone(clock.REGION_TZ):%Y-%m-%d %H:%M:%S}"
        yuan = f"{fen / 100:.2f}"
        cells = [f"{payment.txn}\t", f"{payment.number}\t", kind, payment.subject, when, when, "", "", "", "", "buyer", yuan, yuan, "0.00", request_no, ""]
        return ",".join(cells)


def _refusal(sub_code: str) -> dict[str, str]:
    return {"code": "40004", "msg": "Business Failed", "sub_code": sub_code, "sub_msg": sub_code}


def _day(at: Any) -> str:
    return f"{at.astimezone(clock.REGION_TZ):%Y-%m-%d}" if at else "-"
