"""The vendor's Dameng dialect, hardened: execution repaired, every non-portable construct a CompileError (dbadapters.md §2.2)."""

from __future__ import annotations

import re
from contextlib import AbstractContextManager, nullcontext
from datetime import date, datetime
from typing import Any

from dmSQLAlchemy.base import DMDDLCompiler, DMIdentifierPreparer, DMTypeCompiler
from dmSQLAlchemy.dmpython import DMCompiler_dmPython, DMDialect_dmPython
from sqlalchemy import Boolean, Date, Interval, Text, TypeDecorator, exc
from sqlalchemy.dialects import registry
from sqlalchemy.sql import operators
from sqlalchemy.sql.elements import BinaryExpression, BooleanClauseList, ColumnClause, False_, Label, True_, Tuple
from sqlalchemy.sql.selectable import Exists

DISCONNECT_CODES = frozenset(
    {-6001, -6002, -6003, -6007, -6010, -6029, -6032, -522, -605, -610, -70019, -70025, -70028, -70065, -70066}
)
COMPARISONS = frozenset(
    {operators.eq, operators.ne, operators.lt, operators.le, operators.gt, operators.ge, operators.in_op, operators.not_in_op}
)
BYTES_PER_CHARACTER = 4
MAX_VARCHAR_BYTES = 3_900


def error_code(error: BaseException) -> int | None:
    """Return the server's code of a driver exception: `DmError.code`, else the number in its text."""
    first = error.args[0] if error.args else None
    code = getattr(first, "code", None)
    if isinstance(code, int):
        return code
    match = re.search(r"CODE:(-\d+)", str(error))
    return int(match[1]) if match else None


def _refuse(what: str) -> exc.CompileError:
    return exc.CompileError(f"{what} is not portable to Dameng")


def _limited(query: Any) -> bool:
    inner = getattr(query, "element", query)  # IN wraps its subquery in a grouping
    return any(getattr(inner, part, None) is not None for part in ("_limit_clause", "_offset_clause", "_fetch_clause"))


def _is_clob(side: Any) -> bool:
    """Tell whether a side is a column stored as CLOB, which the server cannot compare (-2685)."""
    kind = getattr(side, "type", None)
    kind = kind.impl_instance if isinstance(kind, TypeDecorator) else kind
    return isinstance(side, ColumnClause) and isinstance(kind, Text)


