"""E-waybills and pushes of carriers, shelves, waves and trips."""

import sqlalchemy as sa

from app.migrations.guarded import create_index, create_table
from dbadapters import types

revision = "0031_carriers"
down_revision = "0029_parcels"


def upgrade() -> None:
    """Tables of carriers by API and of dispatch."""
    create_table(
        "fulfilment_waybill",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("carrier", types.Str(length=20), nullable=False),
        sa.Column("state", types.Str(length=12), nullable=False),
        sa.Column("tracking_no", types.Str(length=40), nullable=False),
        sa.Column("units", types.PortableJSON(), nullable=False),
        sa.Column("error", types.Str(length=200), nullable=True),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_fulfilment_waybill"),
        sa.UniqueConstraint("carrier", "tracking_no", name="uq_fulfilment_waybill__carrier_tracking_no"),
    )
    create_table(
        "fulfilment_push",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("carrier", types.Str(length=20), nullable=False),
        sa.Column("digest", types.Str(length=64), nullable=False),
        sa.Column("content", types.LongText(), nullable=False),
        sa.Column("received_at", types.UtcDateTime(), nullable=False),
        sa.Column("applied_at", types.UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_fulfilment_push"),
        sa.UniqueConstraint("digest", name="uq_fulfilment_push__digest"),
    )
    create_table(
        "fulfilment_shelf",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("sku_id", sa.BigInteger(), nullable=False),
        sa.Column("place", types.Str(length=20), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_fulfilment_shelf"),
        sa.UniqueConstraint("sku_id", name="uq_fulfilment_shelf__sku_id"),
    )
    create_table(
        "fulfilment_wave",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("number", types.Str(length=20), nullable=False),
        sa.Column("status", types.Str(length=12), nullable=False),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.Column("picked_at", types.UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_fulfilment_wave"),
    )
    create_table(
        "fulfilment_wave_order",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("wave_id", sa.BigInteger(), nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_fulfilment_wave_order"),
        sa.UniqueConstraint("order_id", name="uq_fulfilment_wave_order__order_id"),
    )
    create_table(
        "fulfilment_trip",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("number", types.Str(length=20), nullable=False),
        sa.Column("place", types.Str(length=40), nullable=False),
        sa.Column("driver", types.Str(length=40), nullable=False),
        sa.Column("vehicle", types.Str(length=40), nullable=False),
        sa.Column("cost_fen", sa.BigInteger(), nullable=False),
        sa.Column("solo_fen", sa.BigInteger(), nullable=False),
        sa.Column("status", types.Str(length=12), nullable=False),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.CheckConstraint("cost_fen > 0 AND solo_fen > 0", name="ck_fulfilment_trip__amounts"),
        sa.PrimaryKeyConstraint("id", name="pk_fulfilment_trip"),
    )
    create_table(
        "fulfilment_trip_stop",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("trip_id", sa.BigInteger(), nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("charged_g", sa.BigInteger(), nullable=False),
        sa.Column("share_fen", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.CheckConstraint("share_fen >= 0", name="ck_fulfilment_trip_stop__share"),
        sa.PrimaryKeyConstraint("id", name="pk_fulfilment_trip_stop"),
        sa.UniqueConstraint("order_id", name="uq_fulfilment_trip_stop__order_id"),
    )
    create_index("ix_fulfilment_waybill__order_id", "fulfilment_waybill", ["order_id"])
    create_index("ix_fulfilment_waybill__merchant", "fulfilment_waybill", ["merchant_id", "id"])
    create_index("ix_fulfilment_shelf__merchant_id", "fulfilment_shelf", ["merchant_id"])
    create_index("ix_fulfilment_wave__merchant", "fulfilment_wave", ["merchant_id", "id"])
    create_index("ix_fulfilment_wave_order__wave_id", "fulfilment_wave_order", ["wave_id"])
    create_index("ix_fulfilment_trip_stop__trip_id", "fulfilment_trip_stop", ["trip_id"])
