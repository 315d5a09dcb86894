"""What an engine adapter is: flags, connection set-up, error classes, guards, health (dbadapters.md §9)."""

from __future__ import annotations

import copy
import importlib
import re
import shutil
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, ClassVar, Literal, Self

from sqlalchemy import URL, Connection, Engine, create_engine, event, text
from sqlalchemy.exc import SQLAlchemyError

from dbadapters import errors
from dbadapters.errors import DbError

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,62}")


@dataclass(frozen=True)
class Features:
    """Each flag answers one question about an engine."""

    row_locks: bool  # does SELECT … FOR UPDATE lock rows?
    skip_locked: bool  # is SKIP LOCKED understood?
    skip_locked_with_limit: bool  # … together with a row limit?
    native_upsert: bool  # is there ON CONFLICT / ON DUPLICATE KEY?
    returning: bool  # may INSERT … RETURNING be used by optional accelerators?
    transactional_ddl: bool  # does ROLLBACK undo CREATE TABLE?
    empty_string_is_null: bool  # is '' stored as NULL?
    unique_nulls_distinct: bool  # may a unique key hold several NULLs?
    partial_index: bool  # does CREATE INDEX … WHERE keep its condition?
    max_identifier: int  # longest identifier, characters
    max_binds: int  # most bind variables in a statement
    max_in: int  # most items of an IN list
    blank_padded_compare: bool  # does 'a ' equal 'a'?
    proven_by: Literal["server", "wire", "stand-in"]  # who says so: this engine's own server, its real driver on
    # another server that speaks its protocol, or a substitute for driver and server (then a customer's run decides)


@dataclass(frozen=True)
class Finding:
    """One pre-flight result. level: block | warn | info; message in Chinese."""

    level: str
    message: str


@dataclass(frozen=True)
class Health:
    """Whether the database answers, and how fast (milliseconds)."""

    ok: bool
    latency_ms: float
    detail: str = ""


@dataclass(frozen=True)
class BackupPlan:
    """Command of the engine's own tool: argv and environment (secrets only there). note says what else is needed."""

    argv: tuple[str, ...]
    env: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    note: str = ""

    @property
    def tool_found(self) -> bool:
        """Tell whether the tool is on the search path of this process."""
        return shutil.which(self.argv[0]) is not None


@dataclass(frozen=True)
class RestorePlan(BackupPlan):
    """As BackupPlan, towards the database. `stdin` names a file the tool reads from its standard input, '' for none."""

    stdin: str = ""


