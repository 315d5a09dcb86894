"""The shop's pages for everybody: axe in both modes, reflow at 320 px, large targets in elder mode, errors."""

from __future__ import annotations

from typing import Any

import pytest

PAGES = (
    "/", "/categories", "/search?q=绿茶", "/search?q=没有这种东西", "/products/{product}", "/cart", "/sign-in", "/notices", "/licence",
    "/agreements/trading", "/merchant/apply",
)  # fmt: skip
SMALL_TARGETS = """() => {
  const small = [];
  document.querySelectorAll('a[href], button, input:not([type=hidden]), select, summary').forEach((node) => {
    const box = node.getBoundingClientRect(), shown = box.width > 1 && getComputedStyle(node).visibility === 'visible';
    const inText = node.tagName === 'A' && node.parentElement.matches('p, dd, small, span');
    const wide = node.closest('label') ? node.closest('label').getBoundingClientRect() : box;
    if (shown && !inText && !node.closest('.skip, .sr') && Math.max(box.height, wide.height) < 48) {
      small.push(node.outerHTML.slice(0, 120) + ' ' + Math.round(box.height));
    }
  });
  return small;
}"""


@pytest.mark.parametrize("elder", [False, True], ids=["standard", "elder"])
def test_shop_pages_are_accessible_and_fit_320_px(visit: Any, site: Any, elder: bool) -> None:
    visitor = visit(size="narrow", elder=elder)
    for number, path in enumerate(PAGES):
        visitor.goto(path.replace("{product}", site.product_id), f"{'elder' if elder else 'narrow'}-{number}")


def test_elder_mode_has_large_type_and_targets(visit: Any, site: Any) -> None:
    visitor = visit(elder=True)
    for path in ("/", "/categories", "/search?q=绿茶", f"/products/{site.product_id}", "/cart", "/notices"):
        visitor.page.goto(path)
        assert float(visitor.page.evaluate("parseFloat(getComputedStyle(document.body).fontSize)")) >= 18
        assert visitor.page.evaluate(SMALL_TARGETS) == [], path


def test_elder_mode_is_one_step_away_and_back(visit: Any) -> None:
    visitor = visit(scripts=False)
    page = visitor.page
    page.goto("/categories")
    page.get_by_label("切换到大字版").first.click()
    assert page.url.endswith("/categories"), "the switch stays on the page"
    assert page.locator("html[data-mode=elder]").count() == 1
    page.get_by_label("切换到标准版").first.click()
    assert page.locator("html[data-mode=elder]").count() == 0


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [("/products/1", 404, "商品"), ("/nothing-here", 404, "找不到页面"), ("/orders/1/cancel", 405, "请求方式不支持")],
)
def test_refusals_are_pages_in_our_words(visit: Any, path: str, status: int, words: str) -> None:
    visitor = visit()
    answer = visitor.page.goto(path)
    assert answer is not None
    assert answer.status == status
    visitor.forgive(status)
    assert visitor.page.get_by_text(words).first.is_visible()
    assert visitor.page.get_by_role("link", name="返回首页").is_visible()
    visitor.seen(f"error-{status}")
