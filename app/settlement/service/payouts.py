"""Payouts as claims: the request takes the money out of the balance, four eyes approve, the bank confirms or it comes back.

requested -> approved -> paid | failed; requested -> rejected | withdrawn. Every move is a compare-and-set with its voucher.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from sqlalchemy import func, select, update

from app.audit import service as audit
from app.core import cas, clock, jobs, runtime
from app.core.actor import SYSTEM, Actor
from app.core.db import session
from app.core.errors import Conflict, Forbidden, Invalid, NotFound
from app.core.ids import new_id
from app.core.money import format_yuan
from app.core.text import clean, half_width
from app.merchants import queries as merchants
from app.settlement.chart import NONE
from app.settlement.models import Account, BankAccount, Payout, PayoutBatch
from app.settlement.service import ledger
from app.settlement.service.ledger import About, Line
from dbadapters.errors import Conflict as RunAgain
from dbadapters.errors import UniqueViolation

AUTO_JOB = "settlement.auto_payout"
NAMES = {
    "requested": "待审批", "approved": "待付款", "paid": "已到账", "failed": "付款失败", "rejected": "已驳回", "withdrawn": "已撤回",
}  # fmt: skip
TONES = {"requested": "warn", "approved": "info", "paid": "ok", "failed": "bad", "rejected": "mute", "withdrawn": "mute"}
_KEY = re.compile(r"^[A-Za-z0-9_-]{8,64}$")
_NUMBER = re.compile(r"^\d{8,30}$")
MAX_BATCH = 1_000


def bank_of(merchant_id: int) -> BankAccount | None:
    """Return where a merchant's payouts go, None when it has not said."""
    return session.scalar(select(BankAccount).where(BankAccount.merchant_id == merchant_id))


def set_bank(actor: Actor, *, bank_name: str, holder: str, number: str, auto_payout: bool) -> None:
    """Keep the actor's bank account; payouts requested before keep theirs. The holder is the merchant itself.

    Raises Invalid naming the field.
    """
    digits, bank, owner = re.sub(r"\s", "", half_width(number)), clean(bank_name), clean(holder)
    if not bank or len(bank) > 60:
        raise Invalid("bank.name", "请填写开户银行（60 字以内）", field="bank_name")
    if owner != merchants.get_merchant(actor.merchant_id).name:
        raise Invalid("bank.holder", "户名须与商家主体名称一致，平台不向他人账户付款", field="holder")
    if not _NUMBER.match(digits):
        raise Invalid("bank.number", "银行账号为 8–30 位数字", field="number")
    row = bank_of(actor.merchant_id)
    row_id = row.id if row is not None else new_id()
    sealed = runtime.current().cipher.encrypt(digits, table="settlement_bank", column="number_enc", row_id=row_id)
    values = {
        "bank_name": bank, "holder": owner, "number_enc": sealed, "number_mask": f"尾号 {digits[-4:]}",
        "auto_payout": int(auto_payout), "updated_at": clock.now(),
    }  # fmt: skip
    if row is not None:
        cas.change(BankAccount, row_id, where={"merchant_id": actor.merchant_id}, values=values)
    else:
        session.add(BankAccount(id=row_id, merchant_id=actor.merchant_id, **values))
    detail = {"bank": bank, "mask": values["number_mask"], "auto": auto_payout}
    audit.record(actor, "bank.changed", "merchant", actor.merchant_id, detail=detail)


def request(actor: Actor, amount_fen: int, request_key: str) -> Payout:
    """Claim part of the actor's balance; the same key is the same claim. The balance falls at once.

    Raises Invalid(`payout.amount`, `payout.key`), Conflict(`payout.bank` without a bank account, `ledger.short`).
    """
    if not _KEY.match(request_key):
        raise Invalid("payout.key", "请求标识无效，请刷新页面后重试")
    known = _by_key(actor.merchant_id, request_key)
    if known is not None:
        if known.amount_fen != amount_fen:
            raise Conflict("payout.key", "同一请求提交了不同金额，请刷新页面后重试")
        return known
    return _claim(actor, actor.merchant_id, amount_fen, request_key, "merchant")


def _by_key(merchant_id: int, request_key: str) -> Payout | None:
    return session.scalar(select(Payout).where(Payout.merchant_id == merchant_id, Payout.request_key == request_key))


