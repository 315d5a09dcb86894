"""Load: `wrk` for pages, keep-alive users of several steps for carts and orders (closed loop, one connection each)."""

from __future__ import annotations

import http.client
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

TRIES = 30
_FIELD = re.compile(r'name="(csrf_token|quote_hash|expected_total_fen|idempotency_key)" value="([^"]*)"')
_UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4}


class Refused(Exception):
    """The platform answered something else than the step expects."""


def wrk_missing() -> str:
    """Return the line that installs wrk when it is absent, else ''."""
    return "" if shutil.which("wrk") else "wrk is missing: sudo apt-get install -y wrk"


@dataclass(frozen=True)
class Pages:
    """What wrk saw. Latencies in ms."""

    requests: int
    seconds: float
    p50: float
    p99: float
    errors: int


def _milliseconds(text: str) -> float:
    number = re.match(r"([\d.]+)(us|ms|s|m)", text)
    return float(number[1]) * _UNITS[number[2]] if number else 0.0


def wrk(port: int, paths: Sequence[str], seconds: float, connections: int, folder: Path) -> Pages:
    """Ask for the paths in turn over keep-alive connections."""
    script = folder / "paths.lua"
    urls = ", ".join(f'"{path}"' for path in paths)
    script.write_text(
        f"local urls = {{{urls}}}\nlocal n = 0\nrequest = function() n = n + 1; return wrk.format('GET', urls[n % #urls + 1]) end\n"
    )
    argv = ["wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--latency", "--timeout", "20s", "-s", str(script)]
    text = subprocess.run([*argv, f"http://127.0.0.1:{port}/"], capture_output=True, text=True, check=True).stdout
    total = re.search(r"(\d+) requests in ([\d.]+)(ms|s|m)", text)
    if total is None:
        raise RuntimeError(f"wrk said nothing usable:\n{text}")
    wrong = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    broken = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
    errors = int(wrong[1]) if wrong else 0
    errors += sum(int(part) for part in broken.groups()) if broken else 0
    tail = {share: _milliseconds(value) for share, value in re.findall(r"(50|99)%\s+(\S+)", text)}
    return Pages(int(total[1]), float(total[2]) * _UNITS[total[3]] / 1e3, tail.get("50", 0.0), tail.get("99", 0.0), errors)


@dataclass
class Placed:
    """An order as its buyer knows it: the form that placed it, and the trade number of the answer."""

    form: dict[str, str]
    picked: list[tuple[int, int]]
    trade_no: str


