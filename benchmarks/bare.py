"""The base of the ratios: Flask with one route, on the same server and settings as the platform."""

from __future__ import annotations

from flask import Flask

app = Flask("bare")
app.add_url_rule("/", view_func=lambda: "hello")
