"""The log of papers: who printed what, the how-manieth time."""

from __future__ import annotations

from sqlalchemy import func, select

from app.audit import service as audit
from app.core import clock
from app.core.actor import Actor
from app.core.db import session
from app.core.ids import new_id
from app.fulfilment.models import PrintLog
from dbadapters.errors import Conflict as RunAgain
from dbadapters.errors import UniqueViolation

KINDS = {"pick": "拣货单", "slip": "装箱单", "label": "面单"}


def log_print(actor: Actor, kind: str, object_id: int, merchant_id: int) -> int:
    """Note a print and return its number; above 1 it is a reprint, which the paper says."""
    last = session.scalar(select(func.max(PrintLog.seq)).where(PrintLog.kind == kind, PrintLog.object_id == object_id)) or 0
    row = PrintLog(
        id=new_id(), kind=kind, object_id=object_id, merchant_id=merchant_id, account_id=actor.account_id, account_name=actor.name[:60],
        seq=last + 1, at=clock.now(),
    )  # fmt: skip
    try:
        with session.begin_nested():
            session.add(row)
            session.flush()  # (kind, object, number) is unique
    except UniqueViolation as error:
        raise RunAgain("another print was first") from error
    audit.record(actor, "paper.printed" if last == 0 else "paper.reprinted", "paper", object_id, detail={"kind": kind, "seq": last + 1})
    return last + 1
