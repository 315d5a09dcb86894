"""Limits on how often one address and one account may ask; beyond them 429 with Retry-After.

Loopback is not counted: it is the monitoring, or a proxy whose `server.proxy_count` was forgotten, behind which all visitors
would share one count. Files under /static are the proxy's to serve and to limit.
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache

from flask import Flask, Response, g, request

from app.core.counters import CounterStore, open_counters, seconds
from app.core.errors import TooMany
from app.web import access
from config.settings import Limits

MESSAGE = "访问过于频繁，请稍候再试"


@lru_cache(maxsize=4_096)
def _source(address: str) -> str:
    """Return who is counted: the address, for IPv6 the /64 a subscriber gets; empty for loopback or what is no address."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return ""
    if parsed.version == 6:
        mapped = parsed.ipv4_mapped
        if mapped is not None:
            return _source(str(mapped))
        if not parsed.is_loopback:
            return str(ipaddress.ip_network((parsed, 64), strict=False))
    return "" if parsed.is_loopback else str(parsed)


def install(app: Flask, settings: Limits) -> None:
    """Install the limits around the access check; the one by account after it, since only then the account is known."""
    url = settings.redis_url.get_secret_value() if settings.redis_url is not None else ""
    store: CounterStore = open_counters(url)

    def exceeded(kind: str, who: str, most: int) -> bool:
        if not most or not who or store.hit(f"{kind}:{who}", settings.window_s) <= most:
            return False
        g.retry_after = settings.window_s - seconds() % settings.window_s
        return True

    def by_address() -> Response | None:
        if request.endpoint == "static" or not exceeded("a", _source(access.client_address()), settings.address_requests):
            return None
        # Plain text: the error page asks who is signed in, and a flood must not reach the database.
        return Response(f"{MESSAGE}\n", 429, content_type="text/plain; charset=utf-8")

    def by_account() -> None:
        who = g.get("actor")  # only where the access check asked: pages open to everybody stay without a session read
        account = str(who.account_id) if who is not None and who.account_id and _source(access.client_address()) else ""
        if exceeded("u", account, settings.account_requests):
            raise TooMany("request.rate", MESSAGE)

    def tell_when(response: Response) -> Response:
        if "retry_after" in g:
            response.headers["Retry-After"] = str(g.retry_after)
        return response

    app.before_request_funcs.setdefault(None, []).insert(1, by_address)  # after the request id, before any database work
    app.before_request(by_account)
    app.after_request(tell_when)
