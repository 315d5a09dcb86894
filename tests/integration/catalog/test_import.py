"""Spreadsheet import: malformed sheets, reports, idempotence, kill between chunks, real data."""

from __future__ import annotations

import csv
import json
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import xlsxwriter
from python_calamine import CalamineWorkbook
from sqlalchemy import func, select

from app.catalog import queries
from app.catalog.commands import import_file
from app.catalog.importing import guard, runs
from app.catalog.models import ImportRun, PriceHistory, Product, ProductVersion, Sku
from app.core.db import session
from app.core.jobs import Job
from app.core.tx import transaction
from app.worker import Worker
from tests.factories import catalog as make

HEADER = ["商品编码", "商品名称", "类目", "规格名1", "规格值1", "售价", "库存数量", "单位", "条码"]
SHARED = Path(__file__).resolve().parents[4] / "shared" / "data"
Sheet = Callable[..., Path]


def row(code: str = "T1", title: str = "高山云雾绿茶", *, option: str = "", price: Any = 58, **more: Any) -> list[Any]:
    return [
        code, title, more.get("category", "茶叶"), "净含量" if option else "", option, price, more.get("stock", 5), "罐",
        more.get("barcode", ""),
    ]  # fmt: skip


def count(model: Any) -> int:
    return session.scalar(select(func.count()).select_from(model)) or 0


def problems(run: ImportRun) -> list[tuple[int, str, str, str]]:
    """Read the result file as a merchant would."""
    with CalamineWorkbook.from_path(runs.result_path(run)) as book:
        rows = book.get_sheet_by_name("未导入的行").to_python()
    return [(int(r[0]), r[1], r[2], r[3]) for r in rows[1:]]


def imported(path: Path, shop: SimpleNamespace, *, dry_run: bool = False) -> ImportRun:
    return import_file(path, shop.merchant.code, dry_run=dry_run)


def run_until_done(settings: Any, run_id: int) -> None:
    """Run the worker until an import is closed, at most half a minute."""
    worker, deadline = Worker(settings), time.monotonic() + 30
    while time.monotonic() < deadline:
        worker.drain()
        status = session.scalar(select(ImportRun.status).where(ImportRun.id == run_id))
        session.rollback()
        if status in {"done", "failed"}:
            return
        time.sleep(0.05)
    raise AssertionError("the import did not end")


def test_good_rows_become_drafts_with_stock_declared(shop: SimpleNamespace, sheet: Sheet) -> None:
    path = sheet([HEADER, row(option="250g"), row(option="500g", price="108.5", stock=7), row("T2", "石岭富硒软米", price=89)])
    run = imported(path, shop)
    assert (run.status, run.total_rows, run.good_rows, run.bad_rows) == ("done", 3, 3, 0)
    assert (run.created_count, run.updated_count, run.unchanged_count) == (2, 0, 0)
    tea = session.scalars(select(Product).where(Product.external_code == "T1")).one()
    assert (tea.review, tea.shelf, tea.price_min_fen, tea.price_max_fen) == ("draft", "off", 5_800, 10_850)
    assert [(s.option_key, s.options) for s in queries.skus_of(tea.id)] == [
        ("250g", {"净含量": "250g"}), ("500g", {"净含量": "500g"}),
    ]  # fmt: skip
    assert len(queries.versions_of(tea.id)[0].snapshot["skus"]) == 2
    job = session.scalars(select(Job).where(Job.name == "inventory.on_stock_declared")).one()
    assert sorted(job.payload["quantities"]) == [5, 5, 7]


def test_second_import_changes_nothing(shop: SimpleNamespace, sheet: Sheet) -> None:
    path = sheet([HEADER, row(option="250g"), row(option="500g"), row("T2", "石岭富硒软米")])
    imported(path, shop)
    before = [count(m) for m in (Product, Sku, ProductVersion, PriceHistory, Job)]
    again = imported(path, shop)
    assert (again.created_count, again.updated_count, again.unchanged_count) == (0, 0, 2)
    assert [count(m) for m in (Product, Sku, ProductVersion, PriceHistory, Job)] == before


def test_changed_price_updates_with_version_and_history(shop: SimpleNamespace, sheet: Sheet) -> None:
    with transaction():
        product = make.make_listed(shop.merchant, shop.category, external_code="T1", unit="罐")
        product_id = product.id
    run = imported(sheet([HEADER, row(price="49.90")]), shop)
    assert run.updated_count == 1
    product = session.get_one(Product, product_id, populate_existing=True)
    assert (product.review, product.is_listed, product.version, product.price_min_fen) == ("approved", 1, 2, 4_990)
    assert [p.price_fen for p in queries.price_history(queries.skus_of(product_id)[0].id)] == [4_990, 5_800]
    imported(sheet([HEADER, row(title="高山云雾绿茶 新标题", price="49.90")]), shop)
    product = session.get_one(Product, product_id, populate_existing=True)
    assert (product.review, product.shelf, product.is_listed, product.version) == ("pending", "off", 0, 3)


