"""The cart as its owner sees it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from sqlalchemy import and_, bindparam, func, select

from app.carts.models import Cart, CartLine
from app.carts.service import owner_key
from app.catalog import queries as catalog
from app.catalog.queries import Offer, PricedSku
from app.core import clock, sql
from app.delivery import queries as delivery
from app.inventory import queries as inventory
from app.merchants import queries as merchants
from app.merchants.queries import Shop
from app.promotions import pricing
from app.promotions import queries as promotions
from app.promotions.queries import Buyer

NO_CHOICE: Mapping[int, str] = MappingProxyType({})


@dataclass(frozen=True)
class LineView:
    """A line with its present offer; reason says why it cannot be bought now."""

    id: int
    sku_id: int
    quantity: int
    is_selected: bool
    offer: Offer | None
    available: int
    reason: str


@dataclass(frozen=True)
class CartView:
    """Lines by shop, lines that cannot be bought, and the price of the selected ones (None when none is).

    progress: the next 满减 tier by merchant id; filler: a product that brings the nearest one within reach; promises: by merchant id.
    """

    shops: Sequence[tuple[Shop, Sequence[LineView]]]
    invalid: Sequence[LineView]
    quote: pricing.Quote | None
    unit_count: int
    progress: Mapping[int, promotions.Progress]
    filler: PricedSku | None
    promises: Mapping[int, delivery.Promise] = field(default_factory=dict)

    def unit_fen(self, line: LineView) -> int:
        """Return a line's price for one unit: after item promotions when it is selected, else the list price."""
        priced = {price.sku_id: price.unit_fen for price in self.quote.prices} if self.quote else {}
        return priced.get(line.sku_id, line.offer.price_fen if line.offer else 0)

    @property
    def lines(self) -> list[LineView]:
        """Return all buyable lines."""
        return [line for _, lines in self.shops for line in lines]


def selection(account_id: int) -> tuple[list[tuple[int, int]], dict[int, Offer], dict[int, dict[int, int]]]:
    """Return what checkout takes of an account's cart, as `view` shows it: (SKU, quantity) pairs, offers, free units.

    Free units are those of `inventory.free_units`. Three queries.
    """
    rows = sql.read(_LINES, {"owner": owner_key(account_id, ""), "at": clock.now()}).all()
    chosen = [(row.sku_id, row.quantity) for row in rows if row.is_selected]
    skus = [sku_id for sku_id, _ in chosen]
    offers, free = catalog.offers(skus), inventory.free_units(skus)
    kept = [
        (sku_id, quantity) for sku_id, quantity in chosen
        if sku_id in offers and offers[sku_id].is_buyable and sum(free[sku_id].values()) >= quantity
    ]  # fmt: skip
    return kept, {sku_id: offers[sku_id] for sku_id, _ in kept}, free


def price(
    picked: Sequence[tuple[int, int]], known: Mapping[int, Offer] | None = None, buyer: Buyer = promotions.GUEST,
    coupons: frozenset[int] | None = None, modes: Mapping[int, str] = NO_CHOICE,
) -> tuple[pricing.Quote, dict[int, Offer], dict[int, Shop]]:  # fmt: skip
    """Quote (sku_id, quantity) pairs at present prices with the coupons chosen (None: the best ones).

    modes: how the buyer wants each merchant's goods; without a choice the shop's usual way. What does not travel costs no freight.
    Two queries, one when the offers are known, and those of `promotions.context`. Raises KeyError for an unknown SKU.
    """
    offers = dict(known) if known is not None else catalog.offers([sku_id for sku_id, _ in picked])
    shops = merchants.shops(sorted({offer.merchant_id for offer in offers.values()}))
    lines = [_line(offers[sku_id], quantity) for sku_id, quantity in picked]
    rules = _freight(shops, offers.values(), buyer.area_code, modes)
    return pricing.quote(promotions.context(rules, buyer, coupons), lines), offers, shops


def _line(offer: Offer, quantity: int) -> pricing.Line:
    return promotions.line(
        offer.sku_id, quantity, merchant_id=offer.merchant_id, product_id=offer.product_id, category_id=offer.category_id,
        price_fen=offer.price_fen, area_code=offer.area_code, tags=offer.tag_names, weight_g=offer.weight_g,
    )  # fmt: skip


def _freight(
    shops: Mapping[int, Shop], offers: Iterable[Offer], area_code: str, modes: Mapping[int, str] = NO_CHOICE
) -> dict[int, pricing.MerchantRule]:
    """Return each shop's freight rule; nothing is charged where the buyer fetches the goods or buys services only."""
    none, sent = pricing.MerchantRule(0, 0), travelling(shops, offers, modes)
    return {
        shop.id: pricing.MerchantRule(shop.freight_fen, shop.free_over_fen, delivery.plan(shop, area_code)) if shop.id in sent else none
        for shop in shops.values()
    }


