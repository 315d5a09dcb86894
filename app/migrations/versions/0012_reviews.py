"""Tables of reviews."""

import sqlalchemy as sa

from app.migrations.guarded import create_index, create_table
from dbadapters import types

revision = "0012_reviews"
down_revision = "0011_fulfilment"


def upgrade() -> None:
    """Tables of reviews."""
    create_table(
        "review",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("product_id", sa.BigInteger(), nullable=False),
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("order_line_id", sa.BigInteger(), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("author_mask", types.Str(length=40), nullable=False),
        sa.Column("area_code", types.Str(length=16), nullable=False),
        sa.Column("rating", sa.Integer(), nullable=False),
        sa.Column("body_text", types.Str(length=500), nullable=False),
        sa.Column("pictures", types.PortableJSON(), nullable=False),
        sa.Column("picture_count", sa.Integer(), nullable=False),
        sa.Column("option_key", types.Str(length=120), nullable=False),
        sa.Column("reply", types.Str(length=300), nullable=True),
        sa.Column("status", types.Str(length=16), nullable=False),
        sa.Column("hidden_reason", types.Str(length=120), nullable=True),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.CheckConstraint("rating >= 1 AND rating <= 5", name="ck_review__rating"),
        sa.PrimaryKeyConstraint("id", name="pk_review"),
        sa.UniqueConstraint("order_line_id", name="uq_review__order_line_id"),
    )
    create_index("ix_review__merchant", "review", ["merchant_id", "id"])
    create_index("ix_review__product", "review", ["product_id", "status", "id"])
