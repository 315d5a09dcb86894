"""The money pages: they show what is, take what is right, and answer refusals on the same page (works without script)."""

from __future__ import annotations

import io
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import select

from app.core import clock
from app.core.actor import Actor
from app.core.tx import transaction
from app.orders import queries as orders
from app.orders import service as orders_service
from app.payments import bills as simulator_bills
from app.settlement.models import Bill, Payout, Rate, ReconCase
from app.settlement.queries import statements
from app.settlement.service import bills, closing, rates
from tests.clients import Browser
from tests.factories import market
from tests.integration.settlement import money


@pytest.fixture
def desk(app: Any, db: Any) -> SimpleNamespace:
    """A shop with a released order and a bank account; browsers of its owner and of two finance officers."""
    shop = market.make_shop(stock=50)
    money.with_bank(shop)
    buyer, order_id = money.released_order(shop, 3)
    found = SimpleNamespace(shop=shop, order_id=order_id, buyer=buyer, owner=Browser(app), one=Browser(app), two=Browser(app))
    assert found.owner.sign_in("/merchant", shop.login, market.PASSWORD).status_code == 303
    found.owner.get("/merchant/shop")
    enter(found.one, found.two)
    return found


def enter(*browsers: Browser) -> None:
    """Sign each in as a finance officer of its own."""
    for browser in browsers:
        assert browser.sign_in("/operator", market.staff("operator", "finance"), market.PASSWORD).status_code == 303
        browser.get("/operator/finance")


def words(answer: Any) -> str:
    return " ".join(answer.soup.get_text(" ").split())


def field(answer: Any, name: str) -> str:
    return str(answer.soup.find("input", {"name": name})["value"])


def test_every_page_opens_with_data(db: Any, desk: SimpleNamespace) -> None:
    month = statements.number_of(clock.business_date())
    with clock.travel(timedelta(days=40)):
        with transaction():
            statement_id = closing.close(desk.shop.merchant_id, month)
        with transaction():
            bill_id = bills.import_bill(
                money.SYSTEM, "simulator", clock.business_date() - timedelta(days=40), simulator_bills.daily_bill(
                    clock.business_date() - timedelta(days=40))
            ).id  # fmt: skip
        money.deliver()
    with transaction():
        rule_id = rates.save(money.SYSTEM, rates.RateInput(place=7, fee_bps=450, merchant_id=desk.shop.merchant_id, note="协议费率"))
    case_id = db.scalar(select(ReconCase.id))
    assert case_id
    for path in (
        "/merchant/funds", "/merchant/funds?kind=payable", "/merchant/funds/orders", "/merchant/statements",
        f"/merchant/statements/{statement_id}", "/merchant/payouts", "/merchant/deposit",
    ):  # fmt: skip
        assert desk.owner.get(path).status_code == 200, path
    for path in (
        "", "/orders", f"/orders/{desk.order_id}", "/rates", "/rates?view=ended", "/rates/new", f"/rates/{rule_id}", "/payouts",
        "/payouts?status=all", "/ledger", "/ledger/merchants?kind=frozen", "/vouchers", "/bills", f"/bills/{bill_id}", "/cases",
        "/cases?status=resolved", f"/cases/{case_id}", f"/merchants/{desk.shop.merchant_id}", f"/statements/{statement_id}",
    ):  # fmt: skip
        answer = desk.one.get(f"/operator/finance{path}")
        assert answer.status_code == 200, path
    ledger = desk.one.get("/operator/finance/ledger")
    for link in [a["href"] for a in ledger.soup.select("td a")]:
        assert desk.one.get(link).status_code == 200, link
    vouchers = desk.one.get("/operator/finance/vouchers?kind=split")
    assert desk.one.get(vouchers.soup.select_one("td a")["href"]).status_code == 200
    for base in ("/merchant/statements", "/operator/finance/statements"):
        browser = desk.owner if base.startswith("/merchant") else desk.one
        pdf, xlsx = (browser.http.get(f"{base}/{statement_id}/{kind}") for kind in ("pdf", "xlsx"))
        assert pdf.data.startswith(b"%PDF-")
        assert xlsx.data.startswith(b"PK")
        assert "attachment" in xlsx.headers["Content-Disposition"]
        xlsx.close()  # the file is sent in pieces and stays open until the answer is closed
        pdf.close()


