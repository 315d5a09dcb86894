"""Forms of delivery: what people write (kg, 小时:分钟, 元) as the verbs take it (grams, minutes, fen)."""

from __future__ import annotations

import re
from typing import Any

from wtforms import DateField, IntegerField, SelectField, SelectMultipleField, StringField
from wtforms.validators import Length, NumberRange, Optional

from app.core.errors import Invalid
from app.core.text import half_width
from app.delivery.freight import BASES, PIECE, VOLUME, WEIGHT
from app.delivery.promises import EVERY_DAY
from app.delivery.service import PromiseInput
from app.delivery.spec import RegionRule, TemplateSpec
from app.web.forms import CleanForm, MoneyField, Required

RULE_ROWS = 6
SCALES = {PIECE: (1, "件"), WEIGHT: (1_000, "kg"), VOLUME: (1_000_000, "m³")}
WEEKDAYS = [(str(day), "周" + "一二三四五六日"[day - 1]) for day in EVERY_DAY]
_NUMBER = re.compile(r"(\d{1,6})(?:\.(\d{1,6}))?")
_CLOCK = re.compile(r"([01]?\d|2[0-4]):([0-5]\d)")


def units_of(text: str, basis: str) -> int:
    """Return pieces, grams or cm³ of what was typed (`0.5` kg is 500), exact. Raises Invalid(`freight.number`)."""
    scale = SCALES[basis][0]
    match = _NUMBER.fullmatch(half_width(text) or "0")
    digits = len(str(scale)) - 1
    if match is None or len((match[2] or "").rstrip("0")) > digits:
        raise Invalid("freight.number", f"“{text}”不是有效的数量", field="rules")
    return int(match[1]) * scale + int((match[2] or "").ljust(digits, "0")[:digits] or 0)


def typed(units: int, basis: str) -> str:
    """Return units as they are typed."""
    scale = SCALES[basis][0]
    whole, rest = divmod(units, scale)
    return f"{whole}.{rest:0{len(str(scale)) - 1}d}".rstrip("0") if rest else str(whole)


class TemplateForm(CleanForm):
    """A template: head and RULE_ROWS rows of a rule each; the first row is for all areas no other row names."""

    name = StringField("模板名称", [Required(), Length(max=40)])
    basis = SelectField("计费方式", choices=list(BASES.items()), default=WEIGHT)
    excluded = SelectMultipleField("不配送地区", validate_choice=False)
    excluded_reason = StringField("不配送的原因", [Length(max=40)])
    rules = StringField("运费规则")

    @property
    def rows(self) -> list[Any]:
        """Return the rows as (areas, first, first fee, next, next fee, free over, free pieces) fields."""
        names = ("areas", "first", "first_fen", "next", "next_fen", "free_fen", "free_pieces")
        return [[self[f"r{n}_{name}"] for name in names] for n in range(RULE_ROWS)]

    def areas(self, choices: list[tuple[str, str]]) -> None:
        """Give the area fields their choices."""
        self.excluded.choices = choices
        for row in self.rows:
            row[0].choices = choices

    def spec(self) -> TemplateSpec:
        """Return what the form says; call after validate(). Raises Invalid for numbers that are none."""
        basis, rules = self.basis.data, []
        for number, (areas, first, first_fen, further, next_fen, free_fen, free_pieces) in enumerate(self.rows):
            if first.data or (number and areas.data):
                rules.append(
                    RegionRule(
                        tuple(areas.data or ()) if number else (), units_of(first.data or "", basis), first_fen.data or 0,
                        units_of(further.data or "", basis), next_fen.data or 0, free_fen.data or 0, free_pieces.data or 0,
                    )
                )  # fmt: skip
                if number and not areas.data:
                    raise Invalid("freight.area", f"第 {number + 1} 条规则请选择地区", field="rules")
        return TemplateSpec(self.name.data, basis, tuple(rules), tuple(self.excluded.data or ()), self.excluded_reason.data or "")

    @classmethod
    def of(cls, spec: TemplateSpec) -> TemplateForm:
        """Return the form of a version."""
        given: dict[str, Any] = {
            "name": spec.name, "basis": spec.basis, "excluded": list(spec.excluded), "excluded_reason": spec.excluded_reason,
        }  # fmt: skip
        places = iter(range(1, RULE_ROWS))
        for rule in spec.rules:
            n = next(places, 0) if rule.areas else 0
            given |= {
                f"r{n}_areas": list(rule.areas), f"r{n}_first": typed(rule.first_units, spec.basis), f"r{n}_first_fen": rule.first_fen,
                f"r{n}_next": typed(rule.next_units, spec.basis), f"r{n}_next_fen": rule.next_fen,
                f"r{n}_free_fen": rule.free_over_fen or None, f"r{n}_free_pieces": rule.free_over_pieces or None,
            }  # fmt: skip
        return cls(data=given)


for _n in range(RULE_ROWS):
    setattr(TemplateForm, f"r{_n}_areas", SelectMultipleField("地区", validate_choice=False))
    setattr(TemplateForm, f"r{_n}_first", StringField("首段数量"))
    setattr(TemplateForm, f"r{_n}_first_fen", MoneyField("首段运费"))
    setattr(TemplateForm, f"r{_n}_next", StringField("每续"))
    setattr(TemplateForm, f"r{_n}_next_fen", MoneyField("续费"))
    setattr(TemplateForm, f"r{_n}_free_fen", MoneyField("满额包邮"))
    setattr(
        TemplateForm, f"r{_n}_free_pieces", IntegerField("满件包邮", [Optional(), NumberRange(0, 10_000, "件数为 0 到 10000")])
    )


def _minutes(text: str | None) -> int:
    match = _CLOCK.fullmatch(half_width(text or ""))
    return int(match[1]) * 60 + int(match[2]) if match else 0


def clock_text(minutes: int) -> str:
    """Return a minute of the day as HH:MM."""
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


class PromiseForm(CleanForm):
    """A delivery promise."""

    name = StringField("名称", [Required(), Length(max=40)])
    transit_days = IntegerField("几日达", [NumberRange(0, 15, "0（当日达）到 15")], default=0)
    cutoff = StringField("截单时间", [Required()], default="16:00")
    deliver_by = StringField("送达时间", [Required()], default="21:00")
    areas = SelectMultipleField("适用地区", validate_choice=False)
    weekdays = SelectMultipleField("发货日", choices=WEEKDAYS, default=[str(day) for day in EVERY_DAY])
    capacity = IntegerField("每日上限", [Optional(), NumberRange(0, 100_000, "0（不限）到 100000")], default=0)
    warehouse_id = SelectField("仓库", coerce=int, validate_choice=False, default=0)
    template_id = SelectField("只限运费模板", coerce=int, validate_choice=False, default=0)

    def input(self) -> PromiseInput:
        """Return what the form says; call after validate()."""
        return PromiseInput(
            self.name.data, self.transit_days.data, _minutes(self.cutoff.data), _minutes(self.deliver_by.data),
            tuple(self.areas.data or ()), tuple(int(day) for day in self.weekdays.data or ()),
            self.capacity.data or 0, self.warehouse_id.data or 0, self.template_id.data or 0,
        )  # fmt: skip


class HolidayForm(CleanForm):
    """A day on which nothing is sent."""

    day_on = DateField("日期", [Required()])
    name = StringField("名称", [Required(), Length(max=40)])
