"""WTForms base with clean text, zh-CN messages and the project's field kinds."""

from __future__ import annotations

from typing import Any

from flask import request
from wtforms import Field, Form, StringField
from wtforms.validators import StopValidation

from app.core.errors import AppError, Invalid
from app.core.money import format_yuan, parse_yuan
from app.core.text import clean


class CleanForm(Form):
    """Form whose text fields are NFC and trimmed; errors read in Chinese."""

    class Meta:
        locales = ("zh", "zh_CN")

        def bind_field(self, form: Any, unbound_field: Any, options: dict[str, Any]) -> Field:
            filters = list(unbound_field.kwargs.get("filters", ()))
            if issubclass(unbound_field.field_class, StringField):
                filters.append(lambda value: clean(value) if isinstance(value, str) else value)
            return unbound_field.bind(form=form, filters=filters, **options)

    @classmethod
    def from_request(cls, **kwargs: Any) -> Any:
        """Build the form from the posted fields and files (POST) or from the keyword defaults (GET)."""
        from werkzeug.datastructures import CombinedMultiDict

        posted = CombinedMultiDict([request.files, request.form]) if request.method == "POST" else None
        return cls(posted, **kwargs)

    def problems(self) -> list[tuple[str, str]]:
        """Return (field id, message) pairs for the error summary."""
        return [(self[name].id, str(errors[0])) for name, errors in self.errors.items() if name and errors]

    def add_error(self, error: AppError) -> None:
        """Attach a service's refusal to the field it names, or to the whole form."""
        field = self._fields.get(error.field or "")
        if field is not None:
            field.errors = [*field.errors, error.message]
        else:
            self.form_errors.append(error.message)


class MoneyField(StringField):
    """Yuan as the user types it, fen in `data`."""

    def _value(self) -> str:
        if self.raw_data:
            return str(self.raw_data[0])
        return format_yuan(self.data).replace(",", "") if self.data is not None else ""

    def process_formdata(self, valuelist: list[Any]) -> None:
        self.data = None
        if valuelist and str(valuelist[0]).strip():
            try:
                self.data = parse_yuan(str(valuelist[0]))
            except Invalid as error:
                raise ValueError(error.message) from None


class Required:
    """Refuse an empty field with a sentence that names it."""

    field_flags = {"required": True}

    def __call__(self, form: Form, field: Field) -> None:
        if field.data is None or field.data == "" or field.data == []:
            raise StopValidation(f"请填写{field.label.text}")
