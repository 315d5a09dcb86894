"""The form of rules and coupons: yuan, 折 and Shanghai time as people write them; a RuleSpec as the verbs take it."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

from wtforms import BooleanField, DateTimeLocalField, IntegerField, SelectField, SelectMultipleField, StringField, TextAreaField
from wtforms.validators import Length, NumberRange, Optional

from app.core import clock
from app.core.text import half_width
from app.promotions.pricing import ITEM_KINDS
from app.promotions.spec import CHANNELS, RuleSpec
from app.web.forms import CleanForm, MoneyField, Required

SCOPES = {"all": "全部商品", "categories": "指定类目", "products": "指定商品", "tags": "指定标签", "areas": "指定产地"}
TIER_ROWS = 3
_SPLIT = re.compile(r"[，,、;；\s]+")


class RateField(StringField):  # type: ignore[misc]
    """折 as people write it (8, 8.5 折), basis points of what is paid in `data`."""

    def _value(self) -> str:
        if self.raw_data:
            return str(self.raw_data[0])
        if not self.data:
            return ""
        whole, rest = divmod(self.data, 1_000)
        return f"{whole}.{rest:03d}".rstrip("0").rstrip(".")

    def process_formdata(self, valuelist: list[Any]) -> None:
        self.data = None
        text = half_width(str(valuelist[0])).removesuffix("折").strip() if valuelist else ""
        if text:
            match = re.fullmatch(r"(\d)(?:\.(\d{1,2}))?", text)
            if match is None:
                raise ValueError("请填写如 8 或 8.5 的折扣")
            self.data = int(match[1]) * 1_000 + int((match[2] or "0").ljust(3, "0"))


def _limit() -> list[Any]:
    return [Optional(), NumberRange(0, 10_000_000, "请填写 0 到 10000000 的整数")]


class RuleForm(CleanForm):
    """One form for all kinds; the page shows the fields of the chosen kind. Days are midnight to midnight in the region."""

    title = StringField("名称", [Required(), Length(max=40)])
    starts_at = DateTimeLocalField("开始时间", [Required()], format=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"])
    ends_at = DateTimeLocalField("结束时间", [Required()], format=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"])
    tier1_over = MoneyField("第 1 档：满")
    tier1_off = MoneyField("减")
    tier2_over = MoneyField("第 2 档：满")
    tier2_off = MoneyField("减")
    tier3_over = MoneyField("第 3 档：满")
    tier3_off = MoneyField("减")
    benefit = SelectField("优惠方式", choices=[("off", "减金额"), ("rate", "打折")], default="off")
    rate = RateField("折扣")
    min_fen = MoneyField("使用门槛：满")
    max_off_fen = MoneyField("最高优惠")
    month_days = StringField("每月几号", [Length(max=60)], default="8")
    scope = SelectField("适用范围", choices=list(SCOPES.items()), default="all")
    categories = SelectMultipleField("类目", coerce=int, validate_choice=False)
    products = SelectMultipleField("商品", coerce=int, validate_choice=False)
    tags = StringField("标签", [Length(max=200)])
    areas = SelectMultipleField("产地", validate_choice=False)
    channel = SelectField("渠道", choices=[("", "不限"), *CHANNELS.items()], default="")
    priority = IntegerField("优先级", [Optional(), NumberRange(0, 999, "优先级为 0 到 999")], default=0)
    exclusive = BooleanField("不与其他优惠同享")
    quantity = IntegerField("总量", _limit(), default=0)
    per_account = IntegerField("每人限用", _limit(), default=0)
    budget_fen = MoneyField("优惠总预算")
    valid_days = IntegerField("领取后有效天数", [Optional(), NumberRange(0, 366, "有效天数为 0 到 366")], default=0)
    is_public = BooleanField("放入领券中心，所有人可领", default=True)
    owner = SelectField("出资主体", choices=[("platform", "平台"), ("programme", "政府项目")], default="platform")
    merchant_share = IntegerField("商家承担比例", [Optional(), NumberRange(0, 100, "比例为 0 到 100")], default=0)
    programme = StringField("政府项目名称", [Length(max=40)])

    def spec(self, kind: str, owner: str, merchant_id: int) -> RuleSpec:
        """Return what the form says, of a kind for an owner; call after validate()."""
        scope = self.scope.data
        by_rate = kind in ITEM_KINDS or (kind == "coupon" and self.benefit.data == "rate")
        return RuleSpec(
            kind=kind, owner=owner, title=self.title.data, merchant_id=merchant_id,
            starts_at=self.starts_at.data.replace(tzinfo=clock.REGION_TZ), ends_at=self.ends_at.data.replace(tzinfo=clock.REGION_TZ),
            tiers=() if by_rate or kind == "freight" else self._tiers(kind), rate_bps=(self.rate.data or 0) if by_rate else 0,
            min_fen=(self.min_fen.data or 0) if kind in {"coupon", "freight"} else 0,
            max_off_fen=(self.max_off_fen.data or 0) if kind in {"coupon", "freight"} else 0,
            month_days=tuple(sorted({int(d) for d in _words(self.month_days.data) if d.isdigit()})) if kind == "member_day" else (),
            categories=tuple(self.categories.data) if scope == "categories" else (),
            products=tuple(self.products.data) if scope == "products" else (),
            tags=tuple(_words(self.tags.data)) if scope == "tags" else (), areas=tuple(self.areas.data) if scope == "areas" else (),
            channels=(self.channel.data,) if self.channel.data else (), priority=self.priority.data or 0,
            exclusive=bool(self.exclusive.data),
            merchant_bps=10_000 if owner == "merchant" else (self.merchant_share.data or 0) * 100 if owner == "platform" else 0,
            programme=(self.programme.data or "-") if owner == "programme" else "-", quantity=self.quantity.data or 0,
            per_account=1 if kind == "first_order" else self.per_account.data or 0, budget_fen=self.budget_fen.data or 0,
            valid_days=(self.valid_days.data or 0) if kind == "coupon" else 0, is_public=bool(self.is_public.data) or kind != "coupon",
        )  # fmt: skip

    def _tiers(self, kind: str) -> tuple[tuple[int, int], ...]:
        """Return the rows that say what they take off; a coupon's threshold is its own field, a first order needs none."""
        if kind == "coupon":
            return ((self.min_fen.data or 0, self.tier1_off.data or 0),)
        rows = [(self[f"tier{n}_over"].data or 0, self[f"tier{n}_off"].data or 0) for n in range(1, TIER_ROWS + 1)]
        return tuple(row for row in rows if any(row))

    def needs_scope(self) -> bool:
        """Refuse a chosen scope without anything chosen in it; adds the error and returns False."""
        field = self._fields.get(self.scope.data)
        if self.scope.data == "all" or (field is not None and field.data):
            return True
        self.scope.errors = [*self.scope.errors, f"请选择{SCOPES.get(self.scope.data, '范围')}的内容"]
        return False

    @classmethod
    def of(cls, spec: RuleSpec) -> RuleForm:
        """Return the form filled with a rule."""
        chosen = next((name for name in SCOPES if name != "all" and getattr(spec, name)), "all")
        values: dict[str, Any] = {
            "title": spec.title, "starts_at": spec.starts_at.astimezone(clock.REGION_TZ).replace(tzinfo=None),
            "ends_at": spec.ends_at.astimezone(clock.REGION_TZ).replace(tzinfo=None), "benefit": "rate" if spec.rate_bps else "off",
            "rate": spec.rate_bps, "min_fen": spec.min_fen or None, "max_off_fen": spec.max_off_fen or None,
            "month_days": "、".join(str(d) for d in spec.month_days) or "8", "scope": chosen, "categories": list(spec.categories),
            "products": list(spec.products), "tags": "，".join(spec.tags), "areas": list(spec.areas),
            "channel": next(iter(spec.channels), ""), "priority": spec.priority,
            "exclusive": spec.exclusive, "quantity": spec.quantity, "per_account": spec.per_account,
            "budget_fen": spec.budget_fen or None, "valid_days": spec.valid_days, "is_public": spec.is_public, "owner": spec.owner,
            "merchant_share": spec.merchant_bps // 100, "programme": "" if spec.programme == "-" else spec.programme,
        }  # fmt: skip
        for number, (threshold, off) in enumerate(spec.tiers, 1):
            values |= {f"tier{number}_over": threshold, f"tier{number}_off": off}
        if spec.kind == "coupon" and spec.tiers:
            values["min_fen"] = spec.tiers[0][0] or None
        return cls(**values)

    @classmethod
    def fresh(cls, kind: str) -> RuleForm:
        """Return an empty form of a kind that runs from tomorrow for a week."""
        tomorrow = clock.day_bounds(clock.business_date())[1].astimezone(clock.REGION_TZ).replace(tzinfo=None)
        return cls(starts_at=tomorrow, ends_at=tomorrow + timedelta(days=7), per_account=1 if kind == "coupon" else 0)


class IssueForm(CleanForm):
    """Accounts to give a coupon to, by telephone number."""

    phones = TextAreaField("手机号", [Required(), Length(max=3_000)])

    def numbers(self) -> list[str]:
        """Return what was typed, one entry for each word."""
        return _words(self.phones.data)


def _words(text: str | None) -> list[str]:
    return [word for word in dict.fromkeys(_SPLIT.split(half_width(text or ""))) if word]
