"""Risk rules with their versions, and decisions."""

import sqlalchemy as sa

from app.migrations.guarded import create_index, create_table
from dbadapters import types

revision = "0026_risk"
down_revision = "0031_carriers"


def upgrade() -> None:
    """Tables of risk."""
    create_table(
        "risk_rule",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("code", types.Str(length=32), nullable=False),
        sa.Column("state", types.Str(length=8), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("hits", sa.Integer(), nullable=False),
        sa.Column("shadow_hits", sa.Integer(), nullable=False),
        sa.Column("false_hits", sa.Integer(), nullable=False),
        sa.Column("last_hit_at", types.UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_risk_rule"),
        sa.UniqueConstraint("code", name="uq_risk_rule__code"),
    )
    create_table(
        "risk_version",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("rule_id", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("spec", types.PortableJSON(), nullable=False),
        sa.Column("made_by", types.Str(length=60), nullable=False),
        sa.Column("made_at", types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_risk_version"),
        sa.UniqueConstraint("rule_id", "version", name="uq_risk_version__rule_id_version"),
    )
    create_table(
        "risk_decision",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("subject_type", types.Str(length=12), nullable=False),
        sa.Column("subject_id", sa.BigInteger(), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("action", types.Str(length=8), nullable=False),
        sa.Column("inputs", types.PortableJSON(), nullable=False),
        sa.Column("hits", types.PortableJSON(), nullable=False),
        sa.Column("review", types.Str(length=8), nullable=False),
        sa.Column("at", types.UtcDateTime(), nullable=False),
        sa.Column("reviewed_by", types.Str(length=60), nullable=False),
        sa.Column("reviewed_at", types.UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_risk_decision"),
        sa.UniqueConstraint("subject_type", "subject_id", name="uq_risk_decision__subject_type_subject_id"),
    )
    create_index("ix_risk_decision__account_id", "risk_decision", ["account_id"])
    create_index("ix_risk_decision__review", "risk_decision", ["review", "id"])
