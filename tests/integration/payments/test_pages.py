"""Cashier, code page, abnormal receipts and the channels' state as people see them (T06)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import select

from app.core.db import session
from app.core.tx import transaction
from app.orders.models import Trade
from app.payments import abnormal, refunding, service, wallet
from app.payments.models import AbnormalReceipt, PaymentAttempt, Refund
from tests.clients import Browser
from tests.factories import market
from tests.integration.orders.test_checkout import add_address, form_of, sign_in
from tests.integration.payments import world
from tests.integration.payments.world import World

MOBILE = {"User-Agent": "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Mobile Safari/537.36"}


@pytest.fixture
def wechat(app: Any, db: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Both sides running."""
    with world.joined(app, tmp_path_factory.getbasetemp() / "rsa-shared") as found:
        yield found


def placed(client: Browser, phone: str) -> str:
    """A buyer with an unpaid trade; returns the address of its cashier."""
    shop = market.make_shop()
    add_address(sign_in(client, phone))
    assert client.post("/cart/items", {"sku_id": shop.sku_ids[0], "qty": 1}).status_code == 303
    return str(client.post("/checkout", form_of(client.get("/checkout"))).headers["Location"])


def test_the_cashier_shows_the_code_and_then_the_result(client: Browser, wechat: World, app: Any) -> None:
    pay = placed(client, "13820000101")
    assert "微信支付" in client.get(pay).get_data(as_text=True)
    shown = client.post(pay, {"channel": "wechat"})
    page = client.get(shown.headers["Location"])
    assert page.soup.select_one(".paycode svg") is not None
    number = re.search(r"no=(\w+)", shown.headers["Location"])[1]  # type: ignore[index]
    assert client.post(pay, {"channel": "wechat"}).headers["Location"] == shown.headers["Location"], "the same code again"
    other = Browser(app)
    sign_in(other, "13820000102")
    assert other.get(shown.headers["Location"]).status_code == 404
    assert client.get(pay + "/waiting?no=P1").status_code == 404
    assert wechat.channels.pay("wechat", number, "paid") == [204]
    assert "付款成功" in client.get(client.get(shown.headers["Location"]).headers["Location"]).get_data(as_text=True)


def test_a_telephone_goes_to_the_channels_page(client: Browser, wechat: World) -> None:
    pay = placed(client, "13820000103")
    shown = client.post(pay, {"channel": "wechat"}, headers=MOBILE)
    link = client.get(shown.headers["Location"], headers=MOBILE).soup.find("a", string=re.compile("去微信支付付款"))
    assert link["href"].startswith(wechat.url + "/play/wechat?no=P")


def test_a_wrong_channel_and_a_silent_one_are_told_on_the_page(client: Browser, wechat: World) -> None:
    pay = placed(client, "13820000104")
    wrong = client.post(pay, {"channel": "alien"})
    assert wrong.status_code == 422
    assert "请选择可用的支付方式" in wrong.get_data(as_text=True)
    wechat.sim("wechat").corrupt_answers = True
    silent = client.post(pay, {"channel": "wechat"})
    assert silent.status_code == 502
    assert silent.soup.select_one("input[value=wechat]").has_attr("checked"), "what was chosen stays chosen"
    wechat.sim("wechat").corrupt_answers = False
    assert client.post(pay, {"channel": "wechat"}).status_code == 303


def officer(app: Any, role: str) -> Browser:
    browser = Browser(app)
    assert browser.sign_in("/operator", market.staff("operator", role), market.PASSWORD).status_code == 303
    browser.get("/operator")
    return browser


def a_case(kind: str = "refund_failed") -> int:
    """A failed refund with its case."""
    bought = world.buy()
    attempt_id = session.scalars(select(PaymentAttempt.id)).first() or 0
    if not attempt_id:
        with transaction():
            attempt_id = service.start(bought.buyer, bought.trade_no, "simulator").id
    with transaction():
        refund_id = refunding.write_refund(attempt_id, 100, f"c{attempt_id}", "退")[0]
        session.get_one(Refund, refund_id).status = "failed"
        abnormal.open_case(kind, f"t:{refund_id}", channel="simulator", payment_no="P1", amount_fen=100, refund_id=refund_id)
    return session.scalars(select(AbnormalReceipt.id)).one()


def test_finance_takes_and_resolves_a_case(app: Any, db: Any) -> None:
    case_id = a_case()
    finance, second = officer(app, "finance"), officer(app, "finance")
    assert "退款失败" in finance.get("/operator/abnormal-receipts").get_data(as_text=True)
    url = f"/operator/abnormal-receipts/{case_id}"
    assert finance.post(f"{url}/resolve", {"note": "已线下退款 123"}).status_code == 409, "taken first"
    assert finance.post(f"{url}/take").status_code == 303
    assert second.post(f"{url}/take").status_code == 409
    assert second.post(f"{url}/resolve", {"note": "已线下退款 123"}).status_code == 409, "another's case"
    short = finance.post(f"{url}/resolve", {"note": "好"})
    assert short.status_code == 422
    assert short.soup.select_one("textarea[name=note]").get_text().strip() == "好"
    assert finance.post(f"{url}/resolve", {"note": "已线下退款 123"}).status_code == 303
    assert "已线下退款 123" in finance.get(url).get_data(as_text=True)
    assert finance.get("/operator/abnormal-receipts/1").status_code == 404


