"""Statements that stand at module level, compiled once by SQLAlchemy and handed to the driver without its execution layer (ADR-0012).

SQLAlchemy's dialect writes the text and its types convert every value on the way in and out; what is left out is what it does for each
execution: execution context, event dispatch, cursor result, row proxies. Errors go through its own handler, so an adapter's error
classes, and the loss of a connection, come out the same.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import BindParameter, Connection, Delete, Dialect, Insert, Select, Update
from sqlalchemy.sql.compiler import SQLCompiler

from dbadapters.errors import Unclassified

# Dameng is not among them: its hardened dialect corrects the driver in the execution context.
DIALECTS = frozenset({"sqlite", "mysql", "mariadb", "postgresql", "kingbase"})
MOST_FORMS = 64
Statement = Select[Any] | Insert | Update | Delete
Process = Callable[[Any], Any] | None


class Rows(list[Any]):
    """The rows of a SELECT, as named tuples; the few methods of SQLAlchemy's result that callers use."""

    rowcount = -1

    def all(self) -> list[Any]:
        """Return the rows."""
        return self

    def one_or_none(self) -> Any:
        """Return the only row, None without one. Raises Unclassified when there are more."""
        if len(self) > 1:
            raise Unclassified(f"{len(self)} rows where one was expected")
        return self[0] if self else None

    def scalar(self) -> Any:
        """Return the first column of the first row, None without a row."""
        return self[0][0] if self else None

    def scalars(self) -> list[Any]:
        """Return the first column of every row."""
        return [row[0] for row in self]


class Changed:
    """What an INSERT, UPDATE or DELETE did."""

    __slots__ = ("rowcount",)

    def __init__(self, rowcount: int) -> None:
        self.rowcount = rowcount


class _Form:
    """The text for certain lengths of its IN lists: the names of its values in order (None: by name), of each list's elements."""

    __slots__ = ("elements", "order", "text")

    def __init__(self, text: str, order: list[str] | None, elements: Mapping[str, list[str]]) -> None:
        self.text, self.order, self.elements = text, order, elements


