"""T+1 reconciliation: a bill is imported, compared with the books, and its differences become cases (commerce.md §2.8).

Both sides are read in pieces: memory does not grow with the bill. The bill's total moves from the channel to the custody account,
so what is left on the channel's account is exactly the sum of the open differences.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from typing import Any

from sqlalchemy import func, select

from app.audit import service as audit
from app.core import cas, clock, jobs, sql
from app.core.actor import SYSTEM, Actor
from app.core.db import session
from app.core.errors import AppError, Conflict, Invalid
from app.core.ids import new_id
from app.payments import bills as simulator_bills
from app.payments import channels, gateway
from app.payments.models import PaymentAttempt, Refund
from app.settlement import bill_file
from app.settlement.chart import NONE
from app.settlement.models import Bill, BillRow, ReconCase, Voucher
from app.settlement.service import ledger
from app.settlement.service.ledger import About, Line
from dbadapters.errors import UniqueViolation

COMPARE_JOB = "settlement.compare_bill"
PIECE = 1_000
FLOWS = ("pay", "refund")
FETCH_HOUR = 10
RECHECK_DAYS = 3


def import_bill(actor: Actor, channel: str, day: date, lines: Iterable[str]) -> Bill:
    """Store a channel's bill of a day, row by row; the same file again returns the bill it already is.

    Raises Invalid naming the row, Conflict(`bill.known`) when another bill of this day is stored already.
    """
    if day >= clock.business_date():
        raise Invalid("bill.day", "只能导入昨天及以前的账单", field="day")
    digest, bill_id = hashlib.new("sm3"), new_id()
    known = session.scalar(select(Bill).where(Bill.channel == channel, Bill.day_on == day))
    sums = {"pay": 0, "refund": 0, "fee": 0, "rows": 0}
    piece: list[dict[str, Any]] = []
    for line in bill_file.read(_digested(lines, digest)):
        sums[line.flow] += line.amount_fen
        sums["fee"] += line.fee_fen
        sums["rows"] += 1
        if known is None:
            piece.append(
                {"id": new_id(), "bill_id": bill_id, "row_no": line.row_no, "channel": channel, "flow": line.flow, "ref_no": line.ref_no,
                 "our_no": line.our_no or NONE, "amount_fen": line.amount_fen, "fee_fen": line.fee_fen, "at": line.at}
            )  # fmt: skip
        if len(piece) >= PIECE:
            sql.add_all(BillRow, piece)
            piece.clear()
    sql.add_all(BillRow, piece)
    if known is not None:
        if known.digest != digest.hexdigest():
            raise Conflict("bill.known", f"{day} 的账单已导入，且与此文件内容不同", field="file")
        return known
    bill = Bill(
        id=bill_id, channel=channel, day_on=day, status="imported", row_count=sums["rows"], paid_fen=sums["pay"],
        refunded_fen=sums["refund"], fee_fen=sums["fee"], matched=0, cases=0, digest=digest.hexdigest(), imported_at=clock.now(),
        imported_by=actor.name[:60] or NONE,
    )  # fmt: skip
    try:
        with session.begin_nested():
            session.add(bill)
            session.flush()  # (channel, day) is unique
    except UniqueViolation:
        raise Conflict("bill.known", f"{day} 的账单正在由他人导入", field="file") from None
    detail = {"channel": channel, "day": f"{day}", "rows": sums["rows"], "digest": bill.digest}
    audit.record(actor, "bill.imported", "bill", bill_id, detail=detail)
    jobs.enqueue(COMPARE_JOB, {"bill_id": bill_id}, key=f"b{bill_id}")
    return bill


def _digested(lines: Iterable[str], digest: Any) -> Iterator[str]:
    for line in lines:
        digest.update(line.strip("\r\n").encode() + b"\n")
        yield line.removeprefix("\ufeff")


def compare(bill_id: int) -> int:
    """Compare a bill with the books, book its total, open cases; returns how many are new. Repeating it adds nothing."""
    bill = session.get_one(Bill, bill_id)
    channel, day = bill.channel, bill.day_on
    net, fee = bill.paid_fen - bill.refunded_fen, bill.fee_fen
    before = _count(ReconCase.bill_id == bill_id)
    for row, voucher_fen, again in _unmatched_rows(bill_id, channel):
        kind = "surplus" if again or voucher_fen is None else "amount"
        if voucher_fen is None and not again and _known_here(row.flow, row.our_no):
            kind = "state"
        _open(bill, kind, row.flow, f"{row.ref_no}#{row.row_no}" if again else row.ref_no, row.our_no, row.amount_fen,
              0 if kind != "amount" else voucher_fen or 0)  # fmt: skip
    for voucher in _unmatched_vouchers(channel, day):
        _open(bill, "short", voucher.flow, voucher.ref_no, NONE, 0, voucher.amount_fen)
    session.flush()  # the cases are counted below
    cases = _count(ReconCase.bill_id == bill_id)
    lines = (Line("custody", net - fee), Line("channel_fee", fee), Line("channel", -net, subject=channel))
    ledger.post("bill", f"bill:{bill_id}", lines, About(f"{day} 渠道清算", channel=channel))
    matched = bill.row_count - _count(ReconCase.bill_id == bill_id, ReconCase.kind != "short")
    cas.change(
        Bill, bill_id, where={"status": ("imported", "compared")},
        values={"status": "compared", "matched": matched, "cases": cases, "compared_at": clock.now()},
    )  # fmt: skip
    close_settled(channel)
    return cases - before


def _count(*conditions: Any) -> int:
    return session.scalar(select(func.count()).select_from(ReconCase).where(*conditions)) or 0


def _unmatched_rows(bill_id: int, channel: str) -> Iterator[tuple[Any, int | None, bool]]:
    """Yield (row, what the books say or None, is it a repetition) of the rows that differ.

    In pieces, each looked up by its numbers: a join of both tables is left to the mood of the planner, which on MariaDB without
    statistics compared every row with every voucher.
    """
    columns = (BillRow.id, BillRow.row_no, BillRow.flow, BillRow.ref_no, BillRow.our_no, BillRow.amount_fen)
    last = 0
    while True:
        piece = session.execute(
            select(*columns).where(BillRow.bill_id == bill_id, BillRow.row_no > last).order_by(BillRow.row_no).limit(PIECE)
        ).all()
        numbers = sorted({row.ref_no for row in piece})
        ours, first = _booked(channel, numbers), _first_rows(channel, numbers)
        for row in piece:
            booked, again = ours.get((row.flow, row.ref_no)), first[row.flow, row.ref_no] != row.id
            if again or booked != row.amount_fen:
                yield row, booked, again
        if len(piece) < PIECE:
            return
        last = piece[-1].row_no


def _booked(channel: str, numbers: Sequence[str]) -> dict[tuple[str, str], int]:
    """Return what the books say of some numbers, by flow and number."""
    wanted = (Voucher.channel == channel, Voucher.flow.in_(FLOWS), Voucher.ref_no.in_(numbers))
    rows = session.execute(select(Voucher.flow, Voucher.ref_no, Voucher.amount_fen).where(*wanted))
    return {(row.flow, row.ref_no): row.amount_fen for row in rows}


def _first_rows(channel: str, numbers: Sequence[str]) -> dict[tuple[str, str], int]:
    """Return the first row of all bills with some numbers, by flow and number."""
    wanted = (BillRow.channel == channel, BillRow.flow.in_(FLOWS), BillRow.ref_no.in_(numbers))
    first = select(BillRow.flow, BillRow.ref_no, func.min(BillRow.id).label("first")).where(*wanted).group_by(BillRow.flow, BillRow.ref_no)
    return {(row.flow, row.ref_no): row.first for row in session.execute(first)}


def _unmatched_vouchers(channel: str, day: date) -> Iterator[Any]:
    """Yield (id, flow, number, fen) of the day's payments and refunds in the books that no bill names, in pieces."""
    last = 0
    while True:
        wanted = (Voucher.channel == channel, Voucher.occurred_on == day, Voucher.id > last)
        piece = session.execute(
            select(Voucher.id, Voucher.flow, Voucher.ref_no, Voucher.amount_fen).where(*wanted).order_by(Voucher.id).limit(PIECE)
        ).all()
        named = _first_rows(channel, sorted({row.ref_no for row in piece}))
        yield from (row for row in piece if row.flow in FLOWS and (row.flow, row.ref_no) not in named)
        if len(piece) < PIECE:
            return
        last = piece[-1].id


