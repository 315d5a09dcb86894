"""Tables of content."""

import sqlalchemy as sa

from app.migrations.guarded import create_index, create_table
from dbadapters import types

revision = "0006_content"
down_revision = "0005_catalog"


def upgrade() -> None:
    """Tables of content."""
    create_table(
        "content_agreement",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("code", types.Str(length=20), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("title", types.Str(length=60), nullable=False),
        sa.Column("body_text", types.LongText(), nullable=False),
        sa.Column("effective_at", types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_content_agreement"),
        sa.UniqueConstraint("code", "version", name="uq_content_agreement__code_version"),
    )
    create_table(
        "content_consent",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("code", types.Str(length=20), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("address", types.Str(length=64), nullable=False),
        sa.Column("at", types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_content_consent"),
        sa.UniqueConstraint("account_id", "code", "version", name="uq_content_consent__account_id_code_version"),
    )
    create_table(
        "content_home_block",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", types.Str(length=20), nullable=False),
        sa.Column("title", types.Str(length=40), nullable=False),
        sa.Column("data", types.PortableJSON(), nullable=False),
        sa.Column("sort", sa.Integer(), nullable=False),
        sa.Column("is_visible", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_content_home_block"),
    )
    create_table(
        "content_notice",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("title", types.Str(length=80), nullable=False),
        sa.Column("body_text", types.LongText(), nullable=False),
        sa.Column("kind", types.Str(length=16), nullable=False),
        sa.Column("status", types.Str(length=16), nullable=False),
        sa.Column("published_at", types.UtcDateTime(), nullable=True),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_content_notice"),
    )
    create_index("ix_content_notice__status", "content_notice", ["status", "id"])
