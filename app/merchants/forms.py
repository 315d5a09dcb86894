"""Forms of merchants."""

from __future__ import annotations

from wtforms import (
    BooleanField,
    DateField,
    FileField,
    PasswordField,
    SelectField,
    SelectMultipleField,
    StringField,
    TextAreaField,
)
from wtforms.validators import DataRequired, Length, Optional
from wtforms.widgets import CheckboxInput, ListWidget

from app.merchants.queries import DELIVERY_MODES, LICENCE_KINDS
from app.web.forms import CleanForm, MoneyField, Required


class ApplyForm(CleanForm):
    """Application of a new merchant."""

    name = StringField("主体名称（与营业执照一致）", [Required(), Length(max=80)])
    shop_name = StringField("店铺名称", [Required(), Length(max=40)])
    area_code = SelectField("所在县区", validate_choice=False)
    street = StringField("经营地址", [Length(max=120)])
    licence_number = StringField("统一社会信用代码", [Required(), Length(max=40)])
    licence_valid_until_on = DateField("执照有效期至", [Optional()])
    licence_file = FileField("营业执照照片")
    contact_name = StringField("联系人", [Required(), Length(max=40)])
    contact_phone = StringField("联系手机", [Required(), Length(max=20)])
    login_name = StringField("登录名", [Required(), Length(max=64)])
    password = PasswordField("登录口令", [Required()])
    agreed = BooleanField("我已阅读并同意商家入驻协议，保证所填内容真实", [DataRequired("请先阅读并勾选同意")])


class ShopForm(CleanForm):
    """Shop profile and freight rule."""

    shop_name = StringField("店铺名称", [Required(), Length(max=40)])
    intro = TextAreaField("店铺介绍", [Length(max=500)])
    street = StringField("经营地址", [Length(max=120)])
    freight_fen = MoneyField("运费", [Required()])
    free_over_fen = MoneyField("满额包邮", [Required()])
    ways = SelectMultipleField("交付方式", choices=list(DELIVERY_MODES.items()), option_widget=CheckboxInput(), widget=ListWidget())
    logo = FileField("店铺标志")


class LicenceForm(CleanForm):
    """One more licence."""

    kind = SelectField("证照类型", choices=list(LICENCE_KINDS.items()))
    number = StringField("证照编号", [Required(), Length(max=40)])
    valid_until_on = DateField("有效期至", [Optional()])
    file = FileField("证照照片或 PDF")
