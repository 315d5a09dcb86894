"""Masks and log redaction."""

import pytest

from security import masking


@pytest.mark.parametrize(("name", "shown"), [
    ("张三", "张*"), ("欧阳娜娜", "欧***"), ("李", "*"), ("", ""), (" 王五 ", "王*"), ("𠮷野家", "𠮷**"),
])
def test_name(name, shown):
    assert masking.mask_name(name) == shown


@pytest.mark.parametrize(("phone", "shown"), [
    ("13800138000", "138****8000"), ("138 0013 8000", "138****8000"), ("+86 13800138000", "138****8000"),
    ("008613800138000", "138****8000"), ("12345", "*****"), ("", ""), ("1234567890", "**********"),
])
def test_phone(phone, shown):
    assert masking.mask_phone(phone) == shown


@pytest.mark.parametrize(("number", "shown"), [
    ("110101199001011234", "110***********1234"), ("11010119900101123X", "110***********123X"),
    ("110101900101123", "110********1123"), ("123", "***"),
])
def test_id_number(number, shown):
    assert masking.mask_id_number(number) == shown


@pytest.mark.parametrize(("address", "shown"), [
    ("浙江省杭州市西湖区文三路1号", "浙江省杭州市西湖区******"), ("杭州市西湖区文三路1号", "杭州市西湖区******"),
    ("文三路1号", "文三******"), ("", ""), ("杭州市", "杭******"),
])
def test_address(address, shown):
    assert masking.mask_address(address) == shown


@pytest.mark.parametrize("secret", [
    "13800138000", "138 0013 8000", "+86 13800138000", "110101199001011234", "6222021234567890123",
    "wang.wu@example.com", "gm1:AAECAwQFBgc=", "password=hunter2", '"token": "abc.def"',
    "Authorization: Bearer abc.def", "密码：天王盖地虎", "token=abc",
    "-----BEGIN PRIVATE KEY-----\nMIGH\n-----END PRIVATE KEY-----",
])
def test_redact_hides(secret):
    shown = masking.redact(f"用户 {secret} 登录")
    assert secret not in shown
    for part in ("0013", "19900101", "hunter2", "abc.def", "天王盖地虎", "MIGH", "wang.wu", "AAECAwQFBgc", "=abc"):
        assert part not in shown
    assert shown.startswith("用户 ")


@pytest.mark.parametrize("text", [
    "order 20261122000001234 paid 12800 fen", "seq=13800", "2026-11-22T10:00:00Z", "GET /orders?page=2 200 13ms", "",
])
def test_redact_leaves_ordinary_lines(text):
    assert masking.redact(text) == text


def test_redact_is_stable():
    once = masking.redact("电话 13800138000 身份证 110101199001011234 a@b.cn password=x")
    assert masking.redact(once) == once
