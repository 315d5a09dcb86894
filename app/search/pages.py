"""What the storefront's pages show, put together from lower tiers with a fixed number of queries."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.catalog import queries as catalog
from app.content import queries as content
from app.content.blocks import Block
from app.core.cache_reset import on_reset
from app.core.errors import NotFound, Upstream
from app.delivery import queries as delivery
from app.identity import queries as identity
from app.inventory import queries as inventory
from app.merchants import queries as merchants
from app.promotions import queries as promotions
from app.search import queries
from app.search.criteria import Criteria
from app.search.finder import Found

DOCUMENT_NAMES = {
    "inspection": "检测报告", "production": "生产许可（SC）", "ccc": "3C 认证", "organic": "有机认证",
    "other": "其他证明",
}  # fmt: skip
LICENCE_NAMES = {
    "business": "营业执照",
    "food": "食品经营许可证",
    "production": "生产许可证",
    "other": "其他证照",
}
FACET_NAMES = {"category": "类目", "area": "县区", "tag": "标签", "price": "价格", "option": "规格"}
FIRSTS_TTL_S = 30
MAX_FIRSTS = 500
_firsts: dict[Criteria, tuple[float, list[int]]] = {}
GUARANTEE = {"ambient": "常温运输", "chilled": "冷藏配送", "frozen": "冷冻配送"}


@dataclass(frozen=True)
class FacetLink:
    """A choice of a facet; an estimate is shown as 约."""

    label: str
    count: int
    href: str
    chosen: bool
    is_estimate: bool = False


@dataclass(frozen=True)
class ResultPage:
    """A page of search results."""

    criteria: Criteria
    found: Found
    cards: Sequence[Any]
    facets: dict[str, list[FacetLink]]
    chosen: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class ProductPage:
    """A product with what a buyer decides on."""

    detail: catalog.ProductDetail
    stock: dict[int, int]
    area_name: str
    offers: promotions.ProductOffers
    area_code: str = "-"
    freight_text: str = ""
    promise: delivery.Promise | None = None

    @property
    def rating(self) -> str:
        """Return the mean rating with one decimal, '' without reviews."""
        count = self.detail.product.rating_count
        return f"{self.detail.product.rating_sum / count:.1f}" if count else ""

    @property
    def facts(self) -> list[tuple[str, str]]:
        """Return the product's attributes as (name, value with its unit), in the order of its category."""
        product = self.detail.product
        known = {a.code: a for a in catalog.attributes_of(product.category_id)}
        order = [code for code in known if code in product.attributes] + [code for code in product.attributes if code not in known]
        return [
            (known[code].name if code in known else code,
             f"{product.attributes[code]}{known[code].unit if code in known and known[code].unit != '-' else ''}")
            for code in order
        ]  # fmt: skip

    @property
    def gallery(self) -> list[str]:
        """Return picture keys, the main picture first, each once."""
        return [k for k in dict.fromkeys([self.detail.product.image_key, *self.detail.product.gallery]) if k != "-"]

    @property
    def total_stock(self) -> int:
        """Return the units of all variants."""
        return sum(self.stock.values())

    @property
    def selected(self) -> int:
        """Return the variant chosen at first: the cheapest one that can be bought."""
        skus = [s for s in self.detail.skus if self.stock.get(s.id, 0) > 0] or list(self.detail.skus)
        return min(skus, key=lambda s: (s.price_fen, s.sort)).id if skus else 0


def area_names() -> dict[str, str]:
    """Return code -> name of the region's districts (cached)."""
    return {area.code: area.name for area in identity.list_areas()}


def home_products(blocks: Sequence[Block], area: str = "") -> dict[int, list[Any]]:
    """Return the cards of each product block by its place; the replica picks, one query loads all cards."""
    chosen: dict[int, list[int]] = {}
    for place, block in enumerate(blocks):
        if block.kind == "products":
            chosen[place] = _block_ids(block, area)
    wanted = list(dict.fromkeys(i for ids in chosen.values() for i in ids))[:200]
    cards = {card.id: card for card in catalog.cards(wanted)} if wanted else {}
    return {place: [cards[i] for i in ids if i in cards] for place, ids in chosen.items()}


def _block_ids(block: Block, area: str) -> list[int]:
    data, size = block.data, min(int(block.data.get("size", 6)), 24)
    if data.get("source") == "ids":
        return [int(i) for i in data.get("product_ids", [])][:size]
    tag = data.get("tag", "") if data.get("source") == "tag" else ""
    return _first_of(Criteria(tag=tag, area=area, sort="sold" if data.get("source") == "sold" else ""))[:size]


def _first_of(criteria: Criteria) -> list[int]:
    """Return the products a standing list of the home page begins with, kept for half a minute: it ranks the whole catalogue."""
    kept = _firsts.get(criteria)
    if kept is not None and kept[0] > time.monotonic():
        return kept[1]
    try:
        ids = queries.search(criteria, with_facets=False).product_ids
    except Upstream:  # the first index is being built: the home page opens without products
        return []
    if len(_firsts) >= MAX_FIRSTS:
        _firsts.clear()
    _firsts[criteria] = (time.monotonic() + FIRSTS_TTL_S, ids)
    return ids


@on_reset
def forget() -> None:
    """Rank the home page's lists again at the next view."""
    _firsts.clear()


