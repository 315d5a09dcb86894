"""The fields of the replica: one document per SKU, so that all conditions must hold inside one variant."""

from __future__ import annotations

import math
import zlib
from datetime import datetime
from functools import lru_cache

import tantivy

from app.core import clock
from app.search import tokens
from app.search.feed import IndexRow, IndexSku

SCHEMA_VERSION = 2
TEXT = ("words", "chars", "joined", "initials", "context")
RAW = ("phrase", "spoken")
# Ids are raw text: an aggregation would return them as floats, which cannot hold 63 bits.
FACETS = ("area", "tag", "option", "category", "parent", "merchant")
SEPARATOR = "\x1f"
# Every product falls into one of so many samples; facets of a large result are counted in a few of them.
SAMPLES = 64
_FRESH_DAYS = 90


@lru_cache(maxsize=1)
def schema() -> tantivy.Schema:
    """Return the schema; raise SCHEMA_VERSION whenever it or the tokens change."""
    builder = tantivy.SchemaBuilder()
    builder.add_unsigned_field("product_id", indexed=True, fast=True)
    builder.add_unsigned_field("sku_id", fast=True)
    for name in TEXT:
        builder.add_text_field(name, tokenizer_name="whitespace", index_option="freq")
    builder.add_text_field("syllables", tokenizer_name="whitespace", index_option="position")
    for name in RAW:
        builder.add_text_field(name, tokenizer_name="raw", index_option="basic")
    for name in FACETS:
        builder.add_text_field(name, tokenizer_name="raw", index_option="basic", fast=True)
    builder.add_text_field("sample", tokenizer_name="raw", index_option="basic")
    builder.add_integer_field("price", indexed=True, fast=True)
    builder.add_integer_field("sold", fast=True)
    builder.add_float_field("weight", fast=True)
    return builder.build()


def rank_weight(sold: int, in_stock: bool, created_at: datetime) -> float:
    """Return w where tantivy's factor log2(2 + w) is stock (x1.3) x freshness (<= 1.15) x sales (<= 1.1)."""
    age_days = max((clock.now() - created_at).days, 0)
    factor = (1.3 if in_stock else 1.0) * (1 + 0.15 / (1 + age_days / _FRESH_DAYS))
    factor *= 1 + 0.1 * min(math.log10(1 + max(sold, 0)) / 5, 1)
    return float(2**factor - 2)


def _suggestions(row: IndexRow) -> tuple[list[str], list[str]]:
    """Return phrases offered while typing, and `spoken<US>phrase` for pinyin and initials."""
    words = [w for w in tokens.query_words(row.title) if len(w) > 1 and tokens.is_chinese(w)]
    phrases = list(dict.fromkeys([row.category_name, *row.tags, *words, row.title[:20]]))
    spoken = []
    for phrase in phrases:
        sounds = tokens.syllables("".join(r for r in tokens.runs(phrase) if tokens.is_chinese(r)))
        if sounds:
            spoken += [
                "".join(sounds) + SEPARATOR + phrase,
                "".join(s[0] for s in sounds) + SEPARATOR + phrase,
            ]
    return phrases, list(dict.fromkeys(spoken))


def documents(row: IndexRow) -> list[tantivy.Document]:
    """Return the documents of a listed product, one per sellable SKU."""
    spoken_text = " , ".join([row.title, row.category_name, *row.tags])
    ordered, joined, initials = tokens.pinyin_forms(spoken_text)
    phrases, spoken = _suggestions(row)
    around = " , ".join([row.category_name, row.parent_name, row.area_name, row.shop_name, *row.tags, row.subtitle])
    common = {
        "words": " ".join(tokens.index_words(row.title)), "chars": " ".join(tokens.characters(row.title)),
        "joined": " ".join(joined), "initials": " ".join(initials), "syllables": " ".join(ordered),
    }  # fmt: skip
    return [_document(row, sku, common, around, phrases, spoken) for sku in row.skus]


def _document(
    row: IndexRow, sku: IndexSku, common: dict[str, str], around: str, phrases: list[str], spoken: list[str]
) -> tantivy.Document:
    doc = tantivy.Document()
    doc.add_unsigned("product_id", row.product_id)
    doc.add_unsigned("sku_id", sku.sku_id)
    for name, text in common.items():
        doc.add_text(name, text)
    doc.add_text("sample", str(zlib.crc32(b"%d" % row.product_id) % SAMPLES))
    options = [f"{name}:{value}" for name, value in sku.options.items()]
    doc.add_text("context", " ".join(tokens.index_words(" , ".join([around, *sku.options.values()]))))
    many = {
        "phrase": phrases, "spoken": spoken, "area": [row.area_code], "tag": row.tags, "option": options,
        "category": [str(row.category_id)], "parent": [str(row.parent_id)], "merchant": [str(row.merchant_id)],
    }  # fmt: skip
    for name, values in many.items():
        for value in values:
            doc.add_text(name, value)
    doc.add_integer("price", sku.price_fen)
    doc.add_integer("sold", row.sold_count)
    doc.add_float("weight", rank_weight(row.sold_count, sku.available > 0, row.created_at))
    return doc
