"""Signatures and seals of WeChat Pay against what others made: vectors of the vendor's Java library, and RFC-like fixed texts."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from app.core.errors import Forbidden
from app.demo.simulators import keys
from app.payments.channels.values import ChannelUnclear
from app.payments.channels.wechat_bill import COLUMNS, TOTALS, canonical
from app.payments.channels.wechat_wire import SUITES, Account, answer_message, authorization
from security.errors import DecryptionFailed

# github.com/wechatpay-apiv3/wechatpay-java, module shangmi-testing: certificate, signature and sealed text made by its own code.
SM2_CERTIFICATE = """-----BEGIN CERTIFICATE-----
MIICyTCCAmygAwIBAgIUVOf1ntjfRXDPsUeA6oFS1FpnXuYwDAYIKoEcz1UBg3UF
ADCBjTFHMEUGA1UEAww+U2hlbiBaaGVuIGlUcnVzQ2hpbmEgQ2xhc3MgRW50ZXJw
cmlzZSBTdWJzY3JpYmVyIENBIFNNMiAtIFRlc3QxGDAWBgNVBAsMD+a1i+ivlemD
qOivleeUqDEbMBkGA1UECgwS5aSp6K+a5a6J5L+h6K+V55SoMQswCQYDVQQGEwJD
TjAeFw0yMjA4MDQxMjE0MTlaFw0yMzA5MDMxMjE0MTlaMGsxCzAJBgNVBAYTAkNO
MRswGQYDVQQKDBLlvq7kv6HllYbmiLfns7vnu58xKjAoBgNVBAsMIea3seWcs+W4
guS8n+iNo+enkeaKgOaciemZkOWFrOWPuDETMBEGA1UEAwwKMjQ4MzI4MTc2MTBZ
MBMGByqGSM49AgEGCCqBHM9VAYItA0IABHvNR/deoZ0EwKcrTacPV90bP5M3zF3R
JBiBuRNDGTm/aaVe9rRnEMfhckUj0PZG3WlNJIOXb26FDUZjePqLL36jgcgwgcUw
DAYDVR0TAQH/BAIwADAOBgNVHQ8BAf8EBAMCBsAwHwYDVR0jBBgwFoAUK0Y6T9Ge
LM7UH4bC1j2avycoZPcwHQYDVR0OBBYEFBmE5STz2WNsXVrgclXrxsl6SCihMGUG
A1UdHwReMFwwWqBYoFaGVGh0dHA6Ly9ldmNhLml0cnVzLmNvbS5jbi9wdWJsaWMv
aXRydXNjcmw/Q0E9NzMzNUExQUYzNzRBMUU4QjQwM0FCMUFDMkQwNjVDQUU3NUNB
QjIzNjAMBggqgRzPVQGDdQUAA0kAMEYCIQDK0r6D8VyiUVMfRnAfz40ZtiG8DJEF
6Rn41oZ3qPW1aQIhAKtn5sKME+thLQFeyV70VSsraZ7h9Fccal2WzI2oCdtY
-----END CERTIFICATE-----"""
SM2_SERIAL = "54E7F59ED8DF4570CFB14780EA8152D45A675EE6"
SM2_SIGNATURE = "MEYCIQD35Rp3CKt7pLme/a0GaCVmwSeOl7X/12+ppRivcJuf6QIhAO5Vpy4tSk9SJUrgH5I5Qy0aYhFG9lN0aof1f5wJOI05"
API_KEY, NONCE, AAD, SEALED = b"a7cde1ZJB1kG2e7VfTs3jQzaWizur8Gb", "uluk4a9R25RW", "associatedData", "+lcLNfkZQQx+iQm20Apa3x9Mb/5L7PgZ7w=="


def test_the_vendors_sm2_certificate_and_signature() -> None:
    key = SUITES["sm"].key_of(SM2_CERTIFICATE)
    assert key.serial == SM2_SERIAL
    assert key.valid_until == datetime(2023, 9, 3, 12, 14, 19, tzinfo=UTC)
    assert SUITES["sm"].verify(key.public_pem, b"message", SM2_SIGNATURE)
    assert not SUITES["sm"].verify(key.public_pem, b"false-message", SM2_SIGNATURE)
    assert not SUITES["sm"].verify(key.public_pem, b"message", SM2_SIGNATURE[:-4] + "AAAA")


def test_the_vendors_sm4_seal() -> None:
    assert SUITES["sm"].open(API_KEY, NONCE, AAD, SEALED) == b"plaintext"
    assert SUITES["sm"].seal(API_KEY, NONCE, AAD, b"plaintext") == SEALED
    for key, nonce, aad, sealed in (
        (API_KEY[:-1] + b"c", NONCE, AAD, SEALED), (API_KEY, "uluk4a9R25RX", AAD, SEALED), (API_KEY, NONCE, "x", SEALED),
        (API_KEY, NONCE, AAD, "A" + SEALED[1:]), (API_KEY, NONCE, AAD, ""),
    ):  # fmt: skip
        with pytest.raises(DecryptionFailed):
            SUITES["sm"].open(key, nonce, aad, sealed)


@pytest.mark.parametrize("algorithm", ["rsa", "sm"])
def test_a_request_is_signed_over_exactly_what_is_sent(algorithm: str) -> None:
    private = keys.rsa_private() if algorithm == "rsa" else keys.sm2_private()
    public = keys.rsa_public(private) if algorithm == "rsa" else keys.sm2_public(private)
    suite = SUITES[algorithm]
    account = Account("https://api.mch.weixin.qq.com", "wx1", "1900009191", "SERIAL", private, API_KEY, suite)
    header = authorization(account, "POST", "/v3/x?a=1", b'{"a":1}', "NONCE", datetime(2026, 1, 2, tzinfo=UTC))
    schema, rest = header.split(" ", 1)
    values = dict(part.split("=", 1) for part in rest.split(","))
    assert schema == suite.schema
    assert {key: value.strip('"') for key, value in values.items() if key != "signature"} == {
        "mchid": "1900009191", "nonce_str": "NONCE", "timestamp": "1767312000", "serial_no": "SERIAL",
    }  # fmt: skip
    message = b'POST\n/v3/x?a=1\n1767312000\nNONCE\n{"a":1}\n'
    signature = rest.split('signature="')[1].rstrip('"')
    assert suite.verify(public, message, signature)
    assert not suite.verify(public, message.replace(b"a=1", b"a=2"), signature)


@pytest.mark.parametrize("stamp", ["", "x", "-1", "1", "99999999999999999999"])
def test_an_answer_without_a_present_timestamp_is_refused(stamp: str) -> None:
    with pytest.raises(Forbidden):
        answer_message({"wechatpay-timestamp": stamp, "wechatpay-nonce": "n"}, b"")


def row(state: str, number: str, paid: str, back: str, refund: str = "0") -> str:
    cells = dict.fromkeys(COLUMNS, "") | {
        "交易时间": "2026-10-31 09:08:07", "微信订单号": f"T{number}", "商户订单号": number, "交易状态": state, "微信退款单号": "X1",
        "商户退款单号": refund, "手续费": "0.01800", "订单金额": paid, "申请退款金额": back,
    }  # fmt: skip
    return ",".join(f"`{cells[name]}" for name in COLUMNS)


def bill(*rows: str, totals: str) -> list[str]:
    return [",".join(COLUMNS), *rows, ",".join(TOTALS), totals]


def test_a_bill_becomes_our_form() -> None:
    day = datetime(2026, 10, 31, tzinfo=UTC).date()
    rows = (row("SUCCESS", "P1", "12.50", "0.00"), row("REFUND", "P1", "0.00", "2.05", "R1"))
    lines = canonical(bill(*rows, totals="`2,`12.50,`2.05,`0.00,`0.04,`12.50,`2.05"), day)
    assert lines[1] == "`2026-10-31 09:08:07,`TP1,`P1,`支付,`成功,`12.50,`0.02"
    assert lines[2] == "`2026-10-31 09:08:07,`X1,`R1,`退款,`成功,`2.05,`0.02"
    assert lines[3] == "合计,`2,`12.50,`2.05,`0.04,,"
    assert canonical([], day)[1] == "合计,`0,`0.00,`0.00,`0.00,,"


@pytest.mark.parametrize(
    "lines",
    [
        ["别的,列"], bill(row("SUCCESS", "P1", "12.50", "0"), totals="`1,`0,`0,`0,`0,`12.51,`0"), [",".join(COLUMNS)],
        bill(row("ALIEN", "P1", "1", "0"), totals="`1,`0,`0,`0,`0,`1,`0"), bill("`a,`b", totals="`1,`0,`0,`0,`0,`1,`0"),
        bill(row("SUCCESS", "P1", "一元", "0"), totals="`1,`0,`0,`0,`0,`1,`0"), bill(totals="`x"),
    ],
)  # fmt: skip
def test_a_bill_that_does_not_add_up_is_refused(lines: list[str]) -> None:
    with pytest.raises(ChannelUnclear):
        canonical(lines, datetime(2026, 10, 31, tzinfo=UTC).date())
