"""Demo accounts; printed by `regionmart run --demo`, never created in production."""

from __future__ import annotations

PASSWORD = "Lanzhou#2026"  # noqa: S105 - made for the demo region only, refused in production by loader.load
CONSUMER_PHONE = "13800001234"

STAFF = (
    ("operator", "yunying", "陈玉兰", ("operations",)), ("operator", "shenhe", "赵明德", ("reviewer",)),
    ("operator", "yunwei", "孙立", ("system",)), ("operator", "caiwu", "何静", ("finance",)),
    ("operator", "fuhe", "吕敏", ("finance",)), ("government", "jianguan", "刘志远", ("supervisor",)),
    ("security", "sysadmin", "王系统", ("system_admin",)), ("security", "secadmin", "李安全", ("security_admin",)),
    ("security", "auditor", "周审计", ("audit_admin",)),
)  # fmt: skip
MERCHANT_LOGIN = "shop01"


def banner() -> list[str]:
    """Return the lines that tell which account opens which surface."""
    return [
        f"演示口令（除消费者外通用）：{PASSWORD}",
        f"商城 手机 {CONSUMER_PHONE}（验证码显示在页面上） · 商家 {MERCHANT_LOGIN}（店主） cangguan（仓管） · 自提点店员 zitidian",
        "运营 yunying（运营） shenhe（审核） yunwei（运维） caiwu、fuhe（财务） cangchu（仓储） · 监管 jianguan",
        "三员 sysadmin（系统） secadmin（安全） auditor（审计）",
    ]