@dataclass
class User:
    """A signed-in buyer on one connection. patient: ask again, with the same key, when the connection or server fails."""

    port: int
    token: str
    address_id: int
    patient: bool = False
    csrf: str = ""
    placed: list[Placed] = field(default_factory=list)
    unknown: int = 0
    retries: int = 0

    def __post_init__(self) -> None:
        self.cookies = {"rm_storefront": self.token}
        self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)

    def ask(self, method: str, path: str, form: dict[str, Any] | None = None) -> tuple[int, str, str]:
        """Return (status, location, body). Raises OSError, HTTPException when there is no answer even after asking again."""
        body = urlencode(form).encode() if form is not None else None
        for attempt in range(TRIES if self.patient else 1):
            try:
                return self._once(method, path, body)
            except (OSError, http.client.HTTPException):
                self.connection.close()
                if not self.patient or attempt == TRIES - 1:
                    raise
                self.retries += 1
                time.sleep(0.1)
        raise AssertionError("unreachable")

    def _once(self, method: str, path: str, body: bytes | None) -> tuple[int, str, str]:
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        self.connection.request(method, path, body, headers)
        answer = self.connection.getresponse()
        text = answer.read()
        for name, value in answer.getheaders():
            if name.lower() == "set-cookie":
                key, _, rest = value.partition("=")
                self.cookies[key] = rest.partition(";")[0]
        if self.patient and answer.status >= 500:
            raise http.client.HTTPException(f"status {answer.status}")
        return answer.status, answer.headers.get("Location", ""), text.decode()

    def get(self, path: str) -> dict[str, str]:
        """Visit a page; returns its hidden fields. Raises Refused unless it answers 200."""
        status, _, text = self.ask("GET", path)
        if status != 200:
            raise Refused(f"GET {path} answered {status}")
        fields = dict(_FIELD.findall(text))
        self.csrf = fields.get("csrf_token", self.csrf)
        return fields

    def post(self, path: str, **form: Any) -> str:
        """Send a form; returns where it leads. Raises Refused unless it answers 303."""
        status, location, text = self.ask("POST", path, {"csrf_token": self.csrf, **form})
        if status != 303:
            found = re.search(r'class="notice[^>]*>(.{0,200})', text, re.DOTALL)
            raise Refused(f"POST {path} answered {status}: {re.sub('<[^>]*>', ' ', found[1]) if found else text[:200]}")
        return location

    def add(self, sku_id: int) -> None:
        """Put one unit into the cart."""
        self.post("/cart/items", sku_id=sku_id, qty=1)

    def prepare(self, picked: list[tuple[int, int]]) -> dict[str, str]:
        """Open the checkout page of a cart with these units, or of one variant; returns the form to place."""
        if len(picked) == 1:
            sku, qty = picked[0]
            page = self.get(f"/checkout?sku={sku}&qty={qty}")
            return {**page, "sku": str(sku), "qty": str(qty), "address_id": str(self.address_id), "exclusions": "1"}
        for sku, _ in picked:
            self.add(sku)
        return {**self.get("/checkout"), "address_id": str(self.address_id), "exclusions": "1"}

    def place(self, form: dict[str, str], picked: list[tuple[int, int]]) -> str:
        """Place the order of a form; returns its trade number. An attempt without any answer counts as unknown."""
        try:
            location = self.post("/checkout", **form)
        except (OSError, http.client.HTTPException):
            self.unknown += 1
            raise
        if not location.startswith("/pay/"):
            self.unknown += 1
            raise Refused(f"POST /checkout led to {location}")
        self.placed.append(Placed(form, picked, location.removeprefix("/pay/")))
        return self.placed[-1].trade_no

    def pay(self, trade_no: str) -> None:
        """Pay at the simulated cashier; the channel's notice is delivered before it answers."""
        self.get(f"/pay/{trade_no}")
        cashier = self.post(f"/pay/{trade_no}", channel="simulator")
        token = parse_qs(urlsplit(cashier).query)["token"][0]
        self.post("/simulator/cashier", token=token, outcome="paid")

    def whole_order(self, product_id: int, sku_id: int) -> None:
        """View, add, check out, place and pay: eight requests."""
        self.get(f"/products/{product_id}")
        self.add(sku_id)
        form = {**self.get("/checkout"), "address_id": str(self.address_id), "exclusions": "1"}
        self.pay(self.place(form, [(sku_id, 1)]))

    def buy_now(self, product_id: int, sku_id: int) -> None:
        """As a whole order, without the cart: the same form can be sent again whatever became of the first."""
        self.get(f"/products/{product_id}")
        picked = [(sku_id, 1)]
        self.pay(self.place(self.prepare(picked), picked))

    def replay(self, order: Placed) -> str:
        """Send the form of a placed order again, its cart filled as it was; returns the trade number of the answer."""
        if len(order.picked) > 1:
            for sku, _ in order.picked:
                self.add(sku)
        return self.post("/checkout", **order.form).removeprefix("/pay/")


@dataclass(frozen=True)
class Steps:
    """What a run of users did. Latencies of one unit of work in ms."""

    done: int
    seconds: float
    latencies: list[float]
    errors: list[str]

    def percentile(self, share: float) -> float:
        """Return the latency below which `share` of the units lie."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


def together(users: Sequence[User], work: Callable[[User, int], bool], threads: int) -> Steps:
    """Run `work(user, round)` on every user until it returns False, `threads` users at a time (closed loop).

    Each thread keeps one connection for all its users, so that none is left idle until the server closes it.
    """
    waiting, lock = list(users), threading.Lock()
    latencies: list[float] = []
    errors: list[str] = []

    def loop() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", users[0].port, timeout=30)
        while True:
            with lock:
                if not waiting:
                    connection.close()
                    return
                user = waiting.pop()
            user.connection, number = connection, 0
            while True:
                started = time.perf_counter()
                try:
                    if not work(user, number):
                        break
                    latencies.append((time.perf_counter() - started) * 1e3)
                except (Refused, OSError, http.client.HTTPException) as error:
                    errors.append(f"{type(error).__name__}: {error}")
                    if len(errors) > 50:
                        break
                number += 1

    started = time.perf_counter()
    running = [threading.Thread(target=loop, daemon=True) for _ in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    return Steps(len(latencies), time.perf_counter() - started, latencies, errors)
