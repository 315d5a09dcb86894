"""Reactions of messaging; idempotent by dedupe key."""

from __future__ import annotations

from app.core import runtime
from app.identity.events import SignInCodeIssued
from app.messaging import service


def on_sign_in_code_issued(event: SignInCodeIssued) -> None:
    """Send the code."""
    cipher, settings = runtime.current().cipher, runtime.current().settings
    phone = cipher.decrypt(event.phone_enc, table="messaging_sms", column="phone_enc", row_id=event.code_id)
    code = cipher.decrypt(event.code_enc, table="messaging_sms", column="code", row_id=event.code_id)
    body = f"【{settings.site.name}】验证码 {code}，5 分钟内有效，请勿告诉他人。"
    service.send(event.code_id, phone, event.phone_index, body, f"code:{event.code_id}")
