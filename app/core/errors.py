"""Errors the user can cause, with a stable code; one renderer per surface words them.

Codes read `thing.reason` (`coupon.sold_out`). `AppError.params` fills the message of that code.
"""

from __future__ import annotations

from typing import Any


class AppError(Exception):
    """A refusal with a stable code, an HTTP status and a zh-CN sentence for the user."""

    status = 422

    def __init__(self, code: str, message: str = "", *, field: str | None = None, **params: Any) -> None:
        super().__init__(code)
        self.code = code
        self.field = field
        self.params = params
        self.message = message or code

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


class Invalid(AppError):
    """The input breaks a rule of form (422)."""


class Forbidden(AppError):
    """The actor is known and lacks the permission (403)."""

    status = 403


class NotFound(AppError):
    """There is no such object, or it belongs to another tenant (404)."""

    status = 404


class Conflict(AppError):
    """The object changed or its state forbids the move (409)."""

    status = 409


class TooMany(AppError):
    """A rate or quantity limit was met (429)."""

    status = 429


class Upstream(AppError):
    """A channel or device outside the product failed (502)."""

    status = 502


class Unauthenticated(AppError):
    """Nobody is signed in on this surface (401)."""

    status = 401
