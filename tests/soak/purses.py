"""Stored value and bank transfers in the soak: top-ups by four eyes, trades paid from a balance, in part or whole, or by a slip."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from app.payments import abnormal, bank, refunding
from app.payments import service as payments
from app.payments.models import AbnormalReceipt, BankSlip
from tests.soak.acting import Scene, commit
from tests.soak.channel import pay_at_channel, payable
from tests.soak.world import FINANCE, buyer


def top_up(scene: Scene) -> None:
    """A buyer transfers money; one officer enters the slip."""
    rng = scene.rng
    phone, fen = rng.choice(scene.world.phones), rng.randint(500, 9_000)
    slip = bank.SlipInput(f"TU{rng.getrandbits(40):012d}", "wallet", phone, "买家", fen, rng.choice((0, 0, fen // 10)))
    commit(lambda: bank.enter(rng.choice(FINANCE), slip))


def pay_by_bank(scene: Scene) -> None:
    """A buyer chooses bank transfer; the money comes as owed, or a fen short, and a slip is entered."""
    rng, trade = scene.rng, payable(scene)
    attempt = commit(lambda: payments.start(buyer(trade.account_id), trade.trade_no, "bank", stored=rng.random() < 0.2))
    if attempt.channel != "bank":
        return
    fen = attempt.amount_fen - (rng.random() < 0.1 and attempt.amount_fen > 1)
    slip = bank.SlipInput(f"BT{rng.getrandbits(40):012d}", "trade", attempt.payment_no, "买家", fen)
    commit(lambda: bank.enter(rng.choice(FINANCE), slip))


def judge_slip(scene: Scene) -> None:
    """An officer confirms a slip, tries to confirm its own, or sends it back."""
    rng = scene.rng
    slip = scene.one_of(select(BankSlip.id).where(BankSlip.status == "entered").order_by(BankSlip.id.desc()))
    officer = rng.choice(FINANCE)
    if rng.random() < 0.1:
        commit(lambda: bank.refuse(officer, slip.id, "回单看不清楚"))
        return
    notice_id = commit(lambda: bank.confirm(officer, slip.id))
    if notice_id and rng.random() < 0.9:  # else the job applies it
        commit(lambda: payments.apply_notice(notice_id))


def pay_stored(scene: Scene) -> None:
    """A buyer pays from the balance; what it does not bear goes to the channel, or the buyer leaves it there."""
    trade = payable(scene)
    attempt = commit(lambda: payments.start(buyer(trade.account_id), trade.trade_no, "simulator", stored=True))
    if attempt.channel == "simulator" and scene.rng.random() < 0.8:
        pay_at_channel(scene, attempt.payment_no, scene.rng.choice(("paid", "paid", "paid", "failed", "late")))



def work_abnormal(scene: Scene) -> None:
    """An officer takes a receipt or refund that needs a person, or ends the one it owns."""
    row = scene.one_of(
        select(AbnormalReceipt.id, AbnormalReceipt.status, AbnormalReceipt.owner_id)
        .where(AbnormalReceipt.status.in_(abnormal.WAITING))
        .order_by(AbnormalReceipt.id.desc())
    )
    end_abnormal(scene, row)


def end_abnormal(scene: Scene, row: Any) -> None:
    """Take an open case; transfer the refund of a taken one by hand, or close it when no refund waits for it."""
    if row.status == "open":
        return commit(lambda: abnormal.take(scene.rng.choice(FINANCE), row.id))
    owner = next(officer for officer in FINANCE if officer.account_id == row.owner_id)

    def end() -> None:
        found = abnormal.get(row.id)
        abnormal.must_own(owner, found)
        if found.kind in ("manual_refund", "refund_failed"):
            refunding.finish(found.refund_id, f"RB{scene.rng.getrandbits(40):012d}", by_hand=True)
        else:
            abnormal.resolve(owner, row.id, "已核对，款项已原路退回")

    return commit(end)