def travelling(shops: Mapping[int, Shop], offers: Iterable[Offer], modes: Mapping[int, str] = NO_CHOICE) -> set[int]:
    """Return the shops that send something: not a service, and in a way that travels."""
    sent = {offer.merchant_id for offer in offers if not _is_service(offer)}
    return {m for m in sent if m in shops and (modes.get(m) or shops[m].ways[0]) in merchants.TRAVELS}


def _is_service(offer: Offer) -> bool:
    category = catalog.find_category(offer.category_id)
    return category is not None and bool(category.is_service)


def promised(
    quote: pricing.Quote, shops: Mapping[int, Shop], area_code: str, sent: Collection[int] | None = None
) -> dict[int, delivery.Promise]:
    """Return what each shop that sends something (sent; None: all) promises; no query while none is capped or bound to a warehouse."""
    if not any(shop.delivery_revision for shop in shops.values()):
        return {}
    goods: dict[int, list[pricing.Line]] = {}
    for line in quote.lines:
        goods.setdefault(line.merchant_id, []).append(line)
    return delivery.promises_for([shop for shop in shops.values() if sent is None or shop.id in sent], area_code, goods)


# The owner's usable cart: a guest's ends after its time, an account's does not.
_LIVING = and_(
    Cart.owner_key == bindparam("owner"), Cart.merged_into == 0, (Cart.account_id != 0) | (Cart.expires_at > bindparam("at"))
)
_UNITS = select(func.sum(CartLine.quantity)).join(Cart, Cart.id == CartLine.cart_id).where(_LIVING)
_LINES = (
    select(CartLine.id, CartLine.sku_id, CartLine.quantity, CartLine.is_selected)
    .join(Cart, Cart.id == CartLine.cart_id)
    .where(_LIVING)
    .order_by(CartLine.id.desc())
)


def unit_count(account_id: int, guest_token: str) -> int:
    """Return how many units lie in the owner's cart; one query."""
    owner = owner_key(account_id, guest_token)
    if not owner:
        return 0
    return int(sql.read(_UNITS, {"owner": owner, "at": clock.now()}).scalar() or 0)


def view(account_id: int, guest_token: str, scanned_merchant_id: int = 0, area_code: str = "-") -> CartView:
    """Return the owner's cart; four queries whatever its size, those of `promotions.context`, and one for a filler.

    What a shop does not send to the area is shown with the reason and left out of the price.
    """
    owner = owner_key(account_id, guest_token)
    rows = sql.read(_LINES, {"owner": owner, "at": clock.now()}).all() if owner else []
    ids = [row.sku_id for row in rows]
    offers, free = catalog.offers(ids), inventory.available(ids)
    shops = merchants.shops(sorted({offer.merchant_id for offer in offers.values()}))
    plans = {shop.id: delivery.plan(shop, area_code) for shop in shops.values()}
    grouped: dict[int, list[LineView]] = {}
    invalid = []
    for row in rows:
        offer = offers.get(row.sku_id)
        reason = "商品已删除" if offer is None else offer.reason
        if offer is not None and not reason and free[row.sku_id] < row.quantity:
            reason = f"库存不足，剩 {free[row.sku_id]}" if free[row.sku_id] > 0 else "已售完"
        elif offer is not None and not reason and (plan := plans.get(offer.merchant_id)) is not None:
            reason = plan.refusal(_line(offer, row.quantity))
        line = LineView(row.id, row.sku_id, row.quantity, bool(row.is_selected), offer, free.get(row.sku_id, 0), reason)
        if offer is None or (reason and free.get(row.sku_id, 0) <= 0) or not offer.is_buyable:
            invalid.append(line)
        else:
            grouped.setdefault(offer.merchant_id, []).append(line)
    chosen = [line for lines in grouped.values() for line in lines if line.is_selected and not line.reason]
    by_shop = [(shops[merchant_id], lines) for merchant_id, lines in grouped.items()]
    units, priced = sum(row.quantity for row in rows), [_line(line.offer, line.quantity) for line in chosen if line.offer]
    if not priced:
        return CartView(by_shop, invalid, None, units, {}, None)
    bought = [line.offer for line in chosen if line.offer]
    rules = _freight(shops, bought, area_code)
    context = promotions.context(rules, Buyer(account_id, scanned_merchant_id, area_code=area_code))
    total = pricing.quote(context, priced)
    steps = promotions.progress(total, [rule for rule in context.rules if rule.runs_at(context.at)])
    nearest = min((step for step in steps if step.gap_fen), key=lambda step: step.gap_fen, default=None)
    filler = promotions.filler(nearest, total) if nearest is not None else None
    promises = promised(total, shops, area_code, travelling(shops, bought))
    return CartView(by_shop, invalid, total, units, {step.merchant_id: step for step in steps}, filler, promises)
