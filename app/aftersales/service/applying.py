"""The buyer's verbs: apply, withdraw, send back, answer, escalate, confirm (T30 T31 T33)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import select

from app.aftersales import queries, rules, states
from app.aftersales.events import CaseMoved
from app.aftersales.models import Case
from app.aftersales.service import base, claims, goods
from app.aftersales.states import REASONS
from app.audit import service as audit
from app.catalog import queries as catalog
from app.core import clock, events, sql
from app.core.actor import Actor
from app.core.db import session
from app.core.errors import Conflict, Invalid, NotFound
from app.core.ids import new_id
from app.core.text import clean, half_width
from app.inventory import service as inventory
from app.orders import queries as orders
from app.orders import service as orders_service
from dbadapters.errors import Conflict as RunAgain
from dbadapters.errors import UniqueViolation

SLOTS = ("09:00–12:00", "12:00–15:00", "15:00–18:00", "18:00–20:00")


@dataclass(frozen=True)
class Application:
    """What the buyer asks for. amount_fen: of a compensation; sampled, bad: of bad fruit; new_sku_id: wanted in exchange.

    slot: when the courier may come, `2026-11-26 09:00–12:00`; request_key makes a doubled click one case.
    """

    line_id: int
    kind: str
    reason: str
    quantity: int
    description: str
    request_key: str
    method: str = states.SELF
    slot: str = "-"
    new_sku_id: int = 0
    amount_fen: int = 0
    sampled: int = 0
    bad: int = 0
    files: Sequence[bytes] = ()


def facts_of(order: Any, line: Any) -> rules.Facts:
    """Return what the rules look at."""
    return rules.Facts(order.status, order.delivered_at or order.completed_at, line.exclusion, clock.now())


def apply(actor: Actor, order_id: int, wanted: Application) -> int:
    """Open a case for units of one line and return its id; the same request key returns the same case.

    Raises NotFound for a foreign order or line, Invalid(`case.*`) naming the field, Conflict(`case.*`, `line.units`).
    A claim for bad fruit above ten per cent is paid at once (T32).
    """
    order = orders.get_for(actor, order_id)
    line = next((x for x in orders.lines_of([order_id])[order_id] if x.id == wanted.line_id), None)
    if line is None or order.account_id != actor.account_id:
        raise NotFound("order.missing", "订单不存在")
    if not 8 <= len(wanted.request_key) <= 64:
        raise Invalid("case.key", "请求标识无效，请刷新页面后重试")
    known = session.scalar(select(Case.id).where(Case.account_id == actor.account_id, Case.request_key == wanted.request_key))
    if known is not None:
        return known
    _check(wanted, order, line)
    keys = base.keep(wanted.files)
    if REASONS[wanted.reason].needs_proof and not keys:
        raise Invalid("case.proof", "请上传能看清问题的图片", field="pictures")
    shipped = order.status != "paid"
    row = _row(actor, order, line, wanted, shipped)
    try:
        with session.begin_nested():
            sql.add(Case, row)
    except UniqueViolation as error:  # a twin click was faster: the door runs this again and finds its case
        raise RunAgain("the same application is being submitted") from error
    orders_service.lock_trade(order.trade_id)
    orders_service.open_case(order_id, line.id, wanted.quantity, shipped=shipped)
    if not shipped and goods.in_house(order_id, line) < wanted.quantity:
        raise Conflict("stock.shipped", "部分商品已发出，请减少数量或收货后再申请", field="quantity")
    case_id = row["id"]
    entry = base.add_entry(case_id, actor, "opened", row["description"], {"pictures": keys})
    orders_service.note_case(order_id, actor, f"申请{states.KINDS[wanted.kind]}：{REASONS[wanted.reason].name} × {wanted.quantity}")
    events.publish(CaseMoved(case_id, entry, order_id, order.merchant_id, actor.account_id, states.PENDING))
    audit.record(
        actor, "aftersale.opened", "aftersale", case_id,
        detail={"kind": wanted.kind, "reason": wanted.reason, "quantity": wanted.quantity, "order": str(order_id)},
    )  # fmt: skip
    if wanted.reason == states.BAD_FRUIT:
        claims.judge(session.get_one(Case, case_id))
    return int(case_id)


def _check(wanted: Application, order: Any, line: Any) -> None:
    """Refuse what no case can be opened for; the sentence stands beside its field."""
    if wanted.kind not in states.KINDS:
        raise Invalid("case.kind", "请选择售后类型", field="kind")
    if wanted.reason not in REASONS or wanted.kind not in REASONS[wanted.reason].kinds:
        raise Invalid("case.reason", "请选择售后原因", field="reason")
    try:
        rules.check(wanted.kind, wanted.reason, facts_of(order, line), base.limits())
    except Conflict as refusal:
        raise Conflict(refusal.code, refusal.message, field="reason") from None
    if order.status == "paid" and order.units_out is not None:
        raise Conflict("case.part_sent", "订单已部分发货，请在全部发出后申请", field="reason")
    free = queries.free_units(line, orders.backs_of([order.id]).get(line.id))
    if not 1 <= wanted.quantity <= free:
        raise Conflict("line.units", f"可申请的数量为 {free} 件" if free else "该商品没有可申请售后的数量", field="quantity")
    if len(clean(wanted.description)) > base.MAX_NOTE:
        raise Invalid("case.words", f"说明最多 {base.MAX_NOTE} 个字", field="description")
    if wanted.kind in states.SENDS_BACK:
        check_method(wanted.method, wanted.slot)
    if wanted.kind == states.EXCHANGE:
        _replacement(line, wanted.new_sku_id)
    if wanted.kind == states.CLAIM:
        _check_claim(wanted, line)


def check_method(method: str, slot: str) -> None:
    """Refuse an unknown way back, or a pickup without a slot of the next days."""
    if method not in states.METHODS:
        raise Invalid("case.method", "请选择退回方式", field="method")
    if method == states.PICKUP and slot not in slots():
        raise Invalid("case.slot", "请选择上门取件的时间", field="slot")


def slots() -> list[str]:
    """Return the pickup slots that may be chosen now: the next three business days."""
    today = clock.business_date()
    return [f"{today + timedelta(days=day):%Y-%m-%d} {span}" for day in (1, 2, 3) for span in SLOTS]


def _check_claim(wanted: Application, line: Any) -> None:
    if wanted.reason == states.BAD_FRUIT:
        claims.check(line.id, wanted.sampled, wanted.bad)
    elif not 1 <= wanted.amount_fen <= line.paid_fen:
        raise Invalid("case.amount", "请填写赔付金额，不超过该商品的实付金额", field="amount")


def replacements(line: Any) -> dict[int, str]:
    """Return the variants that may replace a line's units: same product, same price, on sale; id -> name (the same one first)."""
    present = catalog.offers([sku.id for sku in catalog.skus_of(line.product_id)])
    own = present.get(line.sku_id)
    price = own.price_fen if own is not None else line.unit_price_fen
    fits = [o for o in present.values() if o.price_fen == price and (o.is_buyable or o.sku_id == line.sku_id)]
    return {o.sku_id: o.option_key if o.option_key != "-" else "同款" for o in sorted(fits, key=lambda o: o.sku_id != line.sku_id)}


