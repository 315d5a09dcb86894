"""An import run from upload to result: verbs for routes, the job `catalog.run_import`, and the CLI."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import structlog

from app.audit import service as audit
from app.catalog import queries
from app.catalog.importing import guard
from app.catalog.importing.columns import LABELS
from app.catalog.importing.merge import CHUNK, Merger
from app.catalog.importing.result import write_result
from app.catalog.importing.spool import Spool
from app.catalog.models import ImportRun
from app.core import cas, clock, jobs, runtime
from app.core.actor import Actor
from app.core.db import session
from app.core.errors import Conflict, Invalid
from app.core.ids import new_id
from app.core.storage import FileStorage
from app.core.text import clean
from app.merchants import queries as merchants

log = structlog.get_logger("regionmart.import")
JOB = "catalog.run_import"
SKUS_PER_CHUNK = 1_000
POLL_S = 1
STATUSES = {"queued": "排队中", "running": "进行中", "done": "已完成", "failed": "未能导入"}
_working: dict[str, threading.Thread] = {}


def files() -> FileStorage:
    """Return the private store of uploaded sheets; the public media route cannot reach it."""
    return FileStorage(runtime.current().home / "imports" / "files")


def spool_of(run: ImportRun) -> Spool:
    """Return the working files of a run."""
    return Spool(runtime.current().home / "imports" / "runs" / str(run.id))


def create(
    actor: Actor, file_name: str, data: bytes, *, dry_run: bool, merchant_id: int = 0, queue: bool = True
) -> ImportRun:
    """Store a sheet and queue its import. Raises Invalid(`import.size`, `import.empty_file`)."""
    actor.require("product.import")
    merchant = merchants.get_for(actor, merchant_id if actor.realm == "system" else actor.merchant_id)
    if not data:
        raise Invalid("import.empty_file", "请选择要导入的文件", field="file")
    if len(data) > guard.MAX_BYTES:
        raise Invalid("import.size", f"文件超过 {guard.MAX_BYTES >> 20} MB，请拆分后分批导入", field="file")
    run = ImportRun(
        id=new_id(), merchant_id=merchant.id, account_id=actor.account_id, file_name=clean(file_name)[-120:] or "未命名",
        file_key=files().put(data, "xlsx"), is_dry_run=dry_run, status="queued", total_rows=0, done_rows=0, good_rows=0,
        bad_rows=0, created_count=0, updated_count=0, unchanged_count=0, position=0, result_key="-", created_at=clock.now(),
    )  # fmt: skip
    session.add(run)
    if queue:
        jobs.enqueue(JOB, {"run_id": run.id}, key=f"{run.id}:start")
    audit.record(actor, "import.started", "import", run.id, detail={"file": run.file_name, "dry_run": dry_run})
    return run


def category_map() -> dict[str, int]:
    """Return category id by code and by name; 0 for a name that stands more than once."""
    found: dict[str, int] = {}
    for category in queries.list_categories():
        found[category.name] = 0 if category.name in found else category.id
    found.update({category.code: category.id for category in queries.list_categories()})
    return found


def run_import(payload: dict[str, Any]) -> None:
    """Do one step of a run and queue the next; the job's transaction holds the step and its progress together.

    Reading the sheet and writing the result take seconds and no database: they run in a thread of this worker while
    short jobs look whether they are ready. A worker that died leaves no thread: the next look starts one again.
    """
    run = session.get(ImportRun, payload["run_id"])
    if run is None or run.status in {"done", "failed"}:
        return
    spool = spool_of(run)
    if spool.summary_path.is_file():
        if merge_step(run, spool):
            jobs.enqueue(JOB, {"run_id": run.id}, key=f"{run.id}:{run.position}")
            return
        if run.status == "failed":
            return
        if spool.result.is_file():
            finish(run)
            return
        rows = summary_rows(run, spool)
        _in_background(f"result:{run.id}", lambda: write_result(spool.result, rows, spool.all_problems()))
    else:
        source, categories = files().path(run.file_key), category_map()
        _in_background(f"spool:{run.id}", lambda: spool.build(source, categories))
    look = int(payload.get("look", 0)) + 1
    jobs.enqueue(
        JOB, {"run_id": run.id, "look": look}, key=f"{run.id}:look:{new_id()}",
        due_at=clock.now() + timedelta(seconds=POLL_S),
    )  # fmt: skip


def _in_background(name: str, work: Callable[[], None]) -> None:
    thread = _working.get(name)
    if thread is not None and thread.is_alive():
        return
    for done in [key for key, known in _working.items() if not known.is_alive()]:
        _working.pop(done, None)

    def guarded() -> None:
        try:
            work()
        except Exception:
            log.exception("import.background_failed", work=name)

    _working[name] = thread = threading.Thread(target=guarded, name=name, daemon=True)
    thread.start()


def merge_step(run: ImportRun, spool: Spool) -> bool:
    """Merge the next chunk and advance; True while something is left. Raises Conflict when another worker did it."""
    try:
        summary = spool.summary()
    except Invalid as error:
        run.status, run.error, run.finished_at = "failed", error.message, clock.now()
        return False
    if summary is None:
        raise Conflict("import.unready", "文件还在检查")
    if run.status == "queued":
        run.status, run.total_rows, run.bad_rows = "running", summary.total, summary.bad
        run.done_rows = summary.bad
    groups, position = spool.read(run.position, CHUNK, SKUS_PER_CHUNK)
    if not groups:
        return False
    merchant = merchants.get_merchant(run.merchant_id)
    outcome = Merger(merchant.id, merchant.area_code, run.account_id, dry_run=bool(run.is_dry_run)).merge(groups)
    spool.note(run.position, outcome.problems)
    rows, refused = sum(len(g[6]) for g in groups), len(outcome.problems)
    values = {
        "position": position, "done_rows": run.done_rows + rows, "good_rows": run.good_rows + rows - refused,
        "bad_rows": run.bad_rows + refused, "created_count": run.created_count + outcome.created,
        "updated_count": run.updated_count + outcome.updated,
        "unchanged_count": run.unchanged_count + outcome.unchanged,
    }  # fmt: skip
    if not cas.change(ImportRun, run.id, where={"position": run.position}, values=values):
        raise Conflict("import.moved", "另一个进程已处理这一批")
    return True


def finish(run: ImportRun) -> None:
    """Close a run whose result file stands."""
    run.status, run.finished_at, run.result_key = "done", clock.now(), "result.xlsx"


def summary_rows(run: ImportRun, spool: Spool) -> list[tuple[str, Any]]:
    """Return the figures of a run with their labels."""
    summary = spool.summary()
    return [
        ("文件", run.file_name), ("方式", "试运行（未写入）" if run.is_dry_run else "正式导入"), ("总行数", run.total_rows),
        ("有效行", run.good_rows), ("未导入行", run.bad_rows), ("新建商品", run.created_count), ("更新商品", run.updated_count),
        ("没有变化的商品", run.unchanged_count),
        ("未识别的列", "、".join(summary.unknown) if summary and summary.unknown else "无"),
    ]  # fmt: skip


def result_path(run: ImportRun) -> Path:
    """Return the result file of a finished run. Raises Conflict before."""
    path = spool_of(run).result
    if run.result_key == "-" or not path.is_file():
        raise Conflict("import.no_result", "结果文件还没有生成")
    return path


def first_problems(run: ImportRun, limit: int = 20) -> list[list[Any]]:
    """Return the first refused rows of a finished run for its page, column names in words."""
    found = itertools.islice(spool_of(run).all_problems(), limit) if spool_of(run).problems.is_file() else ()
    return [[row, LABELS.get(column, column), value, reason] for row, column, value, reason in found]
