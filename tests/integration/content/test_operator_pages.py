"""The operator's pages of content, searches and reviews, and the merchant's page of reviews, over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from app.content import queries
from app.core.actor import SYSTEM
from app.core.tx import transaction
from app.identity import service as identity
from tests.factories import search as make

PASSWORD = "Lan-Jiang-2026"


@pytest.fixture
def operator(client: Any) -> Any:
    """A browser signed in as 运营岗."""
    with transaction():
        identity.create_account(SYSTEM, "operator", "yunying", "运营员", password=PASSWORD, roles=("operations",))
    assert client.sign_in("/operator", "yunying", PASSWORD).status_code == 303
    return client


def test_pages_open(operator: Any) -> None:
    """Empty states too."""
    pages = ("content", "content/notices/new", "content/agreements/new?code=privacy", "searches", "reviews?kind=bad")
    for page in pages:
        assert operator.get(f"/operator/{page}").status_code == 200, page


def test_a_notice_from_form_to_storefront(operator: Any) -> None:
    """Draft, publish, read, withdraw."""
    assert operator.post("/operator/content/notices", {"title": "", "body": ""}).status_code == 422
    saved = operator.post("/operator/content/notices", {"title": "停运公告", "body": "## 原因\n检修"})
    assert saved.status_code == 303
    notice_id = int(saved.headers["Location"].rsplit("/", 1)[1])
    assert operator.get(f"/notices/{notice_id}").status_code == 404
    assert operator.post(f"/operator/content/notices/{notice_id}/publish").status_code == 303
    assert "检修" in operator.get(f"/notices/{notice_id}").soup.article.get_text()
    assert operator.post(f"/operator/content/notices/{notice_id}/withdraw").status_code == 303
    assert operator.get(f"/notices/{notice_id}").status_code == 404


def test_blocks_are_written_hidden_and_added(operator: Any) -> None:
    """What is hidden leaves the home page at once in this process."""
    operator.post("/operator/content/defaults")
    block = queries.list_blocks()[0]
    operator.post(f"/operator/content/blocks/{block.id}", {"title": block.title, "sort": "10"})
    assert operator.get("/").soup.select_one(".hero") is None
    wrong = operator.post("/operator/content/blocks", {"kind": "products", "title": "新茶", "source": "tag", "tag": ""})
    assert wrong.status_code == 422
    added = {"kind": "products", "title": "新茶上市", "source": "tag", "tag": "时令"}
    assert operator.post("/operator/content/blocks", added).status_code == 303
    assert queries.list_blocks()[-1].title == "新茶上市"


def test_agreement_versions_rise(operator: Any) -> None:
    """Old versions stay readable."""
    for text in ("第一版内容", "第二版内容"):
        sent = {"code": "terms", "title": "用户协议", "body": text}
        assert operator.post("/operator/content/agreements", sent).status_code == 303
    assert "第二版内容" in operator.get("/agreements/terms").soup.get_text()
    assert "第一版内容" in operator.get("/agreements/terms/1").soup.get_text()
    assert operator.get("/agreements/terms/3").status_code == 404


def test_merchant_sees_its_reviews_page(client: Any) -> None:
    """The owner may reply; the page opens empty."""
    with transaction():
        shop = make.make_shop()
        identity.create_account(SYSTEM, "merchant", "dianzhu", "店主", password=PASSWORD, roles=("owner",), merchant_id=shop.id)
    client.sign_in("/merchant", "dianzhu", PASSWORD)
    assert client.get("/merchant/reviews").status_code == 200
    assert client.get("/operator/content").status_code in {303, 403}