def test_dry_run_writes_nothing(shop: SimpleNamespace, sheet: Sheet) -> None:
    run = imported(sheet([HEADER, row(), row("T2", price="x")]), shop, dry_run=True)
    assert (run.status, run.created_count, run.bad_rows, count(Product), count(Sku)) == ("done", 1, 1, 0, 0)


def test_every_bad_row_is_reported_with_row_column_value_and_reason(shop: SimpleNamespace, sheet: Sheet) -> None:
    rows = [
        HEADER, row("A1"), row("A2", price="1,2.3"), row("A3", price=12.345), row("A4", category="没有的类目"), row("", "没有编码"),
        row("A6", stock=1.5), row("A7", "短", price=3), row("A8", barcode="6901234567890"), [], row("A1"), row("A11", price=0),
        row("A12", price="＃"), row("A13", stock=-1),
    ]  # fmt: skip
    run = imported(sheet(rows), shop)
    found = problems(run)
    assert [(n, c, v) for n, c, v, _ in found] == [
        (3, "售价", "1,2.3"), (4, "售价", "12.345"), (5, "类目", "没有的类目"), (6, "商品编码", ""), (7, "库存数量", "1.5"),
        (8, "商品名称", "短"), (9, "条码", "6901234567890"), (11, "商品编码", "A1"), (12, "售价", "0"), (13, "售价", "＃"),
        (14, "库存数量", "-1"),
    ]  # fmt: skip
    assert "与第 2 行重复" in found[7][3]
    assert (run.good_rows, run.bad_rows, run.total_rows, count(Product)) == (1, 11, 12, 1)


def test_merged_cells_and_formulas_are_read(shop: SimpleNamespace, tmp_path: Path) -> None:
    path = tmp_path / "merged.xlsx"
    with xlsxwriter.Workbook(str(path)) as book:
        page = book.add_worksheet()
        page.merge_range(0, 0, 0, 6, "某某超市商品表")
        for place, label in enumerate(["商品编码", "商品名称", "类目", "规格", "售价", "备注"]):
            page.write(1, place, label)
        for column, value in ((0, "M1"), (1, "合并单元格绿茶"), (2, "茶叶")):
            page.merge_range(2, column, 4, column, value)
        for number, option in enumerate(["100g", "200g", "300g"]):
            page.write(2 + number, 3, option)
            page.write_formula(2 + number, 4, f"=0.1+0.2*{number}", None, 0.1 + 0.2 * (number + 1))
        page.write_formula(5, 4, "=1/0", None, "#DIV/0!")
        page.write(5, 0, "M2")
        page.write(5, 1, "公式出错的商品")
        page.write(5, 2, "茶叶")
    run = imported(path, shop)
    product = session.scalars(select(Product)).one()
    assert [s.price_fen for s in queries.skus_of(product.id)] == [30, 50, 70]
    assert [(n, c) for n, c, _, _ in problems(run)] == [(6, "售价")]
    assert dict(runs.summary_rows(run, runs.spool_of(run)))["未识别的列"] == "备注"


def test_duplicate_variants_and_mismatched_axes_are_refused(shop: SimpleNamespace, sheet: Sheet) -> None:
    rows = [HEADER, row(option="250g"), row(option="250g"), row(), row(title="另一个名称", option="500g"), row("T9", option="1kg")]
    run = imported(sheet(rows), shop)
    assert [n for n, *_ in problems(run)] == [3, 4, 5]
    again = imported(sheet([HEADER, row("T9", "高山云雾绿茶")], "axes.xlsx"), shop)
    assert "规格项与已有商品不一致" in problems(again)[0][3]


