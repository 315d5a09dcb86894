"""Placing a trade: one short transaction, stock rows last (commerce.md §2.5; performance.md §5)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from sqlalchemy import bindparam, func, select

from app.audit import service as audit
from app.carts import queries as cart_queries
from app.carts import service as carts
from app.catalog import queries as catalog
from app.catalog.queries import Offer, exclusion_of
from app.core import clock, events, idempotency, runtime, sql
from app.core.actor import Actor
from app.core.db import session
from app.core.errors import Conflict, Invalid, TooMany
from app.core.ids import new_id
from app.core.text import clean
from app.delivery import points
from app.delivery import queries as delivery_queries
from app.delivery import service as delivery
from app.delivery.promises import Promise
from app.identity import queries as identity
from app.identity import service as identity_service
from app.identity.queries import AddressView
from app.inventory import service as inventory
from app.merchants.queries import Shop
from app.orders import addresses, grouping
from app.orders.events import OrderPlaced
from app.orders.grouping import Part
from app.orders.models import Order, OrderEvent, OrderLine, Trade
from app.promotions import service as promotions
from app.promotions.pricing import Line, LinePrice, Quote
from app.promotions.queries import Buyer
from dbadapters.errors import Conflict as RunAgain
from dbadapters.errors import UniqueViolation

MAX_LINES = 100
_OPEN_UNPAID = select(func.count(Trade.id)).where(Trade.account_id == bindparam("account_id"), Trade.status == "unpaid")


class QuoteChanged(Conflict):
    """The price moved between preview and submit; the page shows the new quote."""


@dataclass(frozen=True)
class NewAddress:
    """An address typed at checkout; kept in the buyer's book when the trade is placed."""

    receiver: str
    phone: str
    street: str
    area_code: str


@dataclass(frozen=True)
class Submission:
    """What the buyer submits: (sku_id, quantity) pairs, the price that was shown, and an idempotency key.

    from_cart: what is bought is the cart's selection, `picked` is left empty. address_id counts unless new_address is given.
    coupons: ids of those chosen, None = the best ones; scanned_merchant_id: the shop whose code the buyer scanned.
    promises: by merchant, the key of the delivery promise that was shown, '' = none was; a merchant that is absent is not checked.
    modes: how the buyer wants each merchant's goods, the merchant's usual way where none is named.
    points: by merchant, the pickup point where its goods are collected.
    exclusions_confirmed: the buyer knows which goods are outside the seven days without reason (T34).
    """

    picked: Sequence[tuple[int, int]]
    address_id: int
    quote_hash: str
    expected_total_fen: int
    idempotency_key: str
    notes: Mapping[int, str]
    from_cart: bool = True
    new_address: NewAddress | None = None
    coupons: frozenset[int] | None = None
    scanned_merchant_id: int = 0
    promises: Mapping[int, str] = field(default_factory=dict)
    modes: Mapping[int, str] = field(default_factory=dict)
    points: Mapping[int, int] = field(default_factory=dict)
    exclusions_confirmed: bool = False


