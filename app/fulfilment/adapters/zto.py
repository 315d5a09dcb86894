"""ZTO Express, open platform: JSON with x-appKey and x-dataDigest = Base64(MD5(body + secret)); pushes of msg_type Traces.

The push is a form of `data`, `data_digest` (the same digest over `data`), `msg_type` and `company_id`.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

from app.core.errors import Invalid
from app.fulfilment import states
from app.fulfilment.adapters.base import BadSignature, Push, Scan, Shipment, compact, loaded, local_time, refused, same, send

ACTIONS = {
    "GOT": states.COLLECTED, "DEPARTURE": states.IN_TRANSIT, "ARRIVAL": states.IN_TRANSIT, "DISPATCH": states.OUT,
    "INBOUND": states.OUT, "SIGNED": states.DELIVERED, "HANDOVERSCAN_SIGNED": states.DELIVERED, "RETURN_SIGNED": states.RETURNED,
    "LOST": states.LOST,
}  # fmt: skip
SCANS = {"收件": "GOT", "发件": "DEPARTURE", "到件": "ARRIVAL", "派件": "DISPATCH", "签收": "SIGNED", "退件签收": "RETURN_SIGNED"}


def digest(text: str, secret: str) -> str:
    """Return ZTO's signature of a message."""
    return base64.b64encode(hashlib.md5((text + secret).encode(), usedforsecurity=False).digest()).decode()  # the protocol's own choice


@dataclass(frozen=True)
class Zto:
    """One account at ZTO."""

    base_url: str
    app_id: str
    secret: str

    def _call(self, method: str, message: dict[str, Any]) -> Any:
        text = compact(message)
        headers = {"Content-Type": "application/json; charset=UTF-8", "x-appKey": self.app_id, "x-dataDigest": digest(text, self.secret)}
        answer = send("zto", f"{self.base_url}/{method}", headers, text.encode(), method)
        if not answer.get("status"):
            raise refused(answer.get("statusCode"), answer.get("message"))
        return answer.get("result")

    def create(self, shipment: Shipment) -> str:
        """Make an e-waybill."""
        s = shipment
        made = self._call(
            "zto.open.createOrder",
            {
                "partnerType": "2", "orderType": "1", "partnerOrderCode": s.reference, "accountInfo": {"accountId": self.app_id},
                "senderInfo": {"senderName": s.sender, "senderMobile": s.sender_phone, "senderAddress": s.sender_address},
                "receiveInfo": {"receiverName": s.receiver, "receiverMobile": s.receiver_phone, "receiverAddress": s.receiver_address},
                "summaryInfo": {"size": "1"}, "orderItems": [{"name": s.goods, "weight": s.weight_g, "quantity": 1}],
            },
        )  # fmt: skip
        number = str((made or {}).get("billCode") or "")
        if not number:
            raise refused("-", "应答中没有运单号")
        return number

    def cancel(self, tracking_no: str, reference: str) -> None:
        """Take an e-waybill back."""
        self._call("zto.open.cancelPreOrder", {"cancelType": "1", "billCode": tracking_no, "orderCode": reference})

    def track(self, tracking_no: str) -> list[Scan]:
        """Return the scans of a parcel."""
        found = self._call("zto.merchant.waybill.track.query", {"billCode": tracking_no}) or []
        scans = []
        for item in found:
            at = datetime.fromtimestamp(int(item["scanDate"]) / 1_000, UTC)
            action = SCANS.get(str(item.get("scanType")), str(item.get("scanType")))
            place = str((item.get("scanSite") or {}).get("name") or "-")
            scans.append(_scan(tracking_no, action, place, str(item.get("desc") or "-"), at))
        return sorted(scans, key=lambda scan: scan.at)

    def read_push(self, push: Push) -> list[Scan]:
        """Read a push of traces."""
        form = {name: values[0] for name, values in parse_qs(push.body.decode("utf-8", "replace")).items()}
        text, sent = form.get("data", ""), form.get("data_digest", "")
        if not text or not same(digest(text, self.secret), sent):
            raise BadSignature("carrier.signature", "推送签名不正确")
        value = loaded(text)
        if not isinstance(value, dict) or not value.get("billCode"):
            raise Invalid("carrier.push", "推送内容无法识别")
        at = local_time(str(value.get("actionTime", "")))
        place, text = str(value.get("facilityName") or "-"), str(value.get("desc") or "-")
        return [_scan(str(value["billCode"]), str(value.get("action")), place, text, at)]

    def accepted(self) -> tuple[str, bytes]:
        """Return ZTO's word for success."""
        return "application/json", b'{"status":true,"result":"success","message":"success","statusCode":"0"}'


def _scan(number: str, action: str, place: str, text: str, at: datetime) -> Scan:
    return Scan(number, f"zto-{action}-{int(at.timestamp())}"[:64], ACTIONS.get(action, f"zto{action}"[:20].lower()), place, text, at)
