"""Bank transfers: an officer enters the slip the bank shows, another confirms it; only then money is counted (T06, four eyes)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sqlalchemy import select

from app.audit import service as audit
from app.core import cas, clock, events, runtime, sql
from app.core.actor import Actor
from app.core.db import session
from app.core.errors import Conflict, Invalid, NotFound
from app.core.ids import new_id
from app.core.text import clean
from app.identity import queries as identity
from app.payments import channels, service, wallet
from app.payments.channels.values import Notice
from app.payments.events import WalletCredited
from app.payments.models import BankSlip, PaymentAttempt
from dbadapters.errors import UniqueViolation

PURPOSES = {"trade": "订单付款", "wallet": "储值充值"}
STATES = {"entered": "待复核", "confirmed": "已确认", "refused": "已退回"}
_SLIP = re.compile(r"^[0-9A-Za-z-]{4,40}$")


@dataclass(frozen=True)
class SlipInput:
    """What an officer copies from the bank's slip. target: our payment number for a trade, the buyer's telephone for a top-up."""

    slip_no: str
    purpose: str
    target: str
    payer: str
    amount_fen: int
    bonus_fen: int = 0


def enter(actor: Actor, given: SlipInput) -> int:
    """Enter a slip; returns its id. The slip's number exists once.

    Raises Invalid naming the field (`slip.number`, `slip.purpose`, `slip.target`, `slip.payer`, `slip.amount`, `slip.bonus`, `slip.known`).
    """
    payment_no, account_id = _checked(given)
    row = {
        "id": new_id(), "slip_no": given.slip_no.upper(), "purpose": given.purpose, "payment_no": payment_no, "account_id": account_id,
        "payer": clean(given.payer)[:80], "amount_fen": given.amount_fen, "bonus_fen": given.bonus_fen, "status": "entered",
        "entered_by": actor.account_id, "entered_name": actor.name[:60] or "-", "entered_at": clock.now(), "decided_by": 0,
        "decided_name": "-",
    }  # fmt: skip
    if session.scalar(select(BankSlip.id).where(BankSlip.slip_no == row["slip_no"])) is not None:
        raise Invalid("slip.known", "该回单号已登记过", field="slip_no")
    try:
        sql.add(BankSlip, row)
    except UniqueViolation:
        raise Invalid("slip.known", "该回单号正在由他人登记", field="slip_no") from None
    audit.record(actor, "slip.entered", "slip", str(row["slip_no"]), detail={"amount_fen": given.amount_fen, "purpose": given.purpose})
    return int(str(row["id"]))


def _checked(given: SlipInput) -> tuple[str, int]:
    """Return (payment number, account id), one of them empty. Raises Invalid naming the field."""
    if not _SLIP.match(given.slip_no):
        raise Invalid("slip.number", "回单号应为 4–40 位字母、数字或短横线", field="slip_no")
    if given.purpose not in PURPOSES:
        raise Invalid("slip.purpose", "请选择用途", field="purpose")
    if not clean(given.payer):
        raise Invalid("slip.payer", "请填写付款人", field="payer")
    if given.amount_fen <= 0:
        raise Invalid("slip.amount", "金额应大于 0", field="amount")
    if given.purpose == "trade":
        if given.bonus_fen:
            raise Invalid("slip.bonus", "只有储值充值可以赠送", field="bonus")
        known = select(PaymentAttempt.id).where(PaymentAttempt.payment_no == given.target, PaymentAttempt.channel == channels.BANK)
        if session.scalar(known) is None:
            raise Invalid("slip.target", "没有这个银行转账支付单，请核对附言里的支付单号", field="target")
        return given.target, 0
    if not 0 <= given.bonus_fen <= given.amount_fen:
        raise Invalid("slip.bonus", "赠送金额不能超过充值金额", field="bonus")
    try:
        found = identity.consumers_by_phone([given.target])
    except Invalid as error:
        raise Invalid("slip.target", error.message, field="target") from None
    if len(found) != 1:
        raise Invalid("slip.target", "没有使用该手机号的买家", field="target")
    return "-", found[0]


def get(slip_id: int) -> BankSlip:
    """Return a slip. Raises NotFound."""
    found = session.get(BankSlip, slip_id)
    if found is None:
        raise NotFound("slip.missing", "回单不存在")
    return found


def confirm(actor: Actor, slip_id: int) -> int:
    """Confirm another officer's slip; returns the notice to apply for a trade, 0 for a top-up, which is credited here.

    A wrong amount is not refused here: the money came, so it is stored as received and goes back as an abnormal receipt.
    Raises NotFound, Conflict(`slip.four_eyes`), Conflict(`slip.state`), Conflict(`wallet.limit`).
    """
    slip = get(slip_id)
    if slip.entered_by == actor.account_id:
        raise Conflict("slip.four_eyes", "登记人不能复核自己登记的回单，请由另一位财务人员确认")
    _decide(actor, slip_id, "confirmed", None)
    detail = {"amount_fen": slip.amount_fen, "bonus_fen": slip.bonus_fen}
    audit.record(actor, "slip.confirmed", "slip", slip.slip_no, detail=detail)
    if slip.purpose == "trade":
        notice = Notice(f"B{slip.slip_no}", slip.payment_no, slip.amount_fen, "paid", slip.slip_no)
        return service.store_notice(channels.BANK, notice, notice.dump().encode())
    most = runtime.current().settings.payment.wallet_max_fen
    if wallet.balance(slip.account_id).principal_fen + slip.amount_fen > most:
        raise Conflict("wallet.limit", f"充值后本金将超过 {most // 100} 元的上限")
    wallet.move(slip.account_id, slip.amount_fen, slip.bonus_fen, kind="top_up", cause=f"slip:{slip_id}", memo=f"回单 {slip.slip_no}")
    events.publish(WalletCredited(slip_id, slip.amount_fen, slip.bonus_fen, slip.slip_no, clock.microseconds(clock.now())))
    return 0


def refuse(actor: Actor, slip_id: int, note: str) -> None:
    """Send a slip back with the reason. Raises NotFound, Invalid(`slip.note`), Conflict(`slip.four_eyes`), Conflict(`slip.state`)."""
    slip = get(slip_id)
    why = clean(note)
    if not 4 <= len(why) <= 200:
        raise Invalid("slip.note", "请写明退回原因（4–200 个字）", field="note")
    if slip.entered_by == actor.account_id:
        raise Conflict("slip.four_eyes", "登记人不能复核自己登记的回单，请由另一位财务人员处理")
    _decide(actor, slip_id, "refused", why)
    audit.record(actor, "slip.refused", "slip", slip.slip_no, detail={"reason": why})


def _decide(actor: Actor, slip_id: int, status: str, note: str | None) -> None:
    values = {
        "status": status, "decided_by": actor.account_id, "decided_name": actor.name[:60] or "-", "decided_at": clock.now(), "note": note,
    }  # fmt: skip
    if not cas.change(BankSlip, slip_id, where={"status": "entered"}, values=values):
        raise Conflict("slip.state", "该回单已处理，请刷新查看")
