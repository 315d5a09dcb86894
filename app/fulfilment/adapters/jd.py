"""JD Logistics, its open platform (LOP, ECAP orders): sign = upper-case MD5 over secret + sorted parameters + secret.

What is signed: access_token, app_key, method (the path), param_json (the body), timestamp, v. The push carries app_key, timestamp
and sign in its query, over the body in the same way.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from app.core import clock
from app.core.errors import Invalid
from app.fulfilment import states
from app.fulfilment.adapters.base import (
    SHANGHAI_FORM,
    BadSignature,
    Push,
    Scan,
    Shipment,
    compact,
    fresh,
    loaded,
    local_time,
    refused,
    same,
    send,
)

CATEGORIES = {
    "420": states.COLLECTED, "430": states.IN_TRANSIT, "440": states.IN_TRANSIT, "460": states.OUT, "480": states.DELIVERED,
    "530": states.RETURNED, "580": states.LOST,
}  # fmt: skip


def sign(secret: str, app_key: str, path: str, body: str, timestamp: str) -> str:
    """Return JD's signature of a call."""
    parts = {"access_token": "", "app_key": app_key, "method": path, "param_json": body, "timestamp": timestamp, "v": "2.0"}
    text = secret + "".join(f"{name}{parts[name]}" for name in sorted(parts)) + secret
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest().upper()  # the protocol's own choice


@dataclass(frozen=True)
class Jd:
    """One account at JD Logistics."""

    base_url: str
    app_id: str
    secret: str

    def _call(self, path: str, message: dict[str, Any]) -> Any:
        text = compact([message])
        timestamp = clock.now().astimezone(clock.REGION_TZ).strftime(SHANGHAI_FORM)
        query = urlencode(
            {
                "LOP-DN": "ECAP", "app_key": self.app_id, "access_token": "", "timestamp": timestamp, "v": "2.0", "algorithm": "md5-salt",
                "sign": sign(self.secret, self.app_id, path, text, timestamp),
            }
        )  # fmt: skip
        answer = send("jd", f"{self.base_url}{path}?{query}", {"Content-Type": "application/json;charset=utf-8"}, text.encode(), path)
        if not answer.get("success"):
            raise refused(answer.get("code"), answer.get("msg"))
        return answer.get("data")

    def create(self, shipment: Shipment) -> str:
        """Make an e-waybill."""
        s = shipment
        made = self._call(
            "/ecap/v1/orders/create",
            {
                "orderId": s.reference, "orderOrigin": 1, "customerCode": self.app_id,
                "senderContact": {"name": s.sender, "mobile": s.sender_phone, "fullAddress": s.sender_address},
                "receiverContact": {"name": s.receiver, "mobile": s.receiver_phone, "fullAddress": s.receiver_address},
                "productsReq": {"productCode": "ed-m-0001" if s.temperature == "ambient" else "ll-m-0001"},
                "cargoes": [{"name": s.goods, "quantity": 1, "weight": s.weight_g / 1_000}],
            },
        )  # fmt: skip
        number = str((made or {}).get("waybillCode") or "")
        if not number:
            raise refused("-", "应答中没有运单号")
        return number

    def cancel(self, tracking_no: str, reference: str) -> None:
        """Take an e-waybill back."""
        asked = {"waybillCode": tracking_no, "orderOrigin": 1, "customerCode": self.app_id}
        self._call("/ecap/v1/orders/cancel", asked | {"cancelReason": "用户取消", "cancelReasonCode": "1"})

    def track(self, tracking_no: str) -> list[Scan]:
        """Return the traces of a parcel."""
        asked = {"waybillCode": tracking_no, "orderOrigin": 1, "customerCode": self.app_id}
        traces = (self._call("/ecap/v1/orders/trace/query", asked) or {}).get("traceDetails") or []
        return sorted((_scan(trace | {"waybillCode": tracking_no}) for trace in traces), key=lambda scan: scan.at)

    def read_push(self, push: Push) -> list[Scan]:
        """Read a push of traces."""
        timestamp, sent = push.query.get("timestamp", ""), push.query.get("sign", "")
        text = push.body.decode("utf-8", "replace")
        if not same(sign(self.secret, self.app_id, "/trace/push", text, timestamp), sent):
            raise BadSignature("carrier.signature", "推送签名不正确")
        fresh(int(local_time(timestamp).timestamp()))
        value = loaded(text)
        traces = value.get("traceList") if isinstance(value, dict) else None
        if not isinstance(traces, list):
            raise Invalid("carrier.push", "推送内容无法识别")
        return [_scan(trace) for trace in traces]

    def accepted(self) -> tuple[str, bytes]:
        """Return JD's word for success."""
        return "application/json", b'{"code":0,"msg":"success","success":true}'


def _scan(trace: dict[str, Any]) -> Scan:
    at, category = str(trace.get("operationTime", "")), str(trace.get("category", ""))
    number, place = str(trace.get("waybillCode", "")), str(trace.get("operationSite") or "-")
    text = str(trace.get("operationRemark") or trace.get("operationTitle") or "-")
    return Scan(number, f"jd-{category}-{at}"[:64], CATEGORIES.get(category, f"jd{category}"[:20]), place, text, local_time(at))
