"""Carriers and the form of their tracking numbers."""

from __future__ import annotations

import re

from app.core.errors import Invalid
from app.core.text import half_width

CARRIERS = {"sf": "顺丰速运", "zto": "中通快递", "jd": "京东物流", "local": "澜州本地配送", "self": "商家自送"}
_FORMS = {
    "sf": re.compile(r"SF\d{12,15}|\d{12}"), "zto": re.compile(r"\d{12,15}"), "jd": re.compile(r"JD[A-Z0-9]{10,18}"),
    "local": re.compile(r"[A-Z0-9-]{6,30}"), "self": re.compile(r"[A-Z0-9-]{4,30}"),
}  # fmt: skip
_HINTS = {
    "sf": "顺丰单号为 SF 加 12–15 位数字，或 12 位数字", "zto": "中通单号为 12–15 位数字", "jd": "京东单号以 JD 开头",
    "local": "单号为 6–30 位字母、数字或短横", "self": "单号为 4–30 位字母、数字或短横",
}  # fmt: skip


def check(carrier: str, tracking_no: str) -> tuple[str, str]:
    """Return the carrier key and the normalised tracking number. Raises Invalid naming the field."""
    if carrier not in CARRIERS:
        raise Invalid("parcel.carrier", "请选择快递公司", field="carrier")
    number = half_width(tracking_no).upper().replace(" ", "")
    if not _FORMS[carrier].fullmatch(number):
        raise Invalid("parcel.tracking_no", f"快递单号有误：{_HINTS[carrier]}", field="tracking_no")
    return carrier, number