@pytest.mark.parametrize(
    ("name", "data", "word"),
    [
        ("a.xlsx", b"code,title\n1,2\n", "不是有效的电子表格"),
        ("a.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "旧版 xls"),
        ("a.xlsx", b"PK\x03\x04" + b"\0" * 300, "不是有效的电子表格"),
    ],
)
def test_what_is_not_a_sheet_is_refused(shop: SimpleNamespace, tmp_path: Path, name: str, data: bytes, word: str) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    run = imported(path, shop)
    assert run.status == "failed"
    assert word in (run.error or "")


def _zip(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def test_zip_bomb_and_foreign_zip_are_refused(shop: SimpleNamespace, tmp_path: Path) -> None:
    base = {"[Content_Types].xml": b"<x/>", "xl/workbook.xml": b"<x/>"}
    bomb = _zip(tmp_path / "bomb.xlsx", {**base, "xl/worksheets/sheet1.xml": b"0" * (40 * 1024 * 1024)})
    assert "解压后过大" in (imported(bomb, shop).error or "")
    other = _zip(tmp_path / "other.xlsx", {"word/document.xml": b"<x/>"})
    assert "不是有效的电子表格" in (imported(other, shop).error or "")
    broken = _zip(tmp_path / "broken.xlsx", {**base, "xl/worksheets/sheet1.xml": b"<x/>"})
    assert "无法读取" in (imported(broken, shop).error or "")


def test_too_many_rows_and_missing_columns_are_refused(
    shop: SimpleNamespace, sheet: Sheet, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "表头缺少列：商品编码、售价" in (imported(sheet([["商品名称", "类目"], ["茶", "茶叶"]]), shop).error or "")
    assert "没有数据行" in (imported(sheet([HEADER], "empty.xlsx"), shop).error or "")
    monkeypatch.setattr(guard, "MAX_ROWS", 3)
    many = sheet([HEADER, *[row(f"R{n}") for n in range(120)]], "many.xlsx")
    assert "请拆分" in (imported(many, shop).error or "")
    assert count(Product) == 0


def test_job_survives_a_kill_between_chunks(
    shop: SimpleNamespace, sheet: Sheet, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "CHUNK", 10)
    monkeypatch.setattr(runs, "POLL_S", 0)
    path = sheet([HEADER, *[row(f"K{n:03d}") for n in range(35)]])
    with transaction():
        run_id = runs.create(shop.owner, "k.xlsx", path.read_bytes(), dry_run=False).id
    merge, calls = runs.Merger.merge, [0]

    def dies_after_writing(self: Any, groups: Any) -> Any:
        outcome = merge(self, groups)
        calls[0] += 1
        if calls[0] == 2:
            raise RuntimeError("killed")
        return outcome

    monkeypatch.setattr(runs.Merger, "merge", dies_after_writing)
    run_until_done(settings, run_id)
    run = session.get_one(ImportRun, run_id)
    assert calls[0] == 5  # four chunks, one of them twice
    assert (run.status, run.created_count, run.good_rows, run.done_rows) == ("done", 35, 35, 35)
    assert (count(Product), count(Sku), count(PriceHistory)) == (35, 35, 35)


def test_foreign_sku_code_is_reported(shop: SimpleNamespace, sheet: Sheet) -> None:
    header = ["商品编码", "商品名称", "类目", "售价", "规格编码"]
    imported(sheet([header, ["C1", "高山云雾绿茶", "茶叶", 5, "S-1"]]), shop)
    run = imported(sheet([header, ["C2", "石岭富硒软米", "茶叶", 5, "S-1"], ["C3", "土蜂蜜 500g", "茶叶", 5, "S-3"]]), shop)
    assert (run.created_count, run.bad_rows, problems(run)[0][3]) == (1, 1, "规格编码已被本店其他商品使用")


def _csv(name: str) -> list[dict[str, str]]:
    path = SHARED / name
    if not path.is_file():
        pytest.skip(f"{path} is not here")
    with path.open(encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


def test_supermarket_goods_as_they_come(shop: SimpleNamespace, sheet: Sheet) -> None:
    goods = _csv("catalog_supermarket/supermarket_goods_a.csv")
    with transaction():
        for code, name in {(g["类别编码"], g["类别名称"]) for g in goods if g["类别编码"]}:
            make.make_category(name or code, code=code)
    names = list(goods[0])
    path = sheet([names, *[[float(g[n]) if n == "零售价" and g[n] else g[n] for n in names] for g in goods]])
    run = imported(path, shop)
    assert run.total_rows == len(goods)
    assert run.good_rows + run.bad_rows == run.total_rows
    assert run.good_rows > 0.9 * len(goods)
    reasons = {reason.partition("（")[0][:12] for *_, reason in problems(run)}
    assert len(problems(run)) == run.bad_rows
    assert reasons
    created = run.created_count
    again = imported(path, shop)
    assert (again.created_count, again.updated_count, again.unchanged_count) == (0, 0, created)


def test_litemall_goods_with_several_variants(shop: SimpleNamespace, sheet: Sheet) -> None:
    goods, skus = _csv("catalog_litemall/goods.csv"), _csv("catalog_litemall/goods_sku.csv")
    with transaction():
        for category_id in {g["category_id"] for g in goods}:
            make.make_category(f"类目{category_id}", code=category_id)
    by_id = {g["id"]: g for g in goods}
    rows: list[list[Any]] = [["商品编码", "商品名称", "类目", "规格名1", "规格值1", "规格名2", "规格值2", "售价", "库存", "单位"]]
    for sku in skus:
        good, values = by_id[sku["goods_id"]], json.loads(sku["specifications"])
        pairs = [part for n, v in enumerate(values[:2], 1) for part in (f"规格{n}", v)]
        fill = [*pairs, "", "", "", ""][:4]
        rows.append([good["goods_sn"], good["name"], good["category_id"], *fill, sku["price"], sku["number"], good["unit"]])
    run = imported(sheet(rows), shop)
    assert (run.bad_rows, run.total_rows) == (0, len(skus)), problems(run)[:5]
    assert run.created_count == len({s["goods_id"] for s in skus})
    assert count(Sku) == len(skus)
