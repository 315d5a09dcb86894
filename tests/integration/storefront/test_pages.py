"""The shop window over HTTP: texts, forms without scripts, query budgets."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import event

from app.core import db as core_db
from app.core.tx import transaction
from app.search import pending
from app.search.models import SearchQuery
from tests.factories import search as make


@pytest.fixture
def shop(db: Any) -> SimpleNamespace:
    """A shop with thirty teas, one of them with variants."""
    with transaction():
        make.make_area()
        top = make.make_category("茶饮")
        tea = make.make_category("绿茶", top.id)
        merchant = make.make_shop()
        for number in range(29):
            make.make_listed(merchant, tea, f"高山绿茶 {number} 号", tag_names=["助农"], sold_count=number)
        sizes = (({"规格": "250g"}, 5_800, 9), ({"规格": "500g"}, 9_900, 0))
        product = make.make_listed(merchant, tea, "云雾绿茶 明前一级", sizes)
        hidden = make.make_listed(merchant, tea, "未上架的茶", is_listed=0, shelf="off")
        return SimpleNamespace(product=product.id, hidden=hidden.id, category=tea.id, top=top.id, merchant=merchant.id)


@contextmanager
def queries() -> Iterator[list[str]]:
    """Collect the statements sent inside."""
    sent: list[str] = []

    def note(_conn: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if statement.lstrip().upper().startswith("SELECT"):
            sent.append(statement)

    event.listen(core_db.engine(), "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(core_db.engine(), "before_cursor_execute", note)


PAGES = [
    ("/", 4), ("/categories", 4), ("/categories/{category}", 4), ("/categories/{top}?sort=price", 4), ("/search?q=绿茶", 4),
    ("/search?tag=助农&sort=sold", 4), ("/shops/{merchant}", 4), ("/licence", 4), ("/notices", 4), ("/search", 4),
    ("/products/{product}", 5), ("/products/{product}/reviews", 5),
]  # fmt: skip


@pytest.mark.parametrize(("path", "budget"), PAGES)
def test_pages_open_within_their_query_budget(client: Any, shop: SimpleNamespace, path: str, budget: int) -> None:
    """Cold caches are filled by a first view; then the number of queries is fixed."""
    url = path.format(**vars(shop))
    assert client.get(url).status_code == 200
    with queries() as sent:
        response = client.get(url)
    assert response.status_code == 200
    assert len(sent) <= budget, sent
    assert response.soup.find("h1") is not None
    assert not response.soup.select("[style], script:not([src]), [onclick]")


def test_product_form_works_without_scripts(client: Any, shop: SimpleNamespace) -> None:
    """Variants are radio buttons, sold-out ones disabled; both buttons submit the one form."""
    page = client.get(f"/products/{shop.product}").soup
    form = page.select_one("form#sku")
    assert (form["method"], form["action"]) == ("post", "/cart/items")
    radios = form.select("input[name=sku_id]")
    assert [r.has_attr("disabled") for r in radios] == [False, True]
    assert radios[0].has_attr("checked")
    assert form.select_one("input[name=qty]")["value"] == "1"
    assert [b["value"] for b in page.select("nav.buy button[form=sku]")] == ["cart", "buy"]
    assert "9.90" not in page.get_text()


def test_unlisted_product_is_not_found(client: Any, shop: SimpleNamespace) -> None:
    """A link to it does not open."""
    assert client.get(f"/products/{shop.hidden}").status_code == 404


def test_load_more_leads_through_the_whole_category(client: Any, shop: SimpleNamespace) -> None:
    """Two pages of twenty hold the thirty, each once."""
    first = client.get(f"/categories/{shop.category}").soup
    second = client.get(str(first.select_one("p.more a")["href"])).soup
    links = [a["href"] for page in (first, second) for a in page.select("a.pcard__a")]
    assert len(links) == len(set(links)) == 30


def test_search_page_shows_facets_chips_and_logs(client: Any, shop: SimpleNamespace, db: Any) -> None:
    """Filters are links; a search without a result is logged for the operators."""
    page = client.get("/search?q=lvcha&tag=助农").soup
    assert page.select_one("aside#facets a.is-on").get_text().startswith("助农")
    assert page.select_one(".chip a")["href"] == "/search?q=lvcha"
    client.get("/search?q=没有这种东西")
    assert [(s.text, s.hits) for s in pending.take_due(now=True)] == [("没有这种东西", 0)]
    for number in range(pending.FULL):
        client.get(f"/search?q=绿茶{number}号")
    assert db.query(SearchQuery).count() == pending.FULL


def test_suggestions_are_json(client: Any, shop: SimpleNamespace) -> None:
    """The script asks, the plain form works too."""
    assert "绿茶" in client.get("/search/suggest?q=lv").get_json()["suggestions"]
    assert client.get("/search/suggest?q=").get_json() == {"suggestions": []}


def test_district_is_remembered(client: Any, shop: SimpleNamespace) -> None:
    """Known codes only."""
    client.get("/area?code=a1")
    assert client.get("/").soup.select_one("nav.areas a[aria-current]").get_text() == "云屏县"
    client.get("/area?code=evil")
    assert client.get("/").soup.select_one("nav.areas a[aria-current]").get_text() == "全区域"


def test_shop_shows_its_licences(client: Any, shop: SimpleNamespace) -> None:
    """亮照亮证 is a duty."""
    text = client.get(f"/shops/{shop.merchant}").soup.get_text()
    assert "营业执照" in text
    assert "91350000MA2XN0AB1C" in text


def test_elder_mode_keeps_the_way_to_buy(client: Any, shop: SimpleNamespace) -> None:
    """Words with icons, a telephone, the same form."""
    client.get("/elder?on=1")
    page = client.get(f"/products/{shop.product}").soup
    assert page.html["data-mode"] == "elder"
    assert "放进购物车" in page.select_one("nav.buy").get_text()
    assert "人工客服" in page.select_one("nav.buy").get_text()
