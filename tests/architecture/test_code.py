"""Rules of the Python code: where time, chance, money, SQL and commits may live, and how big a piece may grow."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import re
from functools import cache
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.script import ScriptDirectory

import app as package
from app import registry
from app.core.db import Base

APP = Path(package.__file__).resolve().parent
ROOT = APP.parent
CODE = sorted(path for folder in ("app", "config", "dbadapters", "security") for path in (ROOT / folder).rglob("*.py"))
MODULE_LINES, FUNCTION_LINES = 400, 60
# Today's exceptions, each with its present size: a number may only fall, and goes when it is within the rule.
LONG_MODULES: dict[str, int] = {}
LONG_FUNCTIONS = {"app/identity/sign_in.py:console_blueprint": 70}
MONEY = (
    "app/core/money.py", "app/promotions/", "app/orders/", "app/payments/", "app/inventory/", "app/settlement/", "app/delivery/",
    "app/aftersales/",
)  # fmt: skip
BUSINESS = {"service", "queries", "models", "events", "handlers"}
BROAD_EXCEPT = {
    "app/catalog/importing/runs.py", "app/catalog/importing/spool.py", "app/search/background.py", "app/worker.py", "app/core/tx.py",
    "security/kek_file.py", "security/sm2_backends/tongsuo.py",
}  # fmt: skip
RESERVED = {
    "ACCESS", "ALL", "AND", "AS", "ASC", "AUDIT", "BEGIN", "BETWEEN", "BODY", "BY", "CASE", "CHECK", "COLUMN", "COMMENT",
    "COMMIT", "CONNECT", "CONSTRAINT", "CONTEXT", "CURRENT", "DATE", "DAY", "DEFAULT", "DELETE", "DESC", "DISTINCT",
    "DOMAIN", "DROP", "ELSE", "END", "EXISTS", "FILE", "FOR", "FROM", "FUNCTION", "GRANT", "GROUP", "HAVING", "HOUR", "IN",
    "INDEX", "INITIAL", "INSERT", "INTERVAL", "INTO", "IS", "JOIN", "KEY", "LEVEL", "LIKE", "LIMIT", "LOCK", "MINUTE",
    "MODE", "MONTH", "NOT", "NULL", "OBJECT", "OF", "OFFSET", "ON", "OPTION", "OR", "ORDER", "PERCENT", "PRIMARY", "PUBLIC",
    "RANGE", "RANK", "REF", "REFERENCE", "REFERENCES", "ROLLBACK", "ROW", "ROWID", "ROWNUM", "ROWS", "SCHEMA", "SECOND",
    "SELECT", "SESSION", "SET", "SHARE", "START", "SYSDATE", "TABLE", "THEN", "TIME", "TIMESTAMP", "TO", "TRIGGER", "TYPE",
    "UID", "UNION", "UNIQUE", "UPDATE", "USER", "VALUE", "VALUES", "VIEW", "WHEN", "WHERE", "WITH", "YEAR",
}  # fmt: skip
PAST = re.compile(r"(ed|Paid|Sent|Left|Sold|Made|Written|Begun)$")
FIELD_TYPES = {"int", "str", "bool", "list[int]", "list[str]"}


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def dotted(node: ast.AST) -> str:
    """Return `a.b.c` of a name or attribute; parts that are neither become `?`."""
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else "?"


def calls(path: Path) -> list[tuple[int, str, ast.Call]]:
    return [(node.lineno, dotted(node.func), node) for node in ast.walk(tree(path)) if isinstance(node, ast.Call)]


def uses(path: Path, pattern: str) -> list[str]:
    """Return every name or attribute of a file that matches, as file:line name."""
    nodes = [node for node in ast.walk(tree(path)) if isinstance(node, (ast.Attribute, ast.Name))]
    return [f"{name_of(path)}:{n.lineno} {dotted(n)}" for n in nodes if re.search(pattern, dotted(n))]


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def outside(*allowed: str) -> list[Path]:
    return [path for path in CODE if not name_of(path).startswith(allowed)]


def test_only_the_transaction_commits() -> None:
    allowed = outside("app/core/tx.py", "dbadapters/", "app/migrations/")
    found = [f"{name_of(p)}:{line} {name}" for p in allowed for line, name, _ in calls(p) if re.search(r"\.(commit|rollback)$", name)]
    search_index = [hit for hit in found if hit.startswith("app/search/replica.py") and hit.endswith("writer.commit")]
    assert set(found) == set(search_index), "a service or page ends the transaction itself"


def test_time_is_read_from_the_clock() -> None:
    allowed = outside("app/core/clock.py", "app/core/ids.py", "security/", "dbadapters/conformance.py")
    found = [hit for path in allowed for hit in uses(path, r"(datetime\.now|\.utcnow|^utcnow|date\.today|^time\.time(_ns)?)$")]
    assert not found


def test_chance_has_few_homes() -> None:
    allowed = outside("app/core/ids.py", "app/core/tx.py", "app/demo/", "security/")
    found = [hit for path in allowed for hit in uses(path, r"(uuid[1-5]$|^random\.)")]
    assert not found
    assert not [name_of(path) for path in allowed if imports(path) & {"random", "uuid"}]


@pytest.mark.parametrize("place", MONEY)
def test_money_is_never_a_float(place: str) -> None:
    paths = [path for path in CODE if name_of(path).startswith(place)]
    assert paths
    literals = [
        f"{name_of(p)}:{n.lineno}" for p in paths for n in ast.walk(tree(p)) if isinstance(n, ast.Constant) and isinstance(n.value, float)
    ]
    divided = [
        f"{name_of(p)}:{n.lineno}" for p in paths for n in ast.walk(tree(p))
        if isinstance(n, (ast.BinOp, ast.AugAssign)) and isinstance(n.op, ast.Div)
    ]  # fmt: skip
    assert not literals + divided
    assert not [f"{name_of(p)}:{line}" for p in paths for line, name, _ in calls(p) if name == "float"]


def test_modules_are_short() -> None:
    sizes = {name_of(path): len(path.read_text(encoding="utf-8").splitlines()) for path in CODE}
    long = {name: size for name, size in sizes.items() if size > MODULE_LINES}
    grown = {name: size for name, size in long.items() if size > LONG_MODULES.get(name, MODULE_LINES)}
    assert not grown
    assert set(LONG_MODULES) <= set(long), "this exception is no longer needed"


def test_functions_are_short() -> None:
    """Migrations are lists of columns and are left out."""
    long = {
        f"{name_of(path)}:{node.name}": size
        for path in outside("app/migrations/versions/")
        for node in ast.walk(tree(path))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and (size := (node.end_lineno or 0) - node.lineno + 1) > FUNCTION_LINES
    }
    assert not {name: size for name, size in long.items() if size > LONG_FUNCTIONS.get(name, FUNCTION_LINES)}
    assert set(LONG_FUNCTIONS) <= set(long), "this exception is no longer needed"


def test_every_module_says_what_it_is() -> None:
    silent = [name_of(path) for path in CODE if path.read_text(encoding="utf-8").strip() and not ast.get_docstring(tree(path))]
    assert not silent


def test_every_domain_package_is_registered_once() -> None:
    folders = {path.parent.name for path in APP.glob("*/registration.py")}
    assert folders == set(registry.NAMES), "the registry lists every domain, and only those"
    assert [domain.name for domain in registry.domains()] == list(registry.NAMES)


@pytest.mark.parametrize("name", registry.NAMES)
def test_domain_package_has_a_docstring(name: str) -> None:
    assert (importlib.import_module(f"app.{name}").__doc__ or "").strip()


def test_handlers_are_named_after_their_event() -> None:
    for domain in registry.domains():
        for event, handler in domain.handlers:
            wanted = "on_" + re.sub(r"(?<!^)(?=[A-Z])", "_", event.__name__).lower()
            assert handler.__name__ == wanted, f"{handler.__module__}.{handler.__name__} receives {event.__name__}"


def event_classes() -> list[type]:
    modules = [importlib.import_module(f"app.{path.parent.name}.events") for path in sorted(APP.glob("*/events.py"))]
    found = [value for module in modules for value in vars(module).values() if isinstance(value, type)]
    return [cls for cls in found if cls.__module__.startswith("app.") and cls.__module__ != "app.core.events"]


@pytest.mark.parametrize("event", event_classes(), ids=lambda event: event.__name__)
def test_event_is_a_frozen_fact_of_plain_fields(event: type) -> None:
    assert PAST.search(event.__name__), "an event is named in the past tense"
    assert dataclasses.is_dataclass(event)
    assert event.__dataclass_params__.frozen  # type: ignore[attr-defined]
    assert {field.type for field in dataclasses.fields(event)} <= FIELD_TYPES
    assert event.__doc__


def tables() -> list[sa.Table]:
    for path in APP.glob("*/models.py"):
        importlib.import_module(f"app.{path.parent.name}.models")
    return list(Base.metadata.sorted_tables)


@pytest.mark.parametrize("table", tables(), ids=lambda table: table.name)
def test_table_is_portable(table: sa.Table) -> None:
    """Names fit the shortest engine, are nobody's keyword, and a unique key never meets NULL (engines disagree on it)."""
    names = [table.name, *(column.name for column in table.columns)]
    assert not [name for name in names if len(name) > 30 or not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name)]
    assert not [name for name in names if name.upper() in RESERVED]
    assert len({name.lower() for name in names[1:]}) == len(names) - 1
    keys = [k for k in table.constraints if isinstance(k, sa.UniqueConstraint)] + [i for i in table.indexes if i.unique]
    assert not [column.name for key in keys for column in key.columns if column.nullable]


