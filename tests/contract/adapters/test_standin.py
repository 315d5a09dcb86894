"""The stand-in driver itself: what it changes in a statement, and what it must leave alone."""

from __future__ import annotations

from datetime import date

import pytest
import sqlalchemy as sa

from dbadapters.conformance_probe import ITEM, Probe, row
from tests.standin import dm


def test_marks_become_the_drivers_and_text_stays() -> None:
    statement = "SELECT no FROM cf_item WHERE no LIKE '%' || ? AND remark <> 'why?' AND price_fen % 2 = ?"
    written = dm.rewrite(statement, bound=True)
    assert written % ("'A'", 1) == "SELECT no FROM cf_item WHERE no LIKE '%' || 'A' AND remark <> 'why?' AND price_fen % 2 = 1"


def test_a_statement_without_values_is_not_formatted() -> None:
    assert dm.rewrite("SELECT 'a?%' FROM DUAL", bound=False) == "SELECT 'a?%' FROM DUAL"


def test_a_contained_word_is_found(probe: Probe) -> None:
    probe.items(0)
    with probe.write() as connection:
        for number, words in ((1, "高山苹果"), (2, "100%纯"), (3, "平原梨")):
            connection.execute(row(number, remark=words))
    for word, found in (("山苹", [1]), ("%纯", [2]), ("_", [])):
        assert probe.ids(sa.select(ITEM.c.id).where(ITEM.c.remark.contains(word, autoescape=True))) == found


def test_a_day_is_a_day(probe: Probe) -> None:
    probe.items(0)
    with probe.write() as connection:
        connection.execute(row(1, made_on=date(2024, 2, 29)))
    got = probe.scalar(sa.select(ITEM.c.made_on).where(ITEM.c.made_on == date(2024, 2, 29)))
    assert type(got) is date
    assert got == date(2024, 2, 29)


@pytest.mark.parametrize("number", [1062, 1213, 1205])
def test_errors_carry_damengs_codes(number: int) -> None:
    import pymysql

    error = dm.translate(pymysql.Error(number, "words"))
    assert error.args[0].code == dm.CODES[number]
