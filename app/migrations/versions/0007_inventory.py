"""Tables of inventory."""

import sqlalchemy as sa

from app.migrations.guarded import create_index, create_table
from dbadapters import types

revision = "0007_inventory"
down_revision = "0006_content"


def upgrade() -> None:
    """Tables of inventory."""
    create_table(
        "inventory_movement",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("stock_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", types.Str(length=16), nullable=False),
        sa.Column("cause_type", types.Str(length=20), nullable=False),
        sa.Column("cause_id", sa.BigInteger(), nullable=False),
        sa.Column("line_id", sa.BigInteger(), nullable=False),
        sa.Column("on_hand_delta", sa.Integer(), nullable=False),
        sa.Column("allocated_delta", sa.Integer(), nullable=False),
        sa.Column("reserved_delta", sa.Integer(), nullable=False),
        sa.Column("quota_delta", sa.Integer(), nullable=False),
        sa.Column("note", types.Str(length=120), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("at", types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_inventory_movement"),
        sa.UniqueConstraint("cause_type", "cause_id", "line_id", "kind", "stock_id", name="uq_inventory_movement__cause"),
    )
    create_table(
        "inventory_reservation",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("line_id", sa.BigInteger(), nullable=False),
        sa.Column("stock_id", sa.BigInteger(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("state", types.Str(length=16), nullable=False),
        sa.Column("expires_at", types.UtcDateTime(), nullable=False),
        sa.CheckConstraint("quantity > 0", name="ck_inventory_reservation__quantity"),
        sa.PrimaryKeyConstraint("id", name="pk_inventory_reservation"),
        sa.UniqueConstraint("line_id", "stock_id", name="uq_inventory_reservation__line_id_stock_id"),
    )
    create_table(
        "inventory_stock",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("warehouse_id", sa.BigInteger(), nullable=False),
        sa.Column("sku_id", sa.BigInteger(), nullable=False),
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("on_hand", sa.Integer(), nullable=False),
        sa.Column("allocated", sa.Integer(), nullable=False),
        sa.Column("reserved", sa.Integer(), nullable=False),
        sa.Column("quota_held", sa.Integer(), nullable=False),
        sa.CheckConstraint("on_hand - allocated - reserved - quota_held >= 0", name="ck_inventory_stock__available"),
        sa.CheckConstraint(
            "on_hand >= 0 AND allocated >= 0 AND reserved >= 0 AND quota_held >= 0", name="ck_inventory_stock__signs"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_inventory_stock"),
        sa.UniqueConstraint("warehouse_id", "sku_id", name="uq_inventory_stock__warehouse_id_sku_id"),
    )
    create_table(
        "inventory_warehouse",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("code", types.Str(length=32), nullable=False),
        sa.Column("name", types.Str(length=60), nullable=False),
        sa.Column("kind", types.Str(length=16), nullable=False),
        sa.Column("area_code", types.Str(length=16), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_inventory_warehouse"),
        sa.UniqueConstraint("code", name="uq_inventory_warehouse__code"),
    )
    create_index("ix_inventory_movement__stock", "inventory_movement", ["stock_id", "id"])
    create_index("ix_inventory_reservation__order", "inventory_reservation", ["order_id", "state"])
    create_index("ix_inventory_stock__merchant", "inventory_stock", ["merchant_id", "id"])
    create_index("ix_inventory_stock__sku", "inventory_stock", ["sku_id", "id"])
    create_index("ix_inventory_warehouse__merchant_id", "inventory_warehouse", ["merchant_id"])
