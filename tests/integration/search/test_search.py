"""Finding products: Chinese, pinyin, typing errors, facets inside one variant, changes, several processes (C06 C07)."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from app.core import clock
from app.core.tx import transaction
from app.search import pending, queries, replica, service
from app.search.criteria import Criteria
from app.search.models import SearchChange
from tests.factories import search as make

ROOT = Path(__file__).parents[3]


@pytest.fixture
def shelf(db: Any) -> SimpleNamespace:
    """Four listed products."""
    with transaction():
        make.make_area()
        make.make_area("a2", "澜城区")
        top = make.make_category("生鲜")
        fruit, tea = make.make_category("水果", top.id), make.make_category("茶叶", top.id)
        shop, farm = make.make_shop(), make.make_shop("青禾农场")
        options = lambda weight, grade: {"规格": weight, "等级": grade}  # noqa: E731
        apple = make.make_listed(
            farm, fruit, "高原红富士苹果", ((options("5斤", "一级"), 3_500, 9), (options("10斤", "特级"), 6_500, 9)),
            tag_names=["助农"],
        )  # fmt: skip
        orange = make.make_listed(
            farm, fruit, "青禾脐橙 5kg 礼盒",
            ((options("5斤", "特级"), 6_280, 5), (options("10斤", "一级"), 9_280, 5)), tag_names=["助农"], area_code="a2",
        )  # fmt: skip
        green = make.make_listed(shop, tea, "高山云雾绿茶 明前一级 250g 罐装", sold_count=2_416)
        egg = make.make_listed(farm, fruit, "林下散养土鸡蛋 30 枚")
        ids = {"apple": apple.id, "orange": orange.id, "green": green.id, "egg": egg.id}
        found = SimpleNamespace(**ids, top=top.id, fruit=fruit.id, farm=farm.id)
        found.names = {number: name for name, number in ids.items()}
    return found


def ask(shelf: SimpleNamespace, q: str = "", **filters: Any) -> tuple[list[str], str]:
    """Return the names found, and the stage."""
    found = queries.search(Criteria(q=q, **filters))
    return [shelf.names[i] for i in found.product_ids], found.stage


@pytest.mark.parametrize(
    ("q", "names", "stage"),
    [
        ("苹果", ["apple"], "strict"),
        ("红富士", ["apple"], "strict"),
        ("pingguo", ["apple"], "strict"),
        ("ping guo", ["apple"], "strict"),
        ("pg", ["apple"], "strict"),
        ("gsyw", ["green"], "strict"),
        ("gaoshanyunwu", ["green"], "strict"),
        ("250G", ["green"], "strict"),
        ("平果", ["apple"], "sound"),
        ("pinguo", ["apple"], "sound"),
        ("绿查", ["green"], "sound"),
        ("没有的东西xyz", [], "any"),
    ],
)
def test_words_pinyin_initials_and_errors_find_the_product(shelf: SimpleNamespace, q: str, names: list[str], stage: str) -> None:
    """Exact words first, then sound and spelling."""
    assert ask(shelf, q) == (names, stage)


def test_all_words_first_then_any_with_a_note(shelf: SimpleNamespace) -> None:
    """No product is an egg and an apple; both are shown, and the page says so."""
    assert ask(shelf, "红富士 苹果") == (["apple"], "strict")
    names, stage = ask(shelf, "鸡蛋 苹果")
    assert (sorted(names), stage) == (["apple", "egg"], "any")
    assert "部分关键词" in queries.search(Criteria(q="鸡蛋 苹果")).note


def test_category_area_tag_and_shop_are_searchable(shelf: SimpleNamespace) -> None:
    """Words around the title count too."""
    assert sorted(ask(shelf, "水果")[0]) == ["apple", "egg", "orange"]
    assert ask(shelf, "澜城区")[0] == ["orange"]
    assert sorted(ask(shelf, "助农")[0]) == ["apple", "orange"]
    assert "green" in ask(shelf, "云顶")[0]


def test_options_must_meet_in_one_variant(shelf: SimpleNamespace) -> None:
    """5斤 and 特级 exist among the apples, but not in one variant."""
    assert sorted(ask(shelf, options=("规格:5斤",))[0]) == ["apple", "orange"]
    assert ask(shelf, options=("规格:5斤", "等级:特级"))[0] == ["orange"]
    assert ask(shelf, options=("规格:5斤",), price_from=6_000)[0] == ["orange"]


def test_facets_count_products_and_leave_out_their_own_condition(shelf: SimpleNamespace) -> None:
    """Two variants of a product count once; another category can still be chosen."""
    found = queries.search(Criteria(category_id=shelf.fruit))
    counts = {name: {b.value: b.count for b in buckets} for name, buckets in found.facets.items()}
    assert counts["category"][str(shelf.fruit)] == 3
    assert len(counts["category"]) == 2
    assert counts["tag"] == {"助农": 2}
    assert counts["area"] == {"a1": 2, "a2": 1}
    assert counts["price"]["3000-6000"] == 2
    assert found.total == 3


def test_parent_category_includes_children(shelf: SimpleNamespace) -> None:
    """生鲜 holds all four."""
    assert len(ask(shelf, category_id=shelf.top)[0]) == 4


def test_sorting(shelf: SimpleNamespace) -> None:
    """By sales and by price, each product once."""
    assert ask(shelf, sort="sold")[0][0] == "green"
    prices = ask(shelf, sort="price", category_id=shelf.fruit)[0]
    assert prices == ["apple", "egg", "orange"]
    assert ask(shelf, sort="price-desc", category_id=shelf.fruit)[0][0] == "orange"


def test_stock_lifts_a_product(shelf: SimpleNamespace) -> None:
    """Of two equal titles the one in stock comes first."""
    with transaction():
        shop, category = make.make_shop("甲"), make.make_category("干货")
        gone = make.make_listed(shop, category, "段木香菇 200g", (({}, 4_800, 0),))
        here = make.make_listed(shop, category, "段木香菇 200g", (({}, 4_800, 8),))
        wanted = [here.id, gone.id]
    replica.current().rebuild()
    assert queries.search(Criteria(q="香菇")).product_ids == wanted


def test_changes_and_unlisting_arrive_without_a_rebuild(shelf: SimpleNamespace, db: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new title is found, the old one is not; an unlisted product vanishes."""
    from app.catalog.models import Product

    assert ask(shelf, "苹果")[0] == ["apple"]
    monkeypatch.setattr(replica.Replica, "_build", lambda self: pytest.fail("rebuilt"))
    with transaction():
        db.get_one(Product, shelf.apple).title = "高原金帅梨"
        db.get_one(Product, shelf.egg).is_listed = 0
        service.mark_changed([shelf.apple])
        service.mark_changed([shelf.egg])
    assert replica.current().refresh() == 2
    assert ask(shelf, "金帅梨")[0] == ["apple"]
    assert ask(shelf, "苹果")[0] == []
    assert ask(shelf, "鸡蛋")[0] == []
    assert replica.current().refresh() == 0


