"""Lots, quarantine, activity holds, purchase notes, transfers, counts, bundles, alerts, audit cases, recalls; ranks of warehouses."""

import sqlalchemy as sa

from app.migrations.guarded import add_column, create_index, create_table
from dbadapters import types

revision = "0021_lots"
down_revision = "0020_sms_origin"


def upgrade() -> None:
    """Tables and columns of the warehouse."""
    add_column("inventory_warehouse", sa.Column("parent_id", sa.BigInteger(), nullable=False, server_default="0"))
    add_column("inventory_warehouse", sa.Column("priority", sa.Integer(), nullable=False, server_default="100"))
    add_column("inventory_warehouse", sa.Column("status", types.Str(length=16), nullable=False, server_default="active"))
    add_column("inventory_warehouse", sa.Column("partner", types.Str(length=60), nullable=False, server_default="-"))
    add_column("inventory_stock", sa.Column("tracking", types.Str(length=8), nullable=False, server_default="none"))
    add_column("inventory_stock", sa.Column("safety_stock", sa.Integer(), nullable=False, server_default="0"))
    add_column("inventory_reservation", sa.Column("returned", sa.Integer(), nullable=False, server_default="0"))
    create_table(
        "inventory_service_area",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("warehouse_id", sa.BigInteger(), nullable=False),
        sa.Column("area_code", types.Str(length=16), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_inventory_service_area"),
        sa.UniqueConstraint("warehouse_id", "area_code", name="uq_inventory_service_area__warehouse_id_area_code"),
    )
    create_table(
        "inventory_item",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("sku_id", sa.BigInteger(), nullable=False),
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("tracking", types.Str(length=8), nullable=False),
        sa.Column("shelf_days", sa.Integer(), nullable=False),
        sa.Column("min_remaining_days", sa.Integer(), nullable=False),
        sa.CheckConstraint("shelf_days >= 0 AND min_remaining_days >= 0", name="ck_inventory_item__days"),
        sa.PrimaryKeyConstraint("id", name="pk_inventory_item"),
        sa.UniqueConstraint("sku_id", name="uq_inventory_item__sku_id"),
    )
    create_table(
        "inventory_component",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("bundle_sku_id", sa.BigInteger(), nullable=False),
        sa.Column("sku_id", sa.BigInteger(), nullable=False),
        sa.Column("per_bundle", sa.Integer(), nullable=False),
        sa.CheckConstraint("per_bundle > 0", name="ck_inventory_component__per_bundle"),
        sa.PrimaryKeyConstraint("id", name="pk_inventory_component"),
        sa.UniqueConstraint("bundle_sku_id", "sku_id", name="uq_inventory_component__bundle_sku_id_sku_id"),
    )
    create_table(
        "inventory_lot",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("sku_id", sa.BigInteger(), nullable=False),
        sa.Column("lot_no", types.Str(length=40), nullable=False),
        sa.Column("produced_on", sa.Date(), nullable=True),
        sa.Column("expires_on", sa.Date(), nullable=False),
        sa.Column("last_sale_on", sa.Date(), nullable=False),
        sa.Column("supplier", types.Str(length=80), nullable=False),
        sa.Column("document_no", types.Str(length=60), nullable=False),
        sa.Column("status", types.Str(length=16), nullable=False),
        sa.Column("reason", types.Str(length=120), nullable=False),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_inventory_lot"),
        sa.UniqueConstraint("sku_id", "lot_no", name="uq_inventory_lot__sku_id_lot_no"),
    )
    create_table(
        "inventory_lot_stock",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("stock_id", sa.BigInteger(), nullable=False),
        sa.Column("lot_id", sa.BigInteger(), nullable=False),
        sa.Column("on_hand", sa.Integer(), nullable=False),
        sa.Column("quarantined", sa.Integer(), nullable=False),
        sa.CheckConstraint("on_hand >= 0 AND quarantined >= 0", name="ck_inventory_lot_stock__signs"),
        sa.PrimaryKeyConstraint("id", name="pk_inventory_lot_stock"),
        sa.UniqueConstraint("stock_id", "lot_id", name="uq_inventory_lot_stock__stock_id_lot_id"),
    )
    create_table(
        "inventory_lot_movement",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("lot_stock_id", sa.BigInteger(), nullable=False),
        sa.Column("lot_id", sa.BigInteger(), nullable=False),
        sa.Column("stock_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", types.Str(length=16), nullable=False),
        sa.Column("cause_type", types.Str(length=20), nullable=False),
        sa.Column("cause_id", sa.BigInteger(), nullable=False),
        sa.Column("line_id", sa.BigInteger(), nullable=False),
        sa.Column("on_hand_delta", sa.Integer(), nullable=False),
        sa.Column("quarantined_delta", sa.Integer(), nullable=False),
        sa.Column("note", types.Str(length=120), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("at", types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_inventory_lot_movement"),
        sa.UniqueConstraint("cause_type", "cause_id", "line_id", "kind", "lot_stock_id", name="uq_inventory_lot_movement__cause"),
    )
    create_table(
        "inventory_hold",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("activity_type", types.Str(length=20), nullable=False),
        sa.Column("activity_id", sa.BigInteger(), nullable=False),
        sa.Column("stock_id", sa.BigInteger(), nullable=False),
        sa.Column("sku_id", sa.BigInteger(), nullable=False),
        sa.Column("held", sa.Integer(), nullable=False),
        sa.CheckConstraint("held >= 0", name="ck_inventory_hold__held"),
        sa.PrimaryKeyConstraint("id", name="pk_inventory_hold"),
        sa.UniqueConstraint("activity_type", "activity_id", "stock_id", name="uq_inventory_hold__activity_type_activity_id_stock_id"),
    )
    create_table(
        "inventory_receipt",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("receipt_no", types.Str(length=32), nullable=False),
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("warehouse_id", sa.BigInteger(), nullable=False),
        sa.Column("supplier", types.Str(length=80), nullable=False),
        sa.Column("document_no", types.Str(length=60), nullable=False),
        sa.Column("status", types.Str(length=16), nullable=False),
        sa.Column("created_by", sa.BigInteger(), nullable=False),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.Column("closed_at", types.UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_inventory_receipt"),
        sa.UniqueConstraint("receipt_no", name="uq_inventory_receipt__receipt_no"),
    )
    create_table(
        "inventory_receipt_line",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("receipt_id", sa.BigInteger(), nullable=False),
        sa.Column("sku_id", sa.BigInteger(), nullable=False),
        sa.Column("expected", sa.Integer(), nullable=False),
        sa.Column("received", sa.Integer(), nullable=False),
        sa.Column("rejected", sa.Integer(), nullable=False),
        sa.Column("reason", types.Str(length=120), nullable=False),
        sa.CheckConstraint("expected > 0 AND received >= 0 AND rejected >= 0", name="ck_inventory_receipt_line__amounts"),
        sa.PrimaryKeyConstraint("id", name="pk_inventory_receipt_line"),
        sa.UniqueConstraint("receipt_id", "sku_id", name="uq_inventory_receipt_line__receipt_id_sku_id"),
    )
    create_table(
        "inventory_transfer",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("transfer_no", types.Str(length=32), nullable=False),
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("from_warehouse_id", sa.BigInteger(), nullable=False),
        sa.Column("to_warehouse_id", sa.BigInteger(), nullable=False),
        sa.Column("status", types.Str(length=16), nullable=False),
        sa.Column("note", types.Str(length=120), nullable=False),
        sa.Column("created_by", sa.BigInteger(), nullable=False),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.Column("shipped_at", types.UtcDateTime(), nullable=True),
        sa.Column("received_at", types.UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_inventory_transfer"),
        sa.UniqueConstraint("transfer_no", name="uq_inventory_transfer__transfer_no"),
    )
    create_table(
        "inventory_transfer_line",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("transfer_id", sa.BigInteger(), nullable=False),
        sa.Column("sku_id", sa.BigInteger(), nullable=False),
        sa.Column("lot_id", sa.BigInteger(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("received", sa.Integer(), nullable=False),
        sa.Column("lost", sa.Integer(), nullable=False),
        sa.Column("reason", types.Str(length=120), nullable=False),
        sa.CheckConstraint("quantity > 0 AND received >= 0 AND lost >= 0 AND received + lost <= quantity", name="ck_inventory_transfer_line__amounts"),
        sa.PrimaryKeyConstraint("id", name="pk_inventory_transfer_line"),
        sa.UniqueConstraint("transfer_id", "sku_id", "lot_id", name="uq_inventory_transfer_line__transfer_id_sku_id_lot_id"),
    )
    create_table(
        "inventory_count",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("count_no", types.Str(length=32), nullable=False),
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("warehouse_id", sa.BigInteger(), nullable=False),
        sa.Column("status", types.Str(length=16), nullable=False),
        sa.Column("created_by", sa.BigInteger(), nullable=False),
        sa.Column("counted_by", sa.BigInteger(), nullable=False),
        sa.Column("reviewed_by", sa.BigInteger(), nullable=False),
        sa.Column("note", types.Str(length=120), nullable=False),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.Column("closed_at", types.UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_inventory_count"),
        sa.UniqueConstraint("count_no", name="uq_inventory_count__count_no"),
    )
    create_table(
        "inventory_count_line",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("count_id", sa.BigInteger(), nullable=False),
        sa.Column("stock_id", sa.BigInteger(), nullable=False),
        sa.Column("lot_id", sa.BigInteger(), nullable=False),
        sa.Column("frozen", sa.Integer(), nullable=False),
        sa.Column("book", sa.Integer(), nullable=False),
        sa.Column("counted", sa.Integer(), nullable=False),
        sa.Column("counted_by", sa.BigInteger(), nullable=False),
        sa.Column("decision", types.Str(length=16), nullable=False),
        sa.CheckConstraint("counted >= -1", name="ck_inventory_count_line__counted"),
        sa.PrimaryKeyConstraint("id", name="pk_inventory_count_line"),
        sa.UniqueConstraint("count_id", "stock_id", "lot_id", name="uq_inventory_count_line__count_id_stock_id_lot_id"),
    )
    create_table(
        "inventory_alert",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", types.Str(length=16), nullable=False),
        sa.Column("target_id", sa.BigInteger(), nullable=False),
        sa.Column("stock_id", sa.BigInteger(), nullable=False),
        sa.Column("lot_id", sa.BigInteger(), nullable=False),
        sa.Column("figure", sa.Integer(), nullable=False),
        sa.Column("raised_at", types.UtcDateTime(), nullable=False),
        sa.Column("cleared_at", types.UtcDateTime(), nullable=True),
        sa.Column("closed_key", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_inventory_alert"),
        sa.UniqueConstraint("kind", "target_id", "closed_key", name="uq_inventory_alert__kind_target_id_closed_key"),
    )
    create_table(
        "inventory_case",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", types.Str(length=16), nullable=False),
        sa.Column("stock_id", sa.BigInteger(), nullable=False),
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("detail", types.Str(length=200), nullable=False),
        sa.Column("found_at", types.UtcDateTime(), nullable=False),
        sa.Column("resolved_at", types.UtcDateTime(), nullable=True),
        sa.Column("resolution", types.Str(length=120), nullable=False),
        sa.Column("closed_key", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_inventory_case"),
        sa.UniqueConstraint("kind", "stock_id", "closed_key", name="uq_inventory_case__kind_stock_id_closed_key"),
    )
    create_table(
        "inventory_recall",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("lot_id", sa.BigInteger(), nullable=False),
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("reason", types.Str(length=120), nullable=False),
        sa.Column("created_by", sa.BigInteger(), nullable=False),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.Column("reached", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_inventory_recall"),
        sa.UniqueConstraint("lot_id", name="uq_inventory_recall__lot_id"),
    )
    create_index("ix_inventory_service_area__area", "inventory_service_area", ["area_code"])
    create_index("ix_inventory_item__merchant_id", "inventory_item", ["merchant_id"])
    create_index("ix_inventory_component__sku_id", "inventory_component", ["sku_id"])
    create_index("ix_inventory_lot__expiry", "inventory_lot", ["status", "expires_on", "id"])
    create_index("ix_inventory_lot__merchant", "inventory_lot", ["merchant_id", "id"])
    create_index("ix_inventory_lot__sale", "inventory_lot", ["status", "last_sale_on", "id"])
    create_index("ix_inventory_lot_stock__lot_id", "inventory_lot_stock", ["lot_id"])
    create_index("ix_inventory_lot_movement__lot", "inventory_lot_movement", ["lot_id", "id"])
    create_index("ix_inventory_lot_movement__row", "inventory_lot_movement", ["lot_stock_id", "id"])
    create_index("ix_inventory_hold__stock_id", "inventory_hold", ["stock_id"])
    create_index("ix_inventory_receipt__merchant", "inventory_receipt", ["merchant_id", "id"])
    create_index("ix_inventory_transfer__from_warehouse_id", "inventory_transfer", ["from_warehouse_id"])
    create_index("ix_inventory_transfer__merchant", "inventory_transfer", ["merchant_id", "id"])
    create_index("ix_inventory_transfer__status", "inventory_transfer", ["status", "id"])
    create_index("ix_inventory_transfer__to_warehouse_id", "inventory_transfer", ["to_warehouse_id"])
    create_index("ix_inventory_count__merchant", "inventory_count", ["merchant_id", "id"])
    create_index("ix_inventory_alert__open", "inventory_alert", ["closed_key", "merchant_id", "id"])
    create_index("ix_inventory_case__open", "inventory_case", ["closed_key", "id"])
    create_index("ix_inventory_recall__merchant", "inventory_recall", ["merchant_id", "id"])
