"""What Alembic needs to run on Dameng, offline `--sql` included (dbadapters.md §2.5)."""

from __future__ import annotations

from typing import Any

from alembic.ddl.base import (
    ColumnComment,
    ColumnDefault,
    ColumnName,
    ColumnNullable,
    ColumnType,
    alter_table,
    format_column_name,
    format_server_default,
    format_table_name,
    format_type,
)
from alembic.ddl.impl import DefaultImpl
from sqlalchemy import String
from sqlalchemy.ext.compiler import compiles


class DamengImpl(DefaultImpl):
    """DDL commits by itself; no BEGIN in scripts."""

    __dialect__ = "dm"
    transactional_ddl = False
    command_terminator = ";"

    def static_output(self, text: str) -> None:
        """Write a statement; a block's own `END;` is followed by the line with `/` that the vendor's tools end it at."""
        super().static_output(f"{text[:-1]}\n/" if text.endswith("END;;") else text)

    def emit_begin(self) -> None:
        """Write nothing: Dameng has no BEGIN statement here."""

    def emit_commit(self) -> None:
        """Write COMMIT."""
        self.static_output("COMMIT" + self.command_terminator)


@compiles(ColumnType, "dm")
def _type(element: Any, compiler: Any, **kw: Any) -> str:
    table, column = alter_table(compiler, element.table_name, element.schema), format_column_name(compiler, element.column_name)
    return f"{table} MODIFY {column} {format_type(compiler, element.type_)}"


@compiles(ColumnNullable, "dm")
def _nullable(element: Any, compiler: Any, **kw: Any) -> str:
    table, column = alter_table(compiler, element.table_name, element.schema), format_column_name(compiler, element.column_name)
    return f"{table} ALTER COLUMN {column} SET {'NULL' if element.nullable else 'NOT NULL'}"


@compiles(ColumnName, "dm")
def _name(element: Any, compiler: Any, **kw: Any) -> str:
    table, column = alter_table(compiler, element.table_name, element.schema), format_column_name(compiler, element.column_name)
    return f"{table} RENAME COLUMN {column} TO {format_column_name(compiler, element.newname)}"


@compiles(ColumnDefault, "dm")
def _default(element: Any, compiler: Any, **kw: Any) -> str:
    table, column = alter_table(compiler, element.table_name, element.schema), format_column_name(compiler, element.column_name)
    if element.default is None:
        return f"{table} ALTER COLUMN {column} DROP DEFAULT"
    return f"{table} ALTER COLUMN {column} SET DEFAULT {format_server_default(compiler, element.default)}"


@compiles(ColumnComment, "dm")
def _comment(element: Any, compiler: Any, **kw: Any) -> str:
    table, column = format_table_name(compiler, element.table_name, element.schema), format_column_name(compiler, element.column_name)
    literal = compiler.sql_compiler.render_literal_value(element.comment or "", String())
    return f"COMMENT ON COLUMN {table}.{column} IS {literal}"
