"""The merchant's verbs: approve, reject, ask for proof, note a pickup, inspect what came back (T33; commerce.md §2.9)."""

from __future__ import annotations

from collections.abc import Sequence

from app.aftersales import queries, states
from app.aftersales.models import Case
from app.aftersales.service import base, goods, money, replacing
from app.aftersales.service.applying import parcel
from app.core import cas, clock
from app.core.actor import Actor
from app.core.errors import Conflict, Invalid
from app.core.text import clean
from app.identity import queries as identity
from app.merchants import queries as merchants

PICKUP_CARRIER = "本地快递上门"


def approve(actor: Actor, case_id: int, return_to: str = "", note: str = "") -> None:
    """Agree to a pending case: money goes at once, goods are asked back. return_to: where to, default the shop's address.

    Raises Conflict(`case.state`), OutOfStock(`stock.short`) when an exchange has nothing to send.
    """
    base.own_turn(actor, "merchant")
    case = queries.get_for(actor, case_id)
    if case.status != states.PENDING:
        raise Conflict("case.state", "该售后单不在待处理状态，请刷新后再试")
    agree(actor, case, "approved", return_to, clean(note)[: base.MAX_NOTE])


def agree(actor: Actor, case: Case, kind: str, return_to: str = "", note: str = "") -> None:
    """Let a case take its way from `pending` or `disputed`; kind: entry of the timeline."""
    case_id = case.id
    if case.answered_at is None:
        cas.change(Case, case_id, where={"answered_at": None}, values={"answered_at": clock.now()})
    if case.kind == states.REFUND:
        money.refund_units(actor, case, case.quantity, kind, note)
        return
    if case.kind == states.CLAIM:
        money.compensate(actor, case, case.want_fen, kind, note)
        return
    to = states.COLLECTING if case.method == states.PICKUP else states.SENDING
    address = clean(return_to)[:240] or address_of(case.merchant_id)
    base.move(case, to, actor, kind, note or None, return_to=address)
    if case.kind == states.EXCHANGE:
        replacing.hold(case_id, case.new_sku_id, case.quantity)


def address_of(merchant_id: int) -> str:
    """Return where returns go: the shop's contact, telephone and address."""
    merchant = merchants.get_merchant(merchant_id)
    phone = merchants.contact_phone(Actor("merchant", merchant_id=merchant_id), merchant)
    return f"{merchant.contact_name} {phone} {identity.area_name(merchant.area_code)}{merchant.street}"[:240]


def reject(actor: Actor, case_id: int, reason: str, files: Sequence[bytes] = ()) -> None:
    """Refuse a pending case with a reason; the buyer may turn to the platform. Raises Invalid(`case.words`), Conflict."""
    base.own_turn(actor, "merchant")
    case = queries.get_for(actor, case_id)
    why = base.words(reason, "请填写拒绝原因（2–200 字）", field="reason", most=200)
    if case.status != states.PENDING:
        raise Conflict("case.state", "该售后单不在待处理状态，请刷新后再试")
    data, answered = {"pictures": base.keep(files)}, case.answered_at or clock.now()
    base.move(case, states.REJECTED, actor, "rejected", why, data=data, refusal=why, answered_at=answered)


def ask(actor: Actor, case_id: int, note: str) -> None:
    """Ask the buyer for more proof; the merchant's clock stands still until the answer. Raises Invalid, Conflict."""
    base.own_turn(actor, "merchant")
    case = queries.get_for(actor, case_id)
    said = base.words(note, "请写明需要买家补充什么（2–500 字）")
    left = max(0, case.due_us - clock.microseconds(clock.now()))
    base.move(case, states.ASKING, actor, "asked", said, left_us=left, answered_at=case.answered_at or clock.now())


def collected(actor: Actor, case_id: int, carrier: str, tracking_no: str) -> None:
    """Note that the courier took the goods at the buyer's door. Raises Invalid, Conflict."""
    base.own_turn(actor, "merchant")
    case = queries.get_for(actor, case_id)
    name, number = parcel(carrier or PICKUP_CARRIER, tracking_no)
    if case.status != states.COLLECTING:
        raise Conflict("case.state", "该售后单不在待取件状态")
    base.move(case, states.CHECKING, actor, "collected", f"{name} {number}", carrier=name, tracking_no=number)


def check(actor: Actor, case_id: int, good: int, scrapped: int, note: str = "", files: Sequence[bytes] = ()) -> None:
    """Inspect what came back: good units go on sale again, the others are scrapped, those missing are not refunded.

    A return is refunded for good + scrapped units; an exchange or a repair needs all of them and goes on. Raises
    Invalid(`case.inspected`), Conflict(`case.state`) for the second of two inspections.
    """
    base.own_turn(actor, "merchant")
    case = queries.get_for(actor, case_id)
    if case.status != states.CHECKING:
        raise Conflict("case.state", "该售后单不在待质检状态，可能已经处理")
    came = good + scrapped
    if good < 0 or scrapped < 0 or not 1 <= came <= case.quantity:
        raise Invalid("case.inspected", f"良品与报损合计须为 1–{case.quantity} 件", field="good")
    if case.kind != states.RETURN and came != case.quantity:
        raise Invalid("case.inspected", f"{states.KINDS[case.kind]}须收齐 {case.quantity} 件；数量不符请选择质检不通过", field="good")
    text = "，".join(part for part in (f"良品 {good} 件，报损 {scrapped} 件", clean(note)[:300]) if part)
    kind = case.kind
    data = {"pictures": base.keep(files)}
    if kind == states.REPAIR:
        base.move(case, states.REPAIRING, actor, "checked", text, data=data)
        return
    if kind == states.EXCHANGE:
        base.move(case, states.SHIPPING, actor, "checked", text, data=data, good_units=good, scrap_units=scrapped)
    else:
        cas.change(Case, case_id, where={"status": states.CHECKING}, values={"good_units": good, "scrap_units": scrapped})
        if data["pictures"]:
            base.add_entry(case_id, actor, "evidence", "质检照片", data)
        money.refund_units(actor, case, came, "checked", text)
    goods.take_in(actor, case, good=good, bad=scrapped, note=clean(note) or "售后退回")


def refuse_goods(actor: Actor, case_id: int, reason: str, files: Sequence[bytes] = ()) -> None:
    """Refuse at the inspection (used, incomplete, something else) with pictures; the buyer may turn to the platform.

    Raises Invalid(`case.words`, `case.proof`), Conflict.
    """
    base.own_turn(actor, "merchant")
    case = queries.get_for(actor, case_id)
    why = base.words(reason, "请填写质检不通过的原因（2–200 字）", field="reason", most=200)
    keys = base.keep(files)
    if not keys:
        raise Invalid("case.proof", "请上传质检照片", field="pictures")
    if case.status != states.CHECKING:
        raise Conflict("case.state", "该售后单不在待质检状态，可能已经处理")
    base.move(case, states.REJECTED, actor, "refused_goods", why, data={"pictures": keys}, refusal=why)
