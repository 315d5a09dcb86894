"""What accounts may be allowed to do with the catalogue."""

from __future__ import annotations

PERMISSIONS = {
    "product.view": "查看本店商品",
    "product.edit": "维护本店商品",
    "product.import": "批量导入商品",
    "product.audit": "审核、封禁商品",
    "category.edit": "维护类目与属性",
}
