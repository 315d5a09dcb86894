"""SF Express, the form interface of its open platform (丰桥): EXP_RECE_CREATE_ORDER, _UPDATE_ORDER, _SEARCH_ROUTES, route push.

msgDigest = Base64(MD5(URL-encoded(msgData + timestamp + check word))); the push is checked the same way over its body.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, quote_plus, urlencode

from app.core import clock
from app.core.errors import Invalid
from app.core.ids import new_id
from app.fulfilment import states
from app.fulfilment.adapters.base import BadSignature, Push, Scan, Shipment, compact, fresh, loaded, local_time, refused, same, send

# 操作码 of the documented route table -> what it means for a parcel.
OPS = {
    "50": states.COLLECTED, "54": states.COLLECTED, "30": states.IN_TRANSIT, "31": states.IN_TRANSIT, "36": states.IN_TRANSIT,
    "44": states.OUT, "80": states.DELIVERED, "8000": states.DELIVERED, "648": states.RETURNED, "99": states.RETURNED,
    "626": states.LOST,
}  # fmt: skip
COLD = {"chilled": "201", "frozen": "201"}  # 冷运标快


def digest(text: str, timestamp: str, check_word: str) -> str:
    """Return SF's signature of a message."""
    raw = quote_plus(text + timestamp + check_word).encode()
    return base64.b64encode(hashlib.md5(raw, usedforsecurity=False).digest()).decode()  # the protocol's own choice


@dataclass(frozen=True)
class Sf:
    """One account at SF."""

    base_url: str
    app_id: str
    secret: str

    def _call(self, service: str, message: dict[str, Any]) -> dict[str, Any]:
        text, timestamp = compact(message), str(int(clock.now().timestamp() * 1_000))
        form = urlencode(
            {
                "partnerID": self.app_id, "requestID": f"{new_id()}", "serviceCode": service, "timestamp": timestamp,
                "msgDigest": digest(text, timestamp, self.secret), "msgData": text,
            }
        ).encode()  # fmt: skip
        headers = {"Content-Type": "application/x-www-form-urlencoded;charset=UTF-8"}
        answer = send("sf", f"{self.base_url}/std/service", headers, form, service)
        if answer.get("apiResultCode") != "A1000":
            raise refused(answer.get("apiResultCode"), answer.get("apiErrorMsg"))
        result = loaded(answer.get("apiResultData") or "{}")
        if not result.get("success"):
            raise refused(result.get("errorCode"), result.get("errorMsg"))
        return dict(result.get("msgData") or {})

    def create(self, shipment: Shipment) -> str:
        """Make an e-waybill."""
        s = shipment
        made = self._call(
            "EXP_RECE_CREATE_ORDER",
            {
                "language": "zh-CN", "orderId": s.reference, "expressTypeId": int(COLD.get(s.temperature, "2")), "isReturnRoutelabel": 1,
                "cargoDetails": [{"name": s.goods, "count": 1, "weight": s.weight_g / 1_000}],
                "contactInfoList": [
                    {"contactType": 1, "contact": s.sender, "mobile": s.sender_phone, "address": s.sender_address, "country": "CN"},
                    {"contactType": 2, "contact": s.receiver, "mobile": s.receiver_phone, "address": s.receiver_address, "country": "CN"},
                ],
            },
        )  # fmt: skip
        numbers = [str(w.get("waybillNo") or "") for w in made.get("waybillNoInfoList") or [] if w.get("waybillType") == 1]
        if not numbers or not numbers[0]:
            raise refused("-", "应答中没有运单号")
        return numbers[0]

    def cancel(self, tracking_no: str, reference: str) -> None:
        """Take an e-waybill back."""
        numbers = [{"waybillType": 1, "waybillNo": tracking_no}]
        self._call("EXP_RECE_UPDATE_ORDER", {"orderId": reference, "dealType": 2, "waybillNoInfoList": numbers})

    def track(self, tracking_no: str) -> list[Scan]:
        """Return the routes of a parcel."""
        asked = {"language": "0", "trackingType": "1", "trackingNumber": [tracking_no], "methodType": "1"}
        found = self._call("EXP_RECE_SEARCH_ROUTES", asked)
        routes = [route | {"mailno": tracking_no} for item in found.get("routeResps") or [] for route in item.get("routes") or []]
        return sorted((_scan(route) for route in routes), key=lambda scan: scan.at)

    def read_push(self, push: Push) -> list[Scan]:
        """Read a route push: a form with msgData, timestamp and msgDigest, or the same in the query with a JSON body."""
        form = {name: values[0] for name, values in parse_qs(push.body.decode("utf-8", "replace")).items()}
        text, timestamp, sent = (form.get(name, "") for name in ("msgData", "timestamp", "msgDigest"))
        if not timestamp.isdigit() or not same(digest(text, timestamp, self.secret), sent):
            raise BadSignature("carrier.signature", "推送签名不正确")
        fresh(int(timestamp) // 1_000)
        routes = ((loaded(text).get("Body") or {}).get("WaybillRoute")) or []
        if not isinstance(routes, list):
            raise Invalid("carrier.push", "推送内容无法识别")
        return [_scan(route) for route in routes]

    def accepted(self) -> tuple[str, bytes]:
        """Return SF's word for success."""
        return "application/json", b'{"return_code":"0000","return_msg":"success"}'


def _scan(route: dict[str, Any]) -> Scan:
    code, at, number = str(route.get("opCode", "")), str(route.get("acceptTime", "")), str(route.get("mailno", ""))
    place, text = str(route.get("acceptAddress") or "-"), str(route.get("remark") or "-")
    return Scan(number, f"sf-{code}-{at}"[:64], OPS.get(code, f"sf{code}"[:20]), place, text, local_time(at))
