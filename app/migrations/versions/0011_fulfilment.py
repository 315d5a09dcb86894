"""Tables of fulfilment."""

import sqlalchemy as sa

from app.migrations.guarded import create_index, create_table
from dbadapters import types

revision = "0011_fulfilment"
down_revision = "0010_payments"


def upgrade() -> None:
    """Tables of fulfilment."""
    create_table(
        "fulfilment_parcel",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("carrier", types.Str(length=20), nullable=False),
        sa.Column("tracking_no", types.Str(length=40), nullable=False),
        sa.Column("status", types.Str(length=16), nullable=False),
        sa.Column("shipped_at", types.UtcDateTime(), nullable=False),
        sa.Column("delivered_at", types.UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_fulfilment_parcel"),
        sa.UniqueConstraint("carrier", "tracking_no", name="uq_fulfilment_parcel__carrier_tracking_no"),
    )
    create_table(
        "fulfilment_tracking",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("parcel_id", sa.BigInteger(), nullable=False),
        sa.Column("source_key", types.Str(length=64), nullable=False),
        sa.Column("kind", types.Str(length=20), nullable=False),
        sa.Column("place", types.Str(length=60), nullable=False),
        sa.Column("text", types.Str(length=200), nullable=False),
        sa.Column("at", types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_fulfilment_tracking"),
        sa.UniqueConstraint("parcel_id", "source_key", name="uq_fulfilment_tracking__parcel_id_source_key"),
    )
    create_index("ix_fulfilment_parcel__order_id", "fulfilment_parcel", ["order_id"])
    create_index("ix_fulfilment_tracking__at", "fulfilment_tracking", ["parcel_id", "at"])