def test_a_payout_from_request_to_the_bank(db: Any, desk: SimpleNamespace) -> None:
    page = desk.owner.get("/merchant/payouts")
    key = field(page, "request_key")
    short = desk.owner.post("/merchant/payouts", {"amount": "999999", "request_key": key})
    assert short.status_code == 409
    assert "可提现余额不足" in words(short)
    assert desk.owner.post("/merchant/payouts", {"amount": "1.005", "request_key": key}).status_code == 422
    for _ in range(2):
        assert desk.owner.post("/merchant/payouts", {"amount": "50", "request_key": key}).status_code == 303
    row = db.scalars(select(Payout)).one()
    base = f"/operator/finance/payouts/{row.id}"
    assert "待审批" in words(desk.one.get(base))
    assert desk.one.post(f"{base}/approve").status_code == 303
    batch = desk.one.post("/operator/finance/batches")
    assert batch.status_code == 303
    file = desk.one.post(batch.headers["Location"] + "/file")
    assert money.NUMBER in file.get_data(as_text=True)
    assert money.NUMBER not in words(desk.one.get(batch.headers["Location"])), "pages show the mask"
    assert desk.one.post(f"{base}/paid", {"bank_ref": "HD-1"}).status_code == 403, "four eyes"
    assert desk.two.post(f"{base}/paid", {"bank_ref": "HD-1"}).status_code == 303
    assert "已到账" in words(desk.owner.get(f"/merchant/payouts/{row.id}"))
    assert desk.owner.post(f"/merchant/payouts/{row.id}/withdraw").status_code == 409


def test_a_rule_from_new_to_ended(db: Any, desk: SimpleNamespace) -> None:
    from app.merchants import queries as merchants

    code = merchants.get_merchant(desk.shop.merchant_id).code
    data = {
        "place": "20", "merchant_code": code, "category_id": "0", "area_code": "-", "fee": "3.5", "promoter": "0", "logistics": "0.25",
        "freight_to": "carrier", "first_on": "2026-01-01", "last_on": "", "note": "协议",
    }  # fmt: skip
    wrong = desk.one.post("/operator/finance/rates", {**data, "merchant_code": "NOBODY"})
    assert wrong.status_code == 422
    assert wrong.soup.find("input", {"name": "fee"})["value"] == "3.5", "the input is kept"
    assert desk.one.post("/operator/finance/rates", {**data, "fee": "3.555"}).status_code == 422
    saved = desk.one.post("/operator/finance/rates", data)
    assert saved.status_code == 303
    url = saved.headers["Location"]
    row = db.scalars(select(Rate).where(Rate.place == 20)).one()
    assert (row.fee_bps, row.logistics_bps, row.freight_to, row.merchant_id) == (350, 25, "carrier", desk.shop.merchant_id)
    page = desk.one.get(url)
    assert field(page, "fee") == "3.50"
    assert desk.one.post(url, {**data, "fee": "2", "version": "1"}).status_code == 303
    assert desk.two.post(url, {**data, "fee": "9", "version": "1"}).status_code == 409, "somebody was faster"
    assert desk.one.post(f"{url}/end", {"version": "2"}).status_code == 303
    assert "已停用" in words(desk.one.get(url))


def test_refunding_units_on_the_order_page(db: Any, desk: SimpleNamespace) -> None:
    url = f"/operator/finance/orders/{desk.order_id}"
    line_id = orders.lines_of([desk.order_id])[desk.order_id][0].id
    key = field(desk.one.get(url), "request_key")
    sent = {f"units-{line_id}": "2", "units-0": "", "reason": "两件破损", "request_key": key}
    for _ in range(2):
        assert desk.one.post(f"{url}/refund", sent).status_code == 303
    assert "2 / 3" in words(desk.one.get(url))
    again = {**sent, "request_key": key[::-1]}
    assert desk.one.post(f"{url}/refund", again).status_code == 409, "one is left"
    assert desk.one.post(f"{url}/hold", {"reason": "晚了"}).status_code == 409
    money.assert_proven()


