"""Tables of identity."""

import sqlalchemy as sa

from app.migrations.guarded import create_index, create_table
from dbadapters import types

revision = "0003_identity"
down_revision = "0002_audit"


def upgrade() -> None:
    """Tables of identity."""
    create_table(
        "identity_account",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("realm", types.Str(length=16), nullable=False),
        sa.Column("login_name", types.Str(length=64), nullable=False),
        sa.Column("display_name", types.Str(length=40), nullable=False),
        sa.Column("phone_enc", types.Str(length=200), nullable=False),
        sa.Column("phone_index", types.Str(length=64), nullable=False),
        sa.Column("password_hash", types.Str(length=200), nullable=False),
        sa.Column("status", types.Str(length=16), nullable=False),
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("area_code", types.Str(length=16), nullable=False),
        sa.Column("failed_count", sa.Integer(), nullable=False),
        sa.Column("locked_until", types.UtcDateTime(), nullable=True),
        sa.Column("must_change", sa.Boolean(), nullable=False),
        sa.Column("prefers_elder", sa.Boolean(), nullable=False),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.Column("last_seen_at", types.UtcDateTime(), nullable=True),
        sa.CheckConstraint("failed_count >= 0", name="ck_identity_account__failed"),
        sa.PrimaryKeyConstraint("id", name="pk_identity_account"),
        sa.UniqueConstraint("realm", "login_name", name="uq_identity_account__realm_login_name"),
    )
    create_table(
        "identity_account_role",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("role_id", sa.BigInteger(), nullable=False),
        sa.Column("exclusive_key", types.Str(length=40), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_identity_account_role"),
        sa.UniqueConstraint("account_id", "exclusive_key", name="uq_identity_account_role__account_id_exclusive_key"),
        sa.UniqueConstraint("account_id", "role_id", name="uq_identity_account_role__account_id_role_id"),
    )
    create_table(
        "identity_address",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("receiver_enc", types.Str(length=300), nullable=False),
        sa.Column("phone_enc", types.Str(length=200), nullable=False),
        sa.Column("street_enc", types.Str(length=700), nullable=False),
        sa.Column("area_code", types.Str(length=16), nullable=False),
        sa.Column("is_default", sa.Boolean(), nullable=False),
        sa.Column("deleted_us", sa.BigInteger(), nullable=False),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_identity_address"),
    )
    create_table(
        "identity_area",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("code", types.Str(length=16), nullable=False),
        sa.Column("name", types.Str(length=40), nullable=False),
        sa.Column("parent_code", types.Str(length=16), nullable=False),
        sa.Column("sort", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_identity_area"),
        sa.UniqueConstraint("code", name="uq_identity_area__code"),
    )
    create_table(
        "identity_role",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("realm", types.Str(length=16), nullable=False),
        sa.Column("code", types.Str(length=40), nullable=False),
        sa.Column("name", types.Str(length=40), nullable=False),
        sa.Column("exclusive_group", types.Str(length=20), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_identity_role"),
        sa.UniqueConstraint("realm", "code", name="uq_identity_role__realm_code"),
    )
    create_table(
        "identity_role_permission",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("role_id", sa.BigInteger(), nullable=False),
        sa.Column("permission", types.Str(length=60), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_identity_role_permission"),
        sa.UniqueConstraint("role_id", "permission", name="uq_identity_role_permission__role_id_permission"),
    )
    create_table(
        "identity_session",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("token_digest", types.Str(length=64), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("surface", types.Str(length=16), nullable=False),
        sa.Column("address", types.Str(length=64), nullable=False),
        sa.Column("agent", types.Str(length=200), nullable=False),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.Column("seen_at", types.UtcDateTime(), nullable=False),
        sa.Column("idle_until", types.UtcDateTime(), nullable=False),
        sa.Column("expires_at", types.UtcDateTime(), nullable=False),
        sa.Column("revoked_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_identity_session"),
        sa.UniqueConstraint("token_digest", name="uq_identity_session__token_digest"),
    )
    create_table(
        "identity_sms_code",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("phone_index", types.Str(length=64), nullable=False),
        sa.Column("purpose", types.Str(length=20), nullable=False),
        sa.Column("code_digest", types.Str(length=64), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.Column("expires_at", types.UtcDateTime(), nullable=False),
        sa.Column("used_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_identity_sms_code"),
    )
    create_index("ix_identity_account__phone", "identity_account", ["realm", "phone_index"])
    create_index("ix_identity_address__account_id", "identity_address", ["account_id"])
    create_index("ix_identity_session__account_id", "identity_session", ["account_id"])
    create_index("ix_identity_sms_code__phone", "identity_sms_code", ["phone_index", "purpose", "id"])
