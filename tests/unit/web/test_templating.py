"""The shortcuts of the template engine change nothing of what a page shows."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from jinja2 import DictLoader, pass_context, pass_environment, pass_eval_context

from app.web.templating import PageEnvironment

PARTS = {
    "macros.html": "{% macro box(text, mark='-') %}[{{ mark }}{{ text }}{{ caller() if caller else '' }}]{% endmacro %}"
    "{% macro who() %}{{ site }}{% endmacro %}{% macro count() %}{{ varargs|length }}/{{ kwargs|length }}{% endmacro %}",
    "page.html": "{% from 'macros.html' import box, who, count %}{{ box(text='<a>') }}{% call box('b', mark='&') %}<i>{% endcall %}"
    "{{ who() }}{{ count(1, 2, extra=3) }}{% for n in (1, 2) %}{{ box(text=n) }}{% endfor %}",
    "calls.html": "{{ plain('x') }}{{ seen('page') }}{{ here() }}{{ escaping() }}{{ thing('y') }}",
}


class Frame(Flask):
    """Flask with the product's environment."""

    jinja_environment = PageEnvironment


def rendered(kind: type[Flask], name: str, **values: Any) -> str:
    app = kind("frame")
    env = app.jinja_env
    env.loader = DictLoader(PARTS)
    env.globals["site"] = "澜江"

    @pass_context
    def seen(context: Any, key: str) -> str:
        return str(context[key])

    @pass_environment
    def here(environment: Any) -> str:
        return str(environment is env)

    @pass_eval_context
    def escaping(context: Any) -> str:
        return str(context.autoescape)

    class Thing:
        def __call__(self, text: str) -> str:
            return text * 2

    with app.app_context():
        return env.get_template(name).render(
            plain=lambda text: text, seen=seen, here=here, escaping=escaping, thing=Thing(), **{"page": "<p>", **values}
        )  # fmt: skip


@pytest.mark.parametrize("name", sorted(PARTS))
def test_a_page_is_what_flask_renders(name: str) -> None:
    assert rendered(Frame, name) == rendered(Flask, name)


def test_a_macro_keeps_its_escaping_and_its_caller() -> None:
    assert rendered(Frame, "page.html") == "[-&lt;a&gt;][&amp;b<i>]澜江2/1[-1][-2]"


def test_an_unknown_name_still_fails() -> None:
    PARTS["wrong.html"] = "{{ nobody() }}"
    try:
        with pytest.raises(Exception, match="nobody"):
            rendered(Frame, "wrong.html")
    finally:
        del PARTS["wrong.html"]
