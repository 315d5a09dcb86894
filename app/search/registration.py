"""What search hands to the registry."""

from __future__ import annotations

from app.catalog.events import ProductChanged, ProductListed, ProductUnlisted
from app.core.domain import Domain
from app.core.periodic import Periodic
from app.search import commands, handlers, operator, service, storefront
from app.web.menus import MenuEntry

DAY_S = 86_400


def domain() -> Domain:
    """Return the domain."""
    return Domain(
        name="search",
        routes=(storefront.bp, operator.bp),
        handlers=(
            (ProductListed, handlers.on_product_listed),
            (ProductUnlisted, handlers.on_product_unlisted),
            (ProductChanged, handlers.on_product_changed),
        ),
        periodics=(
            Periodic("search.refresh", 5, service.refresh_replica, "把商品变化写入本节点的搜索副本"),
            Periodic("search.forget_old", DAY_S, service.forget_old, "清理已应用的搜索变更与过期搜索记录"),
        ),
        menu=(MenuEntry("operator", "运营", "搜索热词", "/operator/searches", "search", "content.edit", 40),),
        commands=(commands.group,),
    )
