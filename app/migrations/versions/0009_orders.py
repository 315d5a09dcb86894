"""Tables of orders."""

import sqlalchemy as sa

from app.migrations.guarded import create_index, create_table
from dbadapters import types

revision = "0009_orders"
down_revision = "0008_carts"


def upgrade() -> None:
    """Tables of orders."""
    create_table(
        "order_event",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", types.Str(length=24), nullable=False),
        sa.Column("realm", types.Str(length=16), nullable=False),
        sa.Column("actor_name", types.Str(length=60), nullable=False),
        sa.Column("note", types.Str(length=300), nullable=True),
        sa.Column("data", types.PortableJSON(), nullable=False),
        sa.Column("at", types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_order_event"),
    )
    create_table(
        "order_line",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("sku_id", sa.BigInteger(), nullable=False),
        sa.Column("product_id", sa.BigInteger(), nullable=False),
        sa.Column("product_version", sa.Integer(), nullable=False),
        sa.Column("title", types.Str(length=80), nullable=False),
        sa.Column("option_key", types.Str(length=120), nullable=False),
        sa.Column("image_key", types.Str(length=80), nullable=False),
        sa.Column("unit_price_fen", sa.BigInteger(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("paid_fen", sa.BigInteger(), nullable=False),
        sa.Column("reviewed_at", types.UtcDateTime(), nullable=True),
        sa.CheckConstraint("quantity > 0 AND paid_fen >= 0", name="ck_order_line__amounts"),
        sa.PrimaryKeyConstraint("id", name="pk_order_line"),
    )
    create_table(
        "orders",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("order_no", types.Str(length=32), nullable=False),
        sa.Column("trade_id", sa.BigInteger(), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("status", types.Str(length=16), nullable=False),
        sa.Column("hold", types.Str(length=20), nullable=False),
        sa.Column("goods_fen", sa.BigInteger(), nullable=False),
        sa.Column("freight_fen", sa.BigInteger(), nullable=False),
        sa.Column("payable_fen", sa.BigInteger(), nullable=False),
        sa.Column("refunded_fen", sa.BigInteger(), nullable=False),
        sa.Column("item_count", sa.Integer(), nullable=False),
        sa.Column("receiver_enc", types.Str(length=300), nullable=False),
        sa.Column("phone_enc", types.Str(length=200), nullable=False),
        sa.Column("street_enc", types.Str(length=700), nullable=False),
        sa.Column("receiver_mask", types.Str(length=40), nullable=False),
        sa.Column("area_code", types.Str(length=16), nullable=False),
        sa.Column("buyer_note", types.Str(length=200), nullable=True),
        sa.Column("cancel_reason", types.Str(length=60), nullable=True),
        sa.Column("first_title", types.Str(length=80), nullable=False),
        sa.Column("first_image_key", types.Str(length=80), nullable=False),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.Column("paid_at", types.UtcDateTime(), nullable=True),
        sa.Column("ship_due_at", types.UtcDateTime(), nullable=True),
        sa.Column("shipped_at", types.UtcDateTime(), nullable=True),
        sa.Column("delivered_at", types.UtcDateTime(), nullable=True),
        sa.Column("completed_at", types.UtcDateTime(), nullable=True),
        sa.CheckConstraint("goods_fen >= 0 AND freight_fen >= 0", name="ck_orders__amounts"),
        sa.CheckConstraint("payable_fen = goods_fen + freight_fen", name="ck_orders__sum"),
        sa.CheckConstraint("refunded_fen >= 0 AND refunded_fen <= payable_fen", name="ck_orders__refunded"),
        sa.PrimaryKeyConstraint("id", name="pk_orders"),
        sa.UniqueConstraint("order_no", name="uq_orders__order_no"),
    )
    create_table(
        "trade",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("trade_no", types.Str(length=32), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("status", types.Str(length=16), nullable=False),
        sa.Column("payable_fen", sa.BigInteger(), nullable=False),
        sa.Column("quote_hash", types.Str(length=64), nullable=False),
        sa.Column("expires_at", types.UtcDateTime(), nullable=False),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.Column("paid_at", types.UtcDateTime(), nullable=True),
        sa.CheckConstraint("payable_fen >= 0", name="ck_trade__payable"),
        sa.PrimaryKeyConstraint("id", name="pk_trade"),
        sa.UniqueConstraint("trade_no", name="uq_trade__trade_no"),
    )
    create_index("ix_order_event__order_id", "order_event", ["order_id"])
    create_index("ix_order_line__order_id", "order_line", ["order_id"])
    create_index("ix_orders__account", "orders", ["account_id", "status", "id"])
    create_index("ix_orders__merchant", "orders", ["merchant_id", "status", "id"])
    create_index("ix_orders__status", "orders", ["status", "id"])
    create_index("ix_orders__trade_id", "orders", ["trade_id"])
    create_index("ix_trade__account", "trade", ["account_id", "status", "id"])
    create_index("ix_trade__expires", "trade", ["status", "expires_at"])
