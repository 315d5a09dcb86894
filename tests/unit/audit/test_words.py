"""Chinese words of action codes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from app.audit import words


@pytest.mark.parametrize(
    ("code", "text"),
    [("order.noted", "备注订单"), ("session.opened", "登录"), ("product.shelf_on", "上架商品"), ("nobody.knows", "nobody.knows")],
)
def test_action_words(code: str, text: str) -> None:
    assert words.action_words(code) == text


def test_every_action_in_the_code_has_words() -> None:
    app = Path(words.__file__).resolve().parents[1]
    pattern = re.compile(r'record\(\s*(?:access\.)?[\w.()]+,\s*"([a-z_]+\.[a-z_]+)",\s*"([a-z_]+)"')
    found = {m.groups() for file in app.rglob("*.py") for m in pattern.finditer(file.read_text(encoding="utf-8"))}
    assert len(found) > 30
    without = sorted(code for code, _ in found if words.action_words(code) == code)
    assert not without, "give these actions words in app/audit/words.py"
    assert not sorted(thing for _, thing in found if words.object_words(thing) == thing)
