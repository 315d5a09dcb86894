"""Reads a sheet once, checks every row and writes products and problems to files beside it. No database here."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from python_calamine import CalamineWorkbook

from app.catalog.importing import guard
from app.catalog.importing.columns import HEADER_ROWS, Header, read_header
from app.catalog.importing.rows import Line, Problem, RowReader
from app.core.errors import Invalid

MAX_SKUS = 200
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


@dataclass(frozen=True)
class Summary:
    """What the spool holds. good and bad count rows; unknown are headers nobody reads."""

    total: int
    good: int
    bad: int
    products: int
    unknown: tuple[str, ...]


class Spool:
    """The files of one run in a directory: products.jsonl, problems.jsonl and, written last, summary.json."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.products = folder / "products.jsonl"
        self.problems = folder / "problems.jsonl"
        self.summary_path = folder / "summary.json"
        self.result = folder / "result.xlsx"

    def summary(self) -> Summary | None:
        """Return the summary once the spool is complete, None before. Raises Invalid when the file was refused."""
        if not self.summary_path.is_file():
            return None
        data = json.loads(self.summary_path.read_text(encoding="utf-8"))
        if data.get("error"):
            raise Invalid(data["code"], data["error"])
        return Summary(data["total"], data["good"], data["bad"], data["products"], tuple(data["unknown"]))

    def build(self, source: Path, categories: Mapping[str, int]) -> None:
        """Make the spool; a refused file becomes a summary that says why. Repeating gives the same files."""
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            guard.check(source)
            result = _Collector().collect(source, categories, self)
        except Invalid as error:
            result = {"error": error.message, "code": error.code}
        except Exception as error:  # a damaged sheet can fail anywhere in the reader
            result = {"error": f"文件无法读取，可能已损坏（{type(error).__name__}）", "code": "import.damaged"}
        write_json(self.summary_path, result)

    def note(self, position: int, problems: Sequence[Problem]) -> None:
        """Keep the problems found while merging the chunk at a position; repeating overwrites them."""
        if problems:
            with (self.folder / f"merge-{position}.jsonl").open("w", encoding="utf-8") as out:
                for p in problems:
                    out.write(_dump([p.row, p.column, p.value, p.reason]))

    def all_problems(self) -> Iterator[list[Any]]:
        """Yield [row, column, value, reason] of every refused row."""
        for path in (self.problems, *sorted(self.folder.glob("merge-*.jsonl"))):
            with path.open(encoding="utf-8") as lines:
                for line in lines:
                    yield json.loads(line)

    def read(self, position: int, products: int, skus: int) -> tuple[list[list[Any]], int]:
        """Return at most so many products from a byte position, with the next position."""
        found: dict[str, list[Any]] = {}
        with self.products.open("rb") as handle:
            handle.seek(position)
            count = 0
            while len(found) < products and count < skus and (line := handle.readline()):
                group = json.loads(line)
                count += len(group[6])
                if group[0] in found:  # the rows of this product do not stand together
                    found[group[0]][6].extend(group[6])
                else:
                    found[group[0]] = group
            return list(found.values()), handle.tell()


def _dump(value: Any) -> str:
    return _ENCODER.encode(value) + "\n"


def write_json(path: Path, value: Any) -> None:
    """Write a small file in one step."""
    draft = path.with_suffix(".part")
    draft.write_text(_dump(value), encoding="utf-8")
    draft.replace(path)


@dataclass(slots=True)
class _First:
    """The first row of a product, to which the others must fit; name is a hash of title and category."""

    row: int
    name: int
    axes: tuple[str, ...]
    count: int = 0


