"""Tokens agree between index and query."""

from __future__ import annotations

import pytest

from app.search import tokens


def test_pinyin_forms_hold_syllables_joined_words_and_initials() -> None:
    """Every way somebody may type 苹果 stands among the forms."""
    ordered, joined, initials = tokens.pinyin_forms("红富士苹果 5斤")
    assert ordered[:5] == ["hong", "fu", "shi", "ping", "guo"]
    assert {"pingguo", "ping", "hongfushi"} <= set(joined)
    assert {"pg", "hfs", "fspg"} <= set(initials)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("gaoshanyunwu", ["gao", "shan", "yun", "wu"]),
        ("pingguo", ["ping", "guo"]),
        ("xian", ["xian"]),
        ("bcd", []),
        ("", []),
    ],
)
def test_pinyin_is_split_into_the_fewest_syllables(text: str, parts: list[str]) -> None:
    """Latin letters are pinyin only when they split completely."""
    assert tokens.split_pinyin(text) == parts


def test_words_are_half_width_lower_case_and_bounded() -> None:
    """Full width folds, signs vanish, a query has at most ten words."""
    assert tokens.query_words("ＡＢ-12 苹果！") == ["ab", "12", "苹果"]
    assert len(tokens.query_words(" ".join(f"w{n}" for n in range(40)))) == 10


def test_index_words_hold_bigrams_of_unknown_words() -> None:
    """A word the dictionary lacks is found by its pairs."""
    assert {"云屏", "屏茶"} <= set(tokens.index_words("云屏茶"))
