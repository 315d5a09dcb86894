"""Pasted addresses as people really send them (C16)."""

from __future__ import annotations

import pytest

from app.identity.address_text import ParsedAddress, parse

AREAS = [("L01", "澜城区"), ("L02", "云溪县"), ("L03", "云溪县城关镇")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("李四 13812341234 澜州市澜城区幸福路 88 号", ParsedAddress("李四", "13812341234", "L01", "幸福路88号")),
        ("澜州市云溪县茶山村3组，王小明，138-1234-1234", ParsedAddress("王小明", "13812341234", "L02", "茶山村3组")),
        (
            "收货人：张三\n手机号码：+86 138 1234 1234\n所在地区：江南省澜州市澜城区\n详细地址：文昌街道１２号２单元",
            ParsedAddress("张三", "13812341234", "L01", "文昌街道12号2单元"),
        ),
        ("云溪县城关镇南门口 5 号 欧阳女士 13900001111", ParsedAddress("欧阳女士", "13900001111", "L03", "南门口5号")),
        ("幸福路 88 号", ParsedAddress("", "", "", "幸福路88号")),
        ("", ParsedAddress("", "", "", "")),
    ],
)
def test_parse(text: str, expected: ParsedAddress) -> None:
    assert parse(text, AREAS) == expected


def test_digits_inside_longer_numbers_are_no_phone() -> None:
    assert parse("单号 9913812341234567", AREAS).phone == ""


def test_long_text_is_cut() -> None:
    assert len(parse("路" * 10_000, AREAS).street) <= 100