def place(actor: Actor, wanted: Submission) -> int:
    """Place a trade and return its id; the same key returns the same trade.

    Raises Invalid, QuoteChanged(`quote.changed`), OutOfStock(`stock.short`), TooMany(`order.unpaid_limit`), NotFound for a
    foreign address, Conflict(`product.unavailable`, `coupon.gone`, `promotion.gone`). Order of writes: idempotency key, trade,
    orders, lines, cart, coupons and limited rules, stock.
    """
    scope, params = f"place:{actor.account_id}", _digest(wanted)
    known = idempotency.recall(scope, wanted.idempotency_key, params)
    if known is not None:  # looked up first: the first click has emptied the cart's selection
        return int(known["trade_id"])
    picked, known_offers, free = _selected(actor, wanted)
    if not picked or len(picked) > MAX_LINES:
        raise Invalid("order.empty", "请选择要购买的商品")
    address = _address(actor, wanted)
    quote, offers, shops, promised = _price(actor, wanted, picked, known_offers, address.area_code)
    check_modes(wanted.modes, shops, address.area_code, wanted.points)
    if not wanted.exclusions_confirmed and any(exclusion_of(offer.category_id) != "-" for offer in offers.values()):
        raise Invalid("order.exclusion", "请勾选确认：部分商品不适用七天无理由退货", field="exclusions")
    _check_open_unpaid(actor)
    trade_id, at = new_id(), clock.now()
    expires_at = at + timedelta(seconds=runtime.current().settings.trade.unpaid_order_ttl_s)
    try:
        idempotency.remember(scope, wanted.idempotency_key, params, {"trade_id": str(trade_id)})
    except UniqueViolation as error:  # a twin click was faster: the door runs this again, into `recall`
        raise RunAgain("the same submission is being placed") from error
    trade_no = f"T{clock.business_date(at):%y%m%d}{trade_id}"
    sql.add(
        Trade,
        {
            "id": trade_id, "trade_no": trade_no, "account_id": actor.account_id, "status": "unpaid",
            "payable_fen": quote.total_fen, "quote_hash": quote.quote_hash, "expires_at": expires_at, "created_at": at,
        },
    )  # fmt: skip
    parts = grouping.divide(quote, handling_of(offers), chosen_modes(wanted.modes, shops))
    demand, relief = _add_orders(actor, trade_id, at, quote, parts, offers, address, wanted.notes, promised)
    if wanted.from_cart:
        carts.remove_bought(actor.account_id, [sku_id for sku_id, _ in picked])
    line_ids = {sku_id: line_id for _, line_id, sku_id, _ in demand}
    order_ids = {sku_id: order_id for order_id, _, sku_id, _ in demand}
    promotions.hold(trade_id, actor.account_id, quote, order_ids, line_ids, relief)
    _claim({part.merchant_id: order_ids[part.sku_ids[0]] for part in reversed(parts) if part.travels}, promised)
    for part in parts:
        if part.mode == grouping.PICKUP and part.merchant_id in wanted.points:
            points.book(order_ids[part.sku_ids[0]], part.merchant_id, wanted.points[part.merchant_id])
    audit.record(actor, "trade.placed", "trade", trade_no, detail={"payable_fen": quote.total_fen, "lines": len(demand)})
    inventory.reserve(demand, expires_at, free, address.area_code)
    return trade_id


def _digest(wanted: Submission) -> str:
    """Name the submission; the quote hash stands for the exact lines and prices, also when the cart has moved on."""
    facts: list[Any] = [wanted.new_address or wanted.address_id, wanted.quote_hash, wanted.expected_total_fen, wanted.from_cart]
    facts += [*sorted(wanted.modes.items()), *sorted(wanted.points.items())]
    text = repr(tuple(facts))
    return hashlib.new("sm3", text.encode()).hexdigest()


def _address(actor: Actor, wanted: Submission) -> AddressView:
    new, address_id = wanted.new_address, wanted.address_id
    if new is not None:
        address_id = identity_service.add_address(
            actor, receiver=new.receiver, phone=new.phone, street=new.street, area_code=new.area_code
        ).id
        session.flush()  # it is read back by its id below
    return identity.get_address(actor.account_id, address_id)


def _selected(
    actor: Actor, wanted: Submission
) -> tuple[Sequence[tuple[int, int]], dict[int, Offer] | None, dict[int, dict[int, int]] | None]:
    """Return what is bought, and what reading the cart has told about offers and free units."""
    if not wanted.from_cart:
        return wanted.picked, None, None
    return cart_queries.selection(actor.account_id)


