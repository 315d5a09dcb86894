"""Forms of settlement."""

from __future__ import annotations

from datetime import timedelta

from wtforms import BooleanField, DateField, IntegerField, RadioField, SelectField, StringField
from wtforms.validators import Length, NumberRange, Optional, ValidationError

from app.core.errors import Invalid
from app.core.money import parse_yuan
from app.settlement.chart import FOREVER, NONE
from app.settlement.models import Rate
from app.settlement.service.rates import FREIGHT_TO, LAST_PLACE, RateInput
from app.web.forms import CleanForm, MoneyField, Required


class PercentField(StringField):
    """Per cent as the user types it (`5`, `0.6`), basis points in `data`; at most two decimals, no float on the way."""

    def _value(self) -> str:
        if self.raw_data:
            return str(self.raw_data[0])
        return f"{self.data // 100}.{self.data % 100:02d}" if self.data is not None else ""

    def process_formdata(self, valuelist: list[str]) -> None:
        self.data = None
        if valuelist and str(valuelist[0]).strip():
            try:
                self.data = parse_yuan(str(valuelist[0]).strip().removesuffix("%"))
            except Invalid:
                raise ValueError("请填写 0–100 的百分比，最多两位小数") from None


class AmountForm(CleanForm):
    """One amount of money."""

    amount = MoneyField("金额（元）", [Required()])


class BankForm(CleanForm):
    """A merchant's bank account."""

    bank_name = StringField("开户银行", [Required(), Length(max=60)], description="写到支行")
    holder = StringField("户名", [Required(), Length(max=80)], description="须与商家主体名称一致")
    number = StringField("银行账号", [Required(), Length(max=40)])
    auto_payout = BooleanField("每周自动提现全部余额")


class DepositForm(CleanForm):
    """A deposit a merchant transferred by bank."""

    amount = MoneyField("金额（元）", [Required()])
    bank_ref = StringField("银行回单号", [Required(), Length(max=40)])


class RateForm(CleanForm):
    """A line of the rate list; last_on is the last day with effect."""

    place = IntegerField("顺序", [Required(), NumberRange(1, LAST_PLACE)], description="数字小的先匹配，命中第一条即停止")
    merchant_code = StringField("商家编码", [Length(max=32)], description="空为全部商家")
    category_id = SelectField("类目", coerce=int, description="含下级类目")
    area_code = SelectField("商家所在县区")
    fee = PercentField("平台佣金（%）", [Required()])
    promoter = PercentField("推广者（%）", [Required()])
    logistics = PercentField("物流商（%）", [Required()])
    freight_to = RadioField("运费归", choices=list(FREIGHT_TO.items()), validators=[Required()])
    first_on = DateField("生效日", [Required()])
    last_on = DateField("最后一天", [Optional()], description="空为长期")
    note = StringField("说明", [Length(max=120)])

    def validate_last_on(self, field: DateField) -> None:
        """Refuse a last day before the first."""
        if field.data is not None and self.first_on.data is not None and field.data < self.first_on.data:
            raise ValidationError("最后一天不能早于生效日")

    def wanted(self, merchant_id: int) -> RateInput:
        """Return what the operator states."""
        until = self.last_on.data + timedelta(days=1) if self.last_on.data is not None else FOREVER
        return RateInput(
            place=self.place.data, fee_bps=self.fee.data, promoter_bps=self.promoter.data, logistics_bps=self.logistics.data,
            freight_to=self.freight_to.data, merchant_id=merchant_id, category_id=self.category_id.data,
            area_code=self.area_code.data, valid_from_on=self.first_on.data, valid_until_on=until, note=self.note.data or NONE,
        )  # fmt: skip


def rate_defaults(row: Rate, merchant_code: str) -> dict[str, object]:
    """Return a rule's values as the form shows them."""
    last = None if row.valid_until_on == FOREVER else row.valid_until_on - timedelta(days=1)
    return {
        "place": row.place, "merchant_code": merchant_code, "category_id": row.category_id, "area_code": row.area_code,
        "fee": row.fee_bps, "promoter": row.promoter_bps, "logistics": row.logistics_bps, "freight_to": row.freight_to,
        "first_on": row.valid_from_on, "last_on": last, "note": "" if row.note == NONE else row.note,
    }  # fmt: skip
