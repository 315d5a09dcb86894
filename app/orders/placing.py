"""Placing a trade: one short transaction, stock rows last (commerce.md §2.5; performance.md §5)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import func, select

from app.audit import service as audit
from app.carts import queries as cart_queries
from app.carts import service as carts
from app.catalog.queries import Offer
from app.core import clock, events, idempotency, runtime
from app.core.actor import Actor
from app.core.db import session
from app.core.errors import Conflict, Invalid, TooMany
from app.core.ids import new_id
from app.core.text import clean
from app.identity import queries as identity
from app.identity import service as identity_service
from app.identity.queries import AddressView
from app.inventory import service as inventory
from app.orders.events import OrderPlaced
from app.orders.models import Order, OrderEvent, OrderLine, Trade
from app.promotions.pricing import OrderQuote, Quote
from dbadapters.errors import Conflict as RunAgain
from dbadapters.errors import UniqueViolation
from security.masking import mask_name, mask_phone

MAX_LINES = 100


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

    address_id counts unless new_address is given.
    """

    picked: Sequence[tuple[int, int]]
    address_id: int
    quote_hash: str
    expected_total_fen: int
    idempotency_key: str
    notes: Mapping[int, str]
    from_cart: bool = True
    new_address: NewAddress | None = None


def place(actor: Actor, wanted: Submission) -> int:
    """Place a trade and return its id; the same key returns the same trade.

    Raises Invalid, QuoteChanged(`quote.changed`), OutOfStock(`stock.short`), TooMany(`order.unpaid_limit`), NotFound for a
    foreign address, Conflict(`product.unavailable`). Order of writes: idempotency key, trade, orders, lines, stock.
    """
    scope, params = f"place:{actor.account_id}", _digest(wanted)
    known = idempotency.recall(scope, wanted.idempotency_key, params)
    if known is not None:  # looked up first: the first click has emptied the cart's selection
        return int(known["trade_id"])
    if not wanted.picked or len(wanted.picked) > MAX_LINES:
        raise Invalid("order.empty", "请选择要购买的商品")
    address = _address(actor, wanted)
    quote, offers = _price(wanted)
    _check_open_unpaid(actor)
    trade_id, at = new_id(), clock.now()
    expires_at = at + timedelta(seconds=runtime.current().settings.trade.unpaid_order_ttl_s)
    try:
        idempotency.remember(scope, wanted.idempotency_key, params, {"trade_id": str(trade_id)})
    except UniqueViolation as error:  # a twin click was faster: the door runs this again, into `recall`
        raise RunAgain("the same submission is being placed") from error
    trade = Trade(
        id=trade_id, trade_no=f"T{clock.business_date(at):%y%m%d}{trade_id}", account_id=actor.account_id, status="unpaid",
        payable_fen=quote.total_fen, quote_hash=quote.quote_hash, expires_at=expires_at, created_at=at,
    )  # fmt: skip
    session.add(trade)
    demand = []
    for part in quote.orders:
        demand += _add_order(actor, trade, part, quote, offers, address, clean(wanted.notes.get(part.merchant_id, ""))[:200])
    if wanted.from_cart:
        carts.remove_bought(actor.account_id, [sku_id for sku_id, _ in wanted.picked])
    audit.record(actor, "trade.placed", "trade", trade.trade_no, detail={"payable_fen": trade.payable_fen, "lines": len(demand)})
    inventory.reserve(demand, expires_at)
    return trade_id


def _digest(wanted: Submission) -> str:
    """Name the submission; the quote hash stands for the exact lines and prices, also when the cart has moved on."""
    text = repr((wanted.new_address or wanted.address_id, wanted.quote_hash, wanted.expected_total_fen, wanted.from_cart))
    return hashlib.new("sm3", text.encode()).hexdigest()


