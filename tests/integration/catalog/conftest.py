"""Sheets and seeds of the catalogue's tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import xlsxwriter

from app.core.tx import transaction
from tests.factories import catalog as make
from tests.factories import merchants as make_merchants


@pytest.fixture
def shop(db: Any) -> SimpleNamespace:
    """An active shop with its owner, a reviewer and a category."""
    with transaction():
        make_merchants.make_area()
        merchant = make_merchants.make_merchant()
        category = make.make_category()
    return SimpleNamespace(
        merchant=merchant, category=category, owner=make_merchants.owner_of(merchant), reviewer=make_merchants.reviewer()
    )


@pytest.fixture
def sheet(tmp_path: Path) -> Callable[..., Path]:
    """Write rows to an .xlsx and return its path."""

    def write(rows: Sequence[Sequence[Any]], name: str = "goods.xlsx") -> Path:
        path = tmp_path / name
        with xlsxwriter.Workbook(str(path), {"constant_memory": True, "strings_to_formulas": False}) as book:
            page = book.add_worksheet("商品")
            for number, row in enumerate(rows):
                for place, value in enumerate(row):
                    page.write(number, place, value)
        return path

    return write
