"""What the catalogue hands to the registry."""

from __future__ import annotations

from app.catalog import handlers, merchant, operator, service
from app.catalog import merchant_facts as _facts  # noqa: F401 - adds its views to the merchant blueprint
from app.catalog import merchant_imports as _imports  # noqa: F401 - adds its views to the merchant blueprint
from app.catalog.commands import catalog_group
from app.catalog.importing import runs
from app.catalog.permissions import PERMISSIONS
from app.core.domain import Domain
from app.core.periodic import Periodic
from app.merchants.events import MerchantApproved, MerchantSuspended
from app.web.menus import MenuEntry


def _expire() -> None:
    service.expire_qualifications()


def domain() -> Domain:
    """Return the domain."""
    return Domain(
        name="catalog",
        routes=(merchant.bp, operator.bp),
        handlers=(
            (MerchantApproved, handlers.on_merchant_approved),
            (MerchantSuspended, handlers.on_merchant_suspended),
        ),
        jobs=((runs.JOB, runs.run_import),),
        periodics=(Periodic("catalog.expire_qualifications", 600, _expire, "下架资质或标签已过期的商品"),),
        permissions=PERMISSIONS,
        menu=(
            MenuEntry("merchant", "", "工作台", "/merchant", "layout-dashboard", "dashboard.merchant", 10),
            MenuEntry("merchant", "商品", "商品", "/merchant/products", "package", "product.view", 10),
            MenuEntry("merchant", "商品", "批量导入", "/merchant/imports", "file-up", "product.import", 20),
            MenuEntry("operator", "商品与商家", "商品审核", "/operator/products", "clipboard-check", "product.audit", 10),
            MenuEntry("operator", "商品与商家", "类目与属性", "/operator/categories", "folder-tree", "category.edit", 30),
        ),
        commands=(catalog_group,),
    )
