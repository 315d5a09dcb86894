"""The row-by-row xlsx writer: what is written is what a reader finds, for any text and any amount."""

from __future__ import annotations

import zipfile
from pathlib import Path
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st
from python_calamine import CalamineWorkbook

from app.core import sheets

texts = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc", "Cn")), min_size=1, max_size=30).filter(
    lambda text: text.strip() == text and "\n" not in text
)


def written(path: Path, rows: list[list[sheets.Cell]]) -> list[list[object]]:
    with sheets.book(path) as book, book.sheet("明细", (10, 20)) as sheet:
        for row in rows:
            sheet.row(row)
    return CalamineWorkbook.from_path(str(path)).get_sheet_by_name("明细").to_python()


@given(st.lists(texts, min_size=1, max_size=5))
def test_any_text_comes_back(tmp_path_factory: object, found: list[str]) -> None:
    path = Path(tmp_path_factory.mktemp("x")) / "a.xlsx"  # type: ignore[attr-defined]
    assert [row[0] for row in written(path, [[text] for text in found])] == found


@given(st.integers(-(10**13), 10**13))
def test_any_amount_comes_back_to_the_cent(tmp_path_factory: object, fen: int) -> None:
    path = Path(tmp_path_factory.mktemp("x")) / "a.xlsx"  # type: ignore[attr-defined]
    assert round(written(path, [[fen]])[0][0] * 100) == fen  # type: ignore[operator]


def test_markup_and_control_characters_do_no_harm(tmp_path: Path) -> None:
    rows = written(tmp_path / "a.xlsx", [["<b>&\x00\x1b甲"], ["=1+1"], [None, 5], [-7]])
    assert rows[0][0] == "<b>&甲"
    assert rows[1][0] == "=1+1", "text, not a formula"
    assert rows[2] == ["", 0.05]
    assert rows[3][0] == -0.07


def test_every_part_is_well_formed_and_named(tmp_path: Path) -> None:
    with sheets.book(tmp_path / "a.xlsx") as book:
        for name in ("一", "二<&"):
            with book.sheet(name, (10,)) as sheet:
                sheet.row(["头"], bold=True)
    with zipfile.ZipFile(tmp_path / "a.xlsx") as archive:
        parts = {name: ElementTree.fromstring(archive.read(name)) for name in archive.namelist()}
    types = {e.get("PartName") for e in parts["[Content_Types].xml"] if e.get("PartName")}
    assert types == {f"/{name}" for name in parts if name.startswith("xl/") and not name.endswith(".rels")}
    assert CalamineWorkbook.from_path(str(tmp_path / "a.xlsx")).sheet_names == ["一", "二<&"]
