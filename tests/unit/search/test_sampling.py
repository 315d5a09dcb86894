"""Facets of a large result are estimated from samples: bounded work, honest figures."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import tantivy

from app.search import finder
from app.search.criteria import Criteria
from app.search.feed import IndexRow, IndexSku
from app.search.schema import documents, schema

COUNT = 2_400


@pytest.fixture(scope="module")
def searcher(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """An index of COUNT oranges, a third of them in each of three areas."""
    folder: Path = tmp_path_factory.mktemp("index")
    index = tantivy.Index(schema(), path=str(folder))
    writer = index.writer(30_000_000, 1)
    for number in range(COUNT):
        row = IndexRow(
            product_id=5_000_000_000 + number * 4_096, title="高山脐橙", subtitle="", category_id=1, category_name="水果",
            parent_id=2, parent_name="生鲜", merchant_id=3, shop_name="果园", area_code=f"A{number % 3}", area_name="青石县",
            tags=["助农"], sold_count=number, created_at=datetime(2026, 1, 1, tzinfo=UTC),
            skus=[IndexSku(number, {"规格": "5斤"}, 2_000, 10)],
        )  # fmt: skip
        for doc in documents(row):
            writer.add_document(doc)
    writer.commit()
    writer.wait_merging_threads()
    index.reload()
    return index.searcher()


def test_a_small_result_is_counted_as_a_whole(searcher: Any) -> None:
    found = finder.find(searcher, Criteria(q="脐橙", area="A1"))
    counts = {b.value: b.count for b in found.facets["area"]}
    assert not any(b.is_estimate for b in found.facets["area"])
    assert set(counts) == {"A0", "A1", "A2"}
    assert all(abs(count - COUNT // 3) <= COUNT // 150 for count in counts.values()), "distinct products by HyperLogLog: 2 %"


def test_a_large_result_is_estimated_within_a_fifth(searcher: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finder, "FACET_DEPTH", 600)
    found = finder.find(searcher, Criteria(q="脐橙"))
    counts = {b.value: b.count for b in found.facets["area"]}
    assert all(b.is_estimate for b in found.facets["area"])
    assert set(counts) == {"A0", "A1", "A2"}
    assert all(abs(count - COUNT // 3) <= COUNT // 15 for count in counts.values()), counts
    assert (found.total, found.has_next) == (finder.COUNT_CAP, True)


def test_samples_scale_up_to_the_whole() -> None:
    assert finder._sampled(finder.FACET_DEPTH) == ([], 1)
    conditions, factor = finder._sampled(finder.FACET_DEPTH * 64)
    assert (len(conditions), factor) == (1, 64)
    assert finder._sampled(10**9)[1] == 64, "at least one sample is counted"
