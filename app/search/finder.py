"""Queries on the replica: strict, then by sound and spelling, then any word; one hit a product (C06 C07)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from tantivy import FieldType, Occur, Order, Query, Searcher

from app.search import tokens
from app.search.criteria import PRICE_BANDS, Criteria
from app.search.schema import SAMPLES, SEPARATOR, schema

PAGE_SIZE = 24
# Variants looked at for one page: bounds the cost whatever the catalogue holds.
DEPTH = 2_000
# Variants a product has as a rule: how many are looked at first.
VARIANTS = 3
COUNT_CAP = 999
# Variants that facets are counted over; a larger result is counted in so many samples as hold about this number.
FACET_DEPTH = 4_000
BUCKETS = 12
PRODUCTS = {"cardinality": {"field": "product_id"}}
_RANGES = [{"from": low, **({"to": high} if high else {})} for low, high in PRICE_BANDS]
FACETS: dict[str, dict[str, Any]] = {
    **{
        name: {"terms": {"field": name, "size": BUCKETS}, "aggs": {"products": PRODUCTS}}
        for name in ("category", "area", "tag", "option")
    },
    "price": {"range": {"field": "price", "ranges": _RANGES}, "aggs": {"products": PRODUCTS}},
}
NOTES = {
    "strict": "",
    "sound": "没有找到完全相同的词，以下是读音或拼写相近的商品",
    "any": "没有同时包含全部关键词的商品，以下是包含部分关键词的商品",
}


@dataclass(frozen=True)
class Bucket:
    """A value of a facet with the number of products, capped at COUNT_CAP; estimated from a sample of a large result."""

    value: str
    count: int
    is_estimate: bool = False


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
    start = (criteria.page - 1) * PAGE_SIZE
    for stage in ("strict", "sound", "any") if criteria.q else ("strict",):
        base = text_query(criteria.q, stage)
        query = _narrowed(base, criteria)
        found, is_all = _ordered(searcher, query, criteria.sort, start + PAGE_SIZE + 1)
        if found:
            break
    facets, total = {}, len(found)
    if with_facets and (found or criteria.has_filters):
        hits = 0 if is_all else int(searcher.search(query, 1, count=True).count or 0)
        facets, counted = _facets(searcher, base, criteria, hits)
        total = total if is_all else max(total, counted)
    ids = found[start : start + PAGE_SIZE]
    return Found(ids, min(total, COUNT_CAP), len(found) > start + PAGE_SIZE, stage, facets)


def _ordered(searcher: Searcher, query: Query, sort: str, wanted: int) -> tuple[list[int], bool]:
    """Return at least `wanted` product ids in order, each once, if there are, and whether these are all of them.

    Looks at more variants only when those seen belong to too few products; never at more than DEPTH.
    """
    limit = wanted * VARIANTS
    while True:
        limit = min(limit, DEPTH)
        hits = _search(searcher, query, sort, limit)
        products = searcher.fast_field_values("product_id", [address for _, address in hits])
        found = list(dict.fromkeys(int(p) for p in products if p is not None))
        if len(hits) < limit or len(found) >= wanted or limit == DEPTH:
            return found, len(hits) < limit
        limit *= 4


def _search(searcher: Searcher, query: Query, sort: str, limit: int) -> list[Any]:
    if sort == "sold":
        result = searcher.search(query, limit, count=False, order_by_field="sold", order=Order.Desc)
    elif sort in {"price", "price-desc"}:
        order = Order.Asc if sort == "price" else Order.Desc
        result = searcher.search(query, limit, count=False, order_by_field="price", order=order)
    else:
        result = searcher.search(query, limit, count=False, weight_by_field="weight")
    return list(result.hits)


def _sampled(hits: int) -> tuple[list[Query], int]:
    """Return the condition that keeps about FACET_DEPTH of so many hits, and the factor that scales counts up again."""
    samples = max(1, SAMPLES * FACET_DEPTH // max(hits, 1))
    if samples >= SAMPLES:
        return [], 1
    kept = Query.boolean_query([(Occur.Should, _term("sample", str(number), "basic")) for number in range(samples)])
    return [Query.const_score_query(kept, 0.0)], SAMPLES // samples


def _facets(searcher: Searcher, base: Query, criteria: Criteria, hits: int) -> tuple[dict[str, list[Bucket]], int]:
    """Return the facets and the number of products found; estimates when there are more hits than FACET_DEPTH.

    Distinct products are counted by HyperLogLog: exact for tens, within about 1 % for hundreds.

    A facet leaves out its own condition, so that another value can be chosen; those without one are counted together with the
    products in one pass. Conditions of one variant stay in force among options: 规格 and 颜色 must exist together in one SKU.
    """
    sample, factor = _sampled(hits)
    base = _all([base, *sample]) if sample else base
    apart = [name for name in ("category", "area", "tag", "price") if _has_condition(criteria, name)]
    together = [name for name in FACETS if name not in apart]
    answer = searcher.aggregate(_narrowed(base, criteria), {name: FACETS[name] for name in together} | {"products": PRODUCTS})
    total = int(answer["products"]["value"])
    for name in apart:
        answer[name] = searcher.aggregate(_narrowed(base, criteria, name), {name: FACETS[name]})[name]
    found = {name: _bands(answer[name], factor) if name == "price" else _terms(answer[name], factor) for name in FACETS}
    return found, total * factor


def _has_condition(criteria: Criteria, name: str) -> bool:
    return {
        "category": bool(criteria.category_id), "area": bool(criteria.area), "tag": bool(criteria.tag),
        "price": bool(criteria.price_from or criteria.price_to),
    }[name]  # fmt: skip


def _bucket(value: str, counted: float, factor: int) -> Bucket:
    return Bucket(value, min(int(counted) * factor, COUNT_CAP), factor > 1)


def _terms(answer: dict[str, Any], factor: int) -> list[Bucket]:
    counted = [_bucket(str(b["key"]), b["products"]["value"], factor) for b in answer["buckets"]]
    return sorted(counted, key=lambda b: (-b.count, b.value))


def _bands(answer: dict[str, Any], factor: int) -> list[Bucket]:
    counts = {int(b["from"]): int(b["products"]["value"]) for b in answer["buckets"] if "from" in b}
    return [_bucket(f"{low}-{high or ''}", counts[low], factor) for low, high in PRICE_BANDS if counts.get(low, 0)]


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
