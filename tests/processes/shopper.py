"""A buyer over HTTP: one kept-alive connection, cookies, forms; repeats a request whose answer was lost."""

from __future__ import annotations

import http.client
import re
import time
from dataclasses import dataclass
from urllib.parse import urlencode

PATIENCE_S = 60.0
LOST = (OSError, http.client.HTTPException)
BUSY = frozenset({502, 503, 504})


@dataclass
class Answer:
    """Status, headers of interest and body of a response."""

    status: int
    location: str
    headers: http.client.HTTPMessage
    text: str


class Visitor:
    """One browser. `losses` counts answers that were lost with their connection."""

    def __init__(self, port: int, *, source: str = "127.0.0.1", headers: dict[str, str] | None = None, wait_s: float = 40) -> None:
        self.port, self.source, self.extra, self.wait_s = port, source, headers or {}, wait_s
        self.cookies: dict[str, str] = {}
        self.losses = 0
        self._token: dict[str, str] = {}
        self._connection: http.client.HTTPConnection | None = None

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def once(self, method: str, path: str, fields: dict[str, str] | None = None) -> Answer:
        """Send one request on the kept connection. Raises what LOST names when the answer does not come."""
        if self._connection is None:
            self._connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=self.wait_s, source_address=(self.source, 0))
        headers = {**self.extra, "Cookie": "; ".join(f"{k}={v}" for k, v in self.cookies.items())}
        body = None
        if fields is not None:
            body, headers["Content-Type"] = urlencode(fields), "application/x-www-form-urlencoded"
        try:
            self._connection.request(method, path, body, headers)
            response = self._connection.getresponse()
            text = response.read().decode(errors="replace")
        except LOST:
            self.close()
            raise
        for line in response.headers.get_all("Set-Cookie") or []:
            name, _, rest = line.partition("=")
            self.cookies[name] = rest.partition(";")[0]
        return Answer(response.status, response.headers.get("Location", ""), response.headers, text)

    def send(self, method: str, path: str, fields: dict[str, str] | None = None) -> Answer:
        """Send a request until an answer comes: what gets lost is sent again, as it was."""
        deadline, met = time.monotonic() + PATIENCE_S, ""
        while True:
            try:
                answer = self.once(method, path, fields)
                if answer.status not in BUSY:
                    return answer
                met = f"{answer.status}"
            except LOST as error:
                met, self.losses = repr(error), self.losses + 1
            assert time.monotonic() < deadline, f"{method} {path}: no answer for {PATIENCE_S} s, {met}"
            time.sleep(0.2)

    def get(self, path: str) -> Answer:
        """GET a page."""
        return self.send("GET", path)

    def token(self, surface: str = "") -> str:
        """Return the form token of a surface; it holds as long as the seed cookie."""
        if surface not in self._token:
            page = self.get(f"{surface}/sign-in").text
            self._token[surface] = found(r'name="csrf_token" value="([0-9a-f]+)"', page)
        return self._token[surface]

    def post(self, path: str, surface: str = "", **fields: str) -> Answer:
        """POST a form with its token; underscores at the end of names are dropped, `__` stands for `-`."""
        named = {name.replace("__", "-"): value for name, value in fields.items()}
        return self.send("POST", path, {"csrf_token": self.token(surface), **named})

    def sign_in_console(self, prefix: str, login: str, password: str) -> None:
        """Sign in on a console."""
        answer = self.post(f"{prefix}/sign-in", prefix, login_name=login, password=password)
        assert answer.status == 303, answer.text[:500]

    def sign_in_phone(self, phone: str) -> bool:
        """Sign in (and register) by code; False when an answer was lost on the way, since a code shows once and works once."""
        before = self.losses
        page = self.post("/sign-in", phone=phone)
        shown = re.search(r"验证码为 (\d{6})", page.text)
        if shown is None:
            assert self.losses > before, page.text[:500]
            return False
        answer = self.post("/sign-in/code", phone=phone, code=shown[1], agreed="y")
        if answer.status != 303:
            assert self.losses > before, f"{answer.status} {answer.text[:500]}"
            return False
        return True


def found(pattern: str, text: str) -> str:
    """Return the first group of a pattern that must be there."""
    match = re.search(pattern, text)
    assert match is not None, f"no {pattern} in {text[:2_000]}"
    return match[1]
