"""Tables of audit."""

import sqlalchemy as sa

from app.migrations.guarded import create_index, create_table, protect_append_only
from dbadapters import types

revision = "0002_audit"
down_revision = "0001_core"


def upgrade() -> None:
    """Tables of audit."""
    create_table(
        "audit_checkpoint",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("note", types.LongText(), nullable=False),
        sa.Column("signature", types.Str(length=128), nullable=False),
        sa.Column("frontier", types.LongText(), nullable=False),
        sa.Column("at", types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_audit_checkpoint"),
    )
    create_table(
        "audit_event",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", types.UtcDateTime(), nullable=False),
        sa.Column("realm", types.Str(length=16), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("actor_name", types.Str(length=60), nullable=False),
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("action", types.Str(length=60), nullable=False),
        sa.Column("object_type", types.Str(length=40), nullable=False),
        sa.Column("object_id", types.Str(length=64), nullable=False),
        sa.Column("result", types.Str(length=16), nullable=False),
        sa.Column("address", types.Str(length=64), nullable=False),
        sa.Column("payload", types.LongText(), nullable=False),
        sa.Column("leaf", types.Str(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit_event"),
    )
    create_table(
        "audit_head",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("chain", types.Str(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit_head"),
    )
    create_table(
        "audit_seal",
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("event_id", sa.BigInteger(), nullable=False),
        sa.Column("leaf", types.Str(length=64), nullable=False),
        sa.Column("chain", types.Str(length=64), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_audit_seal"),
        sa.UniqueConstraint("event_id", name="uq_audit_seal__event_id"),
    )
    create_index("ix_audit_event__account", "audit_event", ["account_id", "id"])
    create_index("ix_audit_event__action", "audit_event", ["action", "id"])
    create_index("ix_audit_event__at", "audit_event", ["at", "id"])
    create_index("ix_audit_event__object", "audit_event", ["object_type", "object_id"])

    for table in ("audit_event", "audit_seal", "audit_checkpoint"):
        protect_append_only(table)
