"""Real payment channels: what an attempt shows, keys of the channels, abnormal receipts, stored value, bank slips."""

import sqlalchemy as sa

from app.migrations.guarded import add_column, create_index, create_table
from dbadapters import types

revision = "0022_channels"
down_revision = "0027_freight"


def _zero(name: str) -> sa.Column:
    return sa.Column(name, sa.BigInteger(), nullable=False, server_default="0")


def upgrade() -> None:
    """New columns of the payment tables, and the tables of channels, wallets and slips."""
    add_column("payment_intent", _zero("held_fen"))
    add_column("payment_intent", _zero("refunded_fen"))
    add_column("payment_attempt", _zero("bonus_fen"))
    add_column("payment_attempt", sa.Column("pay_kind", types.Str(length=10), nullable=False, server_default="-"))
    add_column("payment_attempt", sa.Column("pay_value", types.LongText(), nullable=True))
    add_column("payment_notice", sa.Column("facts_text", types.LongText(), nullable=True))
    add_column("payment_refund", _zero("bonus_fen"))
    add_column("payment_refund", sa.Column("channel_refund", types.Str(length=64), nullable=False, server_default="-"))
    create_table(
        "payment_platform_key",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("channel", types.Str(length=20), nullable=False),
        sa.Column("serial", types.Str(length=80), nullable=False),
        sa.Column("public_pem", types.LongText(), nullable=False),
        sa.Column("valid_from", types.UtcDateTime(), nullable=False),
        sa.Column("valid_until", types.UtcDateTime(), nullable=False),
        sa.Column("fetched_at", types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_payment_platform_key"),
        sa.UniqueConstraint("channel", "serial", name="uq_payment_platform_key__channel_serial"),
    )
    create_table(
        "payment_abnormal",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", types.Str(length=20), nullable=False),
        sa.Column("cause", types.Str(length=80), nullable=False),
        sa.Column("channel", types.Str(length=20), nullable=False),
        sa.Column("payment_no", types.Str(length=40), nullable=False),
        sa.Column("refund_id", sa.BigInteger(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("status", types.Str(length=16), nullable=False),
        sa.Column("detail", types.Str(length=200), nullable=False),
        sa.Column("owner_id", sa.BigInteger(), nullable=False),
        sa.Column("owner_name", types.Str(length=60), nullable=False),
        sa.Column("note", types.Str(length=200), nullable=True),
        sa.Column("opened_at", types.UtcDateTime(), nullable=False),
        sa.Column("resolved_at", types.UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_payment_abnormal"),
        sa.UniqueConstraint("cause", name="uq_payment_abnormal__cause"),
    )
    create_table(
        "payment_wallet",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("principal_fen", sa.BigInteger(), nullable=False),
        sa.Column("bonus_fen", sa.BigInteger(), nullable=False),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.CheckConstraint("principal_fen >= 0 AND bonus_fen >= 0", name="ck_payment_wallet__balance"),
        sa.PrimaryKeyConstraint("id", name="pk_payment_wallet"),
        sa.UniqueConstraint("account_id", name="uq_payment_wallet__account_id"),
    )
    create_table(
        "payment_wallet_entry",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("wallet_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", types.Str(length=16), nullable=False),
        sa.Column("cause", types.Str(length=80), nullable=False),
        sa.Column("principal_fen", sa.BigInteger(), nullable=False),
        sa.Column("bonus_fen", sa.BigInteger(), nullable=False),
        sa.Column("memo", types.Str(length=80), nullable=False),
        sa.Column("at", types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_payment_wallet_entry"),
        sa.UniqueConstraint("cause", name="uq_payment_wallet_entry__cause"),
    )
    create_table(
        "payment_bank_slip",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("slip_no", types.Str(length=40), nullable=False),
        sa.Column("purpose", types.Str(length=16), nullable=False),
        sa.Column("payment_no", types.Str(length=40), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("payer", types.Str(length=80), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("bonus_fen", sa.BigInteger(), nullable=False),
        sa.Column("status", types.Str(length=16), nullable=False),
        sa.Column("entered_by", sa.BigInteger(), nullable=False),
        sa.Column("entered_name", types.Str(length=60), nullable=False),
        sa.Column("entered_at", types.UtcDateTime(), nullable=False),
        sa.Column("decided_by", sa.BigInteger(), nullable=False),
        sa.Column("decided_name", types.Str(length=60), nullable=False),
        sa.Column("decided_at", types.UtcDateTime(), nullable=True),
        sa.Column("note", types.Str(length=200), nullable=True),
        sa.CheckConstraint("amount_fen > 0 AND bonus_fen >= 0", name="ck_payment_bank_slip__amounts"),
        sa.PrimaryKeyConstraint("id", name="pk_payment_bank_slip"),
        sa.UniqueConstraint("slip_no", name="uq_payment_bank_slip__slip_no"),
    )
    create_index("ix_payment_abnormal__status", "payment_abnormal", ["status", "id"])
    create_index("ix_payment_wallet_entry__wallet", "payment_wallet_entry", ["wallet_id", "id"])
    create_index("ix_payment_bank_slip__status", "payment_bank_slip", ["status", "id"])
