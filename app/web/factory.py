"""The Flask class of the product: conflict retry at the door, session release, header hooks."""

from __future__ import annotations

from typing import Any

from flask import Flask, g, request
from prometheus_client import Counter
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.routing import IntegerConverter, Map

from app.core import db
from app.core.tx import retry_conflicts
from app.web import access, errors, flash, headers, render, templating

REQUESTS = Counter("regionmart_http_requests_total", "HTTP requests", ["surface", "endpoint", "status"])


class RegionMart(Flask):
    """Flask that runs a view again when the database reports a deadlock, conflict or lock timeout.

    Safe because a view has one transaction, and a retryable error means that it was rolled back.
    """

    jinja_environment = templating.PageEnvironment

    def ensure_sync(self, func: Any) -> Any:
        """Return the function: no view or hook of this product is a coroutine, and Flask would ask each of them at every request."""
        return func

    def dispatch_request(self) -> Any:
        """Run the matched view with retry; streaming bodies are never retried (they start after the view)."""

        def once() -> Any:
            g.pop("flash_out", None)
            return super(RegionMart, self).dispatch_request()

        return retry_conflicts(once)


class RowId(IntegerConverter):
    """An id in a URL: a number no column can hold is not found, and never reaches the database."""

    def __init__(self, url_map: Map, *args: Any, **kwargs: Any) -> None:
        super().__init__(url_map, *args, **{"max": 2**63 - 1, **kwargs})


def build(import_name: str, *, proxy_count: int = 0) -> RegionMart:
    """Return the application with web behaviour installed, without any domain.

    proxy_count: how many trusted proxies stand in front; only their X-Forwarded-For entries are believed.
    """
    app = RegionMart(import_name, static_folder="web/static", template_folder="web/templates")
    app.config["MAX_CONTENT_LENGTH"] = 32 * 1024 * 1024
    app.config["SEND_FILE_MAX_AGE_DEFAULT"] = 31_536_000
    app.url_map.strict_slashes = False
    app.url_map.converters["int"] = RowId
    app.json.ensure_ascii = False  # type: ignore[attr-defined]
    if proxy_count:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=proxy_count, x_proto=proxy_count)  # type: ignore[method-assign]
    render.install(app)
    errors.install(app)
    app.before_request(headers.assign_request_id)
    app.before_request(access.guard)
    app.after_request(headers.set_headers)
    app.after_request(flash.write_flash_cookie)
    app.after_request(access.write_seed_cookie)

    counters: dict[tuple[str, str, int], Any] = {}  # finding a counter by its labels costs more than counting

    @app.after_request
    def count(response: Any) -> Any:
        labels = (access.current_surface().key, request.endpoint or "-", response.status_code)
        counter = counters.get(labels)
        if counter is None:
            counter = counters[labels] = REQUESTS.labels(*labels)
        counter.inc()
        return response

    @app.teardown_request
    def release(_error: BaseException | None) -> None:
        db.release_session()

    return app
