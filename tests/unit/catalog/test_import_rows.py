"""Rows and headers of an import, without files and without a database."""

from __future__ import annotations

from typing import Any

import pytest

from app.catalog.forms import Grid, GridRow, blocks_from, description_of, regenerate, split_values
from app.catalog.importing.columns import read_header
from app.catalog.importing.rows import Problem, RowReader, text_of
from app.core.errors import Invalid

HEADER = ["商品编码", "商品名称", "类目", "售价（元）", "库存", "规格：颜色", "条码"]


def read(*cells: Any) -> Any:
    return RowReader(read_header([HEADER]), {"茶叶": 5, "重名": 0}).read(2, list(cells))


def test_header_is_found_below_a_title_line_by_aliases() -> None:
    header = read_header([["某超市"], ["货号", "品名", "类别编码", "类别名称", "零售价", "助记码"]])
    assert (header.row, header.fields["code"], header.fields["price"], header.unknown) == (1, 0, 4, ("助记码",))
    with pytest.raises(Invalid, match="import.columns"):
        read_header([["品名", "零售价"]])


@pytest.mark.parametrize(
    ("cell", "text"),
    [(6901234567892.0, "6901234567892"), (0.1 + 0.2, "0.3"), (12.0, "12"), (None, ""), (" Ａ\u200b ", "Ａ"), (True, "是")],
)
def test_cells_read_as_people_see_them(cell: Any, text: str) -> None:
    assert text_of(cell) == text


def test_a_good_row() -> None:
    line = read("Ａ1", "绿茶", "食品/茶叶", "￥1,234.50", "1,000", "红", "6901234567892")
    assert (line.code, line.category_id, line.price_fen, line.stock) == ("A1", 5, 123_450, 1_000)
    assert (line.axes, line.values) == (("颜色",), ("红",))
    assert read("A1", "绿茶", "茶叶", 0.1 + 0.2, "").stock == -1


@pytest.mark.parametrize(
    ("cells", "column"),
    [
        (("A", "绿茶", "茶叶", "1,2.3"), "售价"), (("A", "绿茶", "茶叶", "1e3"), "售价"), (("A", "绿茶", "茶叶", -1), "售价"),
        (("A", "绿茶", "茶叶", True), "售价"), (("A", "绿茶", "重名", 1), "类目"), (("A", "绿" * 81, "茶叶", 1), "商品名称"),
        ((1e16, "绿茶", "茶叶", 1), "商品编码"), (("-1", "绿茶", "茶叶", 1), "商品编码"), (("A", "绿茶", "茶叶", 1, "五"), "库存数量"),
        (("A", "#REF!", "茶叶", 1), "商品名称"), (("A", "绿茶", "茶叶", 1, 1, "红", "6901234567890"), "条码"),
    ],
)  # fmt: skip
def test_bad_rows_name_their_column(cells: tuple[Any, ...], column: str) -> None:
    with pytest.raises(Problem) as refused:
        read(*cells)
    assert (refused.value.row, refused.value.column) == (2, column)


def test_matrix_keeps_what_was_typed() -> None:
    grid = Grid(["净含量", "等级", ""], ["250g、500g", "一级, 特级", ""], [GridRow(("250g", "特级"), "58")])
    rows = regenerate(grid).rows
    assert [(r.options, r.price) for r in rows] == [
        (("250g", "一级"), "58"), (("250g", "特级"), "58"), (("500g", "一级"), "58"), (("500g", "特级"), "58"),
    ]  # fmt: skip
    with pytest.raises(Invalid, match="sku.count"):
        regenerate(Grid(["a", "b", ""], ["、".join(map(str, range(20))), "、".join(map(str, range(20))), ""], []))
    assert split_values("a，b、a;c\n") == ["a", "b", "c"]


def test_description_keeps_other_blocks() -> None:
    blocks = [{"kind": "text", "text": "一"}, {"kind": "image", "image_key": "k"}]
    assert description_of(blocks) == "一"
    assert blocks_from("甲\n\n乙", blocks) == [{"kind": "text", "text": "甲"}, {"kind": "text", "text": "乙"}, blocks[1]]
