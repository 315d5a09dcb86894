"""Portable types: what goes in, what is refused, what comes back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.schema import CreateTable

from dbadapters.conformance_probe import ITEM
from dbadapters.types import MAX_STR, LongText, PortableJSON, Str, UtcDateTime

PLAIN: Any = sqlite.dialect()
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@pytest.mark.parametrize(
    ("given_text", "stored"),
    [("a", "a"), ("甲  ", "甲"), (" 甲", " 甲"), ("", None), ("   ", None), (None, None), ("e\u0301", "\u00e9"), ("a\t", "a\t")],
)
def test_str_normalises(given_text: str | None, stored: str | None) -> None:
    assert Str(5).process_bind_param(given_text, PLAIN) == stored


def test_str_counts_characters_after_normalising() -> None:
    assert Str(2).process_bind_param("e\u0301e\u0301", PLAIN) == "\u00e9\u00e9"
    assert Str(2).process_bind_param("😀😀", PLAIN) == "😀😀"
    with pytest.raises(ValueError, match="3 characters exceeds 2"):
        Str(2).process_bind_param("甲乙丙", PLAIN)


@pytest.mark.parametrize("length", [0, -1, MAX_STR + 1])
def test_str_length_is_bounded(length: int) -> None:
    with pytest.raises(ValueError, match="900"):
        Str(length)


PROPERTY = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine is not a failure


@PROPERTY
@given(st.text())
def test_str_is_idempotent(text: str) -> None:
    once = Str(MAX_STR).process_bind_param(text, PLAIN)
    assert Str(MAX_STR).process_bind_param(once, PLAIN) == once
    assert once is None or not once.endswith(" ")


def test_long_text_has_no_empty_string() -> None:
    assert LongText().process_bind_param("", PLAIN) is None
    assert LongText().process_bind_param(" a ", PLAIN) == " a "


def test_json_is_canonical() -> None:
    written = PortableJSON().process_bind_param({"b": [1, None], "a": "中"}, PLAIN)
    assert written == '{"a":"中","b":[1,null]}'


@pytest.mark.parametrize("empty", [[], {}, "", 0, False])
def test_json_keeps_empty_values(empty: object) -> None:
    written = PortableJSON().process_bind_param(empty, PLAIN)
    assert written
    assert PortableJSON().process_result_value(written, PLAIN) == empty


def test_json_refuses_what_json_has_not() -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        PortableJSON().process_bind_param(float("nan"), PLAIN)


@PROPERTY
@given(VALUES)
def test_json_round_trip(value: Any) -> None:
    kind = PortableJSON()
    assert kind.process_result_value(kind.process_bind_param(value, PLAIN), PLAIN) == value


def test_instants_are_stored_as_naive_utc() -> None:
    shanghai = datetime(2024, 5, 1, 8, 0, 0, 123_456, tzinfo=timezone(timedelta(hours=8)))
    stored = UtcDateTime().process_bind_param(shanghai, PLAIN)
    assert stored == datetime(2024, 5, 1, 0, 0, 0, 123_456)  # noqa: DTZ001 - what the column holds
    back = UtcDateTime().process_result_value(stored, PLAIN)
    assert back == shanghai
    assert back is not None
    assert back.tzinfo is UTC


def test_naive_instants_are_refused() -> None:
    with pytest.raises(ValueError, match="naive"):
        UtcDateTime().process_bind_param(datetime(2024, 5, 1), PLAIN)  # noqa: DTZ001 - the mistake under test


@pytest.mark.parametrize(
    ("dialect", "words"),
    [
        (mysql.dialect(), ("VARCHAR(20)", "DATETIME(6)", "LONGTEXT", "BOOL")),
        (postgresql.dialect(), ("VARCHAR(20)", "TIMESTAMP WITHOUT TIME ZONE", "TEXT", "BOOLEAN", "BYTEA")),
        (sqlite.dialect(), ("VARCHAR(20)", "DATETIME", "TEXT", "BIGINT")),
    ],
    ids=["mysql", "kingbase", "sqlite"],
)
def test_column_types(dialect: Any, words: tuple[str, ...]) -> None:
    text = str(CreateTable(ITEM).compile(dialect=dialect))
    assert [w for w in words if w not in text] == []
