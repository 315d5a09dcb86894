"""Queries on the replica: strict, then by sound and spelling, then any word; one hit a product (C06 C07)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from tantivy import FieldType, Occur, Order, Query, Searcher

from app.search import tokens
from app.search.criteria import PRICE_BANDS, Criteria
from app.search.schema import SEPARATOR, schema

PAGE_SIZE = 24
# Variants looked at for one page: bounds the cost whatever the catalogue holds.
DEPTH = 2_000
COUNT_CAP = 999
BUCKETS = 12
NOTES = {
    "strict": "",
    "sound": "没有找到完全相同的词，以下是读音或拼写相近的商品",
    "any": "没有同时包含全部关键词的商品，以下是包含部分关键词的商品",
}


@dataclass(frozen=True)
class Bucket:
    """A value of a facet with the number of products, capped at COUNT_CAP."""

    value: str
    count: int


@dataclass(frozen=True)
class Found:
    """A page of product ids, best first; total is capped."""

    product_ids: list[int]
    total: int
    has_next: bool
    stage: str
    facets: dict[str, list[Bucket]] = field(default_factory=dict)

    @property
    def note(self) -> str:
        """Return the sentence about a widened search."""
        return NOTES[self.stage]


def _term(name: str, value: Any, option: str = "freq") -> Query:
    return Query.term_query(schema(), name, value, option)


def _boost(query: Query, factor: float) -> Query:
    return Query.boost_query(query, factor)


def _all(queries: Iterable[Query]) -> Query:
    return Query.boolean_query([(Occur.Must, q) for q in queries])


def _sounds_like(sounds: list[str]) -> Query:
    if len(sounds) == 1:
        return _term("syllables", sounds[0], "position")
    return Query.phrase_query(schema(), "syllables", list(sounds))


def _chinese(word: str, *, loose: bool) -> Query:
    ways = [_boost(_term("words", word), 3.0), _boost(_term("context", word), 1.2)]
    if len(word) == 1:
        ways.append(_term("chars", word))
    if len(word) > 2:
        pairs = tokens.bigrams(word)
        ways += [
            _boost(_all(_term("words", p) for p in pairs), 2.0),
            _all(_term("context", p) for p in pairs),
        ]
    if loose and len(word) > 1:
        sounds = tokens.syllables(word)
        ways.append(_boost(_sounds_like(sounds), 0.8))
        ways.append(_boost(Query.fuzzy_term_query(schema(), "joined", "".join(sounds), 1), 0.3))
    return Query.disjunction_max_query(ways)


def _latin(word: str, *, loose: bool) -> Query:
    ways = [_boost(_term("words", word), 3.0), _boost(_term("context", word), 1.2), _term("joined", word)]
    sounds = tokens.split_pinyin(word)
    if word.isalpha() and len(word) > 1:
        ways.append(_boost(_term("initials", word), 0.7))
    if sounds:
        ways.append(_boost(_sounds_like(sounds), 0.9))
    if len(word) >= 3:
        ways.append(_boost(Query.fuzzy_term_query(schema(), "joined", word, 0, prefix=True), 0.5))
    if loose and len(word) >= 4:
        ways.append(_boost(Query.fuzzy_term_query(schema(), "joined", word, 1), 0.3))
    return Query.disjunction_max_query(ways)


def text_query(text: str, stage: str) -> Query:
    """Return the query of a text in one stage: strict | sound | any."""
    words = tokens.query_words(text)
    if not words:
        return Query.all_query() if not text.strip() else Query.empty_query()
    occur = Occur.Should if stage == "any" else Occur.Must
    make = {True: _chinese, False: _latin}
    return Query.boolean_query([(occur, make[tokens.is_chinese(w)](w, loose=stage != "strict")) for w in words])


def _filters(criteria: Criteria, leave_out: str = "") -> list[Query]:
    kept: dict[str, list[Query]] = {
        "category": [],
        "area": [],
        "tag": [],
        "option": [],
        "price": [],
        "shop": [],
    }
    if criteria.category_id:
        ways = [_term(name, str(criteria.category_id), "basic") for name in ("category", "parent")]
        kept["category"].append(Query.boolean_query([(Occur.Should, w) for w in ways]))
    if criteria.area:
        kept["area"].append(_term("area", criteria.area, "basic"))
    if criteria.tag:
        kept["tag"].append(_term("tag", criteria.tag, "basic"))
    kept["option"] += [_term("option", value, "basic") for value in criteria.options]
    if criteria.price_from or criteria.price_to:
        upper = criteria.price_to or 10**12
        kept["price"].append(
            Query.range_query(schema(), "price", FieldType.Integer, criteria.price_from, upper, include_upper=False)
        )
    if criteria.merchant_id:
        kept["shop"].append(_term("merchant", str(criteria.merchant_id), "basic"))
    return [Query.const_score_query(q, 0.0) for name, found in kept.items() if name != leave_out for q in found]


def _narrowed(base: Query, criteria: Criteria, leave_out: str = "") -> Query:
    filters = _filters(criteria, leave_out)
    return _all([base, *filters]) if filters else base


def find(searcher: Searcher, criteria: Criteria, *, with_facets: bool = True) -> Found:
    """Return a page of products for the criteria, from the narrowest stage that finds any."""
    for stage in ("strict", "sound", "any") if criteria.q else ("strict",):
        base = text_query(criteria.q, stage)
        found = _ordered(searcher, _narrowed(base, criteria), criteria.sort)
        if found:
            break
    start = (criteria.page - 1) * PAGE_SIZE
    facets = _facets(searcher, base, criteria) if with_facets and (found or criteria.has_filters) else {}
    ids = found[start : start + PAGE_SIZE]
    return Found(ids, min(len(found), COUNT_CAP), len(found) > start + PAGE_SIZE, stage, facets)


def _ordered(searcher: Searcher, query: Query, sort: str) -> list[int]:
    """Return product ids in order, each once, of the first DEPTH variants."""
    if sort == "sold":
        result = searcher.search(query, DEPTH, count=False, order_by_field="sold", order=Order.Desc)
    elif sort in {"price", "price-desc"}:
        order = Order.Asc if sort == "price" else Order.Desc
        result = searcher.search(query, DEPTH, count=False, order_by_field="price", order=order)
    else:
        result = searcher.search(query, DEPTH, count=False, weight_by_field="weight")
    products = searcher.fast_field_values("product_id", [address for _, address in result.hits])
    return list(dict.fromkeys(int(p) for p in products if p is not None))


def _facets(searcher: Searcher, base: Query, criteria: Criteria) -> dict[str, list[Bucket]]:
    """Return the facets; each leaves out its own condition, so that another value can be chosen."""
    found = {}
    for name in ("category", "area", "tag", "option"):
        # Conditions of one variant stay in force among options: 规格 and 颜色 must exist together in one SKU.
        query = _narrowed(base, criteria, "" if name == "option" else name)
        found[name] = _terms(searcher, query, name)
    found["price"] = _bands(searcher, _narrowed(base, criteria, "price"))
    return found


def _products() -> dict[str, Any]:
    return {"products": {"cardinality": {"field": "product_id"}}}


def _terms(searcher: Searcher, query: Query, name: str) -> list[Bucket]:
    answer = searcher.aggregate(query, {"f": {"terms": {"field": name, "size": BUCKETS}, "aggs": _products()}})
    buckets = answer["f"]["buckets"]
    counted = [Bucket(str(b["key"]), min(int(b["products"]["value"]), COUNT_CAP)) for b in buckets]
    return sorted(counted, key=lambda b: (-b.count, b.value))


def _bands(searcher: Searcher, query: Query) -> list[Bucket]:
    ranges = [{"from": low, **({"to": high} if high else {})} for low, high in PRICE_BANDS]
    answer = searcher.aggregate(query, {"f": {"range": {"field": "price", "ranges": ranges}, "aggs": _products()}})
    counts = {int(b["from"]): int(b["products"]["value"]) for b in answer["f"]["buckets"] if "from" in b}
    return [Bucket(f"{low}-{high or ''}", min(counts.get(low, 0), COUNT_CAP)) for low, high in PRICE_BANDS if counts.get(low, 0)]


def suggest(searcher: Searcher, prefix: str, limit: int = 10) -> list[str]:
    """Return phrases of titles, tags and categories that begin with the text, also by pinyin or initials."""
    text = tokens.normalise(prefix)
    if not text:
        return []
    found = searcher.terms_with_prefix("phrase", prefix.strip(), limit=limit)
    if text.isascii():
        found += searcher.terms_with_prefix("spoken", text.replace(" ", ""), limit=limit)
    ranked = sorted(found, key=lambda pair: -pair[1])
    return list(dict.fromkeys(term.rsplit(SEPARATOR, 1)[-1] for term, _ in ranked))[:limit]
