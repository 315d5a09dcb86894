"""Jinja filters and globals of the design system."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from app.web import charts
from app.web.icons import icon
from app.web.tables import label_cells

if TYPE_CHECKING:
    from flask import Flask
    from jinja2 import Environment

LOCAL_ZONE = ZoneInfo("Asia/Shanghai")
NONE_TEXT = "—"
FEN_PER_YUAN = 100
YUAN_PER_WAN = Decimal(10_000)
YUAN_PER_YI = Decimal(100_000_000)
WEEKDAYS = "一二三四五六日"


def yuan(fen: int | None) -> str:
    """Fen as yuan with separators: 123400 -> 1,234.00."""
    if fen is None:
        return NONE_TEXT
    sign = "-" if fen < 0 else ""
    whole, cents = divmod(abs(int(fen)), FEN_PER_YUAN)
    return f"{sign}{whole:,}.{cents:02d}"


def yuan_parts(fen: int) -> tuple[str, str]:
    """Whole yuan and the two decimals, for large price figures."""
    whole, _, cents = yuan(fen).partition(".")
    return whole, cents


def wan_parts(fen: int | None) -> tuple[str, str]:
    """Fen as (figure, unit) with unit 元, 万元 or 亿元."""
    if fen is None:
        return NONE_TEXT, ""
    amount = Decimal(int(fen)) / FEN_PER_YUAN
    if abs(amount) >= YUAN_PER_YI:
        return _two(amount / YUAN_PER_YI), "亿元"
    if abs(amount) >= YUAN_PER_WAN:
        return _two(amount / YUAN_PER_WAN), "万元"
    return _two(amount), "元"


def wan(fen: int | None) -> str:
    """Fen for boards: 128640000 -> 128.64 万元."""
    figure, unit = wan_parts(fen)
    return f"{figure} {unit}".strip()


def _two(amount: Decimal) -> str:
    return f"{amount.quantize(Decimal('0.01'), rounding=ROUND_HALF_UP):,}"


def _local(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return moment.astimezone(LOCAL_ZONE)


def when(moment: datetime | None) -> str:
    """Table form: 11-22 15:31."""
    return NONE_TEXT if moment is None else _local(moment).strftime("%m-%d %H:%M")


def when_seconds(moment: datetime | None) -> str:
    """Log form: 2026-11-22 15:31:07."""
    return NONE_TEXT if moment is None else _local(moment).strftime("%Y-%m-%d %H:%M:%S")


def when_long(moment: datetime | None) -> str:
    """Letter form: 2026年11月22日（周日）15:31."""
    if moment is None:
        return NONE_TEXT
    local = _local(moment)
    weekday = WEEKDAYS[local.weekday()]
    return f"{local.year}年{local.month}月{local.day}日（周{weekday}）{local:%H:%M}"


def when_iso(moment: datetime | None) -> str:
    """Value of a datetime attribute, with the local offset."""
    return "" if moment is None else _local(moment).isoformat(timespec="seconds")


def day(value: datetime | date | None) -> str:
    """2026-11-22 (local day for moments)."""
    if value is None:
        return NONE_TEXT
    if isinstance(value, datetime):
        value = _local(value)
    return value.strftime("%Y-%m-%d")


def number(value: int | float | Decimal | None) -> str:
    """1234 -> 1,234."""
    return NONE_TEXT if value is None else f"{value:,}"


def bps(value: int | None, digits: int = 1) -> str:
    """Basis points as a percentage: 1260 -> 12.6%."""
    return NONE_TEXT if value is None else f"{Decimal(value) / 100:.{digits}f}%"


def signed_bps(value: int | None, digits: int = 1) -> str:
    """Change in basis points: 940 -> +9.4%."""
    return NONE_TEXT if value is None else f"{Decimal(value) / 100:+.{digits}f}%"


def filesize(value: int | None) -> str:
    """Bytes for people: 2048 -> 2.0 KB."""
    if value is None:
        return NONE_TEXT
    size = float(value)
    for unit in ("B", "KB", "MB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} GB"


def mask_phone(text: str | None) -> str:
    """138****5678; anything too short is hidden completely."""
    return _mask(text, 3, 4)


def mask_name(text: str | None) -> str:
    """林玉珍 -> 林*珍, 周强 -> 周*."""
    if not text:
        return NONE_TEXT
    if len(text) == 1:
        return text
    if len(text) == 2:
        return f"{text[0]}*"
    return f"{text[0]}{'*' * (len(text) - 2)}{text[-1]}"


def mask_id(text: str | None) -> str:
    """First three and last two characters of a document number."""
    return _mask(text, 3, 2)


def _mask(text: str | None, head: int, tail: int) -> str:
    if not text:
        return NONE_TEXT
    if len(text) <= head + tail:
        return "*" * len(text)
    return f"{text[:head]}{'*' * (len(text) - head - tail)}{text[-tail:]}"


FILTERS = {
    "yuan": yuan,
    "yuan_parts": yuan_parts,
    "wan": wan,
    "wan_parts": wan_parts,
    "when": when,
    "when_seconds": when_seconds,
    "when_long": when_long,
    "when_iso": when_iso,
    "day": day,
    "number": number,
    "bps": bps,
    "signed_bps": signed_bps,
    "filesize": filesize,
    "mask_phone": mask_phone,
    "mask_name": mask_name,
    "mask_id": mask_id,
    "label_cells": label_cells,
}


def install(env: Environment) -> None:
    """Put the filters, ``icon`` and ``charts`` into one Jinja environment."""
    env.filters.update(FILTERS)
    env.globals.update(icon=icon, charts=charts)


def register(app: Flask) -> None:
    """Install the filters and globals into the application's templates."""
    install(app.jinja_env)
