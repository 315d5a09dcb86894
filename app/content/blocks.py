"""Kinds of home blocks and the home page a new installation starts with (C04 C05)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

KINDS = {
    "hero": "头图",
    "shortcuts": "快捷入口",
    "products": "商品区",
    "notices": "公告",
    "merchants": "亮照亮证",
}
SOURCES = {"sold": "按销量", "new": "最新上架", "tag": "按标签", "ids": "指定商品"}


@dataclass(frozen=True)
class Block:
    """A block as the page needs it."""

    kind: str
    title: str
    data: dict[str, Any] = field(default_factory=dict)
    id: int = 0


DEFAULTS = (
    Block("hero", "山水好物 当季直达", {"subtitle": "本地农场、合作社与老字号直供", "href": "/search?tag=助农"}),
    Block(
        "shortcuts",
        "快捷入口",
        {
            "items": [
                {"label": "全部分类", "icon": "layout-grid", "href": "/categories"},
                {"label": "今日时令", "icon": "sprout", "href": "/search?tag=时令"},
                {"label": "助农专区", "icon": "hand-heart", "href": "/search?tag=助农"},
                {"label": "地理标志", "icon": "badge-check", "href": "/search?tag=地理标志"},
                {"label": "热销榜", "icon": "flame", "href": "/search?sort=sold"},
                {"label": "亮照亮证", "icon": "file-badge", "href": "/licence"},
                {"label": "领券中心", "icon": "ticket-percent", "href": "/coupons"},
                {"label": "我的订单", "icon": "clipboard-list", "href": "/orders"},
            ]
        },
    ),
    Block("notices", "公告", {"size": 3}),
    Block("products", "今日时令", {"source": "tag", "tag": "时令", "size": 6}),
    Block("products", "助农专区", {"source": "tag", "tag": "助农", "size": 6}),
    Block("products", "大家都在买", {"source": "sold", "size": 12}),
    Block("merchants", "商家亮照亮证", {}),
)
