"""Signed texts and bills of Alipay, UnionPay and the citizen card against fixed values worked out apart from the code."""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
import zlib
from datetime import UTC, date, datetime

import pytest

from app.core import ids
from app.payments.channels import alipay, citizen, unionpay
from app.payments.channels.values import ChannelUnclear
from security import sm
from security.symmetric import sm3

DAY = date(2026, 10, 31)


def test_the_text_alipay_signs() -> None:
    values = {"method": "alipay.trade.query", "app_id": "2014", "sign": "x", "biz_content": '{"a":"1"}', "empty": "", "sign_type": "RSA2"}
    assert alipay.signed_text(values) == b'app_id=2014&biz_content={"a":"1"}&method=alipay.trade.query&sign_type=RSA2'
    assert alipay.signed_text(values, without=("sign", "sign_type")).endswith(b"&method=alipay.trade.query")


def test_the_node_alipay_signs_is_cut_out_as_sent() -> None:
    body = b'{ "x_response" : {"code":"10000", "msg":"a\\"}b","n":{"m":1} } ,"sign":"s"}'
    assert alipay.node(body, "x_response") == '{"code":"10000", "msg":"a\\"}b","n":{"m":1} }'
    for wrong in (b"", b"{}", b'{"x_response":1}', b'{"x_response":{"a"', b"<html>"):
        with pytest.raises(ChannelUnclear):
            alipay.node(wrong, "x_response")


def test_the_text_unionpay_signs_is_a_digest_in_hex() -> None:
    values = {"orderId": "P1", "merId": "777", "signature": "x"}
    assert unionpay.signed_text(values) == hashlib.sha256(b"merId=777&orderId=P1").hexdigest().encode()


def test_the_time_of_an_order_is_that_of_its_number() -> None:
    at = datetime(2026, 10, 31, 1, 8, 7, tzinfo=UTC)
    number = (int(at.timestamp() * 1_000) - ids.EPOCH_MS) << 22
    assert ids.made_at(number) == at
    assert unionpay.order_time(f"P{number}") == "20261031090807"


def test_the_vector_of_the_citizen_card_document() -> None:
    """docs/protocols/citizen-card.md, last section."""
    d = bytes.fromhex("3945208f7b2144b13f36e38ac6d39f95889393692860b51a42fb81ef4df7c5b8")
    nonce = "000102030405060708090a0b0c0d0e0f"
    text = citizen.signed_text("request", "/v1/payments/query", "M1", "1767312000", nonce, b'{"payment_no":"P1"}')
    assert sm3(text).hex() == "f24d9f21cfdd08526a0ff67e27e07285bbc44d85744b1783bb585fa795ff08f1"
    assert sm.verify(sm.public_from_private(d), text, sm.sign(d, text))
    other = citizen.signed_text("answer", "/v1/payments/query", "M1", "1767312000", nonce, b'{"payment_no":"P1"}')
    assert other != text


@pytest.mark.parametrize(
    "text", ["", "total|1|0|0", "2026-10-31 09:08:07|pay|C1|P1|5|0\ntotal|1|6|0", "a|gift|C1|P1|5|0\ntotal|1|5|0", "a|pay|C1|P1|x|0\ntotal|1|5|0"]
)
def test_a_citizen_card_bill_that_does_not_add_up_is_refused(text: str) -> None:
    with pytest.raises(ChannelUnclear):
        citizen.read_bill(text, DAY)


def packed(name: str, text: str) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr(name, text.encode("gbk"))
    return made.getvalue()


HEAD = "支付宝交易号,商户订单号,业务类型,商品名称,创建时间,完成时间,订单金额（元）,服务费（元）,退款批次号/请求号"
ROWS = "T1\t,P1\t,交易,货,x,2026-10-31 09:08:07,12.50,-0.08,\nT1\t,P1\t,退款,货,x,2026-10-31 10:08:07,-2.50,0.02,R1"
TOTAL = "#交易合计：交易：1笔，退款：1笔，订单金额：10.00元"


def test_an_alipay_bill_becomes_our_form() -> None:
    lines = alipay.read_bill(packed("2088_DETAIL.csv", f"#头\n{HEAD}\n{ROWS}\n{TOTAL}\n"), DAY)
    assert lines[1] == "`2026-10-31 09:08:07,`T1,`P1,`支付,`成功,`12.50,`0.08"
    assert lines[2] == "`2026-10-31 10:08:07,`T1,`R1,`退款,`成功,`2.50,`-0.02"


@pytest.mark.parametrize(
    "archive",
    [
        b"", b"no zip", packed("a.csv", "别的,列\n"), packed("a.csv", f"{HEAD}\n{ROWS}\n"), packed("a.csv", f"{HEAD}\n{ROWS}\n{TOTAL[:-4]}1元\n"),
        packed("a.csv", f"{HEAD}\n{ROWS.replace('交易,货', '转账,货')}\n{TOTAL}\n"), packed("(汇总).csv", TOTAL),
        packed("a.csv", f"{HEAD}\n{ROWS.replace('12.50', '十二元')}\n{TOTAL}\n"),
    ],
)  # fmt: skip
def test_an_alipay_bill_that_does_not_add_up_is_refused(archive: bytes) -> None:
    with pytest.raises(ChannelUnclear):
        alipay.read_bill(archive, DAY)


@pytest.mark.parametrize(
    "content",
    ["", "!", base64.b64encode(b"x").decode(), base64.b64encode(zlib.compress(b"no zip")).decode(),
     base64.b64encode(zlib.compress(packed("INN1031ZM_777", "S22 short"))).decode(),
     base64.b64encode(zlib.compress(packed("INN1031ZM_777", "X99" + " " * 300))).decode()],
)  # fmt: skip
def test_a_unionpay_file_of_another_form_is_refused(content: str) -> None:
    with pytest.raises(ChannelUnclear):
        unionpay.read_file(content, DAY)
