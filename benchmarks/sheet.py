"""A sheet of goods as merchants upload it: ten columns, two variants a product, always the same."""

from __future__ import annotations

from pathlib import Path

import xlsxwriter

HEADS = ("商品编码", "商品名称", "类目", "规格名1", "规格值1", "售价", "库存数量", "单位", "重量（克）", "规格编码")
CATEGORY = "导入类目"
SIZES = ("5 斤装", "10 斤装")


def write(path: Path, rows: int) -> None:
    """Write a sheet with so many rows below its header."""
    with xlsxwriter.Workbook(str(path), {"constant_memory": True}) as book:
        page = book.add_worksheet("商品")
        page.write_row(0, 0, HEADS)
        for number in range(rows):
            product, price = number // 2, f"{20 + number % 80}.{number % 10}0"
            page.write_row(
                number + 1, 0,
                (
                    f"P{product:07d}", f"澜州脐橙精选 {product} 号", CATEGORY, "规格", SIZES[number % 2], price,
                    100 + number % 50, "箱", 2_500, f"K{number:07d}",
                ),
            )  # fmt: skip
