"""The simulators' HTTP server: one process, one port, each channel under its documented paths, a page to play the buyer.

Run: `regionmart demo channels`. Keys are made on first start in a directory of their own; `client_settings` tells ours what to use.
"""

from __future__ import annotations

import html
import http.client
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlsplit

import structlog

from app.demo.simulators.ledger import REFUNDS, SCENARIOS, Ledger, Payment

log = structlog.get_logger(__name__)
NOTIFY_TIMEOUT_S = 10
MAX_BODY = 1_048_576


@dataclass(frozen=True)
class Request:
    """What came in: path without query, headers by lower-case name."""

    method: str
    target: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Reply:
    """What goes out."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Message:
    """A notice to deliver."""

    url: str
    headers: Mapping[str, str]
    body: bytes


class Simulated(Protocol):
    """One simulated channel."""

    key: str
    ledger: Ledger

    def handle(self, request: Request) -> Reply | None:
        """Answer a call of this channel's protocol, None when the path is not its own."""

    def notices(self, payment: Payment, scenario: str) -> Sequence[Message]:
        """Return the notices a scenario produces, in order of delivery."""

    def refund_notice(self, number: str) -> Message | None:
        """Return the notice of a refund's end, None where the channel sends none."""


def deliver(message: Message) -> int:
    """POST a notice to the merchant; returns the status, 0 when it was not reached."""
    parts = urlsplit(message.url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=NOTIFY_TIMEOUT_S)
    try:
        connection.request("POST", parts.path + (f"?{parts.query}" if parts.query else ""), message.body, dict(message.headers))
        return connection.getresponse().status
    except OSError:
        log.warning("simulator.notice_failed", url=message.url)
        return 0
    finally:
        connection.close()


class Channels:
    """All simulated channels behind one port, with the control page `/play`."""

    def __init__(self, channels: Sequence[Simulated], late_s: float = 45.0) -> None:
        self.channels = {channel.key: channel for channel in channels}
        self.late_s = late_s

    def answer(self, request: Request) -> Reply:
        """Answer any request."""
        if request.path.startswith("/play"):
            return self._play(request)
        for channel in self.channels.values():
            reply = channel.handle(request)
            if reply is not None:
                channel.ledger.calls.append(f"{request.method} {request.path}")
                return reply
        return Reply(404, b"no such path")

    def pay(self, key: str, number: str, scenario: str) -> list[int]:
        """Play the buyer: pay as a scenario says and deliver its notices; returns the merchant's answers."""
        channel = self.channels[key]
        payment = channel.ledger.pay(number, scenario)
        if payment is None:
            return []
        messages = list(channel.notices(payment, scenario)) if scenario != "silent" else []
        if scenario == "late":
            timer = threading.Timer(self.late_s, lambda: [deliver(message) for message in messages])
            timer.daemon = True
            timer.start()
            return []
        return [deliver(message) for message in messages]

    def end_refund(self, key: str, number: str) -> int:
        """Bring an accepted refund to its end and notify; returns the merchant's answer."""
        channel = self.channels[key]
        channel.ledger.end_refund(number)
        message = channel.refund_notice(number)
        return deliver(message) if message is not None else 0

    def _play(self, request: Request) -> Reply:
        """`/play/<channel>?no=`: the buyer's page; POST chooses a scenario, a refund plan, or ends a refund."""
        key = request.path.removeprefix("/play").strip("/")
        channel = self.channels.get(key)
        if channel is None:
            links = "".join(f'<li><a href="/play/{name}">{name}</a></li>' for name in self.channels)
            return _page(f"<h1>渠道模拟器</h1><ul>{links}</ul>")
        said = ""
        if request.method == "POST":
            form = dict(parse_qsl(request.body.decode("utf-8", "replace")))
            if form.get("scenario") in SCENARIOS:
                said = f"通知应答：{self.pay(key, form.get('no', ''), form['scenario'])}"
            elif form.get("plan") in REFUNDS:
                channel.ledger.refund_plan = form["plan"]
            elif form.get("end") in channel.ledger.refunds:
                said = f"通知应答：{self.end_refund(key, form['end'])}"
            elif form.get("bill"):
                channel.ledger.bill_differences = form["bill"] == "differences"
        if "application/json" in request.headers.get("accept", ""):
            return Reply(200, json.dumps({"said": said}).encode(), {"Content-Type": "application/json"})
        return _page(_body(channel, request.query.get("no", ""), said))


def _page(body: str) -> Reply:
    text = f'<!doctype html><html lang="zh"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>渠道模拟器</title>{body}'
    return Reply(200, text.encode(), {"Content-Type": "text/html; charset=utf-8"})


def _body(channel: Simulated, number: str, said: str) -> str:
    rows = [p for p in channel.ledger.payments.values() if not number or p.number == number]
    buttons = "".join(f'<button name="scenario" value="{k}">{v}</button> ' for k, v in SCENARIOS.items())
    listed = "".join(
        f"<li>{html.escape(p.number)} {p.amount_fen / 100:.2f} 元 {p.state}"
        + (f'<form method="post"><input type="hidden" name="no" value="{html.escape(p.number)}">{buttons}</form>' if p.state == "waiting" else "")
        for p in reversed(rows[-20:])
    )
    plans = "".join(f'<button name="plan" value="{k}">{v}</button> ' for k, v in REFUNDS.items())
    open_refunds = [r for r in channel.ledger.refunds.values() if r.state == "accepted"]
    ends = "".join(f'<button name="end" value="{html.escape(r.number)}">完结 {html.escape(r.number)}</button> ' for r in open_refunds)
    return (
        f"<h1>{channel.key} 模拟器</h1><p>{html.escape(said)}</p><ul>{listed or '没有待付款'}</ul><h2>退款方式：{channel.ledger.refund_plan}</h2>"
        f'<form method="post">{plans}{ends}</form><form method="post"><button name="bill" value="differences">账单带差异</button> '
        '<button name="bill" value="plain">账单无差异</button></form>'
    )


class Answers(Protocol):
    """What a server serves: channels, or carriers."""

    def answer(self, request: Request) -> Reply:
        """Answer any request."""


def serve(channels: Answers, host: str, port: int) -> ThreadingHTTPServer:
    """Return a listening server; the caller runs `serve_forever` and closes it."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _do(self) -> None:
            parts = urlsplit(self.path)
            size = min(int(self.headers.get("Content-Length") or 0), MAX_BODY)
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(size)
            reply = channels.answer(Request(self.command, self.path, parts.path, dict(parse_qsl(parts.query)), headers, body))
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)

        do_GET = do_POST = _do

        def log_message(self, format: str, *args: Any) -> None:
            log.debug("simulator.request", line=format % args)

    return ThreadingHTTPServer((host, port), Handler)


def start(channels: Channels, host: str = "127.0.0.1", port: int = 0) -> tuple[ThreadingHTTPServer, Callable[[], None]]:
    """Serve in a thread; returns the server and what stops it. For tests in one process."""
    server = serve(channels, host, port)
    thread = threading.Thread(target=server.serve_forever, name="channel-simulators", daemon=True)
    thread.start()

    def stop() -> None:
        server.shutdown()
        server.server_close()
        thread.join(5)

    return server, stop
