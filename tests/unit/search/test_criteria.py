"""Search addresses: what makes no sense is ignored, and url() round-trips."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

from app.search.criteria import Criteria, parse


def test_nonsense_is_ignored() -> None:
    """An old or forged link opens as a plain search."""
    found = parse({"q": " 苹果\n", "category": "x", "price": "a-b", "sort": "hack", "page": "-3"}, ["noname"])
    assert found == Criteria(q="苹果")


def test_url_round_trips_and_goes_back_to_the_first_page() -> None:
    """Changing a filter keeps the others."""
    asked = Criteria(q="苹果", category_id=7, options=("规格:5斤",), price_from=3_000, price_to=6_000, page=3)
    again = parse_qs(urlsplit(asked.url(sort="sold")).query)
    flat = {name: values[0] for name, values in again.items()}
    assert parse(flat, again["option"]) == Criteria(
        q="苹果", category_id=7, options=("规格:5斤",), price_from=3_000, price_to=6_000, sort="sold"
    )