def test_a_change_that_commits_late_is_not_lost(shelf: SimpleNamespace, db: Any) -> None:
    """Its id is lower than one already applied: ids are taken before the commit."""
    from app.catalog.models import Product
    from app.core.ids import new_id

    early = new_id()
    assert ask(shelf, "苹果")[0] == ["apple"]
    with transaction():
        service.mark_changed([shelf.green])
    replica.current().refresh()
    with transaction():
        db.get_one(Product, shelf.apple).is_listed = 0
        db.add(SearchChange(id=early, product_id=shelf.apple, at=clock.now()))
    replica.current().refresh()
    assert ask(shelf, "苹果")[0] == []


CHILD = """
import json, sys
from pathlib import Path
import tantivy
from app.search import finder, replica
from app.search.criteria import Criteria
from app.search.schema import schema
root = Path(sys.argv[1])
one = replica.Replica(root)
with one._writer_lock(wait=False) as mine:
    one._open()
    found = finder.find(one._index.searcher(), Criteria(q="苹果"))
print(json.dumps({"mine": mine, "found": found.product_ids}))
"""


def test_two_processes_share_the_replica(shelf: SimpleNamespace) -> None:
    """Another process reads what this one wrote, and cannot write while this one does."""
    assert ask(shelf, "苹果")[0] == ["apple"]
    here = replica.current()

    def other() -> dict[str, Any]:
        command = [sys.executable, "-c", CHILD, str(here.root)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        return json.loads(done.stdout.splitlines()[-1])

    assert other() == {"mine": True, "found": [shelf.apple]}
    with here._writer_lock(wait=True):
        assert other()["mine"] is False


def test_a_second_replica_object_follows_a_rebuild(shelf: SimpleNamespace) -> None:
    """Readers switch to the new generation at their next refresh."""
    here = replica.current()
    here.refresh()
    other = replica.Replica(here.root)
    other.refresh()
    with transaction():
        make.make_listed(make.make_shop("乙"), make.make_category("坚果"), "炭烤核桃")
    assert here.rebuild() == 5
    other.refresh()
    assert other.searcher(60).num_docs == here.searcher(60).num_docs


def test_suggestions_by_text_pinyin_and_log(shelf: SimpleNamespace) -> None:
    """Titles, initials and what others searched."""
    assert "苹果" in queries.suggest("苹")
    assert "苹果" in queries.suggest("pingg")
    assert "苹果" in queries.suggest("pg")
    pending.add("苹果礼盒", 3)
    pending.add("苹果派", 0)
    with transaction():
        service.record_searches(pending.take_due(now=True))
    queries.forget_hot_words()
    suggested = queries.suggest("苹果")
    assert suggested[0] == "苹果礼盒"
    assert "苹果派" not in suggested
    assert [w.text for w in queries.without_result()] == ["苹果派"]


def test_worker_refreshes_beside_its_job(shelf: SimpleNamespace, db: Any) -> None:
    """The periodic job returns at once; its thread applies the change."""
    from app.catalog.models import Product
    from app.search import background

    assert ask(shelf, "苹果")[0] == ["apple"]
    with transaction():
        db.get_one(Product, shelf.apple).is_listed = 0
        service.mark_changed([shelf.apple])
    with transaction():
        service.refresh_replica()
    background.wait()
    assert replica.Replica(replica.current().root).searcher(60).num_docs == 4


def test_old_feed_rows_are_deleted(shelf: SimpleNamespace, db: Any) -> None:
    """The feed does not grow for ever."""
    with transaction():
        service.mark_changed([shelf.apple])
    with clock.travel(timedelta(days=service.CHANGE_DAYS + 1)), transaction():
        service.forget_old()
    assert db.query(SearchChange).count() == 0
