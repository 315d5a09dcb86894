"""Jinja for pages that are rendered a thousand times a second: the same templates, two shortcuts in the engine.

Both rest on a rule of this product: a template has the environment's globals and the page's context, never globals of its own.
"""

from __future__ import annotations

from functools import lru_cache
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any

from flask.templating import Environment
from jinja2 import Template
from jinja2.environment import TemplateModule
from jinja2.runtime import Context, Macro

_PLAIN = (FunctionType, MethodType, BuiltinFunctionType, type(lru_cache(lambda: None)))


class PageTemplate(Template):
    """A template whose imported module is made once: Jinja compares two sets of global names at every import instead."""

    def _get_default_module(self, ctx: Context | None = None) -> TemplateModule:
        if self._module is None:
            self._module = self.make_module()
        return self._module


class PageContext(Context):
    """A context that knows the usual callables by their type; Jinja asks each of them at every call what it wants passed."""

    def call(__self, __obj: Any, *args: Any, **kwargs: Any) -> Any:
        """Call a macro or function of a template."""
        kind = type(__obj)
        if kind is Macro:
            kwargs.pop("_block_vars", None)
            kwargs.pop("_loop_vars", None)
            return __obj(__self.eval_ctx, *args, **kwargs)
        if kind in _PLAIN and not hasattr(__obj, "jinja_pass_arg"):
            kwargs.pop("_block_vars", None)
            kwargs.pop("_loop_vars", None)
            return __obj(*args, **kwargs)
        return Context.call(__self, __obj, *args, **kwargs)


class PageEnvironment(Environment):
    """Flask's environment with the two shortcuts."""

    template_class = PageTemplate
    context_class = PageContext