def test_importing_a_bill_by_file_and_handling_its_case(db: Any, desk: SimpleNamespace) -> None:
    day = clock.business_date()
    text = "\n".join(simulator_bills.daily_bill(day))
    with clock.travel(timedelta(days=1)):
        enter(desk.one, desk.two)
        page = desk.one.get("/operator/finance/bills")
        assert page.status_code == 200

        def send(data: bytes) -> Any:
            file = (io.BytesIO(data), "bill.csv")
            fields = {"channel": "simulator", "day": f"{day}", "file": file}
            return desk.one.post("/operator/finance/bills", fields, content_type="multipart/form-data")

        assert send("不是账单".encode()).status_code == 422
        assert send("交易".encode("gb18030")).status_code == 422
        sent = send(text.encode())
        assert sent.status_code == 303
        money.deliver()
        assert "差异" in words(desk.one.get(sent.headers["Location"]))
        case_id, diff_fen = db.execute(select(ReconCase.id, ReconCase.diff_fen)).first()
        url = f"/operator/finance/cases/{case_id}"
        assert desk.one.post(f"{url}/take").status_code == 303
        assert "处理中" in words(desk.two.get(url))
        choice = "other_income" if diff_fen > 0 else "loss"
        missing = desk.one.post(f"{url}/resolve", {"resolution": choice, "note": ""})
        assert missing.status_code == 422
        assert "处理依据" in words(missing)
        assert desk.one.post(f"{url}/resolve", {"resolution": choice, "note": "渠道确认"}).status_code == 303
        assert db.scalar(select(Bill.status)) == "compared"
    money.assert_proven()


def test_deposits_on_both_sides(db: Any, desk: SimpleNamespace) -> None:
    page = desk.owner.get("/merchant/deposit")
    assert desk.owner.post("/merchant/deposit", {"amount": "10", "request_key": field(page, "request_key")}).status_code == 303
    base = f"/operator/finance/merchants/{desk.shop.merchant_id}"
    assert desk.one.post(f"{base}/deposit", {"amount": "20", "bank_ref": ""}).status_code == 422
    assert desk.one.post(f"{base}/deposit", {"amount": "20", "bank_ref": "HD-777"}).status_code == 303
    assert money.balances(desk.shop)["deposit"] == 3_000
    key = field(desk.one.get(base), "request_key")
    assert desk.one.post(f"{base}/deposit-back", {"amount": "30", "request_key": key}).status_code == 303
    assert desk.one.post(f"{base}/offset", {"request_key": key}).status_code == 409, "nothing is owed"


def test_a_clerk_sees_no_money(app: Any, db: Any, desk: SimpleNamespace) -> None:
    from app.core.actor import SYSTEM
    from app.identity import service as identity

    with transaction():
        identity.create_account(
            SYSTEM, "merchant", "clerk-1", "店员", password=market.PASSWORD, roles=("clerk",), merchant_id=desk.shop.merchant_id
        )
    clerk = Browser(app)
    clerk.sign_in("/merchant", "clerk-1", market.PASSWORD)
    assert clerk.get("/merchant/funds").status_code == 403
    assert "账户总览" not in words(clerk.get("/merchant/"))


def test_a_buyer_cancels_a_paid_order_on_its_page(app: Any, db: Any) -> None:
    """Before shipping, with the money going back; after shipping the door is closed."""
    from app.orders.models import Order, Trade
    from app.payments.models import Refund
    from tests.integration.orders.test_checkout import add_address, sign_in

    shop, browser = market.make_shop(stock=9), Browser(app)
    account_id = sign_in(browser, "13900001111")
    buyer, address_id = Actor("consumer", account_id, "买家"), add_address(account_id)

    def paid() -> int:
        trade_id = money.place(buyer, address_id, [(shop.sku_ids[0], 1)])
        assert money.pay(buyer, trade_id) == ["paid"]
        money.deliver()
        return orders.orders_of_trade(db.get_one(Trade, trade_id).id)[0].id

    order_id = paid()
    assert "取消订单并退款" in words(browser.get(f"/orders/{order_id}"))
    assert browser.post(f"/orders/{order_id}/cancel", {"reason": "买家取消"}).status_code == 303
    money.deliver()
    row = db.execute(select(Order.status, Order.refunded_fen, Order.payable_fen).where(Order.id == order_id)).one()
    assert (row.status, row.refunded_fen) == ("cancelled", row.payable_fen)
    assert db.scalar(select(Refund.status)) == "done"
    shipped = paid()
    with transaction():
        orders_service.mark_shipped(money.SYSTEM, shipped)
    assert "取消订单并退款" not in words(browser.get(f"/orders/{shipped}"))
    assert browser.post(f"/orders/{shipped}/cancel", {"reason": "买家取消"}).status_code == 409
    money.assert_proven()
