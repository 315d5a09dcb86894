"""Tables of carts."""

import sqlalchemy as sa

from app.migrations.guarded import create_index, create_table
from dbadapters import types

revision = "0008_carts"
down_revision = "0007_inventory"


def upgrade() -> None:
    """Tables of carts."""
    create_table(
        "cart",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("owner_key", types.Str(length=80), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("merged_into", sa.BigInteger(), nullable=False),
        sa.Column("touched_at", types.UtcDateTime(), nullable=False),
        sa.Column("expires_at", types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_cart"),
        sa.UniqueConstraint("owner_key", name="uq_cart__owner_key"),
    )
    create_table(
        "cart_line",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("cart_id", sa.BigInteger(), nullable=False),
        sa.Column("sku_id", sa.BigInteger(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("is_selected", sa.Boolean(), nullable=False),
        sa.Column("added_at", types.UtcDateTime(), nullable=False),
        sa.CheckConstraint("quantity > 0", name="ck_cart_line__quantity"),
        sa.PrimaryKeyConstraint("id", name="pk_cart_line"),
        sa.UniqueConstraint("cart_id", "sku_id", name="uq_cart_line__cart_id_sku_id"),
    )
    create_index("ix_cart__expires", "cart", ["expires_at"])
