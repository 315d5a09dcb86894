"""Where a one-time code was asked for, so that codes can be limited by address and device."""

import sqlalchemy as sa

from app.migrations.guarded import add_column, create_index
from dbadapters import types

revision = "0020_sms_origin"
down_revision = "0019_approved_version"


def upgrade() -> None:
    """Address and device of each code, empty for older ones, with the indexes that count by them."""
    for name in ("address", "device"):
        add_column("identity_sms_code", sa.Column(name, types.Str(length=64), nullable=True))
        create_index(f"ix_identity_sms_code__{name}", "identity_sms_code", [name, "created_at"])
