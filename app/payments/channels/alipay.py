"""Alipay open platform with RSA2: precreate and wap pay, query, close, refund, refund query, bills, notices (T06; opendocs.alipay.com).

An answer's signature covers the text of its response node exactly as sent, so that node is cut out of the body, not parsed and
written again. Amounts are yuan texts with two decimals.
"""

from __future__ import annotations

import base64
import csv
import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from urllib.parse import parse_qsl, urlencode

from app.core import clock, egress, runtime
from app.core.errors import AppError, Forbidden, Invalid
from app.core.money import parse_yuan
from app.payments.channels import bill_form
from app.payments.channels.secrets import opened, stored
from app.payments.channels.values import (
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
from security.errors import InvalidKey

KEY, TITLE = "alipay", "支付宝"
_STATES = {"WAIT_BUYER_PAY": "waiting", "TRADE_SUCCESS": "paid", "TRADE_FINISHED": "paid", "TRADE_CLOSED": "closed"}
_UNCLEAR = {"ACQ.SYSTEM_ERROR", "aop.ACQ.SYSTEM_ERROR", "isp.unknow-error", "isp.unknown-error", "aop.unknow-error"}
_DETAIL = ("支付宝交易号", "商户订单号", "业务类型")
MAX_FILE = 268_435_456


@dataclass(frozen=True)
class Account:
    """Who we are at Alipay: PEM keys, the second is Alipay's."""

    gateway: str
    app_id: str
    seller_id: str
    private_pem: str = field(repr=False)
    alipay_pem: str = ""


def configured() -> Alipay:
    """Return the client of the settings. Raises Conflict(`channel.secret`)."""
    mine = runtime.current().settings.payment.alipay
    private = opened(mine.private_key, "payment.alipay.private_key")
    return Alipay(Account(mine.gateway, mine.app_id, mine.seller_id, private, mine.alipay_key))


def signed_text(values: Mapping[str, str], *, without: tuple[str, ...] = ("sign",)) -> bytes:
    """Return the text a signature covers: sorted `k=v` joined by `&`, empty values and the signature itself left out."""
    return "&".join(f"{key}={values[key]}" for key in sorted(values) if key not in without and values[key] != "").encode()


def node(body: bytes, name: str) -> str:
    """Return the response node's text exactly as sent. Raises ChannelUnclear when the body has none."""
    text = body.decode("utf-8", "replace")
    start = text.find(f'"{name}"')
    opening = text.find("{", start) if start >= 0 else -1
    if opening < 0:
        raise ChannelUnclear("channel.answer", "支付宝应答缺少业务节点")
    try:
        _, end = json.JSONDecoder().raw_decode(text, opening)
    except ValueError:
        raise ChannelUnclear("channel.answer", "支付宝应答格式不正确") from None
    return text[opening:end]


def yuan(fen: int) -> str:
    """Return `12.05` for 1205 fen."""
    return bill_form.yuan(fen)


class Alipay:
    """One application account."""

    key, title = KEY, TITLE
    scenes = ("qr", "h5")
    limits = Limits(days=365)

    def __init__(self, account: Account) -> None:
        self.account = account

    def create(self, payable: Payable) -> Started:
        """Announce a payment: a code by precreate, on telephones the signed address of the wap page."""
        ends = f"{payable.expires_at.astimezone(clock.REGION_TZ):%Y-%m-%d %H:%M:%S}"
        content = {
            "out_trade_no": payable.payment_no, "total_amount": yuan(payable.amount_fen), "subject": payable.subject[:256],
            "time_expire": ends,
        }  # fmt: skip
        if payable.scene == "h5":
            content |= {"product_code": "QUICK_WAP_WAY", "quit_url": payable.return_url}
            more = {"notify_url": payable.notify_url, "return_url": payable.return_url}
            return Started("link", f"{self.account.gateway}?{urlencode(self._signed('alipay.trade.wap.pay', content, more))}")
        answer = self._call("alipay.trade.precreate", content, {"notify_url": payable.notify_url})
        return Started("qr", str(answer["qr_code"]))

    def query(self, payment_no: str) -> PaymentState:
        """Ask what became of a payment; one nobody has scanned yet does not exist at Alipay."""
        try:
            answer = self._call("alipay.trade.query", {"out_trade_no": payment_no})
        except ChannelRefused as error:
            if error.params.get("reason") == "ACQ.TRADE_NOT_EXIST":
                return PaymentState("missing")
            raise
        state = _STATES.get(str(answer.get("trade_status")))
        if state is None or answer.get("out_trade_no") != payment_no:
            raise ChannelUnclear("channel.state", f"支付宝返回未知状态 {answer.get('trade_status')}")
        return PaymentState(state, parse_yuan(str(answer["total_amount"])), str(answer.get("trade_no", "-"))[:64])

    def close(self, payment_no: str) -> None:
        """Make a payment unpayable."""
        try:
            self._call("alipay.trade.close", {"out_trade_no": payment_no})
        except ChannelRefused as error:
            if error.params.get("reason") != "ACQ.TRADE_NOT_EXIST":
                raise

    def refund(self, order: RefundOrder) -> RefundState:
        """Order a refund; `fund_change` N means it was ordered before or is under way, so the refund query decides."""
        content = {"out_trade_no": order.payment_no, "refund_amount": yuan(order.amount_fen), "out_request_no": order.refund_no,
                   "refund_reason": order.reason[:256]}  # fmt: skip
        answer = self._call("alipay.trade.refund", content)
        state = "done" if answer.get("fund_change") == "Y" else "accepted"
        return RefundState(state, str(answer.get("trade_no", "-"))[:64])

    def query_refund(self, order: RefundOrder) -> RefundState:
        """Ask what became of a refund."""
        content = {"out_trade_no": order.payment_no, "out_request_no": order.refund_no}
        try:
            answer = self._call("alipay.trade.fastpay.refund.query", content)
        except ChannelRefused as error:
            if error.params.get("reason") in {"ACQ.TRADE_NOT_EXIST", "ACQ.REFUND_NOT_EXIST"}:
                return RefundState("missing")
            raise
        if answer.get("refund_status") == "REFUND_SUCCESS":
            return RefundState("done", str(answer.get("trade_no", "-"))[:64])
        return RefundState("accepted" if "refund_amount" in answer else "failed", detail="支付宝查询不到该笔退款的成功记录")

    # Bills

    def bill(self, day: date) -> list[str]:
        """Return the lines of a day's trade bill; the archive's check sums and its own totals are checked."""
        content = {"bill_type": "trade", "bill_date": f"{day:%Y-%m-%d}"}
        try:
            told = self._call("alipay.data.dataservice.bill.downloadurl.query", content)
        except ChannelRefused as error:
            if error.params.get("reason") == "isp.bill_not_exist":
                return list(bill_form.lines([]))
            raise
        answer = egress.call("GET", str(told["bill_download_url"]), purpose=f"{KEY}.bill_file")
        if answer.status != 200:
            raise ChannelUnclear("channel.bill", "支付宝账单文件无法下载")
        return read_bill(answer.body, day)

    # Notices

    def verify(self, headers: Mapping[str, str], body: bytes) -> Notice:
        """Verify and read a notice, a signed form."""
        values = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
        text = signed_text(values, without=("sign", "sign_type"))
        if values.get("sign_type") != "RSA2" or not self._right(text, values.get("sign", "")):
            raise Forbidden("payment.signature", "支付宝通知签名不正确")
        try:
            own = values["app_id"] == self.account.app_id and values.get("seller_id", self.account.seller_id) == self.account.seller_id
            status = values["trade_status"]
            result = "foreign" if not own else "paid" if _STATES.get(status) == "paid" else "failed"
            if own and status == "WAIT_BUYER_PAY":
                raise Invalid("payment.notice", "支付宝通知尚无结果")
            return Notice(
                values["notify_id"][:64], values["out_trade_no"][:32], parse_yuan(values["total_amount"]), result, values["trade_no"][:64]
            )
        except KeyError:
            raise Invalid("payment.notice", "支付宝通知缺少字段") from None

    def reply(self, *, accepted: bool) -> tuple[int, str, str]:
        """Return the answer to a notice."""
        return 200, "text/plain", "success" if accepted else "failure"

    # The wire

    def _signed(self, method: str, content: Mapping[str, str], more: Mapping[str, str]) -> dict[str, str]:
        values = {
            "app_id": self.account.app_id, "method": method, "format": "JSON", "charset": "utf-8", "sign_type": "RSA2",
            "timestamp": f"{clock.now().astimezone(clock.REGION_TZ):%Y-%m-%d %H:%M:%S}", "version": "1.0",
            "biz_content": json.dumps(content, ensure_ascii=False, separators=(",", ":")), **{k: v for k, v in more.items() if v},
        }  # fmt: skip
        return values | {"sign": base64.b64encode(rsa.sign_sha256(self.account.private_pem, signed_text(values))).decode()}

    def _right(self, text: bytes, signature: str) -> bool:
        try:
            return rsa.verify_sha256(self.account.alipay_pem, text, base64.b64decode(signature, validate=True))
        except (ValueError, InvalidKey):
            return False

    def _call(self, method: str, content: Mapping[str, str], more: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Return the verified response node. Raises ChannelRefused for a refusal, ChannelUnclear for anything doubtful."""
        body = urlencode(self._signed(method, content, more or {})).encode()
        headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
        answer = egress.call("POST", self.account.gateway, headers=headers, body=body, purpose=f"{KEY}.{method.removeprefix('alipay.')}")
        if answer.status != 200:
            raise ChannelUnclear("channel.unclear", f"支付宝暂时无法给出结果（{answer.status}）")
        text = node(answer.body, method.replace(".", "_") + "_response")
        try:
            whole = json.loads(answer.body)
            signature, found = str(whole["sign"]), dict(json.loads(text))
        except (ValueError, KeyError, TypeError):
            raise ChannelUnclear("channel.answer", "支付宝应答格式不正确") from None
        if not self._right(text.encode(), signature):
            raise ChannelUnclear("channel.signature", "支付宝应答的签名不正确")
        if found.get("code") == "10000":
            return found
        reason = str(found.get("sub_code", ""))
        if found.get("code") == "20000" or reason in _UNCLEAR:
            raise ChannelUnclear("channel.unclear", f"支付宝暂时无法给出结果（{reason}）", reason=reason)
        raise ChannelRefused("channel.refused", f"支付宝未受理（{reason}）：{str(found.get('sub_msg', ''))[:80]}", reason=reason)

    def facts(self) -> list[tuple[str, str]]:
        """Return what the operator may see of the account."""
        mine = runtime.current().settings.payment.alipay
        return [
            ("应用", self.account.app_id), ("收款方", self.account.seller_id), ("算法", "RSA2"), ("网关", self.account.gateway),
            ("应用私钥", stored(mine.private_key)), ("支付宝公钥", "已设置" if self.account.alipay_pem else "未设置"),
        ]  # fmt: skip


def read_bill(archive: bytes, day: date) -> list[str]:
    """Return a trade bill (zip of GBK tables) in our form. Raises ChannelUnclear(`channel.bill`) for anything unexpected."""
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as packed:
            details = [entry for entry in packed.infolist() if not _name(entry).endswith("(汇总).csv")]
            if len(details) != 1 or details[0].file_size > MAX_FILE:
                raise ChannelUnclear("channel.bill", f"{day} 的支付宝账单应有一个明细文件")
            text = packed.read(details[0]).decode("gbk")
    except (zipfile.BadZipFile, UnicodeDecodeError, OSError, RuntimeError) as error:
        raise ChannelUnclear("channel.bill", f"{day} 的支付宝账单文件损坏") from error
    return list(bill_form.lines(_rows(text.splitlines(), day)))


def _name(entry: zipfile.ZipInfo) -> str:
    """Return a file's name, which Alipay writes in GBK while zip reads it as code page 437."""
    return entry.filename if entry.flag_bits & 0x800 else entry.filename.encode("cp437", "replace").decode("gbk", "replace")


def _rows(text: list[str], day: date) -> list[bill_form.Row]:
    """Read the table between the `#` lines; the closing lines count payments and refunds and their sums."""
    header: list[str] = []
    rows: list[bill_form.Row] = []
    for cells in csv.reader(line for line in text if not line.startswith("#")):
        values = [cell.strip() for cell in cells]
        if not header:
            header = values
            if tuple(header[:1] + header[1:2] + header[2:3]) != _DETAIL:
                raise ChannelUnclear("channel.bill", f"{day} 的支付宝账单列名不符")
            continue
        rows.append(_row(dict(zip(header, values, strict=False)), day))
    closing = next((line for line in text if line.startswith("#交易合计")), "")
    told = dict(part.split("：", 1) for part in closing.removeprefix("#交易合计：").split("，") if "：" in part)
    paid = [row for row in rows if row.flow == bill_form.PAY]
    back = [row for row in rows if row.flow == bill_form.REFUND]
    net = sum(row.amount_fen for row in paid) - sum(row.amount_fen for row in back)
    ours = {"交易": f"{len(paid)}笔", "退款": f"{len(back)}笔", "订单金额": f"{yuan(net)}元"}
    if {key: told.get(key, "").strip() for key in ours} != ours:
        raise ChannelUnclear("channel.bill", f"{day} 的支付宝账单合计与明细不符")
    return rows


def _row(cell: dict[str, str], day: date) -> bill_form.Row:
    try:
        refund = cell["业务类型"] == "退款"
        if cell["业务类型"] not in {"交易", "退款"}:
            raise ChannelUnclear("channel.bill", f"{day} 的支付宝账单有未知的业务类型 {cell['业务类型']}")
        number = cell["退款批次号/请求号"] if refund else cell["商户订单号"]
        amount, fee = abs(bill_form.fen_of(cell["订单金额（元）"])), -bill_form.fen_of(cell["服务费（元）"])
        return bill_form.Row(cell["完成时间"], cell["支付宝交易号"], number, bill_form.REFUND if refund else bill_form.PAY, amount, fee)
    except (KeyError, AppError) as error:
        if isinstance(error, ChannelUnclear):
            raise
        raise ChannelUnclear("channel.bill", f"{day} 的支付宝账单有无法识别的行") from error