def test_migrations_have_one_head_and_own_numbers() -> None:
    script = ScriptDirectory(str(APP / "migrations"))
    revisions = [revision.revision for revision in reversed(list(script.walk_revisions()))]
    files = sorted(path.stem for path in (APP / "migrations" / "versions").glob("[0-9]*.py"))
    assert len(script.get_heads()) == 1
    assert sorted(revisions) == files, "a revision is named as its file; the chain says the order, work in parallel lands as it is ready"
    assert len({name[:4] for name in files}) == len(files), "a number names one revision"


def test_config_reference_is_current() -> None:
    from config import reference

    assert reference.TARGET.read_text(encoding="utf-8") == reference.render(), "run `make reference`"


def test_truth_is_compared_as_every_engine_can() -> None:
    """`IS TRUE` is not portable to Dameng; its dialect refuses it, here it is found before a statement runs."""
    found = [f"{name_of(p)}: {line}" for p in outside() for line in p.read_text().splitlines() if re.search(r"\.is_(not)?\((True|False)\)", line)]
    assert not found, found


def test_sql_is_never_built_from_text() -> None:
    """`text()` and `execute()` get constants: no f-string, no %, no format, no concatenation."""
    found = []
    for path in outside("dbadapters/", "app/migrations/"):
        for line, name, call in calls(path):
            if name.rsplit(".", 1)[-1] in {"text", "execute", "exec_driver_sql"} and call.args:
                built = isinstance(call.args[0], (ast.JoinedStr, ast.BinOp)) or (
                    isinstance(call.args[0], ast.Call) and dotted(call.args[0].func).endswith(".format")
                )
                found += [f"{name_of(path)}:{line}"] if built else []
    assert not found


