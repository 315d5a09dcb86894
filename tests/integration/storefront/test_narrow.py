"""The shop window in a real browser at 320 px, in both modes: nothing sticks out, targets are large enough."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from werkzeug.serving import make_server

from app.core.tx import transaction
from tests.factories import search as make

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
WIDTHS = (320, 390, 1440)


@pytest.fixture
def site(app: Any, db: Any) -> Iterator[tuple[str, list[str]]]:
    """A served shop; returns its address and the pages to look at."""
    with transaction():
        make.make_area()
        tea = make.make_category("绿茶")
        merchant = make.make_shop("名字很长的澜江流域茶叶种植专业合作社联合社")
        sizes = (({"规格": "五百克礼盒装配提袋"}, 12_345_600, 3), ({"规格": "250g"}, 5_800, 0))
        product = make.make_listed(
            merchant, tea, "高山云雾绿茶明前一级头采手工炒制礼盒装" * 2, sizes, tag_names=["时令", "地理标志", "助农"],
            attributes={"产地": "云屏县", "保质期": "十八个月"}, blocks=[{"title": "产地", "text": "A" * 60}],
        )  # fmt: skip
        pages = [
            "/", "/categories", f"/categories/{tea.id}", "/search?q=绿茶&tag=助农", f"/products/{product.id}",
            f"/shops/{merchant.id}", "/licence", "/notices",
        ]  # fmt: skip
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", pages
    server.shutdown()
    thread.join()


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
def test_no_page_scrolls_sideways(site: tuple[str, list[str]]) -> None:
    """Phones down to 320 px, the large-print mode, and a desktop."""
    sync_api = pytest.importorskip("playwright.sync_api")
    base, pages = site
    problems = []
    with sync_api.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for width in WIDTHS:
            for elder in ("0", "1") if width < 1_000 else ("0",):
                context = browser.new_context(viewport={"width": width, "height": 700})
                context.add_cookies([{"name": "rm_elder", "value": elder, "url": base}])
                page = context.new_page()
                for path in pages:
                    answer = page.goto(base + path)
                    wide = page.evaluate("document.documentElement.scrollWidth")
                    if answer is None or answer.status != 200 or wide > width:
                        problems.append((path, width, elder, wide))
                context.close()
        browser.close()
    assert problems == []
