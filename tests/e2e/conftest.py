"""A running platform (web and worker as `regionmart run` starts them) and Debian's Chromium."""

from __future__ import annotations

import json
import os
import re
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
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

from tests.servers import free_port

ARTEFACTS = Path(__file__).parents[1] / "artefacts"
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip


@dataclass(frozen=True)
class Site:
    """Where the platform runs, what the seed made and who may sign in."""

    url: str
    product_id: str
    waiting_id: str
    applicant_id: str
    job_id: str
    logins: dict[str, str]
    to_send: list[int]
    pickup_code: str
    fresh_login: str
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
    deadline = time.monotonic() + 180
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


SIZES = {"phone": (390, 844), "narrow": (320, 640), "desk": (1440, 900)}


class Visitor:
    """A browser context that fails the test on a console error, a page error or a report against the content security policy."""

    def __init__(self, browser: Browser, site: Site, *, scripts: bool = True, size: str = "phone", elder: bool = False) -> None:
        width, height = SIZES[size]
        self.site, self.scripts = site, scripts
        self.context = browser.new_context(
            viewport={"width": width, "height": height}, java_script_enabled=scripts, base_url=site.url, locale="zh-CN",
        )  # fmt: skip
        if elder:
            self.context.add_cookies([{"name": "rm_elder", "value": "1", "url": site.url}])
        self.page = self.context.new_page()
        self.problems: list[str] = []
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda e: self.problems.append(f"{self.page.url}: {e}"))
        self.page.on("request", self._request)

    def _console(self, message: Any) -> None:
        if message.type == "error":
            self.problems.append(f"{self.page.url}: {message.text}")

    def _request(self, request: Any) -> None:
        if request.url.endswith("/csp-report"):
            self.problems.append(f"{self.page.url}: CSP report {request.post_data}")

    def forgive(self, status: int) -> None:
        """Forget that the browser logged the answer to a refused form or address as a failed load; nothing else."""
        self.problems = [text for text in self.problems if f"status of {status} " not in text]

    def shot(self, name: str) -> None:
        """Keep a screenshot."""
        ARTEFACTS.mkdir(exist_ok=True)
        self.page.screenshot(path=str(ARTEFACTS / f"{name}.png"))

    def seen(self, name: str = "") -> None:
        """Look at the page as it stands: nothing serious for axe, no sideways scrolling; keep a picture when it has a name."""
        if name:
            self.shot(name)
        if self.scripts:
            assert serious(self.page) == [], self.page.url
        width = self.page.evaluate("document.documentElement.scrollWidth")
        assert width <= self.page.viewport_size["width"], f"{self.page.url} scrolls sideways ({width} px)"

    def goto(self, path: str, name: str = "") -> None:
        """Open a page that must answer 200 and look at it."""
        answer = self.page.goto(path)
        assert answer is not None
        assert answer.status == 200, f"{path}: {answer.status}"
        self.seen(name)

    def press(self, name: str) -> None:
        """Press the visible button of that name and wait for what it leads to."""
        with self.page.expect_navigation():
            self.page.get_by_role("button", name=name, exact=True).locator("visible=true").first.click()

    def ask(self, summary: str, submit: str) -> None:
        """Open a question in place and answer it."""
        self.page.locator("details.ask > summary", has_text=summary).first.click()
        self.press(submit)

    def sign_in(self, prefix: str, login: str, password: str = "") -> None:
        """Sign in on a console surface."""
        self.page.goto(f"{prefix}/sign-in")
        self.page.get_by_label("登录名").fill(login)
        self.page.get_by_label("口令").fill(password or self.site.password)
        self.press("登录")
        self.page.wait_for_url(lambda u: "sign-in" not in u)

    def register(self, phone: str) -> None:
        """Go on from the sign-in page of the shop with a code, as a new buyer."""
        self.page.get_by_label("手机号").fill(phone)
        self.press("获取验证码")
        code = re.search(r"验证码为 (\d{6})", self.page.content())
        assert code, "the development sender shows the code"
        self.page.get_by_label("验证码").fill(code[1])
        self.page.get_by_role("checkbox").check()
        self.press("登录")


def serious(page: Page) -> list[str]:
    """Return axe's serious and critical findings."""
    # Without preloading: axe would rebuild style sheets it finds unread in <style> elements, which the page's policy reports.
    found = Axe().run(page, options={"preload": False}).response["violations"]
    return [f"{v['id']}: {v['nodes'][0]['html'][:160]}" for v in found if v["impact"] in {"serious", "critical"}]


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