def _price(
    actor: Actor, wanted: Submission, picked: Sequence[tuple[int, int]], known: Mapping[int, Offer] | None, area_code: str
) -> tuple[Quote, dict[int, Offer], dict[int, Shop], dict[int, Promise]]:
    buyer = Buyer(actor.account_id, wanted.scanned_merchant_id, area_code=area_code)
    try:
        quote, offers, shops = cart_queries.price(picked, known, buyer, wanted.coupons, wanted.modes)
    except (KeyError, ValueError):
        raise Conflict("product.unavailable", "部分商品已下架，请返回购物车查看") from None
    gone = next((o for o in offers.values() if not o.is_buyable), None)
    if gone is not None:
        raise Conflict("product.unavailable", f"“{gone.title}”已下架，请返回购物车查看")
    if quote.quote_hash != wanted.quote_hash or quote.total_fen != wanted.expected_total_fen:
        raise QuoteChanged("quote.changed", "价格或运费有变化，请核对新的金额后再提交")
    if quote.refused:
        sku_id, reason = quote.refused[0]
        raise Conflict("delivery.refused", f"“{offers[sku_id].title}”{reason}，请更换地址或返回购物车去掉它")
    promised = cart_queries.promised(quote, shops, area_code, cart_queries.travelling(shops, offers.values(), wanted.modes))
    shown = {merchant_id: promised[merchant_id].key if merchant_id in promised else "" for merchant_id in wanted.promises}
    if shown != dict(wanted.promises):
        raise QuoteChanged("promise.changed", "送达时间有变化，请核对后再提交")
    return quote, offers, shops, promised


def _claim(order_ids: Mapping[int, int], promised: Mapping[int, Promise]) -> None:
    """Take a place in the day's load for each merchant's trip. Raises QuoteChanged when a day filled up since the promise was read."""
    for merchant_id, made in sorted(promised.items()):
        if made.is_capped and not delivery.claim(order_ids[merchant_id], made):
            raise QuoteChanged("promise.changed", "当日配送名额已满，请核对新的送达时间")


def check_modes(
    modes: Mapping[int, str], shops: Mapping[int, Shop], area_code: str, chosen: Mapping[int, int] = MappingProxyType({})
) -> None:
    """Raise Invalid(`order.mode`) for a way a shop does not offer, or local delivery to another county than the shop's.

    chosen: pickup points by merchant; with one the goods are collected there, and where there are some one must be chosen
    (`order.point`).
    """
    for merchant_id, shop in shops.items():
        mode = modes.get(merchant_id) or shop.ways[0]
        if mode == grouping.PICKUP and merchant_id not in chosen and delivery_queries.points_of(shop, area_code):
            raise Invalid("order.point", f"请选择“{shop.shop_name}”的自提点", field=f"point-{merchant_id}")
        if mode not in shop.ways and merchant_id not in chosen:
            raise Invalid("order.mode", f"“{shop.shop_name}”不支持所选配送方式，请重新选择", field=f"mode-{merchant_id}")
        if mode == grouping.LOCAL and area_code != shop.area_code:
            raise Invalid("order.mode", f"“{shop.shop_name}”的同城配送不到该县区，请选择其他方式", field=f"mode-{merchant_id}")


def chosen_modes(modes: Mapping[int, str], shops: Mapping[int, Shop]) -> dict[int, str]:
    """Return the mode of every shop: the buyer's, else the shop's usual way."""
    return {merchant_id: modes.get(merchant_id) or shop.ways[0] for merchant_id, shop in shops.items()}


def handling_of(offers: Mapping[int, Offer]) -> dict[int, grouping.Handling]:
    """Return how each variant is kept and handed over: the colder of product and category; a category may say it is a service."""
    found = {}
    for sku_id, offer in offers.items():
        category = catalog.find_category(offer.category_id)
        if category is None:
            found[sku_id] = grouping.Handling(grouping.colder(offer.cold_chain, "ambient"))
        else:
            found[sku_id] = grouping.Handling(grouping.colder(offer.cold_chain, category.cold_chain), bool(category.is_service))
    return found


def _check_open_unpaid(actor: Actor) -> None:
    open_trades = sql.read(_OPEN_UNPAID, {"account_id": actor.account_id}).scalar()
    limit = runtime.current().settings.trade.max_open_unpaid
    if (open_trades or 0) >= limit:
        raise TooMany("order.unpaid_limit", f"您有 {limit} 笔待付款订单，请先付款或取消后再下单")


