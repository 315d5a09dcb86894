"""Debian's nginx in front of the platform, configured by the installer's own template."""

from __future__ import annotations

import gzip
import http.client
import shutil
import socket
import time
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml
from sqlalchemy import select

from app.audit.models import AuditEvent
from app.core.db import release_session, session
from tests.factories import market
from tests.processes.platform import ROOT, Platform
from tests.processes.shopper import Answer, Visitor, found
from tests.servers import NginxServer

ROLES = ROOT / "ansible" / "roles"
IMMUTABLE = "public, max-age=31536000, immutable"


def rendered(role: str, template: str, **variables: Any) -> str:
    """Return a role's template with its defaults, as Ansible renders it."""
    values = yaml.safe_load((ROLES / role / "defaults" / "main.yml").read_text()) | variables
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, trim_blocks=True, keep_trailing_newline=True)
    environment.filters["bool"] = bool
    return environment.from_string((ROLES / role / "templates" / template).read_text()).render(values)


@dataclass(frozen=True)
class Front:
    """The platform and the proxy before it."""

    platform: Platform
    port: int
    rates: dict[str, Any]


@pytest.fixture(scope="module")
def front(launch: Callable[..., Platform]) -> Iterator[Front]:
    """nginx on the rendered template, static files in a release folder, the platform with the rendered number of proxies."""
    configured = tomllib.loads(rendered("app", "regionmart.toml.j2"))
    platform = launch("sqlite", server={"workers": "1", "proxy_count": str(configured["server"]["proxy_count"])})
    platform.start_web()
    conf = rendered("web_proxy", "regionmart.conf.j2", app__root="{folder}", app__port=platform.port)
    # Debian's nginx.conf includes the types and switches compression on before it includes ours.
    conf = "include /etc/nginx/mime.types; default_type application/octet-stream; gzip on;\n" + conf.replace("listen 80;", "listen {port};")
    proxy = NginxServer(conf)
    release = proxy.folder / "current" / "source" / "app" / "web" / "static"
    shutil.copytree(ROOT / "app" / "web" / "static", release)
    for folder in (release, *release.parents):
        if folder.is_relative_to(proxy.folder) and folder != proxy.folder:
            folder.chmod(0o755)
    with proxy:
        rates = yaml.safe_load((ROLES / "web_proxy" / "defaults" / "main.yml").read_text())
        yield Front(platform, proxy.port, rates)


def ask(front: Front, path: str, source: str = "127.0.0.1", **headers: str) -> Answer:
    """GET once on a connection of its own; headers are named with underscores."""
    visitor = Visitor(front.port, source=source, headers={name.replace("_", "-"): value for name, value in headers.items()})
    try:
        return visitor.once("GET", path)
    finally:
        visitor.close()


def test_pages_and_static_files_come_through(front: Front) -> None:
    page = ask(front, "/sign-in")
    assert page.status == 200
    assert "content-security-policy" in page.headers
    assert page.headers["Cache-Control"] == "no-store"
    assert "nginx/" not in page.headers["Server"], "the version is nobody's business"
    style = found(r'href="(/static/[^"]+\.css\?v=[0-9a-f]+)"', page.text)
    answer = ask(front, style)
    assert answer.status == 200
    assert answer.headers.get_all("Cache-Control") == [IMMUTABLE]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.text == (ROOT / "app" / "web" / style.partition("?")[0].lstrip("/")).read_text()
    assert ask(front, style.partition("?")[0]).headers["Cache-Control"] == "public, max-age=86400"
    missing = ask(front, "/static/css/none.css?v=1")
    assert missing.status == 404
    assert "Cache-Control" not in missing.headers, "an error is not kept for a year"
    assert ask(front, "/static/../wsgi.py").status in {400, 404}