def _claim(actor: Actor, merchant_id: int, amount_fen: int, request_key: str, origin: str) -> Payout:
    least = runtime.current().settings.settlement.min_payout_fen
    if amount_fen < least:
        raise Invalid("payout.amount", f"单笔提现不少于 {format_yuan(least)} 元", field="amount")
    bank = bank_of(merchant_id)
    if bank is None:
        raise Conflict("payout.bank", "请先填写收款银行账户", field="amount")
    payout_id, cipher = new_id(), runtime.current().cipher
    number = cipher.decrypt(bank.number_enc, table="settlement_bank", column="number_enc", row_id=bank.id)
    payout = Payout(
        id=payout_id, payout_no=f"W{payout_id}", merchant_id=merchant_id, request_key=request_key, amount_fen=amount_fen,
        status="requested", origin=origin, bank_name=bank.bank_name, holder=bank.holder, number_mask=bank.number_mask,
        number_enc=cipher.encrypt(number, table="settlement_payout", column="number_enc", row_id=payout_id),
        maker_id=actor.account_id, maker_name=actor.name[:60] or NONE, created_at=clock.now(),
    )  # fmt: skip
    try:
        with session.begin_nested():
            session.add(payout)
            session.flush()  # (merchant, key) is unique: a doubled click is one claim
    except UniqueViolation as error:
        raise RunAgain("the same claim is being made") from error
    audit.record(actor, "payout.requested", "payout", payout.payout_no, detail={"amount_fen": amount_fen, "origin": origin})
    lines = (Line("payable", amount_fen, merchant_id), Line("transit", -amount_fen, merchant_id))
    memo = f"提现 {payout.payout_no}"
    try:
        ledger.post("payout", f"payout:{payout_id}", lines, About(memo, merchant_id=merchant_id, maker=actor))
    except ledger.Short:
        raise Conflict("ledger.short", "可提现余额不足", field="amount") from None
    return payout


def get(payout_id: int) -> Payout:
    """Return a payout. Raises NotFound."""
    found = session.get(Payout, payout_id)
    if found is None:
        raise NotFound("payout.missing", "提现单不存在")
    return found


def get_for(actor: Actor, payout_id: int) -> Payout:
    """Return the actor's own payout, any for operators. Raises NotFound."""
    found = get(payout_id)
    if actor.realm == "merchant" and found.merchant_id != actor.merchant_id:
        raise NotFound("payout.missing", "提现单不存在")
    return found


def _back(actor: Actor, payout: Payout, from_: str, to: str, note: str, **values: object) -> None:
    """End a claim without payment: the money returns to the balance."""
    payout_id, merchant_id, amount, number = payout.id, payout.merchant_id, payout.amount_fen, payout.payout_no
    at, why = clock.now(), clean(note)[:120]
    if not why:
        raise Invalid("payout.reason", "请填写原因", field="note")
    cas.move(
        Payout, payout_id, from_=from_, to=to, code="payout.state", message="提现单状态已变化，请刷新查看", note=why,
        finished_at=at, **values,
    )  # fmt: skip
    lines = (Line("transit", amount, merchant_id), Line("payable", -amount, merchant_id))
    about = About(f"提现 {number} {NAMES[to]}", merchant_id=merchant_id, maker=actor)
    ledger.post("payout_back", f"payout_back:{payout_id}", lines, about)
    audit.record(actor, f"payout.{to}", "payout", number, detail={"amount_fen": amount, "reason": why})


def withdraw(actor: Actor, payout_id: int) -> None:
    """Take the actor's own request back before it is approved. Raises NotFound, Conflict(`payout.state`)."""
    _back(actor, get_for(actor, payout_id), "requested", "withdrawn", "商家撤回")


def _other_eyes(actor: Actor, *others: int) -> None:
    """Raise Forbidden(`payout.four_eyes`) when the actor took an earlier step itself."""
    if actor.account_id in others:
        raise Forbidden("payout.four_eyes", "经办与复核不能是同一人，请由另一位财务人员办理")


def approve(actor: Actor, payout_id: int) -> None:
    """Approve a request somebody else made. Raises NotFound, Forbidden(`payout.four_eyes`), Conflict(`payout.state`)."""
    payout = get(payout_id)
    _other_eyes(actor, payout.maker_id)
    number, amount = payout.payout_no, payout.amount_fen
    cas.move(
        Payout, payout_id, from_="requested", to="approved", code="payout.state", message="提现单状态已变化，请刷新查看",
        checker_id=actor.account_id, checker_name=actor.name[:60], decided_at=clock.now(),
    )  # fmt: skip
    audit.record(actor, "payout.approved", "payout", number, detail={"amount_fen": amount})


def reject(actor: Actor, payout_id: int, note: str) -> None:
    """Refuse a request with a reason; the money returns. Raises Invalid, NotFound, Conflict(`payout.state`)."""
    decided = {"checker_id": actor.account_id, "checker_name": actor.name[:60], "decided_at": clock.now()}
    _back(actor, get(payout_id), "requested", "rejected", note, **decided)


