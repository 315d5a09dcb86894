"""Phone numbers: the one normal form and its blind index."""

from __future__ import annotations

import re

from app.core import runtime
from app.core.errors import Invalid
from app.core.text import half_width

PHONE = re.compile(r"^1[3-9]\d{9}$")


def normal_phone(phone: str) -> str:
    """Return a mainland mobile number. Raises Invalid(`phone.format`)."""
    cleaned = re.sub(r"[\s-]", "", half_width(phone)).removeprefix("+86")
    if not PHONE.match(cleaned):
        raise Invalid("phone.format", "请输入 11 位手机号", field="phone")
    return cleaned


def phone_index(phone: str) -> str:
    """Return the blind index of a normal phone number."""
    return runtime.current().cipher.blind_index(phone, table="identity_account", column="phone")