def _address(actor: Actor, wanted: Submission) -> AddressView:
    new, address_id = wanted.new_address, wanted.address_id
    if new is not None:
        address_id = identity_service.add_address(
            actor, receiver=new.receiver, phone=new.phone, street=new.street, area_code=new.area_code
        ).id
        session.flush()  # it is read back by its id below
    return identity.get_address(actor.account_id, address_id)


def _price(wanted: Submission) -> tuple[Quote, dict[int, Offer]]:
    try:
        quote, offers, _ = cart_queries.price(wanted.picked)
    except (KeyError, ValueError):
        raise Conflict("product.unavailable", "部分商品已下架，请返回购物车查看") from None
    gone = next((o for o in offers.values() if not o.is_buyable), None)
    if gone is not None:
        raise Conflict("product.unavailable", f"“{gone.title}”已下架，请返回购物车查看")
    if quote.quote_hash != wanted.quote_hash or quote.total_fen != wanted.expected_total_fen:
        raise QuoteChanged("quote.changed", "价格或运费有变化，请核对新的金额后再提交")
    return quote, offers


def _check_open_unpaid(actor: Actor) -> None:
    open_trades = session.scalar(
        select(func.count()).select_from(Trade).where(Trade.account_id == actor.account_id, Trade.status == "unpaid")
    )
    limit = runtime.current().settings.trade.max_open_unpaid
    if (open_trades or 0) >= limit:
        raise TooMany("order.unpaid_limit", f"您有 {limit} 笔待付款订单，请先付款或取消后再下单")


def _add_order(
    actor: Actor, trade: Trade, part: OrderQuote, quote: Quote, offers: dict[int, Offer], address: AddressView, note: str
) -> list[tuple[int, int, int, int]]:
    """Write one merchant's order with its lines; returns the demand (order, line, SKU, quantity)."""
    order_id = new_id()
    mine = [line for line in quote.lines if line.merchant_id == part.merchant_id]
    first = offers[mine[0].sku_id]
    cipher = runtime.current().cipher

    def seal(value: str, column: str) -> str:
        return cipher.encrypt(value, table="orders", column=column, row_id=order_id)

    session.add(
        Order(
            id=order_id, order_no=f"{clock.business_date(trade.created_at):%y%m%d}{order_id}", trade_id=trade.id,
            account_id=trade.account_id, merchant_id=part.merchant_id,
            status="unpaid", hold="-", goods_fen=part.goods_fen, freight_fen=part.freight_fen,
            payable_fen=part.payable_fen, refunded_fen=0, item_count=sum(line.quantity for line in mine),
            receiver_enc=seal(address.receiver, "receiver_enc"), phone_enc=seal(address.phone, "phone_enc"),
            street_enc=seal(address.street, "street_enc"),
            receiver_mask=f"{mask_name(address.receiver)} {mask_phone(address.phone)}"[:40], area_code=address.area_code,
            buyer_note=note or None, first_title=first.title, first_image_key=first.image_key, created_at=trade.created_at,
        )
    )  # fmt: skip
    demand = []
    for line in mine:
        offer, line_id = offers[line.sku_id], new_id()
        session.add(
            OrderLine(
                id=line_id, order_id=order_id, sku_id=line.sku_id, product_id=offer.product_id,
                product_version=offer.product_version, title=offer.title, option_key=offer.option_key, image_key=offer.image_key,
                unit_price_fen=line.unit_price_fen, quantity=line.quantity, paid_fen=line.unit_price_fen * line.quantity,
            )
        )  # fmt: skip
        demand.append((order_id, line_id, line.sku_id, line.quantity))
    add_event(order_id, "placed", actor)
    events.publish(OrderPlaced(order_id, part.merchant_id))
    return demand


def add_event(order_id: int, kind: str, actor: Actor, note: str | None = None) -> None:
    """Write one entry of the order's timeline."""
    session.add(
        OrderEvent(
            id=new_id(), order_id=order_id, kind=kind, realm=actor.realm, actor_name=actor.name or "系统", note=note, data={},
            at=clock.now(),
        )
    )  # fmt: skip
