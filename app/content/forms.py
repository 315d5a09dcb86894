"""Forms of content."""

from __future__ import annotations

from wtforms import BooleanField, IntegerField, SelectField, StringField, TextAreaField
from wtforms.validators import Length, NumberRange

from app.content.blocks import KINDS, SOURCES
from app.content.service import AGREEMENTS
from app.web.forms import CleanForm, Required


class BlockForm(CleanForm):
    """Title, order and visibility of a home block."""

    title = StringField("标题", [Required(), Length(max=40)])
    sort = IntegerField("排序", [NumberRange(0, 9_999, "排序为 0 到 9999")], default=100)
    is_visible = BooleanField("显示")


class NewBlockForm(CleanForm):
    """A new home block; a product area says where its products come from."""

    kind = SelectField("类型", choices=list(KINDS.items()), default="products")
    title = StringField("标题", [Required(), Length(max=40)])
    source = SelectField("商品来源", choices=[(k, v) for k, v in SOURCES.items() if k != "ids"], default="sold")
    tag = StringField("标签", [Length(max=24)])


class NoticeForm(CleanForm):
    """A notice or article; blank lines separate paragraphs."""

    title = StringField("标题", [Required(), Length(max=80)])
    body = TextAreaField("正文", [Required(), Length(max=20_000)])


class AgreementForm(CleanForm):
    """The next version of an agreement."""

    code = SelectField("协议", choices=list(AGREEMENTS.items()))
    title = StringField("标题", [Required(), Length(max=60)])
    body = TextAreaField("正文", [Required(), Length(max=60_000)])
