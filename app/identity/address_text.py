"""Reading a pasted address: 「李四 13812341234 澜州市云溪区幸福路 88 号」 in any order (C16). Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from app.core.text import clean, half_width

_PHONE = re.compile(r"(?<!\d)(?:\+?86[-\s]?)?(1[3-9]\d[\s-]?\d{4}[\s-]?\d{4})(?!\d)")
_LABEL = re.compile(r"(?:收货人|收件人|姓名|联系人|手机号码?|电话号码?|联系电话|电话|所在地区|地区|详细地址|收货地址|地址)\s*[:]\s*")
_SEPARATORS = re.compile(r"[\s,，;；、|/]+")
_PLACE = re.compile(r"[省市区县镇乡村街路道巷弄号栋幢座室楼苑园里]")
_TITLE = re.compile(r"(?:先生|女士|小姐|老师)$")


@dataclass(frozen=True)
class ParsedAddress:
    """What could be read; '' where nothing was found."""

    receiver: str
    phone: str
    area_code: str
    street: str


def _is_name(part: str) -> bool:
    name = _TITLE.sub("", part)
    return bool(re.fullmatch(r"[\u4e00-\u9fff·]{1,6}", name)) and not _PLACE.search(name)


def parse(text: str, areas: Iterable[tuple[str, str]]) -> ParsedAddress:
    """Take a pasted text apart. areas: (code, name) of the region's districts, named with their last character (区, 县)."""
    rest = _LABEL.sub(" ", clean(half_width(text[:500])).replace("：", ":"))
    phone, found = "", _PHONE.search(rest)
    if found:
        phone = re.sub(r"\D", "", found[1])
        rest = f"{rest[: found.start()]} {rest[found.end() :]}"
    parts = [p for p in _SEPARATORS.split(rest) if p]
    receiver = next((p for p in parts if _is_name(p)), "")
    if receiver:
        parts.remove(receiver)
    line, area_code = "".join(parts), ""
    for code, name in sorted(areas, key=lambda a: -len(a[1])):
        at = line.find(name)
        if at >= 0:
            area_code, line = code, line[at + len(name) :]
            break
    return ParsedAddress(receiver[:20], phone, area_code, line[:100])
