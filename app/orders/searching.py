"""Finding orders: by number, trade, telephone and name of the receiver (blind indexes), variant, state and days; pages by keyset."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from sqlalchemy import Select, select

from app.catalog.models import Sku
from app.core import clock
from app.core.errors import Invalid
from app.core.paging import Page, paginate
from app.core.text import clean, half_width
from app.identity.phones import PHONE
from app.merchants.models import Merchant
from app.orders import addresses
from app.orders.models import Order, OrderLine, Trade
from app.orders.states import NAMES

_NUMBER = re.compile(r"^\d{14,32}$")


@dataclass(frozen=True)
class Criteria:
    """What is looked for; every non-empty part must hold. q: an order or trade number, a telephone or the whole name of a receiver.

    sku: the code of a variant; since, until: days (ISO), both included. merchant_id 0: every shop.
    """

    merchant_id: int = 0
    q: str = ""
    sku: str = ""
    status: str = ""
    since: str = ""
    until: str = ""

    @property
    def is_personal(self) -> bool:
        """Tell whether a person is looked for: operators' searches of that kind are audited."""
        return bool(self.q) and not (_NUMBER.match(self.q) or self.q.startswith("T"))

    @property
    def is_empty(self) -> bool:
        """Tell whether only the state narrows the list."""
        return not (self.q or self.sku or self.since or self.until)

    def as_json(self) -> dict[str, Any]:
        """Return the criteria as an export keeps them."""
        return asdict(self)


def criteria(merchant_id: int, given: Mapping[str, str]) -> Criteria:
    """Return what a form or URL asks for. Raises Invalid(`search.day`) naming the field of a day that is none."""
    days = {}
    for name in ("since", "until"):
        text = given.get(name, "").strip()
        try:
            days[name] = date.fromisoformat(text).isoformat() if text else ""
        except ValueError:
            raise Invalid("search.day", "日期格式应为 2026-01-31", field=name) from None
    if days["since"] and days["until"] and days["since"] > days["until"]:
        raise Invalid("search.day", "开始日期不能晚于结束日期", field="since")
    status = given.get("status", "")
    q = re.sub(r"[\s-]", "", half_width(clean(given.get("q", ""))))[:40]
    return Criteria(merchant_id, q, half_width(clean(given.get("sku", "")))[:64], status if status in NAMES else "", **days)


def statement(wanted: Criteria) -> Select[Any]:
    """Return the SELECT of (order, shop name)."""
    found = select(Order, Merchant.shop_name).join(Merchant, Merchant.id == Order.merchant_id)
    if wanted.merchant_id:
        found = found.where(Order.merchant_id == wanted.merchant_id)
    if wanted.status:
        found = found.where(Order.status == wanted.status)
    if wanted.q:
        found = found.where(_named(wanted.q))
    if wanted.sku:
        codes = select(Sku.id).where(Sku.code == wanted.sku)
        if wanted.merchant_id:
            codes = codes.where(Sku.merchant_id == wanted.merchant_id)
        found = found.where(Order.id.in_(select(OrderLine.order_id).where(OrderLine.sku_id.in_(codes))))
    if wanted.since:
        found = found.where(Order.created_at >= clock.day_bounds(date.fromisoformat(wanted.since))[0])
    if wanted.until:
        found = found.where(Order.created_at < clock.day_bounds(date.fromisoformat(wanted.until))[1])
    return found


def _named(q: str) -> Any:
    if PHONE.match(q):
        return Order.phone_index == addresses.phone_index(q)
    if _NUMBER.match(q):
        return Order.order_no == q
    if q.startswith("T") and q[1:].isdigit():
        return Order.trade_id.in_(select(Trade.id).where(Trade.trade_no == q))
    return Order.receiver_index == addresses.receiver_index(q)


def search(wanted: Criteria, cursor: str = "", size: int = 20) -> Page[Any]:
    """Return (order, shop name), newest first; one query."""
    return paginate(statement(wanted), [Order.id], lambda row: [row[0].id], cursor=cursor, size=size, scalars=False)
