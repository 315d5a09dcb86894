"""What promotions hand to the registry."""

from __future__ import annotations

from app.core.actor import Actor
from app.core.domain import Domain
from app.core.periodic import Periodic
from app.promotions import merchant, operator, queries, service, storefront
from app.promotions.permissions import PERMISSIONS
from app.web import figures
from app.web.figures import Figure
from app.web.menus import MenuEntry


def _end_rules() -> None:
    service.end_due()


def _expire_coupons() -> None:
    service.expire_due()


def _coupon_figure(actor: Actor) -> list[Figure]:
    return [Figure("优惠券", queries.count_own(actor.account_id), "/me/coupons", unit="张", icon="ticket-percent")]


def _start() -> None:
    figures.declare("me", "promotions", _coupon_figure, 20)


def domain() -> Domain:
    """Return the domain."""
    return Domain(
        name="promotions",
        routes=(storefront.bp, merchant.bp, operator.bp),
        periodics=(
            Periodic("promotions.end_rules", 300, _end_rules, "结束到期的活动"),
            Periodic("promotions.expire_coupons", 300, _expire_coupons, "标记过期的优惠券"),
        ),
        permissions=PERMISSIONS,
        menu=(
            MenuEntry("merchant", "营销", "活动与优惠券", "/merchant/promotions", "ticket-percent", "merchant_promotion.view", 10),
            MenuEntry("operator", "运营", "活动与优惠券", "/operator/promotions", "ticket-percent", "promotion.view", 20),
        ),
        start=_start,
    )