def test_a_failed_refund_is_sent_again_by_its_owner(app: Any, db: Any) -> None:
    case_id = a_case()
    finance = officer(app, "finance")
    url = f"/operator/abnormal-receipts/{case_id}"
    assert finance.post(f"{url}/resolve", {"intent": "resend"}).status_code == 409
    finance.post(f"{url}/take")
    assert finance.post(f"{url}/resolve", {"intent": "resend"}).status_code == 303
    world.work()
    assert world.refunds()[0].status == "done"
    assert world.rows(select(AbnormalReceipt.status)) == ["resolved"]


def test_the_channels_page_shows_no_secret(app: Any, wechat: World) -> None:
    system = officer(app, "system")
    text = system.get("/operator/payment-channels").get_data(as_text=True)
    account = wechat.demo.settings["wechat"]
    assert account["mch_id"] in text
    assert account["api_v3_key"] not in text
    assert "PRIVATE KEY" not in text
    assert officer(app, "finance").get("/operator/payment-channels").status_code == 403


def buyer_with(client: Browser, phone: str, fen: int, bonus: int = 0) -> tuple[str, int]:
    """A signed-in buyer with an unpaid trade and stored value; returns the cashier's address and the account."""
    pay = placed(client, phone)
    account_id = session.scalars(select(Trade.account_id)).one()
    with transaction():
        wallet.move(account_id, fen, bonus, kind="top_up", cause=f"t:{phone}", memo="回单 1")
    return pay, account_id


def test_the_cashier_takes_stored_value_and_a_channel_for_the_rest(client: Browser, wechat: World) -> None:
    pay, account_id = buyer_with(client, "13820000105", 300, 100)
    page = client.get(pay)
    assert page.soup.select_one("input[name=stored]").has_attr("checked")
    shown = client.post(pay, {"channel": "wechat", "stored": "1"})
    assert shown.status_code == 303
    assert wallet.balance(account_id).total_fen == 0
    number = re.search(r"no=(\w+)", shown.headers["Location"])[1]  # type: ignore[index]
    assert wechat.sim("wechat").ledger.payments[number].amount_fen == world.attempt(number).amount_fen
    assert wechat.channels.pay("wechat", number, "paid") == [204]
    session.rollback()  # another thread has written since this one began to read
    session.expire_all()
    assert "付款成功" in client.get(pay + "/result").get_data(as_text=True)
    text = client.get("/me/wallet").get_data(as_text=True)
    assert "储值余额" in text
    assert "-4.00" in text


def test_stored_value_alone_pays_at_once(client: Browser, app: Any, db: Any) -> None:
    pay, account_id = buyer_with(client, "13820000106", 900_000)
    answer = client.post(pay, {"stored": "1"})
    assert answer.headers["Location"].endswith("/result")
    assert "付款成功" in client.get(answer.headers["Location"]).get_data(as_text=True)
    other = Browser(app)
    sign_in(other, "13820000107")
    assert "还没有储值明细" in other.get("/me/wallet").get_data(as_text=True)


def test_too_little_stored_value_and_no_channel_is_told_on_the_page(client: Browser, db: Any) -> None:
    pay, account_id = buyer_with(client, "13820000108", 100)
    answer = client.post(pay, {"stored": "1"})
    assert answer.status_code == 422
    assert answer.soup.select_one("input[name=stored]").has_attr("checked")
    db.rollback()
    assert wallet.balance(account_id).total_fen == 100


def test_finance_enters_and_confirms_a_slip(app: Any, db: Any) -> None:
    buyer = Browser(app)
    sign_in(buyer, "13820000109")
    first, second = officer(app, "finance"), officer(app, "finance")
    form = {"purpose": "wallet", "slip_no": "HD-20261125-1", "target": "138 2000 0109", "payer": "李四", "amount": "50.00", "bonus": "5"}
    wrong = first.post("/operator/bank-slips", {**form, "amount": "五十元", "target": ""})
    assert wrong.status_code == 422
    assert wrong.soup.select_one("input[name=amount]")["value"] == "五十元"
    unknown = first.post("/operator/bank-slips", {**form, "target": "13911112222"})
    assert unknown.status_code == 422
    assert "没有使用该手机号的买家" in unknown.get_data(as_text=True)
    entered = first.post("/operator/bank-slips", form)
    url = entered.headers["Location"]
    assert "另一位财务人员" in first.get(url).get_data(as_text=True)
    assert first.post(f"{url}/confirm").status_code == 409
    assert first.post("/operator/bank-slips", form).status_code == 422, "the slip is known"
    assert second.post(f"{url}/refuse", {"note": "x"}).status_code == 422
    assert second.post(f"{url}/confirm").status_code == 303
    assert second.post(f"{url}/confirm").status_code == 409
    assert "HD-20261125-1" in second.get("/operator/bank-slips?status=confirmed").get_data(as_text=True)
    assert "45.00" not in buyer.get("/me/wallet").get_data(as_text=True)
    assert "55.00" in buyer.get("/me/wallet").get_data(as_text=True)
    assert officer(app, "system").post("/operator/bank-slips", form).status_code == 403
    assert first.get("/operator/bank-slips/1").status_code == 404


def test_a_slip_is_sent_back_with_a_reason(app: Any, db: Any) -> None:
    sign_in(Browser(app), "13820000110")
    first, second = officer(app, "finance"), officer(app, "finance")
    form = {"purpose": "wallet", "slip_no": "HD-20261125-2", "target": "13820000110", "payer": "李四", "amount": "50"}
    url = first.post("/operator/bank-slips", form).headers["Location"]
    assert second.post(f"{url}/refuse", {"note": "金额与回单不符"}).status_code == 303
    assert "金额与回单不符" in first.get(url).get_data(as_text=True)
    assert second.post(f"{url}/confirm").status_code == 409
