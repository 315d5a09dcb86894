"""Carts and their lines; lines store no price (commerce.md §2.3)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Boolean, CheckConstraint, Index, Integer, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base, instant, pk, ref, text_column


class Cart(Base):
    """A cart of a guest (token digest) or an account. owner_key is 'a:'+account id or 'g:'+token digest, unique.

    merged_into is the account cart a guest cart was merged into, 0 while open.
    """

    __tablename__ = "cart"
    id: Mapped[int] = pk()
    owner_key: Mapped[str] = text_column(80)
    account_id: Mapped[int] = ref(default=0)
    merged_into: Mapped[int] = ref(default=0)
    touched_at: Mapped[datetime] = instant()
    expires_at: Mapped[datetime] = instant()
    __table_args__ = (UniqueConstraint("owner_key"), Index("ix_cart__expires", "expires_at"))


class CartLine(Base):
    """A SKU in a cart with its quantity and whether it is selected for checkout."""

    __tablename__ = "cart_line"
    id: Mapped[int] = pk()
    cart_id: Mapped[int] = ref()
    sku_id: Mapped[int] = ref()
    quantity: Mapped[int] = mapped_column(Integer, nullable=False)
    is_selected: Mapped[bool] = mapped_column(Boolean(create_constraint=False), nullable=False, default=True)
    added_at: Mapped[datetime] = instant()
    __table_args__ = (UniqueConstraint("cart_id", "sku_id"), CheckConstraint("quantity > 0", name="quantity"))
