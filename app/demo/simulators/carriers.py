"""Simulated carriers in one process of their own: each speaks its documented protocol, checks our signature and signs its pushes.

Paths: SF `/sf/std/service`, ZTO `/zto/<method>`, JD `/jd/ecap/v1/orders/…`, same-city `/local/v1/waybills…`. `/play/<carrier>?no=&kind=`
moves a parcel and pushes; `/slow` before a call makes the next answer late. Run: `regionmart demo carriers`.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode

from app.core import clock
from app.demo.simulators.server import Message, Reply, Request, deliver, serve
from app.fulfilment.adapters import city, jd, sf, zto
from app.fulfilment.adapters.base import SHANGHAI_FORM, compact

JSON = {"Content-Type": "application/json; charset=utf-8"}
STEPS = ("collected", "in_transit", "out_for_delivery", "delivered")
TEXTS = {
    "collected": "快件已揽收", "in_transit": "快件已到达区域中心仓", "out_for_delivery": "快件正在派送", "delivered": "快件已签收",
    "returned": "快件已退回寄件人", "lost": "快件遗失",
}  # fmt: skip


@dataclass
class Waybill:
    """One e-waybill of a carrier with its scans (kind, seconds)."""

    number: str
    reference: str
    asked: Any
    cancelled: bool = False
    scans: list[tuple[str, int]] = field(default_factory=list)


class Carriers:
    """All simulated carriers. accounts: (app id, secret) by carrier; push_url: where pushes go, `{carrier}` is filled in."""

    def __init__(self, accounts: Mapping[str, tuple[str, str]], push_url: str) -> None:
        self.accounts, self.push_url = dict(accounts), push_url
        self.waybills: dict[str, Waybill] = {}
        self.by_reference: dict[tuple[str, str], str] = {}
        self.calls: list[str] = []
        self.slow_s = 0.0
        self._lock, self._count = threading.Lock(), 0

    def answer(self, request: Request) -> Reply:
        """Answer any request."""
        carrier, _, rest = request.path.lstrip("/").partition("/")
        if carrier == "play":
            return self._play(rest, dict(parse_qsl(request.body.decode())) | dict(request.query))
        if carrier not in self.accounts:
            return Reply(404, b"no such path")
        self.calls.append(f"{carrier} {rest}")
        late, self.slow_s = self.slow_s, 0.0
        time.sleep(late)
        speak = {"sf": self._sf, "zto": self._zto, "jd": self._jd, "local": self._local}[carrier]
        return speak("/" + rest, request)

    def make(self, carrier: str, reference: str, asked: Any) -> Waybill:
        """Make an e-waybill; the same reference gives the same one."""
        with self._lock:
            known = self.by_reference.get((carrier, reference))
            if known is None:
                self._count += 1
                stem = f"{int(clock.now().timestamp()) % 10**7:07d}{self._count:05d}"
                known = {"sf": f"SF{stem}0", "zto": f"7{stem}", "jd": f"JDVA{stem}", "local": f"LZ{stem}"}[carrier]
                self.by_reference[carrier, reference] = known
                self.waybills[known] = Waybill(known, reference, asked)
            return self.waybills[known]

    def cancel(self, number: str) -> str:
        """Cancel; returns why not, '' when it is done."""
        found = self.waybills.get(number)
        if found is None:
            return "运单不存在"
        if found.scans:
            return "已揽收，不能取消"
        found.cancelled = True
        return ""

    def _sf(self, path: str, request: Request) -> Reply:
        app_id, secret = self.accounts["sf"]
        form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        text = form.get("msgData", "")
        if form.get("partnerID") != app_id or form.get("msgDigest") != sf.digest(text, form.get("timestamp", ""), secret):
            return _json({"apiResultCode": "A1006", "apiErrorMsg": "数字签名无效", "apiResultData": None})
        asked, service = json.loads(text), form.get("serviceCode")
        if service == "EXP_RECE_CREATE_ORDER":
            made = self.make("sf", asked["orderId"], asked)
            return _sf_ok({"orderId": made.reference, "waybillNoInfoList": [{"waybillType": 1, "waybillNo": made.number}]})
        if service == "EXP_RECE_UPDATE_ORDER":
            why = self.cancel(asked["waybillNoInfoList"][0]["waybillNo"])
            return _sf_ok({"resStatus": 2}) if not why else _sf_no("8037", why)
        number = asked["trackingNumber"][0]
        return _sf_ok({"routeResps": [{"mailNo": number, "routes": [_sf_route(number, *scan) for scan in self._scans(number)]}]})

    def _zto(self, path: str, request: Request) -> Reply:
        app_id, secret = self.accounts["zto"]
        text = request.body.decode()
        if request.headers.get("x-appkey") != app_id or request.headers.get("x-datadigest") != zto.digest(text, secret):
            return _json({"status": False, "statusCode": "S207", "message": "签名校验失败", "result": None})
        asked = json.loads(text)
        if path.endswith("createOrder"):
            made = self.make("zto", asked["partnerOrderCode"], asked)
            return _json({"status": True, "statusCode": "200", "message": "", "result": {"billCode": made.number, "orderCode": made.reference}})
        if path.endswith("cancelPreOrder"):
            why = self.cancel(asked["billCode"])
            return _json({"status": not why, "statusCode": "200" if not why else "S500", "message": why, "result": None})
        words = {action: word for word, action in zto.SCANS.items()}
        rows = [
            {"scanType": words.get(_zto_action(kind), kind), "desc": TEXTS[kind], "scanDate": at * 1_000, "scanSite": {"name": "澜州"}}
            for kind, at in self._scans(asked["billCode"])
        ]
        return _json({"status": True, "statusCode": "200", "message": "", "result": rows})

    def _jd(self, path: str, request: Request) -> Reply:
        app_id, secret = self.accounts["jd"]
        text, query = request.body.decode(), request.query
        if query.get("app_key") != app_id or query.get("sign") != jd.sign(secret, app_id, path, text, query.get("timestamp", "")):
            return _json({"code": 12, "msg": "无效签名", "success": False, "data": None})
        asked = json.loads(text)[0]
        if path.endswith("/create"):
            made = self.make("jd", asked["orderId"], asked)
            return _json({"code": 0, "msg": "success", "success": True, "data": {"waybillCode": made.number, "orderCode": made.reference}})
        if path.endswith("/cancel"):
            why = self.cancel(asked["waybillCode"])
            return _json({"code": 0 if not why else 3001, "msg": why or "success", "success": not why, "data": None})
        traces = [_jd_trace(asked["waybillCode"], *scan) for scan in self._scans(asked["waybillCode"])]
        return _json({"code": 0, "msg": "success", "success": True, "data": {"traceDetails": traces}})

    def _local(self, path: str, request: Request) -> Reply:
        app_id, secret = self.accounts["local"]
        text, h = request.body.decode(), request.headers
        wanted = city.sign(secret, "POST", path, h.get("x-timestamp", ""), h.get("x-nonce", ""), text)
        if h.get("x-app") != app_id or h.get("x-signature") != wanted:
            return _json({"code": 401, "message": "签名不正确"})
        asked = json.loads(text)
        if path.endswith("/cancel"):
            why = self.cancel(asked["waybill_no"])
            return _json({"code": 0 if not why else 409, "message": why})
        if path.endswith("/track"):
            return _json({"code": 0, "data": {"scans": [_city_scan(*scan) for scan in self._scans(asked["waybill_no"])]}})
        return _json({"code": 0, "data": {"waybill_no": self.make("local", asked["reference"], asked).number}})

    def _scans(self, number: str) -> list[tuple[str, int]]:
        found = self.waybills.get(number)
        return found.scans if found is not None else []

    def push(self, carrier: str, number: str, kind: str, at_s: int, *, secret: str = "", skew_s: int = 0) -> int:
        """Push one scan with the carrier's signature (or another secret's); returns the status answered, 0 when unreachable."""
        app_id, own = self.accounts[carrier]
        key, now = secret or own, int(clock.now().timestamp()) + skew_s
        headers: dict[str, str] = {"Content-Type": "application/x-www-form-urlencoded"}
        query = ""
        if carrier == "sf":
            text, stamp = compact({"Body": {"WaybillRoute": [_sf_route(number, kind, at_s)]}}), str(now * 1_000)
            body = urlencode({"msgData": text, "timestamp": stamp, "msgDigest": sf.digest(text, stamp, key)})
        elif carrier == "zto":
            value = {"billCode": number, "action": _zto_action(kind), "actionTime": _local(at_s), "desc": TEXTS[kind], "facilityName": "澜州"}
            text = compact(value)
            body = urlencode({"data": text, "data_digest": zto.digest(text, key), "msg_type": "Traces", "company_id": app_id})
        elif carrier == "jd":
            body, stamp = compact({"traceList": [_jd_trace(number, kind, at_s)]}), _local(now)
            query = "?" + urlencode({"app_key": app_id, "timestamp": stamp, "sign": jd.sign(key, app_id, "/trace/push", body, stamp)})
            headers = dict(JSON)
        else:
            body = compact({"waybill_no": number, "scans": [_city_scan(kind, at_s)]})
            headers = dict(JSON) | {"X-Timestamp": str(now), "X-Nonce": "push", "X-Signature": city.sign(key, "POST", "/push", str(now), "push", body)}
        return deliver(Message(self.push_url.format(carrier=carrier) + query, headers, body.encode()))

    def _play(self, carrier: str, form: dict[str, str]) -> Reply:
        """Move a parcel one step (or to `kind`) and push it."""
        number = form.get("no", "")
        found = self.waybills.get(number)
        if found is None:
            return Reply(404, b"no such waybill")
        done = {kind for kind, _ in found.scans}
        kind = form.get("kind") or next((step for step in STEPS if step not in done), STEPS[-1])
        scan = (kind, int(clock.now().timestamp()))
        found.scans.append(scan)
        return _json({"pushed": self.push(carrier, number, *scan)})


def _json(value: Any) -> Reply:
    return Reply(200, compact(value).encode(), JSON)


def _sf_ok(data: Any) -> Reply:
    return _json({"apiResultCode": "A1000", "apiErrorMsg": "", "apiResultData": compact({"success": True, "errorCode": "S0000", "msgData": data})})


def _sf_no(code: str, text: str) -> Reply:
    return _json({"apiResultCode": "A1000", "apiErrorMsg": "", "apiResultData": compact({"success": False, "errorCode": code, "errorMsg": text})})


def _local(at_s: int) -> str:
    return datetime.fromtimestamp(at_s, UTC).astimezone(clock.REGION_TZ).strftime(SHANGHAI_FORM)


def _sf_route(number: str, kind: str, at_s: int) -> dict[str, str]:
    code = next(code for code, meaning in sf.OPS.items() if meaning == kind)
    return {"mailno": number, "opCode": code, "acceptTime": _local(at_s), "acceptAddress": "澜州", "remark": TEXTS[kind], "id": f"{at_s}"}


def _zto_action(kind: str) -> str:
    return next(action for action, meaning in zto.ACTIONS.items() if meaning == kind)


def _jd_trace(number: str, kind: str, at_s: int) -> dict[str, str]:
    category = next(code for code, meaning in jd.CATEGORIES.items() if meaning == kind)
    return {"waybillCode": number, "category": category, "operationTime": _local(at_s), "operationSite": "澜州", "operationRemark": TEXTS[kind]}


def _city_scan(kind: str, at_s: int) -> dict[str, Any]:
    return {"id": f"{kind}-{at_s}", "kind": kind, "at_s": at_s, "place": "澜州", "text": TEXTS[kind]}


EGRESS = "REGIONMART_EGRESS__INTERNAL"
KEYS = ("sf", "zto", "jd", "local")


def demo_account(key: str) -> tuple[str, str]:
    """Return (app id, secret) of our demo account at a simulated carrier."""
    return f"demo-{key}", f"demo-carrier-secret-{key}"


def environment(port: int, allowed: str) -> dict[str, str]:
    """Return the environment variables by which our side finds the simulators on a port; allowed: what egress may reach already."""
    host = f"127.0.0.1:{port}=127.0.0.1"
    found = {EGRESS: f"{allowed},{host}" if allowed else host}
    for key in KEYS:
        app_id, secret = demo_account(key)
        name = f"REGIONMART_CARRIERS__{key}__".upper()
        found |= {f"{name}BASE_URL": f"http://127.0.0.1:{port}/{key}", f"{name}APP_ID": app_id, f"{name}SECRET": secret}
    return found


def run(port: int, push_url: str) -> None:
    """Serve until the process is stopped."""
    serve(Carriers({key: demo_account(key) for key in KEYS}, push_url), "127.0.0.1", port).serve_forever()
