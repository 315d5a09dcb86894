"""Words, bigrams and pinyin of Chinese text, made in Python so that the index and the query agree (C07)."""

from __future__ import annotations

import importlib
import re
from functools import cache, lru_cache
from itertools import pairwise
from typing import Any

from app.core.text import half_width

_RUN = re.compile(r"[\u3400-\u9fff]+|[a-z0-9]+(?:\.[0-9]+)?")
_MAX_SYLLABLE = 6
NGRAM = 6


@cache
def _dictionary(name: str) -> Any:
    """Return rjieba or pypinyin: half a second and 90 MB together, which only a process that indexes or searches pays."""
    return importlib.import_module(name)


def normalise(text: str) -> str:
    """Return half-width lower-case text with single blanks."""
    return " ".join(half_width(text).lower().split())


def is_chinese(word: str) -> bool:
    """Tell whether a word begins with a Chinese character."""
    return "\u3400" <= word[:1] <= "\u9fff"


def runs(text: str) -> list[str]:
    """Split text into runs of Chinese characters and of latin letters or digits; signs are dropped."""
    return _RUN.findall(normalise(text))


def bigrams(run: str) -> list[str]:
    """Return the overlapping pairs of characters."""
    return [a + b for a, b in pairwise(run)]


def query_words(text: str) -> list[str]:
    """Return the words of a query, at most ten."""
    found: list[str] = []
    for run in runs(text):
        found += [w for w in _dictionary("rjieba").cut(run) if w.strip()] if is_chinese(run) else [run]
    return list(dict.fromkeys(found))[:10]


def index_words(text: str) -> list[str]:
    """Return every word under which a text is found: dictionary words, bigrams, latin runs."""
    found: list[str] = []
    for run in runs(text):
        if is_chinese(run):
            found += [*_dictionary("rjieba").cut(run), *(w for w in _dictionary("rjieba").cut_for_search(run) if len(w) > 1), *bigrams(run)]
        else:
            found.append(run)
    return list(dict.fromkeys(found))


def characters(text: str) -> list[str]:
    """Return the single Chinese characters of a text."""
    return list(dict.fromkeys(c for run in runs(text) if is_chinese(run) for c in run))


def syllables(run: str) -> list[str]:
    """Return the toneless pinyin of a Chinese run, one syllable a character, ü written v."""
    return [s for s in _dictionary("pypinyin").lazy_pinyin(run, errors="ignore", v_to_u=False) if s]


def pinyin_forms(text: str) -> tuple[list[str], list[str], list[str]]:
    """Return (syllables in order with `|` between runs, joined n-grams, initials n-grams) of a text."""
    ordered: list[str] = []
    joined: set[str] = set()
    initials: set[str] = set()
    for run in runs(text):
        if not is_chinese(run):
            ordered += ["|"]
            joined.add(run)
            continue
        sounds = syllables(run)
        ordered += [*sounds, "|"]
        for start in range(len(sounds)):
            for size in range(1, NGRAM + 1):
                part = sounds[start : start + size]
                if len(part) < size:
                    break
                if size <= 4:
                    joined.add("".join(part))
                if size > 1:
                    initials.add("".join(s[0] for s in part))
    return ordered, sorted(joined), sorted(initials)


@lru_cache(maxsize=1)
def _known_syllables() -> frozenset[str]:
    """Return all toneless syllables, from the commonest characters of pypinyin's table."""
    common = "".join(chr(c) for c in _dictionary("pypinyin.constants").PINYIN_DICT if 0x4E00 <= c <= 0x9FA5)
    plain = _dictionary("pypinyin").lazy_pinyin(common, errors="ignore")
    return frozenset(s for s in plain if s.isascii() and s.isalpha() and (len(s) > 1 or s in "aeo"))


def split_pinyin(text: str) -> list[str]:
    """Split latin letters into pinyin syllables, longest first; [] when they are no pinyin."""
    known = _known_syllables()
    best: list[list[str] | None] = [[]] + [None] * len(text)
    for end in range(1, len(text) + 1):
        for start in range(max(0, end - _MAX_SYLLABLE), end):
            head = best[start]
            if head is None or text[start:end] not in known:
                continue
            if best[end] is None or len(head) + 1 < len(best[end] or ()):
                best[end] = [*head, text[start:end]]
    return best[-1] or []
