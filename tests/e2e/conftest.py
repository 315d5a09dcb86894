"""A running platform (web and worker as `regionmart run` starts them) and Debian's Chromium."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.servers import free_port

ARTEFACTS = Path(__file__).parents[1] / "artefacts"
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip


@dataclass(frozen=True)
class Site:
    """Where the platform runs and who may sign in."""

    url: str
    product_id: str
    logins: dict[str, str]
    password: str


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Seed an empty home and run the platform on it until the tests end."""
    home, port = tmp_path_factory.mktemp("home"), free_port()
    env = {
        **os.environ, "REGIONMART_HOME": str(home), "PORT": str(port), "REGIONMART_ENVIRONMENT": "testing",
        "REGIONMART_SECURITY__PASSWORD_ITERATIONS": "10000", "REGIONMART_LOG__LEVEL": "ERROR",
    }  # fmt: skip
    seeded = subprocess.run([sys.executable, "-m", "tests.e2e.seed"], env=env, capture_output=True, text=True, check=True)
    facts = json.loads(seeded.stdout)
    server = subprocess.Popen([sys.executable, "-m", "app.cli", "run"], env=env)
    url = f"http://127.0.0.1:{port}"
    try:
        _wait(url + "/readyz", server)
        yield Site(url, **facts)
    finally:
        server.send_signal(signal.SIGINT)
        assert server.wait(40) in (0, 130), "Ctrl-C stops everything cleanly"


def _wait(url: str, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        assert server.poll() is None, "the platform ended at start"
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.3)
    raise AssertionError("the platform did not get ready")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, headless."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=list(FLAGS))
        yield chromium
        chromium.close()


class Visitor:
    """A browser context that fails the test on a console error (CSP violations are console errors) or page error."""

    def __init__(self, browser: Browser, site: Site, *, scripts: bool = True, phone: bool = True) -> None:
        size = {"width": 390, "height": 844} if phone else {"width": 1440, "height": 900}
        self.context = browser.new_context(viewport=size, java_script_enabled=scripts, base_url=site.url)
        self.page = self.context.new_page()
        self.problems: list[str] = []
        self.page.on("console", lambda m: self.problems.append(f"{self.page.url}: {m.text}") if m.type == "error" else None)
        self.page.on("pageerror", lambda e: self.problems.append(f"{self.page.url}: {e}"))

    def shot(self, name: str) -> None:
        """Keep a screenshot."""
        ARTEFACTS.mkdir(exist_ok=True)
        self.page.screenshot(path=str(ARTEFACTS / f"{name}.png"))

    def sign_in(self, prefix: str, login: str, password: str) -> None:
        """Sign in on a console surface."""
        self.page.goto(f"{prefix}/sign-in")
        self.page.get_by_label("登录名").fill(login)
        self.page.get_by_label("口令").fill(password)
        self.page.get_by_role("button", name="登录").click()
        self.page.wait_for_url(lambda u: "sign-in" not in u)


@pytest.fixture
def visit(browser: Browser, site: Site) -> Iterator[Any]:
    """Make visitors; every one must have met no error."""
    made: list[Visitor] = []

    def make(**options: Any) -> Visitor:
        made.append(Visitor(browser, site, **options))
        return made[-1]

    yield make
    for visitor in made:
        visitor.context.close()
        assert visitor.problems == []
