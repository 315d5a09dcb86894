"""Parcels with quantities and temperatures, pickup points, pickups with their codes, the log of prints."""

import sqlalchemy as sa

from app.migrations.guarded import add_column, create_index, create_table
from dbadapters import types

revision = "0029_parcels"
down_revision = "0025_order_depth"


def upgrade() -> None:
    """Columns of parcels and orders, tables of what they hold and where they are collected."""
    add_column("orders", sa.Column("units_out", sa.Integer(), nullable=True))
    add_column("fulfilment_parcel", sa.Column("warehouse_id", sa.BigInteger(), nullable=True))
    add_column("fulfilment_parcel", sa.Column("temperature", types.Str(length=12), nullable=True))
    add_column("fulfilment_parcel", sa.Column("breached_at", types.UtcDateTime(), nullable=True))
    create_table(
        "fulfilment_parcel_line",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("parcel_id", sa.BigInteger(), nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("line_id", sa.BigInteger(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.CheckConstraint("quantity > 0", name="ck_fulfilment_parcel_line__quantity"),
        sa.PrimaryKeyConstraint("id", name="pk_fulfilment_parcel_line"),
        sa.UniqueConstraint("parcel_id", "line_id", name="uq_fulfilment_parcel_line__parcel_id_line_id"),
    )
    create_table(
        "fulfilment_temperature",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("parcel_id", sa.BigInteger(), nullable=False),
        sa.Column("source_key", types.Str(length=64), nullable=False),
        sa.Column("celsius_tenths", sa.Integer(), nullable=False),
        sa.Column("place", types.Str(length=60), nullable=False),
        sa.Column("at", types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_fulfilment_temperature"),
        sa.UniqueConstraint("parcel_id", "source_key", name="uq_fulfilment_temperature__parcel_id_source_key"),
    )
    create_table(
        "fulfilment_print",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", types.Str(length=12), nullable=False),
        sa.Column("object_id", sa.BigInteger(), nullable=False),
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("account_name", types.Str(length=60), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("at", types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_fulfilment_print"),
        sa.UniqueConstraint("kind", "object_id", "seq", name="uq_fulfilment_print__kind_object_id_seq"),
    )
    create_table(
        "fulfilment_code_try",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("at", types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_fulfilment_code_try"),
    )
    create_table(
        "delivery_point",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("name", types.Str(length=40), nullable=False),
        sa.Column("area_code", types.Str(length=16), nullable=False),
        sa.Column("street", types.Str(length=100), nullable=False),
        sa.Column("phone", types.Str(length=20), nullable=False),
        sa.Column("hours", types.Str(length=60), nullable=False),
        sa.Column("capacity", sa.Integer(), nullable=False),
        sa.Column("open_count", sa.Integer(), nullable=False),
        sa.Column("keep_days", sa.Integer(), nullable=False),
        sa.Column("is_shared", sa.Boolean(create_constraint=False), nullable=False),
        sa.Column("status", types.Str(length=12), nullable=False),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.CheckConstraint("capacity > 0 AND open_count >= 0 AND keep_days > 0", name="ck_delivery_point__amounts"),
        sa.PrimaryKeyConstraint("id", name="pk_delivery_point"),
    )
    create_table(
        "delivery_pickup",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("point_id", sa.BigInteger(), nullable=False),
        sa.Column("point_name", types.Str(length=40), nullable=False),
        sa.Column("state", types.Str(length=12), nullable=False),
        sa.Column("live_code", types.Str(length=64), nullable=False),
        sa.Column("code_enc", types.Str(length=200), nullable=True),
        sa.Column("ready_at", types.UtcDateTime(), nullable=True),
        sa.Column("keep_until", types.UtcDateTime(), nullable=True),
        sa.Column("reminded_at", types.UtcDateTime(), nullable=True),
        sa.Column("collected_at", types.UtcDateTime(), nullable=True),
        sa.Column("collected_by", sa.BigInteger(), nullable=False),
        sa.Column("rev", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_delivery_pickup"),
        sa.UniqueConstraint("order_id", name="uq_delivery_pickup__order_id"),
        sa.UniqueConstraint("live_code", name="uq_delivery_pickup__live_code"),
    )
    create_index("ix_fulfilment_parcel_line__order_id", "fulfilment_parcel_line", ["order_id"])
    create_index("ix_fulfilment_code_try__account", "fulfilment_code_try", ["account_id", "at"])
    create_index("ix_delivery_point__merchant_id", "delivery_point", ["merchant_id"])
    create_index("ix_delivery_pickup__point", "delivery_pickup", ["point_id", "state", "id"])
    create_index("ix_delivery_pickup__merchant", "delivery_pickup", ["merchant_id", "state", "id"])
    create_index("ix_delivery_pickup__state", "delivery_pickup", ["state", "keep_until"])
