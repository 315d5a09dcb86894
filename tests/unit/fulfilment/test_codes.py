"""Pickup codes, bar codes, parcel states."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.fulfilment import codes, papers, states


def test_codes_are_twelve_digits_with_a_check() -> None:
    for _ in range(200):
        code = codes.fresh()
        assert re.fullmatch(r"\d{12}", code)
        assert codes.normal(code) == code
        assert codes.normal(codes.grouped(code)) == code


@given(st.integers(0, 11), st.integers(1, 9))
def test_one_wrong_digit_is_always_noticed(place: int, step: int) -> None:
    code = codes.fresh()
    wrong = code[:place] + str((int(code[place]) + step) % 10) + code[place + 1 :]
    assert codes.normal(wrong) == ""


@pytest.mark.parametrize("text", ["", "123", "12345678901x", "1234567890123", "①②③④⑤⑥⑦⑧⑨①②③", "'; --"])
def test_what_is_no_code_is_told_without_a_look(text: str) -> None:
    assert codes.normal(text) == ""


def test_full_width_and_hyphens_are_read() -> None:
    code = codes.fresh()
    wide = "".join(chr(ord(c) + 0xFEE0) for c in code)
    assert codes.normal(f"{wide[:4]}-{wide[4:8]} {wide[8:]}") == code


@pytest.mark.parametrize("value", ["SF1234567890123", "JDVA12345678", "260101251364397413732352"])
def test_bars_are_quiet_wide_and_end_with_a_stop(value: str) -> None:
    found, width = papers.bars(value)
    assert found[0][0] == 0
    assert found[-1][0] + found[-1][1] == width
    assert (width - 13) % 11 == 0, "every symbol is eleven modules, the stop thirteen"
    assert [wide for _, wide in found[-4:]] == [2, 3, 1, 2], "the stop pattern 2 3 3 1 1 1 2 shows these bars"
    assert all(1 <= wide <= 4 for _, wide in found)


def test_svg_of_a_code_carries_no_style() -> None:
    for svg in (papers.code128_svg("SF1"), papers.qr_svg("123456789012")):
        assert "style=" not in svg
        assert "<svg" in svg


@pytest.mark.parametrize("size", list(papers.SIZES))
def test_labels_are_pages_of_their_size(size: str) -> None:
    label = papers.Label("顺丰速运", "SF1234567890123", "李四", "13812341234", "澜城区幸福路 88 号" * 3, "店", "2601", "脐橙 × 2", ("冷藏", "补打第 1 次"), "澜城区")
    body = papers.labels_pdf([label, label], size)
    wide, high = papers.SIZES[size]
    boxes = re.findall(rb"/MediaBox \[ 0 0 ([\d.]+) ([\d.]+) \]", body)
    assert len(boxes) == 2
    assert (round(float(boxes[0][0]) / 72 * 25.4), round(float(boxes[0][1]) / 72 * 25.4)) == (wide, high)


def test_long_lists_break_over_pages_and_lose_no_row() -> None:
    rows = [papers.Row("A-01", f"商品{n}", "大", n) for n in range(1, 121)]
    body = papers.sheet_pdf("拣货单", ["订单 1"], papers.PICK_COLUMNS, papers.as_rows(rows), "2601")
    assert body.count(b"/Type /Page\n") + body.count(b"/Type /Page ") >= 3


def test_states_only_go_forward() -> None:
    for status in states.RANKS:
        assert status not in states.behind(status)
        assert not states.FINAL & set(states.behind(status))
    assert set(states.behind("delivered")) == {"shipped", "collected", "in_transit", "out_for_delivery"}
    assert states.coldest(["ambient", "chilled", "frozen"]) == "frozen"
    assert states.coldest([]) == "ambient"
    assert [states.is_breach("chilled", t) for t in (-1, 0, 80, 81)] == [True, False, False, True]
    assert [states.is_breach("frozen", t) for t in (-150, -149)] == [False, True]
    assert not states.is_breach("ambient", 400)
