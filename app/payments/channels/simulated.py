"""The simulated channel of demo and tests: its cashier is a page of this process, its notices a canonical JSON body with a MAC.

The product trusts nothing but a body whose MAC is right, as with a real channel.
"""

from __future__ import annotations

import hmac
import json

from app.core import runtime
from app.core.errors import Forbidden
from app.payments.channels.values import Notice, load_notice
from security import sm

KEY = "simulator"
TITLE = "模拟收银台（演示）"
SIGNATURE_HEADER = "X-Channel-Signature"


def enabled() -> bool:
    """Tell whether the settings switch it on."""
    return runtime.current().settings.payment.simulator_enabled


def sign(body: bytes) -> str:
    """Return the signature: hex HMAC-SM3 of the exact body."""
    secret = runtime.current().settings.payment.simulator_secret.get_secret_value().encode()
    return sm.hmac_sm3(secret, body).hex()


def verify(body: bytes, signature: str) -> Notice:
    """Verify and parse a notice. Raises Forbidden(`payment.signature`), Invalid for a body that is signed but malformed."""
    if not hmac.compare_digest(sign(body).encode(), signature.encode("utf-8", "replace")):
        raise Forbidden("payment.signature", "支付通知签名不正确")
    return load_notice(body.decode("utf-8", "replace"))


def compose(notice: Notice) -> bytes:
    """Return the canonical body of a notice, as the channel sends it."""
    names = ("notice_id", "payment_no", "amount_fen", "result", "channel_txn")
    return json.dumps({name: getattr(notice, name) for name in names}, sort_keys=True, separators=(",", ":")).encode()
