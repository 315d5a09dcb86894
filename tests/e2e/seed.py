"""Fill an empty home with a small market and one account per surface; prints them as JSON. Run: python -m tests.e2e.seed."""

from __future__ import annotations

import json
import sys

from app import boot
from app.cli import prepare_schema
from config.sources import load_settings
from tests.factories import market


def main() -> None:
    """Seed the home named in the environment."""
    settings = load_settings()
    boot.start(settings)
    prepare_schema(settings)
    shop = market.make_shop(stock=50, free_over_fen=5_000)
    logins = {
        "merchant": shop.login, "operator": market.staff("operator", "operations"), "gov": market.staff("government", "supervisor"),
        "security": market.staff("security", "audit_admin"),
    }  # fmt: skip
    boot.stop()
    json.dump({"product_id": str(shop.product_id), "logins": logins, "password": market.PASSWORD}, sys.stdout)


if __name__ == "__main__":
    main()
