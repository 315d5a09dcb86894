"""Built-in roles: realm and role -> name, permissions, exclusive group (P01; three administrators, GB/T 22239)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RoleSpec:
    """A built-in role. Roles of one exclusive group cannot be held together."""

    realm: str
    code: str
    name: str
    permissions: tuple[str, ...]
    exclusive_group: str = "-"


BUILT_IN_ROLES = (
    RoleSpec(
        "consumer", "consumer", "消费者",
        ("cart.checkout", "order.own", "review.write", "account.own", "coupon.own", "aftersale.own"),
    ),
    RoleSpec(
        "merchant", "owner", "店主",
        ("dashboard.merchant", "shop.edit", "product.view", "product.edit", "product.import", "stock.view", "stock.adjust",
         "stock.work", "stock.approve",
         "merchant_order.view", "merchant_order.manage", "merchant_order.ship", "review.reply", "merchant_promotion.view",
         "merchant_promotion.edit", "funds.view", "funds.manage", "freight.edit", "merchant_aftersale.view", "merchant_aftersale.handle",
         "pickup.manage", "pickup.verify"),
    ),
    RoleSpec(
        "merchant", "clerk", "店员",
        ("dashboard.merchant", "product.view", "stock.view", "merchant_order.view", "merchant_order.manage", "merchant_order.ship",
         "merchant_promotion.view", "merchant_aftersale.view"),
    ),
    RoleSpec("merchant", "pickup_clerk", "自提点店员", ("dashboard.merchant", "pickup.verify")),
    RoleSpec("merchant", "warehouse", "仓管员", ("dashboard.merchant", "product.view", "stock.view", "stock.work")),
    RoleSpec(
        "operator", "operations", "运营岗",
        ("dashboard.operator", "merchant.view", "order.view", "order.case", "risk.view", "risk.edit", "stock.monitor",
         "warehouse.approve", "content.edit", "payment.view", "review.moderate", "job.view", "category.edit", "promotion.view",
         "promotion.edit", "coupon.issue", "delivery.manage", "aftersale.view", "aftersale.arbitrate"),
    ),
    RoleSpec(
        "operator", "reviewer", "审核岗",
        ("dashboard.operator", "merchant.view", "merchant.review", "product.audit", "review.moderate", "promotion.view",
         "promotion.approve"),
    ),
    RoleSpec("operator", "warehouse", "仓储岗", ("dashboard.operator", "stock.monitor", "warehouse.work")),
    RoleSpec("operator", "system", "系统运维岗", ("dashboard.operator", "job.view", "job.retry", "payment.view", "payment.channel")),
    RoleSpec(
        "operator", "finance", "财务岗",
        ("dashboard.operator", "order.view", "payment.view", "finance.view", "finance.rate", "finance.payout", "finance.recon",
         "finance.refund", "finance.deposit", "payment.abnormal", "payment.slip"),
    ),
    RoleSpec("government", "supervisor", "监管人员", ("board.view",)),
    RoleSpec("security", "system_admin", "系统管理员", ("account.view", "account.manage"), "three_administrators"),
    RoleSpec("security", "security_admin", "安全管理员", ("role.view", "session.view", "account.view"), "three_administrators"),
    RoleSpec("security", "audit_admin", "审计管理员", ("audit.view", "audit.verify"), "three_administrators"),
)  # fmt: skip