def _replacement(line: Any, sku_id: int) -> str:
    found = replacements(line).get(sku_id or line.sku_id)
    if found is None:
        raise Invalid("case.replacement", "请选择可换的规格（同一商品、价格相同）", field="new_sku_id")
    return found


def _row(actor: Actor, order: Any, line: Any, wanted: Application, shipped: bool) -> dict[str, Any]:
    case_id, at, exchange = new_id(), clock.now(), wanted.kind == states.EXCHANGE
    sends = wanted.kind in states.SENDS_BACK
    return {
        "id": case_id, "case_no": f"S{clock.business_date(at):%y%m%d}{case_id}", "request_key": wanted.request_key, "order_id": order.id,
        "order_no": order.order_no, "trade_id": order.trade_id, "line_id": line.id, "sku_id": line.sku_id,
        "merchant_id": order.merchant_id, "account_id": order.account_id, "kind": wanted.kind, "status": states.PENDING,
        "reason": wanted.reason, "fault": REASONS[wanted.reason].fault, "was_shipped": int(shipped), "quantity": wanted.quantity,
        "title": line.title, "option_key": line.option_key, "image_key": line.image_key,
        "description": clean(wanted.description) or REASONS[wanted.reason].name, "method": wanted.method if sends else "-",
        "pickup_slot": wanted.slot if sends and wanted.method == states.PICKUP else "-", "return_to": "-", "carrier": "-",
        "tracking_no": "-", "new_sku_id": (wanted.new_sku_id or line.sku_id) if exchange else 0,
        "new_option_key": _replacement(line, wanted.new_sku_id) if exchange else "-", "out_carrier": "-", "out_tracking_no": "-",
        "sampled": wanted.sampled, "bad": wanted.bad, "want_fen": wanted.amount_fen, "back_units": 0, "good_units": 0,
        "scrap_units": 0, "refund_fen": 0, "freight_fen": 0, "buyer_fee_fen": 0, "merchant_fee_fen": 0, "refund_id": 0, "funders": {},
        "refusal": None, "due_us": base.due_of(states.PENDING), "left_us": 0, "opened_at": at, "answered_at": None,
        "finished_at": None,
    }  # fmt: skip