class Prepared:
    """A statement as one dialect writes it."""

    def __init__(self, statement: Statement, dialect: Dialect, names: Sequence[str] | None) -> None:
        compiled = statement.compile(dialect=dialect, column_keys=names)
        if not isinstance(compiled, SQLCompiler):
            raise TypeError(f"{type(statement).__name__} is not compiled to SQL")
        self.dialect = dialect
        self._compiled = compiled
        self._constants: dict[str, Any] = {}
        self._single: list[tuple[str, str, Process]] = []
        self._lists: list[tuple[str, str, Process]] = []
        for bind, name in compiled.bind_names.items():
            self._note(bind, name)
        self._forms: dict[tuple[int, ...], _Form] = {}
        self._columns = list(compiled._result_columns) if isinstance(statement, Select) else None
        self._row: Any = None
        self._results: list[tuple[int, Callable[[Any], Any]]] = []

    @staticmethod
    def fits(statement: Statement, dialect: Dialect, names: Sequence[str] | None) -> bool:
        """Tell whether nothing but text and values is needed: no default to compute, nothing returned, no value written as text."""
        compiled = statement.compile(dialect=dialect, column_keys=names)
        return (
            isinstance(compiled, SQLCompiler) and not compiled.insert_prefetch and not compiled.update_prefetch
            and not compiled.effective_returning and not compiled.literal_execute_params
        )  # fmt: skip

    def _note(self, bind: BindParameter[Any], name: str) -> None:
        process = bind.type.dialect_impl(self.dialect).bind_processor(self.dialect)
        if bind.expanding:
            self._lists.append((name, bind.key, process))
        elif bind.required:
            self._single.append((name, bind.key, process))
        else:  # a value that stands in the statement
            value = bind.effective_value
            self._constants[name] = process(value) if process else value

    def _form(self, given: Mapping[str, Any], sizes: tuple[int, ...]) -> _Form:
        if len(self._forms) >= MOST_FORMS:
            self._forms.clear()
        blank = {key: None for _, key, _ in self._single} | {key: list(given[key]) for _, key, _ in self._lists}
        state = self._compiled.construct_expanded_state(blank, escape_names=False)
        order = list(state.positiontup) if state.positiontup is not None else None
        form = self._forms[sizes] = _Form(state.statement, order, state.parameter_expansion)
        return form

    def bind(self, given: Mapping[str, Any]) -> tuple[str, Any]:
        """Return the text and the values as the driver takes them. Raises KeyError when one is missing."""
        sizes = tuple([len(given[key]) for _, key, _ in self._lists])
        form = self._forms.get(sizes) or self._form(given, sizes)
        values = dict(self._constants)
        for name, key, process in self._single:
            value = given[key]
            values[name] = process(value) if process is not None else value
        for name, key, process in self._lists:
            for element, value in zip(form.elements.get(name, ()), given[key], strict=True):
                values[element] = process(value) if process is not None else value
        if form.order is None:
            return form.text, values
        return form.text, tuple([values[name] for name in form.order])

    def rows(self, cursor: Any) -> Rows:
        """Return the cursor's rows with every value as its type gives it."""
        if self._row is None:
            self._learn(cursor.description)
        make, results = self._row._make, self._results
        found = cursor.fetchall()
        if not results:
            return Rows(map(make, found))
        done = Rows()
        for raw in found:
            values = list(raw)
            for place, process in results:
                values[place] = process(values[place])
            done.append(make(values))
        return done

    def _learn(self, description: Any) -> None:
        columns = self._columns or []
        results: list[tuple[int, Any]] = []
        for place, column in enumerate(columns):
            process = column.type.dialect_impl(self.dialect).result_processor(self.dialect, description[place][1])
            if process is not None:
                results.append((place, process))
        self._results = results
        self._row = _row_type([str(column.keyname) for column in columns])


def _row_type(names: list[str]) -> Any:
    return namedtuple("Row", names, rename=True)


_SEEN, _UNFIT = "seen", "unfit"
_known: WeakKeyDictionary[Any, Prepared | str] = WeakKeyDictionary()


def prepared(statement: Statement, connection: Connection, names: Sequence[str] | None = None) -> Prepared | None:
    """Return the prepared form of a statement, None when SQLAlchemy must execute it.

    That is so at its first use (one that is built for a single use is never prepared), on a dialect that needs SQLAlchemy's
    execution layer, and while somebody listens to statements: listeners see every one. names: the columns an INSERT gets.
    """
    found = _known.get(statement)
    if found is None:
        _known[statement] = _SEEN
        return None
    dispatch, dialect = connection.engine.dispatch, connection.dialect
    if found is _UNFIT or dispatch.before_cursor_execute or dispatch.after_cursor_execute:
        return None
    if isinstance(found, Prepared) and found.dialect is dialect:
        return found
    if dialect.name not in DIALECTS:
        return None
    if not Prepared.fits(statement, dialect, names):
        _known[statement] = _UNFIT
        return None
    made = _known[statement] = Prepared(statement, dialect, names)
    return made


def execute(connection: Connection, form: Prepared, given: Mapping[str, Any], *, reads: bool) -> Any:
    """Run a prepared statement in the connection's transaction; returns Rows or Changed. Raises the adapter's errors."""
    text, values = form.bind(given)
    if not connection.in_transaction():
        connection.begin()
    dialect, cursor = form.dialect, connection.connection.cursor()
    try:
        dialect.do_execute(cursor, text, values)
        return form.rows(cursor) if reads else Changed(cursor.rowcount)
    except dialect.dbapi.Error as error:  # type: ignore[union-attr]
        # SQLAlchemy's own way for errors: classification by the adapter, a lost connection leaves the pool.
        connection._handle_dbapi_exception(error, text, values, cursor, None)
        raise  # it has raised already
    finally:
        cursor.close()