def _known_here(flow: str, our_no: str) -> bool:
    """Tell whether we know this payment or refund, in a state that booked nothing."""
    if flow == "pay":
        return session.scalar(select(PaymentAttempt.id).where(PaymentAttempt.payment_no == our_no)) is not None
    return session.scalar(select(Refund.id).where(Refund.refund_no == our_no)) is not None


def _open(bill: Bill, kind: str, flow: str, ref_no: str, our_no: str, bill_fen: int, our_fen: int) -> None:
    """Open a case once; amounts are signed from our view: a refund takes money away."""
    known = select(ReconCase.id).where(
        ReconCase.channel == bill.channel, ReconCase.flow == flow, ReconCase.ref_no == ref_no, ReconCase.kind == kind
    )
    if session.scalar(known) is not None:
        return
    sign = 1 if flow == "pay" else -1
    session.add(
        ReconCase(
            id=new_id(), bill_id=bill.id, channel=bill.channel, day_on=bill.day_on, kind=kind, flow=flow, ref_no=ref_no,
            our_no=our_no or NONE, bill_fen=sign * bill_fen, our_fen=sign * our_fen, diff_fen=sign * (bill_fen - our_fen),
            status="open", opened_at=clock.now(),
        )
    )  # fmt: skip


def now_matches(case: ReconCase) -> bool:
    """Tell whether bill and books agree about a case by now: the other side arrived a day later."""
    ours = session.scalar(
        select(Voucher.amount_fen).where(Voucher.channel == case.channel, Voucher.flow == case.flow, Voucher.ref_no == case.ref_no)
    )
    theirs = session.scalar(
        select(func.sum(BillRow.amount_fen)).where(
            BillRow.channel == case.channel, BillRow.flow == case.flow, BillRow.ref_no == case.ref_no
        )
    )
    return ours is not None and theirs is not None and ours == int(theirs)