class HardenedCompiler(DMCompiler_dmPython):  # type: ignore[misc]
    """Refuses what the vendor's compiler renders wrongly or what Dameng does not have."""

    def visit_binary(self, binary: Any, override_operator: Any = None, **kw: Any) -> Any:
        """Refuse row-value comparison (rendered reversed), IS DISTINCT FROM, IS TRUE, JSON and long text operators."""
        operator = override_operator or binary.operator
        if isinstance(binary.left, Tuple) and operator not in (operators.in_op, operators.not_in_op):
            raise _refuse("row-value comparison (use portable.keyset)")
        if operator in (operators.is_distinct_from, operators.is_not_distinct_from):
            raise _refuse("IS DISTINCT FROM")
        if operator in (operators.is_, operators.is_not) and isinstance(binary.right, True_ | False_):
            raise _refuse("IS TRUE (use == True)")
        if operator in (operators.in_op, operators.not_in_op) and _limited(binary.right):
            raise _refuse("row limit inside an IN subquery")
        if operator in COMPARISONS and (_is_clob(binary.left) or _is_clob(binary.right)):
            raise _refuse("comparison of a long text column")
        if operator in (operators.json_getitem_op, operators.json_path_getitem_op):
            raise _refuse("JSON operator")
        return super().visit_binary(binary, override_operator, **kw)

    def visit_select(self, select_stmt: Any, **kw: Any) -> Any:
        """Refuse DISTINCT ON."""
        if select_stmt._distinct_on:
            raise _refuse("DISTINCT ON")
        return super().visit_select(select_stmt, **kw)

    def _label_select_column(self, select: Any, column: Any, *args: Any, **kw: Any) -> Any:
        """Refuse a condition as a result column; the vendor's own back end declares it unsupported."""
        plain = column.element if isinstance(column, Label) else column
        conditions = (BooleanClauseList, Exists, BinaryExpression)
        if isinstance(plain, conditions) and isinstance(plain.type, Boolean):
            raise _refuse("condition in the select list (use case())")
        return super()._label_select_column(select, column, *args, **kw)

    def visit_values(self, *args: Any, **kw: Any) -> Any:
        """Refuse FROM (VALUES …)."""
        raise _refuse("VALUES as a table")

    def visit_on_duplicate_key_update(self, *args: Any, **kw: Any) -> Any:
        """Refuse MySQL's upsert: it needs another parse mode of the server."""
        raise _refuse("ON DUPLICATE KEY UPDATE (use portable.upsert)")

    def returning_clause(self, *args: Any, **kw: Any) -> Any:
        """Refuse RETURNING."""
        raise _refuse("RETURNING")

    def visit_funcfilter(self, *args: Any, **kw: Any) -> Any:
        """Refuse aggregate FILTER (silently counts every row)."""
        raise _refuse("aggregate FILTER (use sum(case()))")

    def for_update_clause(self, select: Any, **kw: Any) -> Any:
        """Refuse OF, SHARE and a row limit."""
        lock = select._for_update_arg
        if lock.of or lock.read or lock.key_share:
            raise _refuse("FOR UPDATE OF / FOR SHARE")
        if any(c is not None for c in (select._limit_clause, select._offset_clause, select._fetch_clause)):
            raise _refuse("FOR UPDATE with a row limit (claim in two steps)")
        return super().for_update_clause(select, **kw)

    def update_from_clause(self, *args: Any, **kw: Any) -> Any:
        """Refuse UPDATE … FROM."""
        raise _refuse("UPDATE FROM")

    def delete_extra_from_clause(self, *args: Any, **kw: Any) -> Any:
        """Refuse DELETE … USING."""
        raise _refuse("DELETE USING")

    def visit_lateral(self, *args: Any, **kw: Any) -> Any:
        """Refuse LATERAL."""
        raise _refuse("LATERAL")


class HardenedTypes(DMTypeCompiler):  # type: ignore[misc]
    """The type map of dbadapters.md §7."""

    def _visit_varchar(self, type_: Any, _national: str, _number: Any) -> str:
        if not type_.length:
            raise _refuse("VARCHAR without a length")
        return f"VARCHAR({min(type_.length * BYTES_PER_CHARACTER, MAX_VARCHAR_BYTES)})"

    def visit_unicode(self, type_: Any, **kw: Any) -> str:
        """VARCHAR by byte budget."""
        return self._visit_varchar(type_, "", "")

    def visit_text(self, type_: Any, **kw: Any) -> str:
        """CLOB."""
        return "CLOB"

    visit_unicode_text = visit_text

    def visit_datetime(self, type_: Any, **kw: Any) -> str:
        """TIMESTAMP(6); zone-aware columns are refused."""
        if type_.timezone:
            raise _refuse("zone-aware column (use UtcDateTime)")
        return "TIMESTAMP(6)"

    visit_DATETIME = visit_datetime
    visit_TIMESTAMP = visit_datetime

    def visit_interval(self, type_: Any, **kw: Any) -> str:
        """Refuse INTERVAL."""
        raise _refuse("INTERVAL")

    visit_INTERVAL = visit_interval

    def visit_type_decorator(self, type_: Any, **kw: Any) -> Any:
        """Refuse Interval, which SQLAlchemy would store as a date where the engine has no such type."""
        if isinstance(type_, Interval):
            raise _refuse("Interval")
        return super().visit_type_decorator(type_, **kw)

    def visit_ARRAY(self, type_: Any, **kw: Any) -> str:
        """Refuse ARRAY."""
        raise _refuse("ARRAY")

    def visit_JSON(self, type_: Any, **kw: Any) -> str:
        """Refuse JSON."""
        raise _refuse("JSON (use PortableJSON)")

    def visit_BOOLEAN(self, type_: Any, **kw: Any) -> str:
        """SMALLINT."""
        return "SMALLINT"

    visit_boolean = visit_BOOLEAN

    def visit_REAL(self, type_: Any, **kw: Any) -> str:
        """REAL."""
        return "REAL"


