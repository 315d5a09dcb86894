"""Payment channels: how a notice is signed and read. The simulator is the only channel of this release.

The simulator speaks the same kind of protocol as a real channel: a canonical JSON body and a MAC in a header; the
product trusts nothing but a body whose MAC is right.
"""

from __future__ import annotations

import hmac
import json
from dataclasses import dataclass

from app.core import runtime
from app.core.errors import Forbidden, Invalid, NotFound
from security import sm

SIMULATOR = "simulator"
SIGNATURE_HEADER = "X-Channel-Signature"


@dataclass(frozen=True)
class Notice:
    """What a channel says: amount in fen, result `paid` or `failed`, its own transaction number."""

    notice_id: str
    payment_no: str
    amount_fen: int
    result: str
    channel_txn: str


def names() -> dict[str, str]:
    """Return the channels a buyer can choose now: key -> zh-CN name."""
    settings = runtime.current().settings
    return {SIMULATOR: "模拟收银台（演示）"} if settings.payment.simulator_enabled else {}


def _secret() -> bytes:
    return runtime.current().settings.payment.simulator_secret.get_secret_value().encode()


def sign(body: bytes) -> str:
    """Return the simulator's signature: hex HMAC-SM3 of the exact body."""
    return sm.hmac_sm3(_secret(), body).hex()


def check(channel: str, body: bytes, signature: str) -> Notice:
    """Verify and parse a notice.

    Raises NotFound for an unknown or disabled channel, Forbidden(`payment.signature`) for a wrong signature, Invalid for a
    body that is signed but malformed.
    """
    if channel not in names():
        raise NotFound("payment.channel", "支付通道不存在或未启用")
    if not hmac.compare_digest(sign(body).encode(), signature.encode("utf-8", "replace")):
        raise Forbidden("payment.signature", "支付通知签名不正确")
    return parse(body)


def parse(body: bytes) -> Notice:
    """Parse a stored notice body. Raises Invalid(`payment.notice`)."""
    try:
        raw = json.loads(body)
        notice = Notice(
            notice_id=str(raw["notice_id"]), payment_no=str(raw["payment_no"]), amount_fen=int(raw["amount_fen"]),
            result=str(raw["result"]), channel_txn=str(raw["channel_txn"]),
        )  # fmt: skip
    except (ValueError, KeyError, TypeError):
        raise Invalid("payment.notice", "支付通知格式不正确") from None
    if notice.result not in {"paid", "failed"} or notice.amount_fen < 0 or len(notice.notice_id) > 64:
        raise Invalid("payment.notice", "支付通知内容不正确")
    return notice


def compose(notice: Notice) -> bytes:
    """Return the canonical body of a notice, as the simulator sends it."""
    return json.dumps(notice.__dict__, sort_keys=True, separators=(",", ":")).encode()
