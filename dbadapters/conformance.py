"""Conformance suite: runs every check on a real database and keeps each statement with outcome and time.

`python -m dbadapters.conformance --url … --schema MALL_PROBE --report out.json`. It works only in a schema whose name
carries PROBE, creates and drops tables named cf_…, and is the evidence a customer's server gives (dbadapters.md §6).
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.schema import DropTable

from dbadapters import conformance_checks as checks
from dbadapters import open_adapter
from dbadapters.base import Adapter
from dbadapters.conformance_probe import GONE, METADATA, CheckFailed, Probe, Skipped
from dbadapters.conformance_report import NOTICE, write_report
from dbadapters.errors import DbError

__all__ = ["MARKER", "run", "write_report"]

MARKER = "PROBE"
FORMAT = 1
MAX_SQL_CHARACTERS = 2_000
RUN_OPTIONS = {"lock_timeout_s": 2, "busy_timeout_ms": 500, "pool_size": 4}
PACKAGES = ("SQLAlchemy", "PyMySQL", "ksycopg2", "dmPython", "dmSQLAlchemy")


class Recorder:
    """Statements in order: text without values, outcome, milliseconds. Threads of one check share it."""

    def __init__(self) -> None:
        self.statements: list[dict[str, Any]] = []
        self.check = "setup"

    def listen(self, engine: Engine) -> None:
        """Attach to an engine; after the adapter's own listeners, whose error it reads."""
        event.listen(engine, "before_cursor_execute", self._before)
        event.listen(engine, "after_cursor_execute", self._after)
        event.listen(engine, "handle_error", self._error)

    def _before(self, _connection: Any, _cursor: Any, _sql: str, _values: Any, context: Any, _many: bool) -> None:
        context._conformance_started = time.perf_counter()

    def _after(self, _connection: Any, cursor: Any, sql: str, _values: Any, context: Any, many: bool) -> None:
        self._keep(sql, "ok", context, many=many, rows=cursor.rowcount)

    def _error(self, error: Any) -> None:
        if error.statement is not None and error.execution_context is not None:
            seen = error.chained_exception or error.original_exception
            self._keep(
                error.statement, type(seen).__name__, error.execution_context,
                code=getattr(seen, "engine_code", ""), message=str(error.original_exception)[:300],
            )  # fmt: skip

    def _keep(self, sql: str, outcome: str, context: Any, **more: Any) -> None:
        started = getattr(context, "_conformance_started", None)
        spent = 0.0 if started is None else (time.perf_counter() - started) * 1_000
        self.statements.append({"check": self.check, "sql": sql[:MAX_SQL_CHARACTERS], "outcome": outcome, "ms": round(spent, 3), **more})


def run(adapter: Adapter, *, schema: str) -> dict[str, Any]:
    """Run the suite in `schema` and return the report; never touches another schema.

    Raises ValueError when the name lacks the marker or the server says that unqualified names mean another schema,
    DbError when the database cannot be reached.
    """
    if MARKER not in schema.upper():
        raise ValueError(f"模式名须含 {MARKER}：{schema}")
    target = adapter.in_schema(schema, **RUN_OPTIONS)
    engine = target.create_engine()
    recorder = Recorder()
    recorder.listen(engine)
    probe = Probe(target, engine)
    try:
        with engine.connect() as connection:
            actual = target.current_schema(connection)
        if actual.lower() != schema.lower():
            raise ValueError(f"当前模式为 {actual or '（无）'}，不是 {schema}：请先创建该模式")
        report = _header(target, engine, schema)
        with _tables(probe):
            results = [_check(probe, recorder, title, check) for title, check in checks.CHECKS]
            observed = [_observe(probe, recorder, flag, look) for flag, look in checks.OBSERVATIONS]
    finally:
        engine.dispose()
    report.update(checks=results, observations=observed, statements=recorder.statements, finished_at=_now())
    report["summary"] = {
        **{word: sum(r["outcome"] == word for r in results) for word in ("passed", "failed", "skipped")},
        "differences": sum(o["agrees"] is not True for o in observed),
    }
    return report


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "-"


def _header(adapter: Adapter, engine: Engine, schema: str) -> dict[str, Any]:
    with engine.connect() as connection:
        banner = adapter.banner(connection)
    return {
        "format": FORMAT, "notice": NOTICE, "engine": adapter.key, "display_name": adapter.display_name, "banner": banner,
        "url": adapter.url.render_as_string(hide_password=True), "schema": schema, "started_at": _now(),
        "python": sys.version.split()[0], "packages": {name: _version(name) for name in PACKAGES},
        "features": asdict(adapter.features), "settings": {k: _rows(engine, sql) for k, sql in adapter.settings_sql.items()},
    }  # fmt: skip


def _rows(engine: Engine, sql: str) -> list[str]:
    """Return the rows of a settings query as text; what the account may not read is said, not hidden."""
    try:
        with engine.connect() as connection:
            return [" = ".join(str(value) for value in row) for row in connection.execute(text(sql))]
    except DbError as error:
        return [f"读不到：{type(error).__name__}（{error.engine_code}）"]


@contextmanager
def _tables(probe: Probe) -> Iterator[None]:
    """The suite's tables, new at the start and gone at the end."""
    _drop(probe)
    try:
        with probe.write() as connection:
            METADATA.create_all(connection, checkfirst=False)
        yield
    finally:
        _drop(probe)


def _drop(probe: Probe) -> None:
    for table in (*reversed(METADATA.sorted_tables), GONE):
        try:
            with probe.write() as connection:
                connection.execute(DropTable(table))
        except DbError:
            continue  # not there; each drop is a unit of its own, since an error ends PostgreSQL's


def _check(probe: Probe, recorder: Recorder, title: str, check: Any) -> dict[str, Any]:
    recorder.check = check.__name__
    started, outcome, detail = time.perf_counter(), "passed", ""
    try:
        check(probe)
    except Skipped as reason:
        outcome, detail = "skipped", str(reason)
    except CheckFailed as reason:
        outcome, detail = "failed", str(reason)
    except (SQLAlchemyError, ValueError, TypeError, ArithmeticError) as error:
        outcome, detail = "failed", f"{type(error).__name__}: {error}"[:500]
    spent = round((time.perf_counter() - started) * 1_000, 1)
    return {"name": check.__name__, "title": title, "outcome": outcome, "detail": detail, "ms": spent}


def _observe(probe: Probe, recorder: Recorder, flag: str, look: Any) -> dict[str, Any]:
    recorder.check = flag
    declared = getattr(probe.adapter.features, flag)
    try:
        observed: bool | None = look(probe)
        detail = ""
    except SQLAlchemyError as error:
        observed, detail = None, f"{type(error).__name__}: {error}"[:500]
    return {"flag": flag, "declared": declared, "observed": observed, "agrees": observed == declared, "detail": detail}


def main(argv: list[str] | None = None) -> int:
    """Run from the command line; unsigned (the platform's `db conformance` signs). Returns 1 when a check failed."""
    parser = argparse.ArgumentParser(prog="python -m dbadapters.conformance", description=run.__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--schema", required=True, help=f"name that contains {MARKER}")
    parser.add_argument("--report", required=True, type=Path)
    options = parser.parse_args(argv)
    try:
        report = run(open_adapter(options.url), schema=options.schema)
    except (ValueError, SQLAlchemyError) as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return 2
    for path in write_report(report, options.report):
        sys.stdout.write(f"{path}\n")
    sys.stdout.write(f"{report['summary']}\n")
    return 1 if report["summary"]["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
