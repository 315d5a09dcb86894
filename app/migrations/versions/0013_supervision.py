"""Tables of supervision."""

import sqlalchemy as sa

from app.migrations.guarded import create_index, create_table
from dbadapters import types

revision = "0013_supervision"
down_revision = "0012_reviews"


def upgrade() -> None:
    """Tables of supervision."""
    create_table(
        "supervision_daily",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("day_on", sa.Date(), nullable=False),
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("category_id", sa.BigInteger(), nullable=False),
        sa.Column("area_code", types.Str(length=16), nullable=False),
        sa.Column("paid_fen", sa.BigInteger(), nullable=False),
        sa.Column("refunded_fen", sa.BigInteger(), nullable=False),
        sa.Column("order_count", sa.Integer(), nullable=False),
        sa.Column("local_count", sa.Integer(), nullable=False),
        sa.Column("shipped_count", sa.Integer(), nullable=False),
        sa.Column("on_time_count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_supervision_daily"),
        sa.UniqueConstraint("day_on", "merchant_id", "category_id", name="uq_supervision_daily__day_on_merchant_id_category_id"),
    )
    create_table(
        "supervision_mark",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", types.Str(length=20), nullable=False),
        sa.Column("object_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_supervision_mark"),
        sa.UniqueConstraint("kind", "object_id", name="uq_supervision_mark__kind_object_id"),
    )
    create_index("ix_supervision_daily__area", "supervision_daily", ["day_on", "area_code"])
