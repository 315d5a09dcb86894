"""Invoices of orders (T35): titles of buyers, requests, issue by the merchant with number and PDF, red letters after refunds.

The merchant issues in its tax system; the platform keeps what is asked, what was issued and what a refund makes due to be taken back.
An invoice is for what the buyer paid of one order, freight included, less what was refunded before it was issued.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import select
from stdnum.cn import uscc
from stdnum.exceptions import ValidationError

from app.audit import service as audit
from app.core import cas, clock, runtime, sql
from app.core.actor import Actor
from app.core.db import session
from app.core.errors import Conflict, Invalid, NotFound, TooMany
from app.core.ids import new_id
from app.core.money import format_yuan
from app.core.text import clean, half_width
from app.orders import queries, rows
from app.orders.models import Invoice, InvoiceTitle, Order
from app.orders.placing import add_event
from app.orders.states import CANCELLED, NONE

PERSONAL, ENTERPRISE, SPECIAL = "personal", "enterprise", "special"
KINDS = {PERSONAL: "个人（普通发票）", ENTERPRISE: "企业（普通发票）", SPECIAL: "企业（专用发票）"}
STATES = {"requested": "待开票", "issued": "已开票", "red": "已红冲", "withdrawn": "已撤回"}
TONES = {"requested": "warn", "issued": "ok", "red": "mute", "withdrawn": "mute"}
REGISTRY = {"address": "注册地址", "phone": "注册电话", "bank": "开户银行", "account": "银行账号"}
MOST_TITLES = 10
_NUMBER = re.compile(r"^(\d{8}|\d{20})$")  # 纸质发票号码 8 位，数电发票号码 20 位
_ACCOUNT = re.compile(r"^\d{8,30}$")


@dataclass(frozen=True)
class Wanted:
    """An invoice title as a buyer gives it, checked by `checked`. registry: for special invoices only, by the keys of REGISTRY."""

    kind: str
    title: str
    tax_no: str = NONE
    registry: tuple[tuple[str, str], ...] = ()


def checked(kind: str, title: str, tax_no: str = "", registry: Mapping[str, str] | None = None) -> Wanted:
    """Return a title in its normal form. Raises Invalid naming the field; tax numbers are 统一社会信用代码 (GB 32100-2015)."""
    if kind not in KINDS:
        raise Invalid("invoice.kind", "请选择发票类型", field="kind")
    name = clean(title)
    if not 2 <= len(name) <= 80:
        raise Invalid("invoice.title", "请填写发票抬头（2–80 字）", field="title")
    if kind == PERSONAL:
        return Wanted(kind, name)
    try:
        number = str(uscc.validate(half_width(clean(tax_no)).upper()))
    except ValidationError:
        raise Invalid("invoice.tax_no", "税号不正确，请核对 18 位统一社会信用代码", field="tax_no") from None
    if kind == ENTERPRISE:
        return Wanted(kind, name, number)
    given = {key: clean((registry or {}).get(key, "")) for key in REGISTRY}
    for key, word in REGISTRY.items():
        if not 4 <= len(given[key]) <= 80:
            raise Invalid("invoice.registry", f"专用发票须填写{word}（4–80 字）", field=key)
    given["account"] = re.sub(r"[\s-]", "", half_width(given["account"]))
    if not _ACCOUNT.match(given["account"]):
        raise Invalid("invoice.registry", "银行账号须为 8–30 位数字", field="account")
    return Wanted(kind, name, number, tuple(given.items()))


def _sealed(wanted: Wanted, table: str, row_id: int) -> str | None:
    if not wanted.registry:
        return None
    text = json.dumps(dict(wanted.registry), ensure_ascii=False)
    return runtime.current().cipher.encrypt(text, table=table, column="registry_enc", row_id=row_id)


def registry_of(row: Invoice | InvoiceTitle) -> dict[str, str]:
    """Decrypt what a special invoice needs, for the buyer and the issuing merchant; empty for the other kinds."""
    if not row.registry_enc:
        return {}
    cipher = runtime.current().cipher
    text = cipher.decrypt(row.registry_enc, table=row.__tablename__, column="registry_enc", row_id=row.id)
    return {str(key): str(value) for key, value in json.loads(text).items()}


def titles(account_id: int) -> list[InvoiceTitle]:
    """Return the saved titles of a buyer, newest first."""
    mine = select(InvoiceTitle).where(InvoiceTitle.account_id == account_id).order_by(InvoiceTitle.id.desc())
    return list(session.scalars(mine))


def save_title(actor: Actor, wanted: Wanted) -> int:
    """Keep a title for later orders; the same kind, title and number are kept once. Raises TooMany(`invoice.titles`)."""
    known = titles(actor.account_id)
    same = next((row.id for row in known if (row.kind, row.title, row.tax_no) == (wanted.kind, wanted.title, wanted.tax_no)), 0)
    if same and wanted.kind != SPECIAL:
        return same
    if same:
        remove_title(actor, same)
    elif len(known) >= MOST_TITLES:
        raise TooMany("invoice.titles", f"最多保存 {MOST_TITLES} 个发票抬头")
    row_id = new_id()
    session.add(
        InvoiceTitle(
            id=row_id, account_id=actor.account_id, kind=wanted.kind, title=wanted.title, tax_no=wanted.tax_no,
            registry_enc=_sealed(wanted, "order_invoice_title", row_id), created_at=clock.now(),
        )
    )  # fmt: skip
    session.flush()
    return row_id


def get_title(actor: Actor, title_id: int) -> InvoiceTitle:
    """Return one of the actor's titles. Raises NotFound."""
    row = session.get(InvoiceTitle, title_id)
    if row is None or row.account_id != actor.account_id:
        raise NotFound("invoice.title", "发票抬头不存在")
    return row


