"""A browser over the WSGI application: keeps cookies, fills in CSRF tokens, reads pages with html5lib."""

from __future__ import annotations

import re
from typing import Any

from bs4 import BeautifulSoup


class Browser:
    """One visitor. `get`/`post` return werkzeug's response with `.soup` added."""

    def __init__(self, app: Any) -> None:
        self.http = app.test_client()
        self._token: dict[str, str] = {}

    def _wrap(self, response: Any) -> Any:
        response.soup = BeautifulSoup(response.get_data(as_text=True), "html5lib")
        return response

    def get(self, url: str, **kwargs: Any) -> Any:
        """GET a page and remember its form token for the surface."""
        response = self._wrap(self.http.get(url, **kwargs))
        match = re.search(r'name="csrf_token"[^>]*value="([0-9a-f]+)"', response.get_data(as_text=True))
        if match:
            self._token[self._surface(url)] = match[1]
        return response

    def post(self, url: str, data: dict[str, Any] | None = None, *, token: bool = True, **kwargs: Any) -> Any:
        """POST a form; adds the surface's CSRF token unless token=False."""
        fields = dict(data or {})
        if token and "csrf_token" not in fields:
            fields["csrf_token"] = self.token(url)
        return self._wrap(self.http.post(url, data=fields, **kwargs))

    def token(self, url: str) -> str:
        """Return the CSRF token for a URL's surface, fetching the sign-in page when none is known."""
        surface = self._surface(url)
        if surface not in self._token:
            self.get(f"{surface}/sign-in")
        return self._token.get(surface, "")

    @staticmethod
    def _surface(url: str) -> str:
        first = "/" + url.lstrip("/").split("/", 1)[0].split("?", 1)[0]
        return first if first in {"/merchant", "/operator", "/gov", "/security"} else ""

    def sign_in(self, surface_prefix: str, login_name: str, password: str) -> Any:
        """Sign in with a password on a console surface; returns the response (303 on success)."""
        self.get(f"{surface_prefix}/sign-in")
        return self.post(f"{surface_prefix}/sign-in", {"login_name": login_name, "password": password})
