"""Tables of payments."""

import sqlalchemy as sa

from app.migrations.guarded import create_index, create_table
from dbadapters import types

revision = "0010_payments"
down_revision = "0009_orders"


def upgrade() -> None:
    """Tables of payments."""
    create_table(
        "payment_attempt",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("intent_id", sa.BigInteger(), nullable=False),
        sa.Column("payment_no", types.Str(length=32), nullable=False),
        sa.Column("channel", types.Str(length=20), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("status", types.Str(length=16), nullable=False),
        sa.Column("channel_txn", types.Str(length=64), nullable=False),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.Column("finished_at", types.UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_payment_attempt"),
        sa.UniqueConstraint("payment_no", name="uq_payment_attempt__payment_no"),
    )
    create_table(
        "payment_intent",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("trade_id", sa.BigInteger(), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("status", types.Str(length=16), nullable=False),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.Column("paid_at", types.UtcDateTime(), nullable=True),
        sa.CheckConstraint("amount_fen >= 0", name="ck_payment_intent__amount"),
        sa.PrimaryKeyConstraint("id", name="pk_payment_intent"),
        sa.UniqueConstraint("trade_id", name="uq_payment_intent__trade_id"),
    )
    create_table(
        "payment_notice",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("channel", types.Str(length=20), nullable=False),
        sa.Column("notice_id", types.Str(length=64), nullable=False),
        sa.Column("payment_no", types.Str(length=32), nullable=False),
        sa.Column("body_text", types.LongText(), nullable=False),
        sa.Column("state", types.Str(length=16), nullable=False),
        sa.Column("outcome", types.Str(length=60), nullable=False),
        sa.Column("received_at", types.UtcDateTime(), nullable=False),
        sa.Column("applied_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_payment_notice"),
        sa.UniqueConstraint("channel", "notice_id", name="uq_payment_notice__channel_notice_id"),
    )
    create_table(
        "payment_refund",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("refund_no", types.Str(length=32), nullable=False),
        sa.Column("attempt_id", sa.BigInteger(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("cause", types.Str(length=60), nullable=False),
        sa.Column("reason", types.Str(length=120), nullable=False),
        sa.Column("status", types.Str(length=16), nullable=False),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.Column("finished_at", types.UtcDateTime(), nullable=True),
        sa.CheckConstraint("amount_fen > 0", name="ck_payment_refund__amount"),
        sa.PrimaryKeyConstraint("id", name="pk_payment_refund"),
        sa.UniqueConstraint("cause", name="uq_payment_refund__cause"),
        sa.UniqueConstraint("refund_no", name="uq_payment_refund__refund_no"),
    )
    create_index("ix_payment_attempt__intent_id", "payment_attempt", ["intent_id"])
    create_index("ix_payment_notice__state", "payment_notice", ["state", "id"])
    create_index("ix_payment_refund__attempt_id", "payment_refund", ["attempt_id"])
