"""Same-city delivery (同城配送): a JSON interface of the region's own carriers, signed with HMAC-SM3.

X-Signature = hex(HMAC-SM3(secret, method + path + timestamp + nonce + body, joined by line feeds)); pushes are signed alike for the
path `/push`. Temperatures of cold parcels come with the scans.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from app.core import clock
from app.core.errors import Invalid
from app.fulfilment import states
from app.fulfilment.adapters.base import BadSignature, Push, Scan, Shipment, compact, fresh, loaded, refused, same, send
from security import sm
from security.tokens import random_token

KINDS = frozenset(states.RANKS)


def sign(secret: str, method: str, path: str, timestamp: str, nonce: str, body: str) -> str:
    """Return the signature of a call."""
    return sm.hmac_sm3(secret.encode(), "\n".join((method, path, timestamp, nonce, body)).encode()).hex()


@dataclass(frozen=True)
class City:
    """One account at a same-city carrier."""

    base_url: str
    app_id: str
    secret: str

    def _call(self, path: str, message: dict[str, Any]) -> Any:
        text, timestamp, nonce = compact(message), str(int(clock.now().timestamp())), random_token(16)
        headers = {
            "Content-Type": "application/json", "X-App": self.app_id, "X-Timestamp": timestamp, "X-Nonce": nonce,
            "X-Signature": sign(self.secret, "POST", path, timestamp, nonce, text),
        }  # fmt: skip
        answer = send("local", self.base_url + path, headers, text.encode(), path)
        if answer.get("code") != 0:
            raise refused(answer.get("code"), answer.get("message"))
        return answer.get("data")

    def create(self, shipment: Shipment) -> str:
        """Make an e-waybill."""
        s = shipment
        made = self._call(
            "/v1/waybills",
            {
                "reference": s.reference, "goods": s.goods, "weight_g": s.weight_g, "temperature": s.temperature,
                "sender": {"name": s.sender, "phone": s.sender_phone, "address": s.sender_address},
                "receiver": {"name": s.receiver, "phone": s.receiver_phone, "address": s.receiver_address},
            },
        )  # fmt: skip
        return str(made["waybill_no"])

    def cancel(self, tracking_no: str, reference: str) -> None:
        """Take an e-waybill back."""
        self._call("/v1/waybills/cancel", {"waybill_no": tracking_no, "reference": reference})

    def track(self, tracking_no: str) -> list[Scan]:
        """Return the scans of a parcel."""
        found = self._call("/v1/waybills/track", {"waybill_no": tracking_no}) or {}
        return sorted((_scan(tracking_no, scan) for scan in found.get("scans") or []), key=lambda scan: scan.at)

    def read_push(self, push: Push) -> list[Scan]:
        """Read a push of scans."""
        timestamp, nonce, sent = (push.headers.get(name, "") for name in ("x-timestamp", "x-nonce", "x-signature"))
        text = push.body.decode("utf-8", "replace")
        if not timestamp.isdigit() or not same(sign(self.secret, "POST", "/push", timestamp, nonce, text), sent):
            raise BadSignature("carrier.signature", "推送签名不正确")
        fresh(int(timestamp))
        value = loaded(text)
        if not isinstance(value, dict) or not isinstance(value.get("scans"), list):
            raise Invalid("carrier.push", "推送内容无法识别")
        return [_scan(str(value.get("waybill_no", "")), scan) for scan in value["scans"]]

    def accepted(self) -> tuple[str, bytes]:
        """Return the word for success."""
        return "application/json", b'{"code":0}'


def _scan(number: str, scan: Any) -> Scan:
    try:
        kind, at = str(scan["kind"]), datetime.fromtimestamp(int(scan["at_s"]), UTC)
        key = f"lz-{scan['id']}"[:64]
    except (KeyError, TypeError, ValueError, OverflowError, OSError):
        raise Invalid("carrier.push", "推送内容无法识别") from None
    return Scan(number, key, kind if kind in KINDS else kind[:20], str(scan.get("place") or "-"), str(scan.get("text") or "-"), at)
