"""`python -m benchmarks [--sizes 1000,50000] [--rounds 40]`: CPU-µs per request, ratio to a bare route, growth with the catalogue.

In-process through the WSGI interface: the HTTP server's own cost is not in it. Each figure is the median over interleaved
rounds; the bare route runs between the pages, so that a slow moment of the machine hits both.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

from flask import Flask

from app import boot, create_app
from app.carts import queries as carts
from app.catalog import queries as catalog
from app.core import cache_reset
from app.core.db import release_session
from app.core.tx import transaction
from app.inventory import queries as inventory
from app.migrations import run as migrations
from app.orders import service as orders
from benchmarks.market import grow
from config.sources import load_settings
from security.tokens import random_token
from tests.factories import market


def bare() -> Any:
    """Return a client of a Flask application with one route that says hello."""
    app = Flask("bare")
    app.add_url_rule("/", view_func=lambda: "hello")
    return app.test_client()


def cpu_us(work: Callable[[], Any]) -> float:
    """Return the CPU time of one call in microseconds."""
    started = time.process_time_ns()
    work()
    return (time.process_time_ns() - started) / 1_000


def measure(pages: dict[str, Callable[[], Any]], rounds: int) -> dict[str, dict[str, float]]:
    """Run all pages in turn, `rounds` times after two warm-ups; return median CPU-µs and the ratio to the bare route."""
    hello = bare()
    samples: dict[str, list[float]] = {name: [] for name in (*pages, "bare")}
    for number in range(rounds + 2):
        for name, work in pages.items():
            one, base = cpu_us(work), cpu_us(lambda: hello.get("/"))
            if number >= 2:
                samples[name].append(one)
                samples["bare"].append(base)
    middle = {name: statistics.median(values) for name, values in samples.items()}
    return {name: {"cpu_us": round(us, 1), "ratio_to_bare": round(us / middle["bare"], 1)} for name, us in middle.items()}


def pages_of(app: Any, shop: market.Shop, buyer: Any, address_id: int, category_id: int) -> dict[str, Callable[[], Any]]:
    """Return the measured requests by name."""
    client = app.test_client()

    def page(url: str) -> Callable[[], Any]:
        def get() -> Any:
            answer = client.get(url)
            if answer.status_code != 200:
                raise RuntimeError(f"{url} answered {answer.status_code}")
            return answer

        return get

    def place() -> int:
        picked = [(shop.sku_ids[0], 1), (shop.sku_ids[1], 1)]
        quote, _, _ = carts.price(picked)
        wanted = orders.Submission(picked, address_id, quote.quote_hash, quote.total_fen, random_token()[:32], {}, False)
        with transaction():
            trade_id = orders.place(buyer, wanted)
        with transaction():
            orders.cancel_trade(buyer, trade_id, "bench")
        release_session()
        return trade_id

    return {
        "list page": page(f"/categories/{category_id}"), "product page": page(f"/products/{shop.product_id}"),
        "search page": page("/search?q=脐橙"), "place and cancel order": place,
    }  # fmt: skip


def main() -> None:
    """Measure at each catalogue size and print a table and JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="1000,20000")
    parser.add_argument("--rounds", type=int, default=30)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        settings = load_settings(
            overrides={
                "home": home, "environment": "testing", "security": {"password_iterations": 10_000}, "log": {"level": "ERROR"},
                "trade": {"max_open_unpaid": 1_000}, "search": {"refresh_interval_s": 3_600},
            },
            environ={},
        )  # fmt: skip
        boot.start(settings)
        migrations.upgrade()
        boot.take_node()
        with transaction():
            from app.identity import service as identity

            identity.install_roles()
        shop = market.make_shop(stock=1_000_000)
        buyer, address_id = market.make_buyer()
        category_id = catalog.list_categories()[0].id
        app, results, present = create_app(settings), {}, 0
        for size in [int(part) for part in options.sizes.split(",")]:
            if size > present:
                grow(shop, size - present)
            present = size
            cache_reset.reset_all()
            results[size] = measure(pages_of(app, shop, buyer, address_id, category_id), options.rounds)
            for name, figures in results[size].items():
                sys.stdout.write(f"{size:>8} products  {name:<24}{figures['cpu_us']:>10} µs CPU  {figures['ratio_to_bare']:>7} × bare\n")
        sys.stdout.write(f"stock rows that differ from their movements: {len(inventory.audit_columns())}\n")
        sys.stdout.write(json.dumps(results) + "\n")
        boot.stop()


if __name__ == "__main__":
    main()