class _Collector:
    """Writes good rows by product as they come and remembers only what later rows are compared with.

    Texts are remembered as 64-bit hashes, so that the size of a sheet is hardly felt in memory.
    """

    def __init__(self) -> None:
        self.products: dict[int, _First] = {}
        self.variants: dict[int, int] = {}
        self.sku_codes: dict[int, int] = {}
        self.axes: dict[tuple[str, ...], tuple[str, ...]] = {}
        self.open: list[Line] = []
        self.total = self.bad = 0

    def collect(self, source: Path, categories: Mapping[str, int], spool: Spool) -> dict[str, Any]:
        with CalamineWorkbook.from_path(source) as book:
            sheet = next((s for s in book.sheets_metadata if str(s.visible).endswith("Visible")), None)
            if sheet is None:
                raise Invalid("import.empty", "文件中没有工作表")
            data = book.get_sheet_by_name(sheet.name)
            header = self._header(data)
            reader, fill = RowReader(header, categories), _merged(data, header)
            with (
                spool.problems.open("w", encoding="utf-8") as problems,
                spool.products.open("w", encoding="utf-8") as products,
            ):
                for number, cells in enumerate(self._rows(data), start=1):
                    if number > header.row + 1:
                        self._take(number, fill.apply(number, cells), reader, problems, products)
                self._close(products)
        if not self.total:
            raise Invalid("import.empty", "表头下面没有数据行")
        good = self.total - self.bad
        return {
            "total": self.total, "good": good, "bad": self.bad, "products": len(self.products),
            "unknown": list(header.unknown),
        }  # fmt: skip

    @staticmethod
    def _rows(data: Any) -> Iterator[list[Any]]:
        start = data.start
        if start is None:
            return
        before = [None] * start[1]  # the reader pads rows above the used range, but not columns left of it
        for row in data.iter_rows():
            yield [*before, *row] if before else row

    def _header(self, data: Any) -> Header:
        first = []
        for row in self._rows(data):
            first.append(row)
            if len(first) >= HEADER_ROWS:
                break
        return read_header(first)

    def _take(
        self, number: int, cells: Sequence[object], reader: RowReader, problems: TextIO, products: TextIO
    ) -> None:
        if not any(c not in (None, "") and str(c).strip() for c in cells):
            return
        self.total += 1
        if self.total > guard.MAX_ROWS:
            raise Invalid("import.rows", f"超过 {guard.MAX_ROWS:,} 行，请拆分后分批导入")
        try:
            self._add(reader.read(number, cells), products)
        except Problem as problem:
            self.bad += 1
            problems.write(_dump([problem.row, problem.column, problem.value, problem.reason]))

    def _add(self, line: Line, products: TextIO) -> None:
        product = hash(line.code)
        first = self.products.get(product)
        variant = hash((line.code, line.values))
        if first is not None:
            self._check_fits(first, line, variant)
        if line.sku_code:
            sku_code = hash(line.sku_code)
            earlier = self.sku_codes.get(sku_code)
            if earlier is not None:
                raise Problem(line.row, "规格编码", line.sku_code, f"与第 {earlier} 行的规格编码重复")
            self.sku_codes[sku_code] = line.row
        if first is None:
            axes = self.axes.setdefault(line.axes, line.axes)
            first = self.products[product] = _First(line.row, hash((line.title, line.category_id)), axes)
        first.count += 1
        self.variants[variant] = line.row
        if self.open and self.open[0].code != line.code:
            self._close(products)
        self.open.append(line)

    def _close(self, products: TextIO) -> None:
        if self.open:
            products.write(_dump(_product(self.open)))
            self.open = []

    def _check_fits(self, first: _First, line: Line, variant: int) -> None:
        twin = self.variants.get(variant)
        if twin is not None:
            raise Problem(line.row, "商品编码", line.code, f"与第 {twin} 行重复（商品编码和规格都相同）")
        if hash((line.title, line.category_id)) != first.name:
            raise Problem(line.row, "商品名称", line.title, f"同一商品编码的名称或类目与第 {first.row} 行不一致")
        if line.axes != first.axes or not line.axes:
            raise Problem(line.row, "规格", " / ".join(line.values), f"规格项与第 {first.row} 行不一致")
        if first.count >= MAX_SKUS:
            raise Problem(line.row, "商品编码", line.code, f"一个商品最多 {MAX_SKUS} 个规格")


def _product(lines: list[Line]) -> list[Any]:
    first = lines[0]
    skus = [
        [n.row, n.values, n.price_fen, n.stock, n.weight_g, n.safety, n.cost_fen, n.barcode, n.sku_code] for n in lines
    ]
    return [first.code, first.title, first.category_id, first.subtitle, first.unit, first.axes, skus]


class _Fill:
    """Values of vertically merged cells, which a sheet stores in the top cell only."""

    def __init__(self, ranges: list[tuple[int, int, int]]) -> None:
        self.ranges = sorted(ranges)
        self.open: list[tuple[int, int, object]] = []
        self.next = 0

    def apply(self, number: int, cells: Sequence[object]) -> Sequence[object]:
        """Return the row (1-based number, rising calls) with merged values filled in."""
        if not self.ranges:
            return cells
        place = number - 1
        self.open = [item for item in self.open if item[0] >= place]
        while self.next < len(self.ranges) and self.ranges[self.next][0] <= place:
            top, bottom, column = self.ranges[self.next]
            self.next += 1
            if top == place and column < len(cells):
                self.open.append((bottom, column, cells[column]))
        row = list(cells)
        for _, column, value in self.open:
            if column < len(row) and row[column] in (None, ""):
                row[column] = value
        return row


def _merged(data: Any, header: Header) -> _Fill:
    wanted = set(header.fields.values()) - {header.fields.get("stock", -1)}
    wanted |= {place for _, place in header.axes} | {place for pair in header.pairs for place in pair}
    ranges = data.merged_cell_ranges or []
    return _Fill([(a[0], b[0], a[1]) for a, b in ranges if b[0] > a[0] and a[1] == b[1] and a[1] in wanted])