def results(criteria: Criteria) -> ResultPage:
    """Return a page of search results: one query for the cards, none that grows with the catalogue."""
    found = queries.search(criteria)
    cards = catalog.cards(found.product_ids) if found.product_ids else []
    names = {**{str(c.id): c.name for c in catalog.list_categories()}, **area_names()}
    facets = {name: _links(name, found, criteria, names) for name in FACET_NAMES}
    return ResultPage(criteria, found, cards, facets, _chosen(criteria, names))


def band_label(value: str) -> str:
    """Return a price band in words, `3000-6000` -> `30-60 元`."""
    low, _, high = value.partition("-")
    if not high:
        return f"{int(low) // 100} 元以上"
    return f"{int(low) // 100}-{int(high) // 100} 元"


def _label(name: str, value: str, names: dict[str, str]) -> str:
    if name == "price":
        return band_label(value)
    if name == "option":
        return value.partition(":")[2]
    return names.get(value, value) if name in {"category", "area"} else value


def _links(name: str, found: Found, criteria: Criteria, names: dict[str, str]) -> list[FacetLink]:
    links = []
    for bucket in found.facets.get(name, []):
        chosen, change = _toggle(name, bucket.value, criteria)
        links.append(FacetLink(_label(name, bucket.value, names), bucket.count, criteria.url(**change), chosen, bucket.is_estimate))
    return links


def _toggle(name: str, value: str, criteria: Criteria) -> tuple[bool, dict[str, Any]]:
    if name == "option":
        chosen = value in criteria.options
        kept = tuple(o for o in criteria.options if o != value and o.partition(":")[0] != value.partition(":")[0])
        return chosen, {"options": kept if chosen else (*kept, value)}
    if name == "category":
        chosen = str(criteria.category_id) == value
        return chosen, {"category_id": 0 if chosen else int(value)}
    if name == "price":
        chosen = criteria.price == value
        low, _, high = value.partition("-")
        return chosen, {"price_from": 0 if chosen else int(low), "price_to": 0 if chosen else int(high or 0)}
    chosen = getattr(criteria, name) == value
    return chosen, {name: "" if chosen else value}


def _chosen(criteria: Criteria, names: dict[str, str]) -> list[tuple[str, str]]:
    """Return (label, address without it) of every condition in force."""
    found = []
    if criteria.category_id:
        found.append((names.get(str(criteria.category_id), "类目"), criteria.url(category_id=0)))
    if criteria.area:
        found.append((names.get(criteria.area, criteria.area), criteria.url(area="")))
    if criteria.tag:
        found.append((criteria.tag, criteria.url(tag="")))
    for option in criteria.options:
        rest = tuple(o for o in criteria.options if o != option)
        found.append((option.replace(":", "："), criteria.url(options=rest)))
    if criteria.price:
        found.append((band_label(criteria.price), criteria.url(price_from=0, price_to=0)))
    return found


def product_page(product_id: int, account_id: int = 0, area_of: Callable[[], str] = lambda: "-") -> ProductPage:
    """Return a listed product with its stock and offers: five queries, three more where promotions run.

    area_of: tells where the visitor's goods go; asked only for shops with delivery rules. Reviews are a fragment of their own page.
    """
    detail = catalog.get_detail(product_id)
    if not detail.product.is_listed or detail.merchant.status != "active":
        raise NotFound("product.missing", "商品不存在或已下架")
    return ProductPage(
        detail=detail,
        stock=inventory.available([sku.id for sku in detail.skus]),
        area_name=area_names().get(detail.product.area_code, ""),
        offers=_offers(detail, account_id),
        **_delivery(detail, area_of),
    )


def _delivery(detail: catalog.ProductDetail, area_of: Callable[[], str]) -> dict[str, Any]:
    """Return what one unit costs to send and when it arrives, by the shop's own rules; nothing for a shop without."""
    merchant, cheapest = detail.merchant, min(detail.skus, key=lambda s: (s.price_fen, s.sort), default=None)
    if not merchant.delivery_revision or cheapest is None:
        return {}
    area_code = area_of()
    shop = merchants.Shop(
        merchant.id, merchant.shop_name, merchant.area_code, merchant.freight_fen, merchant.free_over_fen, merchant.status,
        merchant.logo_key, merchant.delivery_revision,
    )  # fmt: skip
    unit = promotions.line(
        cheapest.id, 1, merchant_id=merchant.id, product_id=cheapest.product_id, category_id=detail.product.category_id,
        price_fen=cheapest.price_fen, area_code=detail.product.area_code, weight_g=cheapest.weight_g,
    )  # fmt: skip
    plan = delivery.plan(shop, area_code)
    text = "" if plan is None else delivery.unit_text(plan, unit, cheapest.price_fen)
    return {"area_code": area_code, "freight_text": text, "promise": delivery.promise_of(shop, area_code, [unit])}


def _offers(detail: catalog.ProductDetail, account_id: int) -> promotions.ProductOffers:
    """Return the offers of a product, by its cheapest variant."""
    product, cheapest = detail.product, min(detail.skus, key=lambda s: (s.price_fen, s.sort), default=None)
    line = promotions.line(
        cheapest.id if cheapest else 0, 1, merchant_id=product.merchant_id, product_id=product.id, category_id=product.category_id,
        price_fen=product.price_min_fen, area_code=product.area_code, tags=product.tag_names,
    )  # fmt: skip
    return promotions.offers_of(line, account_id)


def home() -> content.HomeContent:
    """Return blocks and notices (cached)."""
    return content.home()
