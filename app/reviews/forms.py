"""Forms of reviews."""

from __future__ import annotations

from typing import Any

from wtforms import MultipleFileField, RadioField, StringField, TextAreaField
from wtforms.validators import Length

from app.core.pictures import MAX_COUNT
from app.reviews.service import MAX_REASON, MAX_REPLY, MAX_TEXT, MIN_TEXT
from app.web.forms import CleanForm, Required

RATINGS = [("5", "非常满意"), ("4", "满意"), ("3", "一般"), ("2", "不满意"), ("1", "很差")]


class ReviewForm(CleanForm):
    """Rating, text and pictures of one bought line."""

    rating = RadioField("评分", [Required()], choices=RATINGS)
    body = TextAreaField("评价内容", [Required(), Length(MIN_TEXT, MAX_TEXT, f"评价内容为 {MIN_TEXT} 到 {MAX_TEXT} 个字")])
    pictures = MultipleFileField(f"图片（最多 {MAX_COUNT} 张）")

    def files(self) -> list[bytes]:
        """Return the uploaded files; an empty file control counts as none."""
        sent: list[Any] = self.pictures.data or []
        return [f.read() for f in sent[: MAX_COUNT + 1] if getattr(f, "filename", "")]


class ReplyForm(CleanForm):
    """The merchant's answer."""

    reply = TextAreaField("回复", [Required(), Length(max=MAX_REPLY, message=f"回复最多 {MAX_REPLY} 个字")])


class HideForm(CleanForm):
    """Why a review is hidden."""

    reason = StringField("原因", [Required(), Length(2, MAX_REASON, f"请填写 2 到 {MAX_REASON} 个字的原因")])
