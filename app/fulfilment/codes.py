"""Pickup codes: twelve digits, the last a check digit (Luhn), so that most slips of the hand are told apart from guesses."""

from __future__ import annotations

import secrets

from app.core import runtime
from app.core.text import half_width

LENGTH = 12


def fresh() -> str:
    """Return a random code."""
    body = "".join(str(secrets.randbelow(10)) for _ in range(LENGTH - 1))
    return body + check_digit(body)


def check_digit(body: str) -> str:
    """Return the Luhn digit of the first eleven."""
    total = 0
    for place, char in enumerate(reversed(body)):
        digit = int(char) * (2 if place % 2 == 0 else 1)
        total += digit - 9 if digit > 9 else digit
    return str(-total % 10)


def normal(text: str) -> str:
    """Return the digits of what was typed or scanned (blanks and hyphens between groups are left out), '' when it is no code."""
    digits = half_width(text).replace(" ", "").replace("-", "")
    if len(digits) != LENGTH or not digits.isdigit() or not digits.isascii() or check_digit(digits[:-1]) != digits[-1]:
        return ""
    return digits


def index_of(code: str) -> str:
    """Return the blind index under which a living code is found."""
    return runtime.current().cipher.blind_index(code, table="delivery_pickup", column="code")


def seal(code: str, pickup_id: int) -> str:
    """Return the code as kept for its buyer."""
    return runtime.current().cipher.encrypt(code, table="delivery_pickup", column="code_enc", row_id=pickup_id)


def unseal(sealed: str, pickup_id: int) -> str:
    """Return the code in clear, for its buyer only."""
    return runtime.current().cipher.decrypt(sealed, table="delivery_pickup", column="code_enc", row_id=pickup_id)


def grouped(code: str) -> str:
    """Return `1234 5678 9012`."""
    return " ".join(code[i : i + 4] for i in range(0, LENGTH, 4))