@pytest.mark.parametrize("name", registry.NAMES)
def test_business_code_knows_no_web(name: str) -> None:
    """services, queries, models, events and handlers run in the worker and the console too."""
    for path in (APP / name).rglob("*.py"):
        parts = path.relative_to(APP / name).with_suffix("").parts
        if parts[0] in BUSINESS:
            banned = {m for m in imports(path) if m.split(".")[0] in {"flask", "werkzeug", "wtforms"} or m.startswith("app.web.access")}
            assert not banned, f"{name_of(path)} imports {banned}"


def test_code_logs_instead_of_printing() -> None:
    found = [f"{name_of(path)}:{line}" for path in outside("config/reference.py") for line, name, _ in calls(path) if name == "print"]
    assert not found


def test_nobody_swallows_everything() -> None:
    found = set()
    for path in outside("dbadapters/"):
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.ExceptHandler) and (node.type is None or dotted(node.type) in {"Exception", "BaseException"}):
                found.add(name_of(path))
    assert found <= BROAD_EXCEPT, found - BROAD_EXCEPT
    assert found == BROAD_EXCEPT, "this exception is no longer needed"


def test_nothing_evaluates_text_or_unpickles() -> None:
    banned = r"^(eval|exec|pickle\.\w+|marshal\.\w+|os\.system|yaml\.load)$"
    assert not [f"{name_of(path)}:{line} {name}" for path in CODE for line, name, _ in calls(path) if re.search(banned, name)]


def test_network_calls_and_processes_have_no_shell() -> None:
    found = [
        f"{name_of(path)}:{line}" for path in CODE for line, _, call in calls(path)
        if any(k.arg == "shell" and getattr(k.value, "value", None) is not False for k in call.keywords)
        or any(k.arg == "verify" and getattr(k.value, "value", None) is False for k in call.keywords)
    ]  # fmt: skip
    assert not found


# Modules that open connections, and the only files that may import them: everything else goes through `app/core/egress.py`.
WAYS_OUT = re.compile(
    r"^(socket|ssl|socketserver|http\.client|http\.server|urllib\.request|urllib3|requests|httpx|aiohttp|asyncio|ftplib|smtplib|poplib|imaplib|"
    r"telnetlib|xmlrpc|redis|paramiko)(\.|$)"
)
MAY_CONNECT = {
    "app/core/egress.py": "the way out itself",
    "app/core/counters.py": "the shared counts' own server, named by limits.redis_url",
    "app/core/leases.py": "the host's name only",
    "app/search/replica.py": "the host's name only",
    "app/demo/simulators/server.py": "plays the channel in a process of its own, never part of the product's",
}


def test_there_is_one_way_out_of_the_process() -> None:
    found = {name_of(path) for path in outside("dbadapters/") if any(WAYS_OUT.match(module) for module in imports(path))}
    assert found == set(MAY_CONNECT), "outgoing calls go through app/core/egress.py; an exception no longer needed goes from the list"
    for name in ("app/core/leases.py", "app/search/replica.py"):
        assert {hit.rsplit(" ", 1)[1] for hit in uses(ROOT / name, r"^socket\.")} == {"socket.gethostname"}
    dynamic = [f"{name_of(path)}:{line}" for path in CODE for line, called, _ in calls(path) if called == "__import__"]
    assert not dynamic
