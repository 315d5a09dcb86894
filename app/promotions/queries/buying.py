"""What a buyer's price depends on: rules in force, the wallet, room under limits. At most four queries, one without rules."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import bindparam, func, select

from app.catalog import queries as catalog
from app.core import clock, sql
from app.core.db import session
from app.promotions.models import Coupon, PromotionRule, PromotionUse
from app.promotions.pricing import HeldCoupon, Line, MerchantRule, QuoteContext, Room
from app.promotions.queries import active

MAX_WALLET = 100
WITHOUT_LIMIT = 10**15
_WALLET = (
    select(Coupon.id, Coupon.rule_id, Coupon.version, Coupon.valid_from, Coupon.valid_until)
    .where(Coupon.account_id == bindparam("account_id"), Coupon.status == "unused", Coupon.valid_until > bindparam("at"))
    .order_by(Coupon.valid_until, Coupon.id)
    .limit(MAX_WALLET)
)
FirstOrderCheck = Callable[[int], bool]
_first_order_checks: list[FirstOrderCheck] = []


@dataclass(frozen=True)
class Buyer:
    """Who asks for a price: account_id 0 is a guest; scanned_merchant_id is the shop whose code was scanned, 0 = none.

    area_code: where the goods go, '-' = not known yet.
    """

    account_id: int = 0
    scanned_merchant_id: int = 0
    channel: str = "web"
    area_code: str = "-"


GUEST = Buyer()


def on_first_order_check(check: FirstOrderCheck) -> None:
    """Say how to tell whether an account has never ordered; orders, a higher tier, registers it once a process."""
    _first_order_checks[:] = [check]


def line(
    sku_id: int, quantity: int, *, merchant_id: int, product_id: int, category_id: int, price_fen: int, area_code: str,
    tags: Iterable[str] = (), weight_g: int = 0,
) -> Line:  # fmt: skip
    """Return units of a variant as the quote takes them, with the categories above its own; no query while those are cached.

    No discount takes the last fen of a unit: selling for nothing belongs to bargains, and a refund has something to give back.
    """
    category = catalog.find_category(category_id)
    above = (category.parent_id,) if category is not None and category.parent_id else ()
    return Line(
        sku_id, merchant_id, price_fen, quantity, weight_g, product_id, (category_id, *above), tuple(tags), area_code, quantity
    )


def context(
    merchants: Mapping[int, MerchantRule], buyer: Buyer = GUEST, chosen: frozenset[int] | None = None
) -> QuoteContext:
    """Return what the quote of some merchants' goods depends on, as of now."""
    at, known = clock.now(), active.current()
    rules = tuple(r for r in known.promotions() if r.scope.merchant_id in merchants or not r.scope.merchant_id)
    running = [r for r in rules if r.runs_at(at)]
    account = buyer.account_id
    limited = [r.id for r in running if r.is_limited]
    first = bool(account) and any(r.kind == "first_order" for r in running) and _is_first_order(account)
    return QuoteContext(
        merchants, at, rules, tuple(wallet(account)) if account and known.has_coupons else (), chosen,
        _rooms(account, limited) if account and limited else {}, first, buyer.scanned_merchant_id, buyer.channel,
    )  # fmt: skip


def _is_first_order(account_id: int) -> bool:
    return bool(_first_order_checks) and _first_order_checks[0](account_id)


def wallet(account_id: int) -> list[HeldCoupon]:
    """Return the coupons an account can use now or later, those that end first; one query once their versions are known."""
    rows = sql.read(_WALLET, {"account_id": account_id, "at": clock.now()}).all()
    found = active.specs((row.rule_id, row.version) for row in rows)
    return [
        HeldCoupon(row.id, found[row.rule_id, row.version].rule(row.rule_id, row.version), row.valid_from, row.valid_until)
        for row in rows
    ]


def _rooms(account_id: int, rule_ids: list[int]) -> dict[int, Room]:
    r, u = PromotionRule, PromotionUse
    mine = select(func.count()).select_from(u).where(u.rule_id == r.id, u.account_id == account_id).scalar_subquery()
    rows = session.execute(select(r.id, r.quantity, r.per_account, r.budget_fen, r.used_count, r.used_fen, mine).where(r.id.in_(rule_ids)))
    rooms = {}
    for rule_id, quantity, per_account, budget, used, used_fen, own in rows:
        left = quantity - used if quantity else WITHOUT_LIMIT
        rooms[rule_id] = Room(
            min(left, per_account - own if per_account else WITHOUT_LIMIT), budget - used_fen if budget else WITHOUT_LIMIT
        )
    return rooms
