"""Freight templates, delivery promises, calendar and load; what an order was promised."""

import sqlalchemy as sa

from app.migrations.guarded import add_column, create_index, create_table
from dbadapters import types

revision = "0027_freight"
down_revision = "0021_lots"


def upgrade() -> None:
    """Tables of delivery, the revision of a shop's rules, the promise on orders."""
    create_table(
        "delivery_template",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("name", types.Str(length=40), nullable=False),
        sa.Column("basis", types.Str(length=12), nullable=False),
        sa.Column("status", types.Str(length=12), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("default_key", sa.BigInteger(), nullable=False),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.Column("updated_at", types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_delivery_template"),
        sa.UniqueConstraint("default_key", name="uq_delivery_template__default_key"),
    )
    create_table(
        "delivery_template_version",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("template_id", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("spec", types.PortableJSON(), nullable=False),
        sa.Column("created_by", sa.BigInteger(), nullable=False),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_delivery_template_version"),
        sa.UniqueConstraint("template_id", "version", name="uq_delivery_template_version__template_id_version"),
    )
    create_table(
        "delivery_goods",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("product_id", sa.BigInteger(), nullable=False),
        sa.Column("sku_id", sa.BigInteger(), nullable=False),
        sa.Column("template_id", sa.BigInteger(), nullable=False),
        sa.Column("volume_cm3", sa.Integer(), nullable=False),
        sa.CheckConstraint("volume_cm3 >= 0", name="ck_delivery_goods__volume"),
        sa.PrimaryKeyConstraint("id", name="pk_delivery_goods"),
        sa.UniqueConstraint("product_id", "sku_id", name="uq_delivery_goods__product_id_sku_id"),
    )
    create_table(
        "delivery_promise",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("name", types.Str(length=40), nullable=False),
        sa.Column("transit_days", sa.Integer(), nullable=False),
        sa.Column("cutoff_min", sa.Integer(), nullable=False),
        sa.Column("deliver_by_min", sa.Integer(), nullable=False),
        sa.Column("areas", types.PortableJSON(), nullable=False),
        sa.Column("warehouse_id", sa.BigInteger(), nullable=False),
        sa.Column("template_id", sa.BigInteger(), nullable=False),
        sa.Column("weekdays", types.Str(length=7), nullable=False),
        sa.Column("capacity", sa.Integer(), nullable=False),
        sa.Column("status", types.Str(length=12), nullable=False),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.CheckConstraint("capacity >= 0", name="ck_delivery_promise__capacity"),
        sa.PrimaryKeyConstraint("id", name="pk_delivery_promise"),
    )
    create_table(
        "delivery_holiday",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("day_on", sa.Date(), nullable=False),
        sa.Column("name", types.Str(length=40), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_delivery_holiday"),
        sa.UniqueConstraint("day_on", name="uq_delivery_holiday__day_on"),
    )
    create_table(
        "delivery_load",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("promise_id", sa.BigInteger(), nullable=False),
        sa.Column("day_on", sa.Date(), nullable=False),
        sa.Column("taken", sa.Integer(), nullable=False),
        sa.CheckConstraint("taken >= 0", name="ck_delivery_load__taken"),
        sa.PrimaryKeyConstraint("id", name="pk_delivery_load"),
        sa.UniqueConstraint("promise_id", "day_on", name="uq_delivery_load__promise_id_day_on"),
    )
    create_table(
        "delivery_claim",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("promise_id", sa.BigInteger(), nullable=False),
        sa.Column("day_on", sa.Date(), nullable=False),
        sa.Column("state", types.Str(length=12), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_delivery_claim"),
        sa.UniqueConstraint("order_id", name="uq_delivery_claim__order_id"),
    )
    create_index("ix_delivery_template__merchant", "delivery_template", ["merchant_id", "id"])
    create_index("ix_delivery_goods__merchant_id", "delivery_goods", ["merchant_id"])
    create_index("ix_delivery_promise__merchant_id", "delivery_promise", ["merchant_id"])
    add_column("merchant", sa.Column("delivery_revision", sa.BigInteger(), nullable=True))
    for name in ("promised_by", "promise_pay_by", "promise_missed_at"):
        add_column("orders", sa.Column(name, types.UtcDateTime(), nullable=True))
    add_column("orders", sa.Column("promise_label", types.Str(length=20), nullable=True))
    create_index("ix_orders__promised", "orders", ["status", "promised_by"])
