"""Tables of search."""

import sqlalchemy as sa

from app.migrations.guarded import create_index, create_table
from dbadapters import types

revision = "0015_search"
down_revision = "0014_messaging"


def upgrade() -> None:
    """Tables of search."""
    create_table(
        "search_change",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("product_id", sa.BigInteger(), nullable=False),
        sa.Column("at", types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_search_change"),
    )
    create_table(
        "search_query",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("text", types.Str(length=60), nullable=False),
        sa.Column("hits", sa.Integer(), nullable=False),
        sa.Column("at", types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_search_query"),
    )
    create_index("ix_search_query__text", "search_query", ["text", "id"])
