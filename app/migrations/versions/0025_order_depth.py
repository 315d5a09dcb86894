"""Order depth: modes, holds, cases, address changes, invoices, exports, and the indexes that find an order."""

import sqlalchemy as sa

from app.migrations.guarded import add_column, create_index, create_table
from dbadapters import types

revision = "0025_order_depth"
down_revision = "0023_aftersales"


def upgrade() -> None:
    """Columns of orders, categories and merchants with what older rows mean; tables of what may happen to an order."""
    add_column("catalog_category", sa.Column("cold_chain", types.Str(length=16), nullable=False, server_default="ambient"))
    add_column("catalog_category", sa.Column("is_service", sa.Integer(), nullable=False, server_default="0"))
    add_column("merchant", sa.Column("delivery_modes", types.Str(length=60), nullable=False, server_default="express"))
    add_column("orders", sa.Column("delivery_mode", types.Str(length=12), nullable=False, server_default="express"))
    add_column("orders", sa.Column("temperature", types.Str(length=12), nullable=False, server_default="ambient"))
    add_column("orders", sa.Column("parent_id", sa.BigInteger(), nullable=False, server_default="0"))
    add_column("orders", sa.Column("bundle_id", sa.BigInteger(), nullable=False, server_default="0"))
    add_column("orders", sa.Column("held_at", types.UtcDateTime(), nullable=True))
    add_column("orders", sa.Column("phone_index", types.Str(length=64), nullable=False, server_default="-"))
    add_column("orders", sa.Column("receiver_index", types.Str(length=64), nullable=False, server_default="-"))
    add_column("orders", sa.Column("address_key", types.Str(length=64), nullable=False, server_default="-"))
    add_column("orders", sa.Column("address_rev", sa.Integer(), nullable=False, server_default="0"))
    create_index("ix_orders__phone", "orders", ["phone_index", "id"])
    create_index("ix_orders__receiver", "orders", ["receiver_index", "id"])
    create_index("ix_order_line__sku", "order_line", ["sku_id", "order_id"])
    create_table(
        "order_hold",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("reason", types.Str(length=20), nullable=False),
        sa.Column("open_key", sa.BigInteger(), nullable=False),
        sa.Column("note", types.Str(length=200), nullable=False),
        sa.Column("placed_by", types.Str(length=60), nullable=False),
        sa.Column("placed_at", types.UtcDateTime(), nullable=False),
        sa.Column("lifted_by", types.Str(length=60), nullable=False),
        sa.Column("lifted_at", types.UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_order_hold"),
        sa.UniqueConstraint("order_id", "reason", "open_key", name="uq_order_hold__order_id_reason_open_key"),
    )
    create_table(
        "order_case",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("trade_id", sa.BigInteger(), nullable=False),
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", types.Str(length=16), nullable=False),
        sa.Column("cause", types.Str(length=80), nullable=False),
        sa.Column("source", types.Str(length=12), nullable=False),
        sa.Column("reason", types.Str(length=200), nullable=False),
        sa.Column("status", types.Str(length=12), nullable=False),
        sa.Column("raised_by", types.Str(length=60), nullable=False),
        sa.Column("raised_at", types.UtcDateTime(), nullable=False),
        sa.Column("officer_id", sa.BigInteger(), nullable=False),
        sa.Column("officer_name", types.Str(length=60), nullable=False),
        sa.Column("claimed_at", types.UtcDateTime(), nullable=True),
        sa.Column("resolution", types.Str(length=16), nullable=False),
        sa.Column("note", types.Str(length=200), nullable=False),
        sa.Column("resolved_at", types.UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_order_case"),
        sa.UniqueConstraint("cause", name="uq_order_case__cause"),
    )
    create_index("ix_order_case__merchant", "order_case", ["merchant_id", "id"])
    create_index("ix_order_case__officer", "order_case", ["officer_id", "status", "id"])
    create_index("ix_order_case__order_id", "order_case", ["order_id"])
    create_index("ix_order_case__queue", "order_case", ["status", "id"])
    create_table(
        "order_address_change",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("open_key", sa.BigInteger(), nullable=False),
        sa.Column("status", types.Str(length=12), nullable=False),
        sa.Column("receiver_enc", types.Str(length=300), nullable=False),
        sa.Column("phone_enc", types.Str(length=200), nullable=False),
        sa.Column("street_enc", types.Str(length=700), nullable=False),
        sa.Column("reason", types.Str(length=200), nullable=False),
        sa.Column("proposed_by", types.Str(length=60), nullable=False),
        sa.Column("proposed_at", types.UtcDateTime(), nullable=False),
        sa.Column("decided_at", types.UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_order_address_change"),
        sa.UniqueConstraint("order_id", "open_key", name="uq_order_address_change__order_id_open_key"),
    )
    create_table(
        "order_invoice_title",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", types.Str(length=12), nullable=False),
        sa.Column("title", types.Str(length=80), nullable=False),
        sa.Column("tax_no", types.Str(length=20), nullable=False),
        sa.Column("registry_enc", types.Str(length=900), nullable=True),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_order_invoice_title"),
    )
    create_index("ix_order_invoice_title__account_id", "order_invoice_title", ["account_id"])
    create_table(
        "order_invoice",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("open_key", sa.BigInteger(), nullable=False),
        sa.Column("kind", types.Str(length=12), nullable=False),
        sa.Column("title", types.Str(length=80), nullable=False),
        sa.Column("tax_no", types.Str(length=20), nullable=False),
        sa.Column("registry_enc", types.Str(length=900), nullable=True),
        sa.Column("status", types.Str(length=12), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("number", types.Str(length=24), nullable=False),
        sa.Column("file_key", types.Str(length=80), nullable=False),
        sa.Column("red_fen", sa.BigInteger(), nullable=False),
        sa.Column("red_number", types.Str(length=24), nullable=False),
        sa.Column("requested_at", types.UtcDateTime(), nullable=False),
        sa.Column("issued_at", types.UtcDateTime(), nullable=True),
        sa.CheckConstraint("amount_fen >= 0 AND red_fen >= 0 AND red_fen <= amount_fen", name="ck_order_invoice__amounts"),
        sa.PrimaryKeyConstraint("id", name="pk_order_invoice"),
        sa.UniqueConstraint("order_id", "open_key", name="uq_order_invoice__order_id_open_key"),
    )
    create_index("ix_order_invoice__merchant", "order_invoice", ["merchant_id", "status", "id"])
    create_table(
        "order_export",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("criteria", types.PortableJSON(), nullable=False),
        sa.Column("status", types.Str(length=12), nullable=False),
        sa.Column("row_count", sa.Integer(), nullable=False),
        sa.Column("requested_by", types.Str(length=60), nullable=False),
        sa.Column("requested_at", types.UtcDateTime(), nullable=False),
        sa.Column("finished_at", types.UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_order_export"),
    )
    create_index("ix_order_export__due", "order_export", ["status", "requested_at"])
    create_index("ix_order_export__mine", "order_export", ["account_id", "id"])