def withdraw(actor: Actor, case_id: int) -> None:
    """Take the application back while nothing was decided for good; held units and stock are free again. Raises Conflict."""
    base.own_turn(actor, "consumer")
    case = queries.get_for(actor, case_id)
    if case.tracking_no != "-":
        raise Conflict("case.sent", "商品已寄回，不能撤销；对处理有异议可申请平台介入")
    exchange = case.kind == states.EXCHANGE
    base.move(case, states.WITHDRAWN, actor, "withdrawn")
    if exchange:
        inventory.unallocate(case_id)


def send_back(actor: Actor, case_id: int, carrier: str, tracking_no: str) -> None:
    """Note carrier and number of the parcel the buyer sends. Raises Invalid(`case.carrier`, `case.tracking_no`), Conflict."""
    base.own_turn(actor, "consumer")
    case = queries.get_for(actor, case_id)
    name, number = parcel(carrier, tracking_no)
    base.move(case, states.CHECKING, actor, "sent", f"{name} {number}", carrier=name, tracking_no=number)


def parcel(carrier: str, tracking_no: str) -> tuple[str, str]:
    """Return the cleaned carrier and number of any parcel; carriers the platform does not know are allowed on the way back."""
    name, number = clean(carrier), half_width(tracking_no).upper().replace(" ", "")
    if not 2 <= len(name) <= 20:
        raise Invalid("case.carrier", "请填写快递公司", field="carrier")
    if not (6 <= len(number) <= 40 and number.replace("-", "").isalnum() and number.isascii()):
        raise Invalid("case.tracking_no", "快递单号为 6–40 位字母、数字或短横", field="tracking_no")
    return name, number


def answer(actor: Actor, case_id: int, note: str, files: Sequence[bytes]) -> None:
    """Give the proof the merchant asked for; the merchant's clock goes on with what it had left."""
    base.own_turn(actor, "consumer")
    case = queries.get_for(actor, case_id)
    said, keys = base.words(note, "请填写补充说明（2–500 字）"), base.keep(files)
    due_us = clock.microseconds(clock.now()) + case.left_us
    base.move(case, states.PENDING, actor, "answered", said, data={"pictures": keys}, due_us=due_us, left_us=0)


def confirm_received(actor: Actor, case_id: int) -> None:
    """Confirm the replacement or the repaired goods. Raises Conflict(`case.state`)."""
    base.own_turn(actor, "consumer")
    case = queries.get_for(actor, case_id)
    if case.status != states.SHIPPED:
        raise Conflict("case.state", "售后商品尚未寄出或已确认")
    base.move(case, states.DONE, actor, "received")