def wanted_of(row: InvoiceTitle) -> Wanted:
    """Return a saved title as one that was typed."""
    return Wanted(row.kind, row.title, row.tax_no, tuple(registry_of(row).items()))


def remove_title(actor: Actor, title_id: int) -> None:
    """Forget a title; invoices that were asked for keep theirs. Raises NotFound."""
    session.delete(get_title(actor, title_id))
    session.flush()


def open_until(order: Order) -> Any:
    """Return until when an invoice of a completed order may be asked for, None while the order is not completed."""
    if order.completed_at is None:
        return None
    return order.completed_at + timedelta(days=runtime.current().settings.trade.invoice_request_days)


def row_for(order_id: int, account_id: int, merchant_id: int, wanted: Wanted) -> dict[str, Any]:
    """Return the row of a request."""
    row_id = new_id()
    return {
        "id": row_id, "order_id": order_id, "account_id": account_id, "merchant_id": merchant_id, "open_key": 0, "kind": wanted.kind,
        "title": wanted.title, "tax_no": wanted.tax_no, "registry_enc": _sealed(wanted, "order_invoice", row_id), "status": "requested",
        "amount_fen": 0, "number": NONE, "file_key": NONE, "red_fen": 0, "red_number": NONE, "requested_at": clock.now(),
    }  # fmt: skip


def request(actor: Actor, order_id: int, wanted: Wanted) -> int:
    """Ask for the invoice of an own order. Raises NotFound, Conflict(`invoice.open`, `invoice.late`, `order.state`)."""
    order = queries.get_for(actor, order_id)
    rows.take(order_id)
    order = session.get_one(Order, order_id)
    if order.status == CANCELLED or (order.paid_at is not None and order.refunded_fen >= order.payable_fen):
        raise Conflict("order.state", "订单已取消或已全额退款，没有可开票的金额")
    until = open_until(order)
    if until is not None and clock.now() > until:
        raise Conflict("invoice.late", "已超过申请开票的期限，请联系商家")
    if of(order_id) is not None:
        raise Conflict("invoice.open", "该订单已申请过发票")
    row = row_for(order_id, order.account_id, order.merchant_id, wanted)
    sql.add(Invoice, row)
    add_event(order_id, "invoice", actor, f"申请{KINDS[wanted.kind]}")
    audit.record(actor, "invoice.wanted", "invoice", row["id"], detail={"order": order_id, "kind": wanted.kind})
    return int(row["id"])


def request_for_trade(actor: Actor, trade_id: int, wanted: Wanted) -> None:
    """Ask for the invoices of all orders of an own trade that is being placed; orders that have one keep it."""
    orders = queries.orders_of_trade(trade_id)
    have = set(session.scalars(select(Invoice.order_id).where(Invoice.order_id.in_([o.id for o in orders]), Invoice.open_key == 0)))
    mine = [order for order in orders if order.id not in have and order.account_id == actor.account_id]
    wanted_rows = [row_for(order.id, order.account_id, order.merchant_id, wanted) for order in mine]
    sql.add_all(Invoice, wanted_rows)
    for row in wanted_rows:
        audit.record(actor, "invoice.wanted", "invoice", row["id"], detail={"order": row["order_id"], "kind": wanted.kind})


