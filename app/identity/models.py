"""Accounts, roles, sessions and one-time codes."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Index, Integer, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base, instant, pk, ref, text_column


class Account(Base):
    """A person on one realm. Only `identity.service` writes it.

    login_name is unique per realm; consumers use the blind index of their phone number as login name.
    """

    __tablename__ = "identity_account"
    id: Mapped[int] = pk()
    realm: Mapped[str] = text_column(16)
    login_name: Mapped[str] = text_column(64)
    display_name: Mapped[str] = text_column(40)
    phone_enc: Mapped[str] = text_column(200, default="-")
    phone_index: Mapped[str] = text_column(64, default="-")
    password_hash: Mapped[str] = text_column(200, default="-")
    status: Mapped[str] = text_column(16, default="active")
    merchant_id: Mapped[int] = ref(default=0)
    area_code: Mapped[str] = text_column(16, default="-")
    failed_count: Mapped[int] = mapped_column(Integer, nullable=False, default=0)
    locked_until: Mapped[datetime | None] = instant(nullable=True)
    must_change: Mapped[bool] = mapped_column(Boolean(create_constraint=False), nullable=False, default=False)
    prefers_elder: Mapped[bool] = mapped_column(Boolean(create_constraint=False), nullable=False, default=False)
    created_at: Mapped[datetime] = instant()
    last_seen_at: Mapped[datetime | None] = instant(nullable=True)
    __table_args__ = (
        UniqueConstraint("realm", "login_name"),
        Index("ix_identity_account__phone", "realm", "phone_index"),
        CheckConstraint("failed_count >= 0", name="failed"),
    )


class Role(Base):
    """A named set of permissions in one realm; built-in roles are written by `identity.service.install_roles`."""

    __tablename__ = "identity_role"
    id: Mapped[int] = pk()
    realm: Mapped[str] = text_column(16)
    code: Mapped[str] = text_column(40)
    name: Mapped[str] = text_column(40)
    exclusive_group: Mapped[str] = text_column(20, default="-")
    __table_args__ = (UniqueConstraint("realm", "code"),)


class RolePermission(Base):
    """One permission of a role."""

    __tablename__ = "identity_role_permission"
    id: Mapped[int] = pk()
    role_id: Mapped[int] = ref()
    permission: Mapped[str] = text_column(60)
    __table_args__ = (UniqueConstraint("role_id", "permission"),)


class AccountRole(Base):
    """Membership. exclusive_group repeats the role's group: unique per account keeps the three administrators apart."""

    __tablename__ = "identity_account_role"
    id: Mapped[int] = pk()
    account_id: Mapped[int] = ref()
    role_id: Mapped[int] = ref()
    exclusive_key: Mapped[str] = text_column(40)
    __table_args__ = (UniqueConstraint("account_id", "role_id"), UniqueConstraint("account_id", "exclusive_key"))


class Session(Base):
    """A signed-in browser: token digest, idle and absolute expiry."""

    __tablename__ = "identity_session"
    id: Mapped[int] = pk()
    token_digest: Mapped[str] = text_column(64)
    account_id: Mapped[int] = ref(index=True)
    surface: Mapped[str] = text_column(16)
    address: Mapped[str] = text_column(64, default="-")
    agent: Mapped[str] = text_column(200, default="-")
    created_at: Mapped[datetime] = instant()
    seen_at: Mapped[datetime] = instant()
    idle_until: Mapped[datetime] = instant()
    expires_at: Mapped[datetime] = instant()
    revoked_us: Mapped[int] = mapped_column(BigInteger, nullable=False, default=0)
    __table_args__ = (UniqueConstraint("token_digest"),)


class SmsCode(Base):
    """A one-time code for a phone: digest only, five tries, five minutes, one per minute and purpose.

    address and device (digest of the browser's random cookie) say where it was asked for, so that one place cannot have
    codes sent to many phones.
    """

    __tablename__ = "identity_sms_code"
    id: Mapped[int] = pk()
    phone_index: Mapped[str] = text_column(64)
    purpose: Mapped[str] = text_column(20)
    code_digest: Mapped[str] = text_column(64)
    tries: Mapped[int] = mapped_column(Integer, nullable=False, default=0)
    created_at: Mapped[datetime] = instant()
    expires_at: Mapped[datetime] = instant()
    used_us: Mapped[int] = mapped_column(BigInteger, nullable=False, default=0)
    address: Mapped[str | None] = text_column(64, nullable=True)
    device: Mapped[str | None] = text_column(64, nullable=True)
    __table_args__ = (
        Index("ix_identity_sms_code__phone", "phone_index", "purpose", "id"),
        Index("ix_identity_sms_code__address", "address", "created_at"),
        Index("ix_identity_sms_code__device", "device", "created_at"),
    )


class Address(Base):
    """A consumer's delivery address; name, phone and street are encrypted with the row bound."""

    __tablename__ = "identity_address"
    id: Mapped[int] = pk()
    account_id: Mapped[int] = ref(index=True)
    receiver_enc: Mapped[str] = text_column(300)
    phone_enc: Mapped[str] = text_column(200)
    street_enc: Mapped[str] = text_column(700)
    area_code: Mapped[str] = text_column(16)
    is_default: Mapped[bool] = mapped_column(Boolean(create_constraint=False), nullable=False, default=False)
    deleted_us: Mapped[int] = mapped_column(BigInteger, nullable=False, default=0)
    created_at: Mapped[datetime] = instant()


class Area(Base):
    """A district or county of the region (code, name, parent)."""

    __tablename__ = "identity_area"
    id: Mapped[int] = pk()
    code: Mapped[str] = text_column(16)
    name: Mapped[str] = text_column(40)
    parent_code: Mapped[str] = text_column(16, default="-")
    sort: Mapped[int] = mapped_column(Integer, nullable=False, default=0)
    __table_args__ = (UniqueConstraint("code"),)
