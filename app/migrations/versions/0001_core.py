"""Tables of core."""

import sqlalchemy as sa

from app.migrations.guarded import create_index, create_table
from dbadapters import types

revision = "0001_core"
down_revision = None


def upgrade() -> None:
    """Tables of core."""
    create_table(
        "core_idempotency_key",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("scope", types.Str(length=80), nullable=False),
        sa.Column("request_key", types.Str(length=80), nullable=False),
        sa.Column("params_digest", types.Str(length=64), nullable=False),
        sa.Column("result", types.PortableJSON(), nullable=False),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_core_idempotency_key"),
        sa.UniqueConstraint("scope", "request_key", name="uq_core_idempotency_key__scope_request_key"),
    )
    create_table(
        "core_job",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("name", types.Str(length=80), nullable=False),
        sa.Column("job_key", types.Str(length=120), nullable=False),
        sa.Column("payload", types.PortableJSON(), nullable=False),
        sa.Column("status", types.Str(length=16), nullable=False),
        sa.Column("due_at", types.UtcDateTime(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("owner", types.Str(length=80), nullable=False),
        sa.Column("lease_until", types.UtcDateTime(), nullable=False),
        sa.Column("last_error", types.LongText(), nullable=True),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.Column("finished_at", types.UtcDateTime(), nullable=True),
        sa.CheckConstraint("attempts >= 0", name="ck_core_job__attempts"),
        sa.PrimaryKeyConstraint("id", name="pk_core_job"),
        sa.UniqueConstraint("name", "job_key", name="uq_core_job__name_job_key"),
    )
    create_table(
        "core_lease",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("name", types.Str(length=80), nullable=False),
        sa.Column("owner", types.Str(length=80), nullable=False),
        sa.Column("expires_at", types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_core_lease"),
    )
    create_index("ix_core_job__due", "core_job", ["status", "due_at", "id"])
