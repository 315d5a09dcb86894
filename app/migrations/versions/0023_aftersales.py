"""Tables of after-sale, what a line gave back, the clocks an open case stops, and what is outside the seven days."""

import sqlalchemy as sa

from app.migrations.guarded import add_column, create_index, create_table
from dbadapters import types

revision = "0023_aftersales"
down_revision = "0022_channels"


def upgrade() -> None:
    """Three tables of after-sale, one of orders, columns of orders, lines and categories."""
    for name in ("case_count", "freight_back", "confirm_left_s"):
        add_column("orders", sa.Column(name, sa.Integer(), nullable=False, server_default="0"))
    add_column("orders", sa.Column("confirm_after", types.UtcDateTime(), nullable=True))
    add_column("order_line", sa.Column("exclusion", types.Str(length=12), nullable=False, server_default="-"))
    add_column("catalog_category", sa.Column("return_exclusion", types.Str(length=12), nullable=False, server_default="-"))
    create_table(
        "order_line_back",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("paid_fen", sa.BigInteger(), nullable=False),
        sa.Column("case_units", sa.Integer(), nullable=False),
        sa.Column("back_units", sa.Integer(), nullable=False),
        sa.Column("back_fen", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("case_units >= 0 AND back_units >= 0 AND case_units + back_units <= quantity", name="ck_order_line_back__units"),
        sa.CheckConstraint("back_fen >= 0 AND back_fen <= paid_fen", name="ck_order_line_back__money"),
        sa.PrimaryKeyConstraint("id", name="pk_order_line_back"),
    )
    create_index("ix_order_line_back__order_id", "order_line_back", ["order_id"])
    create_table(
        "aftersales_case",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("case_no", types.Str(length=32), nullable=False),
        sa.Column("request_key", types.Str(length=64), nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("order_no", types.Str(length=32), nullable=False),
        sa.Column("trade_id", sa.BigInteger(), nullable=False),
        sa.Column("line_id", sa.BigInteger(), nullable=False),
        sa.Column("sku_id", sa.BigInteger(), nullable=False),
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", types.Str(length=12), nullable=False),
        sa.Column("status", types.Str(length=12), nullable=False),
        sa.Column("reason", types.Str(length=24), nullable=False),
        sa.Column("fault", types.Str(length=10), nullable=False),
        sa.Column("was_shipped", sa.Integer(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("title", types.Str(length=80), nullable=False),
        sa.Column("option_key", types.Str(length=120), nullable=False),
        sa.Column("image_key", types.Str(length=80), nullable=False),
        sa.Column("description_text", types.Str(length=500), nullable=False),
        sa.Column("method", types.Str(length=8), nullable=False),
        sa.Column("pickup_slot", types.Str(length=24), nullable=False),
        sa.Column("return_to", types.Str(length=240), nullable=False),
        sa.Column("carrier", types.Str(length=20), nullable=False),
        sa.Column("tracking_no", types.Str(length=40), nullable=False),
        sa.Column("new_sku_id", sa.BigInteger(), nullable=False),
        sa.Column("new_option_key", types.Str(length=120), nullable=False),
        sa.Column("out_carrier", types.Str(length=20), nullable=False),
        sa.Column("out_tracking_no", types.Str(length=40), nullable=False),
        sa.Column("sampled", sa.Integer(), nullable=False),
        sa.Column("bad", sa.Integer(), nullable=False),
        sa.Column("want_fen", sa.BigInteger(), nullable=False),
        sa.Column("back_units", sa.Integer(), nullable=False),
        sa.Column("good_units", sa.Integer(), nullable=False),
        sa.Column("scrap_units", sa.Integer(), nullable=False),
        sa.Column("refund_fen", sa.BigInteger(), nullable=False),
        sa.Column("freight_fen", sa.BigInteger(), nullable=False),
        sa.Column("buyer_fee_fen", sa.BigInteger(), nullable=False),
        sa.Column("merchant_fee_fen", sa.BigInteger(), nullable=False),
        sa.Column("refund_id", sa.BigInteger(), nullable=False),
        sa.Column("funders", types.PortableJSON(), nullable=False),
        sa.Column("refusal", types.Str(length=200), nullable=True),
        sa.Column("due_us", sa.BigInteger(), nullable=False),
        sa.Column("left_us", sa.BigInteger(), nullable=False),
        sa.Column("opened_at", types.UtcDateTime(), nullable=False),
        sa.Column("answered_at", types.UtcDateTime(), nullable=True),
        sa.Column("finished_at", types.UtcDateTime(), nullable=True),
        sa.CheckConstraint("quantity > 0 AND back_units >= 0 AND back_units <= quantity", name="ck_aftersales_case__units"),
        sa.CheckConstraint("good_units >= 0 AND scrap_units >= 0 AND good_units + scrap_units <= quantity", name="ck_aftersales_case__inspected"),
        sa.CheckConstraint(
            "refund_fen >= 0 AND freight_fen >= 0 AND buyer_fee_fen >= 0 AND merchant_fee_fen >= 0", name="ck_aftersales_case__money"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_aftersales_case"),
        sa.UniqueConstraint("case_no", name="uq_aftersales_case__case_no"),
        sa.UniqueConstraint("account_id", "request_key", name="uq_aftersales_case__account_id_request_key"),
    )
    create_index("ix_aftersales_case__order_id", "aftersales_case", ["order_id"])
    create_index("ix_aftersales_case__line_id", "aftersales_case", ["line_id"])
    create_index("ix_aftersales_case__refund_id", "aftersales_case", ["refund_id"])
    create_index("ix_aftersales_case__merchant", "aftersales_case", ["merchant_id", "status", "due_us", "id"])
    create_index("ix_aftersales_case__account", "aftersales_case", ["account_id", "id"])
    create_index("ix_aftersales_case__due", "aftersales_case", ["status", "due_us", "id"])
    create_table(
        "aftersales_event",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("case_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", types.Str(length=24), nullable=False),
        sa.Column("realm", types.Str(length=16), nullable=False),
        sa.Column("actor_name", types.Str(length=60), nullable=False),
        sa.Column("note", types.Str(length=500), nullable=True),
        sa.Column("data", types.PortableJSON(), nullable=False),
        sa.Column("at", types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_aftersales_event"),
    )
    create_index("ix_aftersales_event__case_id", "aftersales_event", ["case_id"])
    create_table(
        "aftersales_claim",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("line_id", sa.BigInteger(), nullable=False),
        sa.Column("case_id", sa.BigInteger(), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("sampled", sa.Integer(), nullable=False),
        sa.Column("bad", sa.Integer(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("at", types.UtcDateTime(), nullable=False),
        sa.CheckConstraint("sampled > 0 AND bad >= 0 AND bad <= sampled AND amount_fen >= 0", name="ck_aftersales_claim__sample"),
        sa.PrimaryKeyConstraint("id", name="pk_aftersales_claim"),
        sa.UniqueConstraint("line_id", name="uq_aftersales_claim__line_id"),
    )
    create_index("ix_aftersales_claim__account", "aftersales_claim", ["account_id", "at"])
    create_index("ix_aftersales_claim__merchant", "aftersales_claim", ["merchant_id", "at"])
