"""Tables of promotions."""

import sqlalchemy as sa

from app.migrations.guarded import create_index, create_table
from dbadapters import types

revision = "0016_promotions"
down_revision = "0015_search"


def upgrade() -> None:
    """Tables of promotions."""
    create_table(
        "promotion_adjustment",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("trade_id", sa.BigInteger(), nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("line_id", sa.BigInteger(), nullable=False),
        sa.Column("layer", sa.Integer(), nullable=False),
        sa.Column("kind", types.Str(length=16), nullable=False),
        sa.Column("rule_id", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("coupon_id", sa.BigInteger(), nullable=False),
        sa.Column("title", types.Str(length=40), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("merchant_fen", sa.BigInteger(), nullable=False),
        sa.Column("platform_fen", sa.BigInteger(), nullable=False),
        sa.Column("programme_fen", sa.BigInteger(), nullable=False),
        sa.Column("programme", types.Str(length=40), nullable=False),
        sa.Column("is_void", sa.Boolean(create_constraint=False), nullable=False),
        sa.CheckConstraint("merchant_fen >= 0 AND platform_fen >= 0 AND programme_fen >= 0", name="ck_promotion_adjustment__amounts"),
        sa.CheckConstraint("amount_fen = merchant_fen + platform_fen + programme_fen", name="ck_promotion_adjustment__funders"),
        sa.PrimaryKeyConstraint("id", name="pk_promotion_adjustment"),
    )
    create_table(
        "promotion_coupon",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("rule_id", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("status", types.Str(length=12), nullable=False),
        sa.Column("source", types.Str(length=12), nullable=False),
        sa.Column("valid_from", types.UtcDateTime(), nullable=False),
        sa.Column("valid_until", types.UtcDateTime(), nullable=False),
        sa.Column("trade_id", sa.BigInteger(), nullable=False),
        sa.Column("claimed_at", types.UtcDateTime(), nullable=False),
        sa.Column("used_at", types.UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_promotion_coupon"),
        sa.UniqueConstraint("rule_id", "account_id", "seq", name="uq_promotion_coupon__rule_id_account_id_seq"),
    )
    create_table(
        "promotion_revision",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_promotion_revision"),
    )
    create_table(
        "promotion_rule",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", types.Str(length=16), nullable=False),
        sa.Column("owner", types.Str(length=12), nullable=False),
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("title", types.Str(length=40), nullable=False),
        sa.Column("status", types.Str(length=12), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("starts_at", types.UtcDateTime(), nullable=False),
        sa.Column("ends_at", types.UtcDateTime(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("per_account", sa.Integer(), nullable=False),
        sa.Column("budget_fen", sa.BigInteger(), nullable=False),
        sa.Column("used_count", sa.Integer(), nullable=False),
        sa.Column("used_fen", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.BigInteger(), nullable=False),
        sa.Column("reject_reason", types.Str(length=200), nullable=True),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.Column("activated_at", types.UtcDateTime(), nullable=True),
        sa.CheckConstraint("budget_fen = 0 OR used_fen <= budget_fen", name="ck_promotion_rule__budget"),
        sa.CheckConstraint("quantity = 0 OR used_count <= quantity", name="ck_promotion_rule__quantity"),
        sa.CheckConstraint("used_count >= 0 AND used_fen >= 0", name="ck_promotion_rule__used"),
        sa.PrimaryKeyConstraint("id", name="pk_promotion_rule"),
    )
    create_table(
        "promotion_use",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("rule_id", sa.BigInteger(), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("trade_id", sa.BigInteger(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("amount_fen >= 0", name="ck_promotion_use__amount"),
        sa.PrimaryKeyConstraint("id", name="pk_promotion_use"),
        sa.UniqueConstraint("rule_id", "account_id", "seq", name="uq_promotion_use__rule_id_account_id_seq"),
    )
    create_table(
        "promotion_version",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("rule_id", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("spec", types.PortableJSON(), nullable=False),
        sa.Column("created_by", sa.BigInteger(), nullable=False),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_promotion_version"),
        sa.UniqueConstraint("rule_id", "version", name="uq_promotion_version__rule_id_version"),
    )
    create_index("ix_promotion_adjustment__order_id", "promotion_adjustment", ["order_id"])
    create_index("ix_promotion_adjustment__rule", "promotion_adjustment", ["rule_id", "is_void"])
    create_index("ix_promotion_adjustment__trade_id", "promotion_adjustment", ["trade_id"])
    create_index("ix_promotion_coupon__account", "promotion_coupon", ["account_id", "status", "valid_until"])
    create_index("ix_promotion_coupon__due", "promotion_coupon", ["status", "valid_until"])
    create_index("ix_promotion_coupon__trade", "promotion_coupon", ["trade_id"])
    create_index("ix_promotion_rule__merchant", "promotion_rule", ["merchant_id", "id"])
    create_index("ix_promotion_rule__status", "promotion_rule", ["status", "ends_at"])
    create_index("ix_promotion_use__trade_id", "promotion_use", ["trade_id"])
