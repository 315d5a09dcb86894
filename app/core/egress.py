"""The only way out of the process: HTTP(S) calls to the hosts the settings name, and to nothing else.

A call goes to an address that was resolved, judged and then connected to by itself: there is no second look-up between the judgement
and the connection. Redirects are refused, proxies from the environment are not used, TLS is verified against `egress.ca_file` alone
where one is set. Never inside a transaction: a slow channel would hold rows and, on SQLite, everybody's writes.
"""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import urlsplit

import structlog

from app.core import runtime, tx
from app.core.errors import Upstream
from config.settings import Egress

log = structlog.get_logger(__name__)
PIECE = 65_536
PORTS = {"https": 443, "http": 80}


class NotSent(Upstream):
    """Nothing left this host: the target is not allowed, has no permitted address, or does not answer."""


class Unanswered(Upstream):
    """The request may have been carried out; its outcome must be asked for, never assumed."""


@dataclass(frozen=True)
class Answer:
    """What came back: status below 300 or from 400 on, headers by lower-case name, the whole body."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


@dataclass(frozen=True)
class Target:
    """Where a URL leads: addresses are those judged fit, in the order of the look-up."""

    scheme: str
    host: str
    port: int
    path: str
    addresses: tuple[str, ...]


def call(
    method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes = b"", purpose: str, max_bytes: int = 0
) -> Answer:
    """Send one request and read its answer within `egress.timeout_s`. purpose: who calls, for the log, such as `wechat.query`.

    max_bytes: most that is read, `egress.max_bytes` by default. Raises NotSent, Unanswered; RuntimeError inside a transaction.
    """
    if tx.in_transaction():
        raise RuntimeError("no network call inside a transaction")
    settings = runtime.current().settings.egress
    began = time.monotonic()
    result: dict[str, object] = {"status": 0, "bytes": 0}
    parts = urlsplit(url)
    try:
        target = resolve(url, settings)
        answer = _exchange(target, method, dict(headers or {}), body, settings, max_bytes or settings.max_bytes)
        result = {"status": answer.status, "bytes": len(answer.body)}
        return answer
    except Upstream as error:
        result["error"] = error.code
        raise
    finally:
        spent = round((time.monotonic() - began) * 1_000)
        log.info("egress.call", purpose=purpose, method=method, host=parts.hostname, path=parts.path, ms=spent, **result)


def resolve(url: str, settings: Egress) -> Target:
    """Return where a URL leads when the settings allow it. Raises NotSent(`egress.refused` | `egress.address` | `egress.unreachable`)."""
    parts = urlsplit(url)
    host, scheme = (parts.hostname or "").lower(), parts.scheme
    try:
        port = parts.port or PORTS.get(scheme, 0)
    except ValueError:
        port = 0
    entry = next((e for e in entries(settings) if (e.host, e.port) == (host, port)), None)
    plain_refused = scheme == "http" and (entry is None or not entry.internal)
    if entry is None or plain_refused or scheme not in PORTS or parts.username or parts.password:
        raise NotSent("egress.refused", f"不允许访问 {host or url[:60]}:{port}，请检查 egress.allow")
    found = entry.addresses or _look_up(host, port)
    fit = tuple(address for address in found if entry.internal or ipaddress.ip_address(address).is_global)
    if not fit or len(fit) != len(found):
        raise NotSent("egress.address", f"{host} 解析到不允许的地址")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(scheme, host, port, path, fit)


@dataclass(frozen=True)
class Entry:
    """One line of the allow-list. internal: may be a private address and plain HTTP; addresses: fixed ones, no look-up."""

    host: str
    port: int
    internal: bool
    addresses: tuple[str, ...]


@lru_cache(maxsize=8)
def entries(settings: Egress) -> tuple[Entry, ...]:
    """Return the allow-list. Raises ValueError for a line that is not `host:port` or `host:port=address|address`."""
    made = []
    for internal, lines in ((False, settings.allow), (True, settings.internal)):
        for line in lines:
            name, _, fixed = line.strip().partition("=")
            host, _, port = name.rpartition(":")
            host = host.strip("[]").lower()
            if not host or not port.isdigit():
                raise ValueError(f"egress: {line!r} is not host:port")
            addresses = tuple(str(ipaddress.ip_address(part.strip())) for part in fixed.split("|") if part.strip())
            made.append(Entry(host, int(port), internal, addresses))
    return tuple(made)


def _look_up(host: str, port: int) -> tuple[str, ...]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise NotSent("egress.unreachable", f"无法解析 {host}") from error
    return tuple(dict.fromkeys(str(item[4][0]).partition("%")[0] for item in found))


@lru_cache(maxsize=4)
def _tls(ca_file: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=ca_file or None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _connect(target: Target, settings: Egress) -> socket.socket:
    """Return a connected (and for https verified) socket to one of the judged addresses. Raises NotSent."""
    problem: Exception | None = None
    for address in target.addresses:
        try:
            raw = socket.create_connection((address, target.port), timeout=settings.connect_timeout_s)
        except OSError as error:
            problem = error
            continue
        if target.scheme == "http":
            return raw
        try:
            return _tls(settings.ca_file).wrap_socket(raw, server_hostname=target.host)
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            raw.close()
            problem = error
    raise NotSent("egress.unreachable", f"无法连接 {target.host}:{target.port}（{type(problem).__name__}）") from problem


class _Pinned(http.client.HTTPConnection):
    """HTTP over a socket that is connected already, so that nothing is looked up again."""

    def __init__(self, target: Target, connected: socket.socket) -> None:
        super().__init__(target.host, target.port)
        self.sock = connected

    def connect(self) -> None:
        raise http.client.NotConnected("the connection is gone")


def _exchange(target: Target, method: str, headers: dict[str, str], body: bytes, settings: Egress, max_bytes: int) -> Answer:
    """Send and receive; the whole exchange ends with the time-out, however slowly the other side drips."""
    connected = _connect(target, settings)
    connected.settimeout(settings.timeout_s)
    connection = _Pinned(target, connected)
    late = threading.Event()
    guard = threading.Timer(settings.timeout_s, _cut, (connected, late))
    guard.daemon = True
    guard.start()
    name = f"[{target.host}]" if ":" in target.host else target.host
    headers = {"Host": name if target.port == PORTS[target.scheme] else f"{name}:{target.port}", "Connection": "close", **headers}
    try:
        connection.request(method, target.path, body or None, headers)
        response = connection.getresponse()
        data = _read(response, max_bytes)
        if late.is_set():  # a body without a length ends where the connection was cut
            raise Unanswered("egress.unanswered", f"{target.host} 没有在限定时间内答完")
        if 300 <= response.status < 400:
            raise Unanswered("egress.redirect", f"{target.host} 试图跳转到别处，已拒绝")
        return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, data)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Unanswered("egress.unanswered", f"{target.host} 没有给出完整应答（{type(error).__name__}）") from error
    finally:
        guard.cancel()
        connection.close()


def _cut(connected: socket.socket, late: threading.Event) -> None:
    """End an exchange from the timer's thread."""
    late.set()
    with contextlib.suppress(OSError):
        connected.shutdown(socket.SHUT_RDWR)


def _read(response: http.client.HTTPResponse, max_bytes: int) -> bytes:
    """Read the body. Raises Unanswered(`egress.size`) beyond the limit, IncompleteRead when it is cut short."""
    pieces: list[bytes] = []
    size = 0
    while piece := response.read(min(PIECE, max_bytes - size + 1)):
        size += len(piece)
        if size > max_bytes:
            raise Unanswered("egress.size", "应答超过允许的大小")
        pieces.append(piece)
    if response.length:  # Content-Length promised more
        raise http.client.IncompleteRead(b"", response.length)
    return b"".join(pieces)
