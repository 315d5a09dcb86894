"""Tables of messaging."""

import sqlalchemy as sa

from app.migrations.guarded import create_index, create_table
from dbadapters import types

revision = "0014_messaging"
down_revision = "0013_supervision"


def upgrade() -> None:
    """Tables of messaging."""
    create_table(
        "messaging_sms",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("phone_enc", types.Str(length=200), nullable=False),
        sa.Column("phone_index", types.Str(length=64), nullable=False),
        sa.Column("body_enc", types.Str(length=700), nullable=False),
        sa.Column("dedupe_key", types.Str(length=80), nullable=False),
        sa.Column("status", types.Str(length=16), nullable=False),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_messaging_sms"),
        sa.UniqueConstraint("dedupe_key", name="uq_messaging_sms__dedupe_key"),
    )
    create_index("ix_messaging_sms__phone", "messaging_sms", ["phone_index", "id"])
