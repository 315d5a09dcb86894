"""WeChat Pay API v3: Native, H5 and JSAPI, combined orders, refunds, bills, notices (T06; pay.weixin.qq.com/doc/v3).

Every answer is verified before it is read. The vendor's library for Python brings its own HTTP client, which would be a second way
out of the process, and knows no SM2: see ADR-0011.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any
from urllib.parse import quote, urlsplit

from app.core import clock, egress, runtime
from app.core.errors import Conflict, Forbidden, Invalid
from app.payments.channels import platform_keys, wechat_bill
from app.payments.channels.secrets import opened, stored
from app.payments.channels.values import (
    REFUND,
    ChannelRefused,
    ChannelUnclear,
    Limits,
    Notice,
    Part,
    Payable,
    PaymentState,
    RefundOrder,
    RefundState,
    Started,
)
from app.payments.channels.wechat_wire import SUITES, Account, answer_message, authorization
from security.errors import DecryptionFailed, SecurityError

KEY, TITLE = "wechat", "微信支付"
MAX_PARTS = 50
REFRESH_S = 60
_STATES = {
    "SUCCESS": "paid", "REFUND": "paid", "NOTPAY": "waiting", "USERPAYING": "waiting", "ACCEPT": "waiting", "CLOSED": "closed",
    "REVOKED": "closed", "PAYERROR": "failed",
}  # fmt: skip
_REFUNDS = {"SUCCESS": "done", "PROCESSING": "accepted", "CLOSED": "failed", "ABNORMAL": "failed"}
_UNCLEAR = {"SYSTEM_ERROR", "SYSTEMERROR", "FREQUENCY_LIMITED", "RATELIMIT_EXCEEDED", "BIZERR_NEED_RETRY", "TRADE_ERROR", ""}
_MISSING = {"ORDER_NOT_EXIST", "ORDERNOTEXIST", "RESOURCE_NOT_EXISTS", "RESOURCE_NOT_EXIST"}


def configured() -> WechatPay:
    """Return the client of the settings. Raises Conflict(`channel.secret`) for a secret that is missing or cannot be opened."""
    mine = runtime.current().settings.payment.wechat
    api_key = opened(mine.api_v3_key, "payment.wechat.api_v3_key").encode()
    if len(api_key) != 32:
        raise Conflict("channel.secret", "payment.wechat.api_v3_key 应为 32 个字符")
    private = opened(mine.private_key, "payment.wechat.private_key")
    account = Account(
        mine.base_url.rstrip("/"), mine.app_id, mine.mch_id, mine.serial_no, private, api_key, SUITES[mine.algorithm],
        mine.platform_key_id, mine.platform_key,
    )  # fmt: skip
    return WechatPay(account)


class WechatPay:
    """One merchant account."""

    key, title = KEY, TITLE
    scenes = ("qr", "h5", "jsapi")
    limits = Limits(refunds=50, days=365, interval_s=60)

    def __init__(self, account: Account) -> None:
        self.account = account
        self._refreshed_at: float | None = None

    # Payments

    def create(self, payable: Payable) -> Started:
        """Announce a payment. Raises Invalid(`payment.scene`) for JSAPI without the payer's openid."""
        body: dict[str, Any] = {
            "appid": self.account.app_id, "mchid": self.account.mch_id, "description": payable.subject[:127],
            "out_trade_no": payable.payment_no, "time_expire": _time(payable), "notify_url": payable.notify_url,
            "amount": {"total": payable.amount_fen, "currency": "CNY"},
        }  # fmt: skip
        if payable.scene == "h5":
            body["scene_info"] = {"payer_client_ip": payable.client_address, "h5_info": {"type": "Wap"}}
        if payable.scene == "jsapi":
            if not payable.payer_id:
                raise Invalid("payment.scene", "在微信内支付需要先授权微信登录")
            body["payer"] = {"openid": payable.payer_id}
        kind = {"qr": "native", "h5": "h5", "jsapi": "jsapi"}[payable.scene]
        return self._started(payable.scene, self._post(f"/v3/pay/transactions/{kind}", body, "create"), payable.return_url)

    def create_combined(self, payable: Payable, parts: Sequence[Part]) -> Started:
        """Announce one payment of several merchants' parts, at most 50, which sum to the whole. Raises Invalid(`payment.parts`)."""
        if not 1 <= len(parts) <= MAX_PARTS or sum(part.amount_fen for part in parts) != payable.amount_fen:
            raise Invalid("payment.parts", f"合单支付应有 1–{MAX_PARTS} 个子单，且金额之和等于总额")
        body: dict[str, Any] = {
            "combine_appid": self.account.app_id, "combine_mchid": self.account.mch_id, "combine_out_trade_no": payable.payment_no,
            "time_expire": _time(payable), "notify_url": payable.notify_url, "sub_orders": [self._part(part) for part in parts],
        }  # fmt: skip
        if payable.scene == "h5":
            body["scene_info"] = {"payer_client_ip": payable.client_address, "h5_info": {"type": "Wap"}}
        kind = {"qr": "native", "h5": "h5"}.get(payable.scene, "native")
        return self._started(payable.scene, self._post(f"/v3/combine-transactions/{kind}", body, "combine"), payable.return_url)

    def _part(self, part: Part) -> dict[str, Any]:
        return {
            "mchid": self.account.mch_id, "attach": part.payment_no, "out_trade_no": part.payment_no, "description": part.subject[:127],
            "amount": {"total_amount": part.amount_fen, "currency": "CNY"},
        }  # fmt: skip

    def _started(self, scene: str, answer: dict[str, Any], return_url: str) -> Started:
        if scene == "h5":
            back = f"&redirect_url={quote(return_url, safe='')}" if return_url else ""
            return Started("link", str(answer["h5_url"]) + back)
        if scene == "jsapi":
            return Started("jsapi", self._jsapi(str(answer["prepay_id"])))
        return Started("qr", str(answer["code_url"]))

    def _jsapi(self, prepay_id: str) -> str:
        """Return what the page hands to WeixinJSBridge, signed by us."""
        stamp, nonce, package = str(clock.microseconds(clock.now()) // 1_000_000), secrets.token_hex(16), f"prepay_id={prepay_id}"
        message = f"{self.account.app_id}\n{stamp}\n{nonce}\n{package}\n".encode()
        signed = self.account.suite.sign(self.account.private_pem, message)
        kind = "RSA" if self.account.suite is SUITES["rsa"] else "SM2"
        values = {"appId": self.account.app_id, "timeStamp": stamp, "nonceStr": nonce, "package": package, "signType": kind}
        return json.dumps(values | {"paySign": signed})

    def query(self, payment_no: str) -> PaymentState:
        """Ask what became of a payment."""
        try:
            answer = self._get(f"/v3/pay/transactions/out-trade-no/{quote(payment_no)}?mchid={self.account.mch_id}", "query")
        except ChannelRefused as error:
            if error.params.get("reason") in _MISSING:
                return PaymentState("missing")
            raise
        self._own(answer)
        state = _STATES.get(str(answer.get("trade_state")))
        if state is None:
            raise ChannelUnclear("channel.state", f"微信支付返回未知状态 {answer.get('trade_state')}")
        amount = int(answer.get("amount", {}).get("total", 0))
        return PaymentState(state, amount, str(answer.get("transaction_id", "-"))[:64])

    def query_combined(self, payment_no: str) -> dict[str, PaymentState]:
        """Ask what became of the parts of a combined payment, by their numbers."""
        answer = self._get(f"/v3/combine-transactions/out-trade-no/{quote(payment_no)}", "combine_query")
        found = {}
        for part in answer.get("sub_orders", []):
            state = _STATES.get(str(part.get("trade_state")), "waiting")
            amount = int(part.get("amount", {}).get("total_amount", 0))
            found[str(part["out_trade_no"])] = PaymentState(state, amount, str(part.get("transaction_id", "-")))
        return found

    def close(self, payment_no: str) -> None:
        """Make a payment unpayable. Raises ChannelRefused(reason ORDERPAID or alike) when it is paid."""
        try:
            self._post(f"/v3/pay/transactions/out-trade-no/{quote(payment_no)}/close", {"mchid": self.account.mch_id}, "close")
        except ChannelRefused as error:
            if error.params.get("reason") not in _MISSING | {"ORDER_CLOSED", "ORDERCLOSED"}:
                raise

    def close_combined(self, payment_no: str, parts: Sequence[str]) -> None:
        """Make a combined payment unpayable; parts are the numbers of all its parts."""
        orders = [{"mchid": self.account.mch_id, "out_trade_no": part} for part in parts]
        body = {"combine_appid": self.account.app_id, "sub_orders": orders}
        self._post(f"/v3/combine-transactions/out-trade-no/{quote(payment_no)}/close", body, "combine_close")

    # Refunds

    def refund(self, order: RefundOrder) -> RefundState:
        """Order a refund of a payment."""
        body: dict[str, Any] = {
            "out_trade_no": order.payment_no, "out_refund_no": order.refund_no, "reason": order.reason[:80],
            "amount": {"refund": order.amount_fen, "total": order.total_fen, "currency": "CNY"},
        }  # fmt: skip
        if order.notify_url:
            body["notify_url"] = order.notify_url
        return _refund_state(self._post("/v3/refund/domestic/refunds", body, "refund"))

    def query_refund(self, order: RefundOrder) -> RefundState:
        """Ask what became of a refund."""
        try:
            return _refund_state(self._get(f"/v3/refund/domestic/refunds/{quote(order.refund_no)}", "refund_query"))
        except ChannelRefused as error:
            if error.params.get("reason") in _MISSING:
                return RefundState("missing")
            raise

    # Bills

    def bill(self, day: date) -> list[str]:
        """Return the lines of a day's bill. Raises ChannelUnclear(`channel.bill`) when the file does not have the announced hash."""
        try:
            told = self._get(f"/v3/bill/tradebill?bill_date={day:%Y-%m-%d}&bill_type=ALL", "bill")
        except ChannelRefused as error:
            if error.params.get("reason") == "NO_STATEMENT_EXIST":
                return wechat_bill.canonical([], day)
            raise
        url = str(told["download_url"])
        answer = self._send("GET", url, b"", "bill_file")
        if answer.status != 200 or self.account.suite.digest(answer.body) != str(told["hash_value"]).lower():
            raise ChannelUnclear("channel.bill", "微信支付账单文件与所给摘要不符")
        return wechat_bill.canonical(answer.body.decode("utf-8-sig").splitlines(), day)

    # Notices

    def verify(self, headers: Mapping[str, str], body: bytes) -> Notice:
        """Verify, decrypt and read a notice of a payment or refund."""
        self._check(headers, body)
        try:
            raw = json.loads(body)
            sealed = raw["resource"]
            if sealed["algorithm"] != self.account.suite.aead:
                raise Invalid("payment.notice", "支付通知的加密算法不是约定的算法")
            plain = self.account.suite.open(
                self.account.api_key, str(sealed["nonce"]), str(sealed.get("associated_data") or ""), str(sealed["ciphertext"])
            )
            return self._read(str(raw["id"]), str(raw["event_type"]), json.loads(plain))
        except (ValueError, KeyError, TypeError, AttributeError):
            raise Invalid("payment.notice", "支付通知格式不正确") from None
        except (DecryptionFailed, SecurityError):
            raise Forbidden("payment.signature", "支付通知无法解密") from None

    def _read(self, notice_id: str, event: str, facts: dict[str, Any]) -> Notice:
        own = facts.get("mchid") == self.account.mch_id
        if event.startswith("REFUND."):
            result = "done" if event == "REFUND.SUCCESS" else "failed"
            return Notice(
                notice_id[:64], str(facts["out_trade_no"])[:32], int(facts["amount"]["refund"]), result if own else "foreign",
                str(facts["refund_id"])[:64], REFUND, str(facts["out_refund_no"])[:40],
            )  # fmt: skip
        own = own and facts.get("appid") == self.account.app_id and facts["amount"].get("currency", "CNY") == "CNY"
        paid = event == "TRANSACTION.SUCCESS" and facts.get("trade_state") == "SUCCESS"
        result = ("paid" if paid else "failed") if own else "foreign"
        txn = str(facts.get("transaction_id", "-"))[:64]
        return Notice(notice_id[:64], str(facts["out_trade_no"])[:32], int(facts["amount"]["total"]), result, txn)

    def reply(self, *, accepted: bool) -> tuple[int, str, str]:
        """Return the answer to a notice."""
        return (204, "application/json", "") if accepted else (500, "application/json", '{"code":"FAIL","message":"失败"}')

    # The wire

    def _get(self, path: str, purpose: str) -> dict[str, Any]:
        return self._result(self._send("GET", self.account.base_url + path, b"", purpose))

    def _post(self, path: str, body: dict[str, Any], purpose: str) -> dict[str, Any]:
        raw = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        return self._result(self._send("POST", self.account.base_url + path, raw, purpose))

    def _send(self, method: str, url: str, body: bytes, purpose: str) -> egress.Answer:
        parts = urlsplit(url)
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        token = authorization(self.account, method, path, body, secrets.token_hex(16), clock.now())
        headers = {"Authorization": token, "Accept": "application/json", "User-Agent": "RegionMart"}
        if body:
            headers["Content-Type"] = "application/json; charset=utf-8"
        if self.account.platform_key_id:
            headers["Wechatpay-Serial"] = self.account.platform_key_id
        return egress.call(method, url, headers=headers, body=body, purpose=f"{KEY}.{purpose}")

    def _result(self, answer: egress.Answer) -> dict[str, Any]:
        """Return the verified JSON of an answer. Raises ChannelRefused for a refusal, ChannelUnclear for anything doubtful."""
        try:
            self._check(answer.headers, answer.body)
        except Forbidden as error:
            raise ChannelUnclear("channel.signature", "微信支付应答的签名不正确") from error
        try:
            found = json.loads(answer.body) if answer.body else {}
        except ValueError:
            found = {}
        if answer.status < 300:
            return dict(found)
        code = str(found.get("code", ""))
        if answer.status >= 500 or answer.status == 429 or code in _UNCLEAR:
            raise ChannelUnclear("channel.unclear", f"微信支付暂时无法给出结果（{code or answer.status}）", reason=code)
        raise ChannelRefused("channel.refused", f"微信支付未受理（{code}）：{str(found.get('message', ''))[:80]}", reason=code)

    def _check(self, headers: Mapping[str, str], body: bytes) -> None:
        """Raise Forbidden(`payment.signature`) unless the headers sign the body with a key of WeChat Pay."""
        message = answer_message(headers, body)
        schema = headers.get("wechatpay-signature-type", SUITES["rsa"].schema)
        pem = self._platform_pem(headers.get("wechatpay-serial", ""))
        if schema != self.account.suite.schema or not self.account.suite.verify(pem, message, headers.get("wechatpay-signature", "")):
            raise Forbidden("payment.signature", "微信支付签名不正确")

    def _platform_pem(self, serial: str) -> str:
        """Return the key a serial names; an unknown one has the certificates downloaded, with success at most once a minute."""
        if self.account.platform_key_id and serial == self.account.platform_key_id:
            return self.account.platform_pem
        found = platform_keys.find(KEY, serial) if serial else ""
        if not found and serial and (self._refreshed_at is None or time.monotonic() - self._refreshed_at > REFRESH_S):
            self.refresh_keys()
            self._refreshed_at = time.monotonic()
            found = platform_keys.find(KEY, serial)
        if not found:
            raise Forbidden("payment.signature", "微信支付签名所用的证书未知")
        return found

    def refresh_keys(self) -> int:
        """Download the platform certificates; returns how many are new. The answer must be signed by one of them.

        They are sealed with the API key, which only WeChat Pay and we hold: that is what makes the first download trustworthy.
        """
        path = f"/v3/certificates{self.account.suite.certificates_query}"
        answer = self._send("GET", self.account.base_url + path, b"", "certificates")
        if answer.status != 200:
            raise ChannelUnclear("channel.certificates", f"下载微信支付平台证书失败（{answer.status}）")
        try:
            keys = [self._certificate(item["encrypt_certificate"]) for item in json.loads(answer.body)["data"]]
        except (ValueError, KeyError, TypeError, SecurityError) as error:
            raise ChannelUnclear("channel.certificates", "微信支付平台证书无法解密") from error
        by_serial = {key.serial: key.public_pem for key in keys}
        message = answer_message(answer.headers, answer.body)
        signer = by_serial.get(answer.headers.get("wechatpay-serial", ""), "")
        if not signer or not self.account.suite.verify(signer, message, answer.headers.get("wechatpay-signature", "")):
            raise ChannelUnclear("channel.certificates", "微信支付平台证书应答的签名不正确")
        return platform_keys.keep(KEY, keys)

    def _certificate(self, sealed: dict[str, Any]) -> platform_keys.Downloaded:
        plain = self.account.suite.open(self.account.api_key, sealed["nonce"], sealed.get("associated_data") or "", sealed["ciphertext"])
        return self.account.suite.key_of(plain.decode())

    def _own(self, answer: dict[str, Any]) -> None:
        if answer.get("mchid") != self.account.mch_id or answer.get("appid", self.account.app_id) != self.account.app_id:
            raise ChannelUnclear("channel.foreign", "微信支付返回了其他商户的单据")

    def facts(self) -> list[tuple[str, str]]:
        """Return what the operator may see of the account."""
        mine, suite = runtime.current().settings.payment.wechat, self.account.suite
        newest = platform_keys.newest(KEY)
        platform = f"公钥 {self.account.platform_key_id}" if self.account.platform_key_id else "平台证书，尚未下载"
        if newest is not None:
            platform = f"平台证书 {newest.serial[:16]}…，有效至 {newest.valid_until:%Y-%m-%d}"
        return [
            ("商户号", self.account.mch_id), ("应用", self.account.app_id), ("算法", suite.schema), ("证书序列号", self.account.serial_no),
            ("微信支付公钥", platform), ("商户私钥", stored(mine.private_key)), ("APIv3 密钥", stored(mine.api_v3_key)),
        ]  # fmt: skip


def _time(payable: Payable) -> str:
    return payable.expires_at.astimezone(clock.REGION_TZ).isoformat(timespec="seconds")


def _refund_state(answer: dict[str, Any]) -> RefundState:
    status = str(answer.get("status"))
    state = _REFUNDS.get(status)
    if state is None:
        raise ChannelUnclear("channel.state", f"微信支付返回未知退款状态 {status}")
    return RefundState(state, str(answer.get("refund_id", "-"))[:64], "-" if state != "failed" else f"渠道退款状态 {status}")