def test_static_files_are_compressed_and_pages_are_not(front: Front) -> None:
    style = found(r'href="(/static/[^"]+\.css\?v=[0-9a-f]+)"', ask(front, "/sign-in").text)
    connection = http.client.HTTPConnection("127.0.0.1", front.port, timeout=20)
    connection.request("GET", style, headers={"Accept-Encoding": "gzip"})
    response = connection.getresponse()
    packed = response.read()
    assert response.headers["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in response.headers["Vary"]
    plain = (ROOT / "app" / "web" / style.partition("?")[0].lstrip("/")).read_bytes()
    assert gzip.decompress(packed) == plain
    assert len(packed) < len(plain) / 2
    connection.request("GET", "/sign-in", headers={"Accept-Encoding": "gzip"})
    page = connection.getresponse()
    page.read()
    connection.close()
    assert "Content-Encoding" not in page.headers, "a page with a form token is not compressed"


def test_the_visitors_address_is_the_one_the_proxy_saw(front: Front) -> None:
    """Neither a forged header through the proxy nor more entries than there are proxies are believed."""

    def seen(port: int, source: str, claimed: str) -> str:
        visitor = Visitor(port, source=source, headers={"X-Forwarded-For": claimed, "X-Real-IP": claimed})
        visitor.sign_in_console("/operator", market.staff("operator", "operations"), market.PASSWORD)
        visitor.close()
        release_session()
        newest = select(AuditEvent.address).where(AuditEvent.realm == "operator").order_by(AuditEvent.id.desc()).limit(1)
        return str(session.scalar(newest))

    assert seen(front.port, "127.0.0.5", "203.0.113.9") == "127.0.0.5"
    assert seen(front.platform.port, "127.0.0.1", "203.0.113.9, 198.51.100.4") == "198.51.100.4", "the nearest entry is the proxy's"


def test_an_address_that_asks_too_often_is_refused_and_others_are_not(front: Front) -> None:
    rate = int(front.rates["web_proxy__page_rate"])
    visitor, began = Visitor(front.port, source="127.0.0.6"), time.monotonic()
    statuses = [visitor.once("GET", "/healthz").status for _ in range(4 * rate + 120)]
    took = time.monotonic() - began
    visitor.close()
    assert set(statuses) == {200, 429}
    assert statuses[:40] == [200] * 40, "a page with its pictures passes"
    assert statuses.count(200) <= 42 + rate * (took + 0.5), "the rest at the rate that is configured"
    assert ask(front, "/healthz", source="127.0.0.7").status == 200
    assert ask(front, "/static/none.css", source="127.0.0.6").status == 404, "static files are not counted"
    asked = [ask(front, "/operator/sign-in", source="127.0.0.8").status for _ in range(16)]
    assert asked[:11] == [200] * 11
    assert 429 in asked[11:], "sign-in pages have a limit of their own"


def test_too_large_a_body_is_refused_before_it_is_sent(front: Front) -> None:
    size = (int(front.rates["web_proxy__max_body_mb"]) + 1) * 1_048_576

    def declare(port: int, length: int) -> str:
        with socket.create_connection(("127.0.0.1", port), 20) as raw:
            raw.sendall(f"POST /cart/items HTTP/1.1\r\nHost: shop\r\nContent-Length: {length}\r\nConnection: close\r\n"
                        "Content-Type: application/x-www-form-urlencoded\r\n\r\n".encode())  # fmt: skip
            return raw.makefile("rb").readline().decode()

    assert " 413 " in declare(front.port, size)


def test_metrics_stay_inside(front: Front) -> None:
    """Behind the proxy every caller is loopback, which the platform trusts: the proxy must not let it through."""
    assert ask(front, "/metrics", source="127.0.0.9").status == 404
    direct = Visitor(front.platform.port)
    assert direct.once("GET", "/metrics").status == 200
    direct.close()


def test_a_dead_platform_is_a_502_and_comes_back(front: Front) -> None:
    front.platform.kill_master(restart=False)
    assert ask(front, "/healthz", source="127.0.0.10").status == 502
    assert ask(front, "/static/none.css", source="127.0.0.10").status == 404, "the proxy itself is well"
    front.platform.start_web()
    assert ask(front, "/healthz", source="127.0.0.11").status == 200


def test_the_template_redirects_to_tls_when_there_is_a_certificate() -> None:
    text = rendered("web_proxy", "regionmart.conf.j2", web_proxy__tls_certificate="/etc/c.pem", web_proxy__tls_key="/etc/k.pem")
    assert "return 301 https://$host$request_uri;" in text
    assert text.count("Strict-Transport-Security") == 2, "add_header inside a location replaces the server's"
    assert Path("/usr/sbin/nginx").exists()
