"""The catalogue's pages: they open, forms work without scripts, foreign ids are 404 on every route."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image
from sqlalchemy import select

from app.catalog import queries, service
from app.catalog.importing import runs
from app.catalog.models import ImportRun, Product
from app.catalog.service import SkuInput
from app.core.actor import SYSTEM
from app.core.db import session
from app.core.tx import transaction
from app.identity import service as identity
from tests.factories import catalog as make
from tests.factories import merchants as make_merchants

PASSWORD = make_merchants.PASSWORD


@pytest.fixture
def desk(shop: SimpleNamespace, client: Any) -> SimpleNamespace:
    """A signed-in owner and operators with accounts."""
    with transaction():
        identity.create_account(SYSTEM, "merchant", "owner", "林玉珍", password=PASSWORD, roles=("owner",), merchant_id=shop.merchant.id)
        identity.create_account(SYSTEM, "operator", "reviewer", "审核员", password=PASSWORD, roles=("reviewer",))
        identity.create_account(SYSTEM, "operator", "editor", "运营员", password=PASSWORD, roles=("operations",))
    assert client.sign_in("/merchant", "owner", PASSWORD).status_code == 303
    shop.client = client
    return shop


def _picture() -> tuple[io.BytesIO, str]:
    out = io.BytesIO()
    Image.new("RGB", (40, 40), "green").save(out, "PNG")
    out.seek(0)
    return out, "tea.png"


def test_create_with_matrix_without_scripts(desk: SimpleNamespace) -> None:
    client = desk.client
    assert client.get("/merchant/products/new").status_code == 200
    axes = {"option_name": ["净含量", "", ""], "option_values": ["250g、500g", "", ""]}
    blank = {f"row_{c}": [""] for c in ("options", "price", "code", "weight", "safety", "cost", "barcode")}
    basic = {"title": "高山云雾绿茶", "category_id": str(desk.category.id), "unit": "罐", "cold_chain": "ambient"}
    shown = client.post("/merchant/products/new", {**basic, **axes, **blank, "intent": "matrix"})
    assert [i["value"] for i in shown.soup.select("input[name=row_options]")] == ["250g", "500g"]
    rows = {**blank, "row_options": ["250g", "500g"], "row_price": ["58", "1,2.3"]}
    rows.update({f"row_{c}": ["", ""] for c in ("code", "weight", "safety", "cost", "barcode")})
    refused = client.post("/merchant/products/new", {**basic, **axes, **rows})
    assert refused.status_code == 422
    assert "不是有效的金额" in refused.get_data(as_text=True)
    rows["row_price"] = ["58", "108.50"]
    made = client.post("/merchant/products/new", {**basic, **axes, **rows, "image": _picture()})
    assert made.status_code == 303
    product = session.scalars(select(Product)).one()
    assert (product.price_min_fen, product.price_max_fen, product.image_key.endswith(".jpg")) == (5_800, 10_850, True)
    product_id = product.id
    assert client.post(f"/merchant/products/{product_id}/submit").status_code == 303
    session.rollback()
    assert session.get_one(Product, product_id, populate_existing=True).review == "pending"
    client.sign_in("/operator", "reviewer", PASSWORD)
    page = client.get(f"/operator/products/{product_id}")
    assert "首次提交" in page.get_data(as_text=True)
    assert client.post(f"/operator/products/{product_id}/approve", {"version": "1"}).status_code == 303
    assert client.post(f"/merchant/products/{product_id}/shelf-on").status_code == 303
    session.rollback()
    assert session.get_one(Product, product_id, populate_existing=True).is_listed == 1


def test_all_pages_open(desk: SimpleNamespace) -> None:
    with transaction():
        grid = [SkuInput(("250g",), 5_800), SkuInput(("500g",), 9_900)]
        product = make.make_listed(desk.merchant, desk.category, option_names=["净含量"], skus=grid)
        service.add_tag(desk.owner, product.id, family="marketing", name="爆款")
        service.edit_product(desk.owner, product.id, make.product_input(desk.category, title="高山云雾绿茶 新茶"))
    base = f"/merchant/products/{product.id}"
    for url in ("/merchant", "/merchant/products", "/merchant/products?view=pending&q=高山", base, f"{base}/edit", f"{base}/history",
                "/merchant/imports", f"/merchant/products/new?category_id={desk.category.id}"):  # fmt: skip
        assert desk.client.get(url).status_code == 200, url
    with desk.client.http.get("/merchant/imports/template") as sent:
        assert sent.data[:2] == b"PK"
    desk.client.sign_in("/operator", "reviewer", PASSWORD)
    for url in ("/operator/products", "/operator/products?view=all", f"/operator/products/{product.id}?against=1"):
        assert desk.client.get(url).status_code == 200, url
    assert desk.client.get("/operator/categories").status_code == 403
    desk.client.post("/operator/sign-out")
    desk.client.sign_in("/operator", "editor", PASSWORD)
    assert desk.client.get("/operator/categories").status_code == 200
    url = f"/operator/categories/{desk.category.id}"
    added = desk.client.post(f"{url}/attributes", {"code": "grade", "name": "等级", "kind": "enum", "options": "一级、特级", "sort": "1"})
    assert added.status_code == 303
    assert "特级" in desk.client.get(url).get_data(as_text=True)
    assert [a.options for a in queries.attributes_of(desk.category.id)] == [("一级", "特级")]


def test_foreign_ids_are_404_on_every_route(desk: SimpleNamespace, app: Any) -> None:
    with transaction():
        other = make_merchants.make_merchant("第二家店")
        product_id = make.make_product(other, desk.category).id
        owner = make_merchants.owner_of(other)
        document_id = service.add_document(owner, product_id, kind="other", number="D-1").id
        tag_id = service.add_tag(owner, product_id, family="marketing", name="爆款").id
        run_id = runs.create(owner, "a.xlsx", b"PK", dry_run=True).id
    ids = {"product_id": product_id, "document_id": document_id, "tag_id": tag_id, "run_id": run_id}
    tried = 0
    with app.test_request_context():
        adapter = app.create_url_adapter(None) or app.url_map.bind("localhost")
        for rule in app.url_map.iter_rules():
            if rule.endpoint.startswith("merchant_catalog.") and rule.arguments:
                url = adapter.build(rule.endpoint, {k: ids[k] for k in rule.arguments}, method=None)
                valid = {"number": "D-2", "kind": "other", "family": "marketing", "tag_name": "爆款", "title": "高山云雾绿茶"}
                send = desk.client.get if "GET" in rule.methods else lambda u: desk.client.post(u, valid)  # noqa: B023
                assert send(url).status_code == 404, url
                tried += 1
    assert tried >= 14


def test_import_by_upload_shows_progress_and_result(
    desk: SimpleNamespace, sheet: Callable[..., Path], settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.integration.catalog.test_import import HEADER, row, run_until_done

    monkeypatch.setattr(runs, "POLL_S", 0)
    path = sheet([HEADER, row(), row("T2", price="1,2.3")])
    desk.client.get("/merchant/imports")
    empty = desk.client.post("/merchant/imports", {"mode": "real"})
    assert empty.status_code == 422
    sent = desk.client.post("/merchant/imports", {"mode": "real", "file": (io.BytesIO(path.read_bytes()), "商品.xlsx")})
    assert sent.status_code == 303
    url = sent.headers["Location"]
    waiting = desk.client.get(url)
    assert waiting.soup.select_one("meta[http-equiv=refresh]") is not None
    assert desk.client.get(f"{url}/result").status_code == 409
    run_until_done(settings, int(url.rpartition("/")[2]))
    done = desk.client.get(url)
    assert "1,2.3" in done.get_data(as_text=True)
    assert done.soup.select_one("meta[http-equiv=refresh]") is None
    with desk.client.http.get(f"{url}/result") as sent:
        assert sent.data[:2] == b"PK"
    assert session.scalars(select(ImportRun)).one().created_count == 1