def _add_orders(
    actor: Actor, trade_id: int, at: datetime, quote: Quote, parts: Sequence[Part], offers: dict[int, Offer], address: AddressView,
    notes: Mapping[int, str], promised: Mapping[int, Promise],
) -> tuple[list[tuple[int, int, int, int]], dict[int, list[tuple[int, int]]]]:  # fmt: skip
    """Write the orders with their lines and first timeline entry.

    Returns the demand (order, line, SKU, quantity), and by merchant the (order, fen) of the freight relief.
    """
    orders: list[dict[str, Any]] = []
    lines: list[dict[str, Any]] = []
    relief: dict[int, list[tuple[int, int]]] = {}
    keys = addresses.keys_of(address.receiver, address.phone, address.street, address.area_code)
    bought = {line.sku_id: (line, price) for line, price in zip(quote.lines, quote.prices, strict=True)}
    for part in parts:
        order = _order_row(trade_id, at, part, address, keys, actor.account_id)
        mine = [_line_row(order["id"], *bought[sku_id], offers[sku_id]) for sku_id in part.sku_ids]
        first = offers[part.sku_ids[0]]
        orders.append(
            order | {
                "item_count": sum(line["quantity"] for line in mine), "first_title": first.title, "first_image_key": first.image_key,
                "buyer_note": clean(notes.get(part.merchant_id, ""))[:200] or None,
                **_promise_columns(promised.get(part.merchant_id) if part.travels else None),
            }
        )  # fmt: skip
        relief.setdefault(part.merchant_id, []).append((order["id"], part.freight_off_fen))
        lines += mine
    sql.add_all(Order, orders)
    sql.add_all(OrderLine, lines)
    sql.add_all(OrderEvent, [event_row(order["id"], "placed", actor) for order in orders])
    for order in orders:
        events.publish(OrderPlaced(order["id"], order["merchant_id"]))
    return [(line["order_id"], line["id"], line["sku_id"], line["quantity"]) for line in lines], relief


def _order_row(
    trade_id: int, at: datetime, part: Part, address: AddressView, keys: dict[str, str], account_id: int
) -> dict[str, Any]:
    order_id = new_id()
    return {
        "id": order_id, "order_no": f"{clock.business_date(at):%y%m%d}{order_id}", "trade_id": trade_id, "account_id": account_id,
        "merchant_id": part.merchant_id, "status": "unpaid", "hold": "-", "delivery_mode": part.mode, "temperature": part.temperature,
        "parent_id": 0, "bundle_id": 0, "goods_fen": part.goods_fen, "freight_fen": part.freight_fen, "payable_fen": part.payable_fen,
        "refunded_fen": 0, "created_at": at, **addresses.columns_of(order_id, address, keys),
    }  # fmt: skip


def _promise_columns(made: Promise | None) -> dict[str, Any]:
    if made is None:
        return {"promised_by": None, "promise_label": None, "promise_pay_by": None}
    return {"promised_by": made.promised_by, "promise_label": made.label, "promise_pay_by": made.pay_by}


def _line_row(order_id: int, line: Line, price: LinePrice, offer: Offer) -> dict[str, Any]:
    return {
        "id": new_id(), "order_id": order_id, "sku_id": line.sku_id, "product_id": offer.product_id,
        "product_version": offer.product_version, "title": offer.title, "option_key": offer.option_key, "image_key": offer.image_key,
        "unit_price_fen": line.unit_price_fen, "quantity": line.quantity, "paid_fen": price.paid_fen,
        "exclusion": exclusion_of(offer.category_id),
    }  # fmt: skip


def event_row(order_id: int, kind: str, actor: Actor, note: str | None = None, *, internal: bool | None = None) -> dict[str, Any]:
    """Return one entry of the order's timeline; the buyer does not see an internal one, nor a note that does not say otherwise."""
    return {
        "id": new_id(), "order_id": order_id, "kind": kind, "realm": actor.realm, "actor_name": actor.name or "系统", "note": note,
        "data": {} if internal is None else {"internal": internal}, "at": clock.now(),
    }  # fmt: skip


def add_event(order_id: int, kind: str, actor: Actor, note: str | None = None, *, internal: bool | None = None) -> None:
    """Write one entry of the order's timeline; the buyer does not see an internal one."""
    sql.add(OrderEvent, event_row(order_id, kind, actor, note, internal=internal))
