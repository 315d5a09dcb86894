"""Tables of merchants."""

import sqlalchemy as sa

from app.migrations.guarded import create_index, create_table
from dbadapters import types

revision = "0004_merchants"
down_revision = "0003_identity"


def upgrade() -> None:
    """Tables of merchants."""
    create_table(
        "merchant",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("code", types.Str(length=32), nullable=False),
        sa.Column("name", types.Str(length=80), nullable=False),
        sa.Column("shop_name", types.Str(length=40), nullable=False),
        sa.Column("intro", types.Str(length=500), nullable=True),
        sa.Column("logo_key", types.Str(length=80), nullable=False),
        sa.Column("area_code", types.Str(length=16), nullable=False),
        sa.Column("street", types.Str(length=120), nullable=False),
        sa.Column("contact_name", types.Str(length=40), nullable=False),
        sa.Column("contact_phone_enc", types.Str(length=200), nullable=False),
        sa.Column("status", types.Str(length=16), nullable=False),
        sa.Column("freight_fen", sa.BigInteger(), nullable=False),
        sa.Column("free_over_fen", sa.BigInteger(), nullable=False),
        sa.Column("product_count", sa.Integer(), nullable=False),
        sa.Column("reject_reason", types.Str(length=300), nullable=True),
        sa.Column("applied_at", types.UtcDateTime(), nullable=False),
        sa.Column("decided_at", types.UtcDateTime(), nullable=True),
        sa.Column("decided_by", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("freight_fen >= 0 AND free_over_fen >= 0", name="ck_merchant__freight"),
        sa.PrimaryKeyConstraint("id", name="pk_merchant"),
        sa.UniqueConstraint("code", name="uq_merchant__code"),
    )
    create_table(
        "merchant_licence",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", types.Str(length=20), nullable=False),
        sa.Column("number", types.Str(length=40), nullable=False),
        sa.Column("holder", types.Str(length=80), nullable=False),
        sa.Column("valid_until_on", sa.Date(), nullable=True),
        sa.Column("file_key", types.Str(length=80), nullable=False),
        sa.Column("note", types.LongText(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_merchant_licence"),
    )
    create_index("ix_merchant__status", "merchant", ["status", "id"])
    create_index("ix_merchant_licence__merchant_id", "merchant_licence", ["merchant_id"])