def close_settled(channel: str) -> int:
    """Close open cases whose other side has come since; returns how many. No voucher: both sides are booked."""
    closed = 0
    for case in session.scalars(select(ReconCase).where(ReconCase.channel == channel, ReconCase.status != "resolved")).all():
        case_id = case.id
        if case.kind != "amount" and now_matches(case):
            values = {"status": "resolved", "resolution": "timing", "note": "跨日到账，自动核销", "resolved_at": clock.now()}
            closed += cas.change(ReconCase, case_id, where={"status": ("open", "taken")}, values=values)
    return closed


def fetch(actor: Actor, day: date) -> Bill:
    """Fetch the simulator's bill of a day, with its differences, and import it. Raises NotFound when the simulator is off."""
    return import_bill(actor, channels.SIMULATOR, day, simulator_bills.daily_bill(day))


def fetch_yesterday() -> bool:
    """Periodic job: after ten o'clock, fetch yesterday's bill of the simulator once; True when it was imported now."""
    at = clock.now()
    yesterday = clock.business_date(at) - timedelta(days=1)
    known = select(Bill.id).where(Bill.channel == channels.SIMULATOR, Bill.day_on == yesterday)
    early = at.astimezone(clock.REGION_TZ).hour < FETCH_HOUR
    if early or channels.SIMULATOR not in channels.names() or session.scalar(known) is not None:
        return False
    fetch(SYSTEM, yesterday)
    return True


def fetch_channel(actor: Actor, channel: str, day: date) -> int:
    """Download a network channel's bill of a day and import it; returns the bill's id. Calls out: not inside a transaction.

    Raises what the channel's `bill` and `import_bill` raise.
    """
    lines = channels.get(channel).bill(day)
    return gateway.committed(lambda: import_bill(actor, channel, day, lines).id)


def fetch_from_channels() -> None:
    """Periodic job: after ten o'clock, download yesterday's bill of every network channel once; one that fails leaves the others."""
    at = clock.now()
    yesterday = clock.business_date(at) - timedelta(days=1)
    if at.astimezone(clock.REGION_TZ).hour < FETCH_HOUR:
        return
    problem: AppError | None = None
    for channel in channels.NETWORK:
        known = select(Bill.id).where(Bill.channel == channel, Bill.day_on == yesterday)
        if not channels.switched_on(channel) or session.scalar(known) is not None:
            continue
        try:
            fetch_channel(SYSTEM, channel, yesterday)
        except AppError as error:
            problem = error
    if problem is not None:
        raise problem


def recheck_recent() -> int:
    """Periodic job: compare the bills of the last days again, as a voucher may be booked late; returns how many are queued."""
    today = clock.business_date()
    recent = session.scalars(select(Bill.id).where(Bill.day_on >= today - timedelta(days=RECHECK_DAYS)).order_by(Bill.id)).all()
    return sum(jobs.enqueue_once(COMPARE_JOB, {"bill_id": bill_id}, key=f"b{bill_id}-{today:%y%m%d}") for bill_id in recent)
