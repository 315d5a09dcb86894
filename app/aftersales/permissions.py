"""Permissions of after-sale."""

PERMISSIONS = {
    "aftersale.own": "申请和查看自己的售后", "merchant_aftersale.view": "查看本店售后", "merchant_aftersale.handle": "处理本店售后",
    "aftersale.view": "查看全部售后", "aftersale.arbitrate": "裁决售后纠纷",
}  # fmt: skip
