"""Two snapshots side by side, in words a reviewer reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.catalog import gate, queries
from app.catalog.service.inputs import COLD_CHAIN
from app.core.money import format_yuan

LABELS = {
    "title": "标题", "subtitle": "卖点", "category_id": "类目", "unit": "单位", "cold_chain": "储运条件", "attributes": "属性",
    "skus": "规格与售价", "blocks": "图文介绍", "documents": "资料", "tags": "标签",
}  # fmt: skip


def words(name: str, snapshot: Mapping[str, Any]) -> str:
    """Return one part of a snapshot in words, '' when it is not there."""
    value = snapshot.get(name)
    if not value:
        return ""
    if name == "category_id":
        category = queries.find_category(int(value))
        return category.name if category is not None else str(value)
    if name == "cold_chain":
        return COLD_CHAIN.get(value, value)
    if name == "skus":
        return "；".join(f"{s['option_key']} ¥{format_yuan(s['price_fen'])}" for s in value)
    if name == "blocks":
        return "\n".join(str(b.get("text", b.get("kind", ""))) for b in value)
    if name == "attributes":
        names = {a.code: a.name for a in queries.attributes_of(int(snapshot.get("category_id") or 0))}
        return "；".join(f"{names.get(k, k)}：{v}" for k, v in sorted(value.items()))
    if name == "documents":
        return "；".join(f"{gate.DOCUMENT_NAMES.get(d['kind'], d['kind'])} {d['number']} {d['valid_until']}" for d in value)
    if name == "tags":
        return "、".join(t[1] for t in value)
    return "" if value == "-" else str(value)


def compare(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return a row for each part that stands in either snapshot, what changed first; pictures are compared by `pictures`."""
    rows = [{"label": label, "before": words(n, before), "after": words(n, after)} for n, label in LABELS.items()]
    seen = [{**row, "changed": row["before"] != row["after"]} for row in rows if row["before"] or row["after"]]
    return sorted(seen, key=lambda row: not row["changed"]) if before else seen


def pictures(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return (key, 'new' | 'gone' | '') of every picture of either snapshot, those of the newer one first."""

    def keys(snapshot: Mapping[str, Any]) -> list[str]:
        found = [snapshot.get("image_key", "-"), *snapshot.get("gallery", ())]
        return [key for key in dict.fromkeys(found) if key and key != "-"]

    old, new = keys(before), keys(after)
    marks = [(key, "" if key in old or not before else "new") for key in new]
    return marks + [(key, "gone") for key in old if key not in new]