def make_batch(actor: Actor) -> PayoutBatch:
    """Put approved payouts that are in no file yet into one bank file, once. Raises Conflict(`batch.empty`)."""
    ids = session.scalars(
        select(Payout.id).where(Payout.status == "approved", Payout.batch_id == 0).order_by(Payout.id).limit(MAX_BATCH)
    ).all()
    batch_id, taken = new_id(), []
    for payout_id in ids:
        if cas.change(Payout, payout_id, where={"status": "approved", "batch_id": 0}, values={"batch_id": batch_id}):
            taken.append(payout_id)
    if not taken:
        raise Conflict("batch.empty", "没有等待付款的提现单")
    total = session.scalar(select(func.sum(Payout.amount_fen)).where(Payout.batch_id == batch_id))
    batch = PayoutBatch(
        id=batch_id, batch_no=f"B{clock.business_date():%y%m%d}{batch_id}", payouts=len(taken), amount_fen=int(total or 0),
        made_by=actor.name[:60] or NONE, made_at=clock.now(),
    )  # fmt: skip
    session.add(batch)
    audit.record(actor, "payout.exported", "batch", batch.batch_no, detail={"payouts": len(taken), "amount_fen": batch.amount_fen})
    return batch


def batch_rows(batch_id: int) -> tuple[PayoutBatch, Sequence[Payout]]:
    """Return a bank file's head and payouts. Raises NotFound."""
    batch = session.get(PayoutBatch, batch_id)
    if batch is None:
        raise NotFound("batch.missing", "付款文件不存在")
    return batch, session.scalars(select(Payout).where(Payout.batch_id == batch_id).order_by(Payout.id)).all()


def note_download(actor: Actor, batch_no: str) -> None:
    """Audit that a bank file with account numbers in clear was taken."""
    audit.record(actor, "payout.file_taken", "batch", batch_no)


def account_number(payout: Payout) -> str:
    """Decrypt a payout's bank account for the bank's file."""
    return runtime.current().cipher.decrypt(payout.number_enc, table="settlement_payout", column="number_enc", row_id=payout.id)


def confirm_paid(actor: Actor, payout_id: int, bank_ref: str) -> None:
    """Note the bank's confirmation of a payout somebody else approved.

    Raises Invalid without the bank's number, Forbidden(`payout.four_eyes`), Conflict(`payout.state`).
    """
    payout, reference = get(payout_id), clean(bank_ref)[:64]
    if not reference:
        raise Invalid("payout.bank_ref", "请填写银行回单号", field="bank_ref")
    _other_eyes(actor, payout.checker_id)
    number, merchant_id, amount = payout.payout_no, payout.merchant_id, payout.amount_fen
    cas.move(
        Payout, payout_id, from_="approved", to="paid", code="payout.state", message="提现单状态已变化，请刷新查看",
        bank_ref=reference, payer_name=actor.name[:60], finished_at=clock.now(),
    )  # fmt: skip
    about = About(f"提现 {number} 到账，回单 {reference}", merchant_id=merchant_id, maker=actor)
    ledger.post("payout_paid", f"payout_paid:{payout_id}", (Line("transit", amount, merchant_id), Line("custody", -amount)), about)
    audit.record(actor, "payout.paid", "payout", number, detail={"amount_fen": amount, "bank_ref": reference})


def confirm_failed(actor: Actor, payout_id: int, note: str) -> None:
    """Note that the bank sent a payout back; the money returns. Raises Invalid, NotFound, Conflict(`payout.state`)."""
    _back(actor, get(payout_id), "approved", "failed", note, payer_name=actor.name[:60])


def plan_automatic() -> int:
    """Periodic job: on the configured weekday, queue one automatic claim per merchant that wants it; returns how many."""
    today = clock.business_date()
    if today.isoweekday() != runtime.current().settings.settlement.auto_payout_weekday:
        return 0
    merchants_ = session.scalars(
        select(BankAccount.merchant_id)
        .join(Account, (Account.owner_id == BankAccount.merchant_id) & (Account.kind == "payable"))
        .where(BankAccount.auto_payout == 1, Account.balance_fen < 0)
        .order_by(BankAccount.merchant_id)
    ).all()
    return sum(jobs.enqueue_once(AUTO_JOB, {"merchant_id": m}, key=f"{m}-{today:%y%m%d}") for m in merchants_)


def claim_automatic(merchant_id: int) -> Payout | None:
    """Claim a merchant's whole balance once a day; None when it is below the least amount or claimed already."""
    key = f"auto-{clock.business_date():%Y%m%d}"
    bank = bank_of(merchant_id)
    if bank is None or not bank.auto_payout or _by_key(merchant_id, key) is not None:
        return None
    ledger.lock_owner(merchant_id)
    amount = ledger.balance("payable", merchant_id)
    if amount < runtime.current().settings.settlement.min_payout_fen:
        return None
    return _claim(SYSTEM, merchant_id, amount, key, "automatic")


def set_automatic(actor: Actor, *, on: bool) -> None:
    """Switch the weekly payout of the actor's shop. Raises Conflict(`payout.bank`) without a bank account."""
    changed = session.execute(
        update(BankAccount)
        .where(BankAccount.merchant_id == actor.merchant_id)
        .values(auto_payout=int(on), updated_at=clock.now())
        .execution_options(synchronize_session=False)
    )
    if changed.rowcount != 1:  # type: ignore[attr-defined]
        raise Conflict("payout.bank", "请先填写收款银行账户")
    audit.record(actor, "payout.automatic", "merchant", actor.merchant_id, detail={"on": on})