class Adapter(ABC):
    """One engine. Subclasses hold facts; the shared path (listeners, error mapping) is here."""

    key: ClassVar[str]
    display_name: ClassVar[str]
    schemes: ClassVar[tuple[str, ...]]
    driver_module: ClassVar[str]
    pip_name: ClassVar[str]
    features: ClassVar[Features]
    ping: ClassVar[str] = "SELECT 1"
    codes: ClassVar[dict[str, type[DbError]]]
    settings_sql: ClassVar[dict[str, str]] = {}  # name: query whose rows a conformance report quotes
    exists_codes: ClassVar[frozenset[str]] = frozenset()  # "table or index is already there", where DDL commits by itself

    def __init__(self, url: URL, **options: Any) -> None:
        self.url = url
        self.options = options

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.url.render_as_string(hide_password=True)}>"

    def import_driver(self) -> ModuleType:
        """Import the driver. Raises DriverMissing with the pip line."""
        try:
            return importlib.import_module(self.driver_module)
        except ImportError as error:
            raise errors.DriverMissing(f"缺少数据库驱动，请安装：pip install {self.pip_name}") from error

    def engine_kwargs(self) -> dict[str, Any]:
        """Return create_engine arguments; timeouts in the adapter's options are seconds and converted here."""
        return {
            "pool_size": int(self.options.get("pool_size", 8)), "max_overflow": 4, "pool_timeout": 5,
            "pool_pre_ping": True, "pool_recycle": 1_800,
        }  # fmt: skip

    def dialect_url(self) -> URL:
        """Return the URL under the dialect name SQLAlchemy knows."""
        return self.url

    def create_engine(self, **overrides: Any) -> Engine:
        """Return an engine with session settings and the error listener installed."""
        self.import_driver()
        engine = create_engine(self.dialect_url(), **{**self.engine_kwargs(), **overrides})
        event.listen(engine, "connect", self.on_connect)
        event.listen(engine, "handle_error", self._on_error, retval=True)
        self.install_listeners(engine)
        return engine

    def install_listeners(self, engine: Engine) -> None:  # noqa: B027 - optional hook
        """Add engine-specific listeners."""

    def on_connect(self, dbapi_connection: Any, _record: Any) -> None:  # noqa: B027 - optional hook
        """Apply session settings to a new physical connection."""

    def _on_error(self, context: Any) -> DbError | None:
        """Hand SQLAlchemy our error in place of its own (a `retval` listener's answer is what gets raised).

        Two callers inside SQLAlchemy look at its own class and keep it: the pool's pre-ping, which decides by it to
        reconnect, and a dialect's probes marked `skip_user_error_events` (has_table on MySQL is a failing DESCRIBE).
        """
        running = context.execution_context
        probe = running is not None and running.execution_options.get("skip_user_error_events")
        if probe or context.is_pre_ping or isinstance(context.original_exception, SQLAlchemyError):
            return None
        classified = self.classify(context.original_exception)
        if isinstance(classified, errors.Disconnected) and context.connection is not None:
            context.is_disconnect = True  # empties the pool even where the dialect does not know the code
        return classified

    @abstractmethod
    def error_code(self, error: BaseException) -> str:
        """Return the engine's code of a driver exception, '' when there is none."""

    def classify(self, error: BaseException) -> DbError | None:
        """Return our error for a driver (or wrapped) exception, None when it is not a database error."""
        original: BaseException = getattr(error, "orig", None) or error
        if isinstance(original, DbError):
            return original
        base = getattr(self.import_driver(), "Error", None)
        if not isinstance(base, type) or not issubclass(type(original), base):  # isinstance would narrow to object
            return errors.Unclassified(str(error)) if isinstance(error, SQLAlchemyError) else None
        code = self.error_code(original)
        kind = self.codes.get(code) or self.classify_by_text(str(original)) or errors.Unclassified
        return kind(str(original).strip(), code=code, sqlstate=code if len(code) == 5 else "",
                    constraint=self.constraint_of(original))  # fmt: skip

    def classify_by_text(self, message: str) -> type[DbError] | None:
        """Return a class by message; only for engines without codes."""
        return None

    def constraint_of(self, error: BaseException) -> str:
        """Return the violated constraint's name where the driver tells it."""
        return ""

    @abstractmethod
    def audit_guard_ddl(self, table: str) -> list[str]:
        """Return statements that refuse UPDATE and DELETE on a table; safe to run again."""

    def alembic_opts(self) -> dict[str, Any]:
        """Return options for Alembic's context.configure."""
        return {"transactional_ddl": self.features.transactional_ddl}

    def preflight(self, connection: Connection) -> list[Finding]:
        """Return what is wrong with the server: version, charset, mode, rights."""
        return []

    def banner(self, connection: Connection) -> str:
        """Return the server's version text."""
        return str(connection.execute(text("SELECT version()")).scalar())

    def health(self, engine: Engine) -> Health:
        """Ping the database."""
        started = time.perf_counter()
        try:
            with engine.connect() as connection:
                connection.exec_driver_sql(self.ping)
        except SQLAlchemyError as error:
            return Health(False, (time.perf_counter() - started) * 1_000, type(error).__name__)
        return Health(True, (time.perf_counter() - started) * 1_000)

    def in_schema(self, schema: str, **options: Any) -> Self:
        """Return a copy of this adapter whose unqualified names mean `schema`; options are added. Raises ValueError."""
        if not NAME.fullmatch(schema):
            raise ValueError(f"not a plain schema name: {schema!r}")
        made = copy.copy(self)
        made.options = {**self.options, **options}
        made.enter_schema(schema)
        return made

    def enter_schema(self, schema: str) -> None:
        """Point this (copied) adapter at a schema; where database and schema are one, the URL names it."""
        self.url = self.url.set(database=schema)

    @abstractmethod
    def current_schema(self, connection: Connection) -> str:
        """Return the schema unqualified names mean now, as the server says it."""

    @abstractmethod
    def backup_plan(self, target: str) -> BackupPlan:
        """Return how to back this database up into `target` with the engine's own tool."""

    @abstractmethod
    def restore_plan(self, artefact: str) -> RestorePlan:
        """Return how to bring `artefact`, made by `backup_plan`, back into this (empty) database."""