class HardenedDDL(DMDDLCompiler):  # type: ignore[misc]
    """Refuses generated keys, computed columns, partial indexes."""

    def visit_create_index(self, create: Any, **kw: Any) -> Any:
        """Refuse IF NOT EXISTS and partial indexes (the guard and the condition would be dropped)."""
        if create.if_not_exists:
            raise _refuse("CREATE INDEX IF NOT EXISTS")
        if any(create.element.dialect_options[d].get("where") is not None for d in ("postgresql", "sqlite")):
            raise _refuse("partial index")
        return super().visit_create_index(create, **kw)

    def get_column_specification(self, column: Any, **kw: Any) -> Any:
        """Refuse computed, identity and implicit autoincrement columns."""
        if column.computed is not None or column.identity is not None:
            raise _refuse(f"{column}: computed or identity column")
        implicit = column.primary_key and column.autoincrement == "auto" and column.table._autoincrement_column is column
        if implicit:
            raise _refuse(f"{column}: implicit autoincrement (set autoincrement=False)")
        return super().get_column_specification(column, **kw)


class HardenedPreparer(DMIdentifierPreparer):  # type: ignore[misc]
    """Reserved words the vendor's list lacks or fuses."""

    reserved_words = DMIdentifierPreparer.reserved_words | {
        "year", "month", "day", "hour", "minute", "second", "sql_calc_found_rows",
        "body", "elsif", "exception", "exit", "goto", "others", "package", "raise", "rowtype",  # of its procedural language
    }  # fmt: skip


class Day(Date):
    """A calendar day; where the server's DATE carries a time of day (Oracle mode) the driver returns a datetime."""

    def bind_processor(self, dialect: Any) -> None:
        """Hand days to the driver as they are."""

    def result_processor(self, dialect: Any, coltype: Any) -> Any:
        """Return the day alone, so that it compares with other days."""

        def process(value: date | None) -> date | None:
            return value.date() if isinstance(value, datetime) else value

        return process


class HardenedDameng(DMDialect_dmPython):  # type: ignore[misc]
    """Dameng dialect of this product: no RETURNING, plain execution, no shared reflection cache."""

    name = "dm"
    driver = "regionmart"
    supports_statement_cache = True
    statement_compiler = HardenedCompiler
    type_compiler = HardenedTypes
    type_compiler_cls = HardenedTypes
    ddl_compiler = HardenedDDL
    preparer = HardenedPreparer
    colspecs = {**DMDialect_dmPython.colspecs, Date: Day}
    driver_lock: AbstractContextManager[Any] = nullcontext()  # a lock where the adapter's option serialises the driver
    insert_returning = update_returning = delete_returning = False
    insert_executemany_returning = insert_executemany_returning_sort_by_parameter_order = False

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.enable_cache = False

    def connect(self, *cargs: Any, **cparams: Any) -> Any:
        """Open a connection and note its character set and case rule.

        The vendor's version also reads V$INSTANCE, so an account without that right cannot connect at all, and turns
        on the identity check; this product has no identity columns.
        """
        if "database" in cparams:
            cparams["schema"] = cparams.pop("database")
        connection = self.dbapi.connect(*cargs, **cparams)
        self.encoding = self.get_conn_local_code(connection)
        self.case_sensitive = connection.str_case_sensitive
        self.requires_name_normalize = bool(self.case_sensitive)
        return connection

    def do_execute(self, cursor: Any, statement: str, parameters: Any, context: Any = None) -> None:
        """Execute as given; the vendor appends RETURNING … INTO."""
        with self.driver_lock:
            cursor.execute(statement, parameters)

    def do_executemany(self, cursor: Any, statement: str, parameters: Any, context: Any = None) -> None:
        """Execute as given."""
        with self.driver_lock:
            cursor.executemany(statement, parameters)

    def is_disconnect(self, e: Any, connection: Any, cursor: Any) -> bool:
        """Tell whether the link is gone, by code."""
        return error_code(e) in DISCONNECT_CODES


# Alembic's offline mode asks for the bare name, and would get the vendor's dialect.
registry.register("dm", "dbadapters.dameng_dialect", "HardenedDameng")
registry.register("dm.regionmart", "dbadapters.dameng_dialect", "HardenedDameng")
registry.register("dm.dmpython", "dbadapters.dameng_dialect", "HardenedDameng")
