"""What accounts may be allowed to do with merchants."""

from __future__ import annotations

PERMISSIONS = {
    "shop.edit": "维护店铺资料和运费",
    "dashboard.merchant": "查看商家工作台",
    "merchant.view": "查看商家",
    "merchant.review": "审核入驻、暂停和恢复商家",
}