def of(order_id: int) -> Invoice | None:
    """Return the invoice that stands for an order the caller may see."""
    return session.scalar(select(Invoice).where(Invoice.order_id == order_id, Invoice.open_key == 0))


def withdraw(actor: Actor, order_id: int) -> None:
    """Take an own request back before it is issued. Raises NotFound, Conflict(`invoice.state`)."""
    queries.get_for(actor, order_id)
    row = of(order_id)
    values = {"status": "withdrawn", "open_key": row.id} if row is not None else {}
    if row is None or not cas.change(Invoice, row.id, where={"status": "requested"}, values=values):
        raise Conflict("invoice.state", "发票已开具或已撤回")
    add_event(order_id, "invoice", actor, "撤回开票申请")
    audit.record(actor, "invoice.withdrawn", "invoice", row.id)


def get_for(actor: Actor, invoice_id: int) -> Invoice:
    """Return an invoice of an order the actor may see. Raises NotFound."""
    row = session.get(Invoice, invoice_id)
    if row is None:
        raise NotFound("invoice.missing", "发票不存在")
    queries.get_for(actor, row.order_id)
    return row


def issue(actor: Actor, invoice_id: int, number: str, file_key: str = NONE) -> None:
    """Note that the merchant has issued an invoice over what the buyer has paid and not got back, at this moment.

    Raises NotFound, Invalid(`invoice.number`), Conflict(`invoice.state`, `order.state` for nothing to invoice).
    """
    row, digits = get_for(actor, invoice_id), half_width(clean(number)).replace(" ", "")
    if not _NUMBER.match(digits):
        raise Invalid("invoice.number", "发票号码须为 8 位或 20 位数字", field="number")
    order_id = row.order_id
    rows.take(order_id)  # a refund of this moment is counted either here or as a red letter
    order = session.get_one(Order, order_id)
    amount = order.payable_fen - order.refunded_fen
    if order.paid_at is None or order.status == CANCELLED or amount <= 0:
        raise Conflict("order.state", "订单未付款、已取消或已全额退款，不能开票")
    values = {"status": "issued", "amount_fen": amount, "number": digits, "file_key": file_key, "issued_at": clock.now()}
    if not cas.change(Invoice, invoice_id, where={"status": "requested"}, values=values):
        raise Conflict("invoice.state", "发票已开具或已撤回")
    add_event(order_id, "invoice", actor, f"已开票 ¥{format_yuan(amount)}，发票号码 {digits}")
    audit.record(actor, "invoice.issued", "invoice", invoice_id, detail={"number": digits, "amount_fen": amount})


def red_due(invoice: Invoice, order: Order) -> int:
    """Return how much of an issued invoice refunds have made due to be taken back, in fen."""
    if invoice.status != "issued":
        return 0
    return max(0, invoice.amount_fen - invoice.red_fen - (order.payable_fen - order.refunded_fen))


def note_red(actor: Actor, invoice_id: int, number: str) -> None:
    """Note the red-letter invoice over what is due. Raises NotFound, Invalid(`invoice.number`), Conflict(`invoice.state`)."""
    row, digits = get_for(actor, invoice_id), half_width(clean(number)).replace(" ", "")
    if not _NUMBER.match(digits) or digits == row.number:
        raise Invalid("invoice.number", "红字发票号码须为 8 位或 20 位数字，且与蓝字发票不同", field="number")
    order_id = row.order_id
    rows.take(order_id)
    order = session.get_one(Order, order_id)
    due, whole = red_due(row, order), row.red_fen + red_due(row, order) == row.amount_fen
    if not due:
        raise Conflict("invoice.state", "没有需要红冲的金额")
    values = {"red_fen": row.red_fen + due, "red_number": digits, "status": "red" if whole else "issued"}
    if not cas.change(Invoice, invoice_id, where={"status": "issued", "red_fen": row.red_fen}, values=values):
        raise Conflict("invoice.state", "该发票刚被他人处理，请刷新查看")
    add_event(order_id, "invoice", actor, f"已红冲 ¥{format_yuan(due)}，红字发票号码 {digits}")
    audit.record(actor, "invoice.red", "invoice", invoice_id, detail={"number": digits, "red_fen": due})
