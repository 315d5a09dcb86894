"""The warehouse pages over HTTP: a clerk's day, the owner's review, the platform's warehouses, wrong input kept on the page."""

from __future__ import annotations

import io
import re
from datetime import timedelta
from typing import Any

import pytest
from python_calamine import CalamineWorkbook

from app.catalog.models import Sku
from app.core import clock
from app.core.actor import SYSTEM
from app.core.ids import new_id
from app.core.tx import transaction
from app.inventory import reads, service
from app.inventory.events import LotRecalled, StockAlertRaised
from app.inventory.models import Count, LotStock, Recall, Receipt, Stock, Transfer
from app.inventory.service import counts, lots, quota, transfers, verify
from app.messaging import handlers as messaging
from app.messaging.models import ShortMessage
from app.orders import service as orders
from app.orders.models import Order
from tests.clients import Browser
from tests.factories import market
from tests.integration.inventory import test_papers as papers
from tests.integration.inventory import yard
from tests.integration.test_access_matrix import clerk_of, owned_order


def sign_in(app: Any, login: str, prefix: str = "/merchant") -> Browser:
    browser = Browser(app)
    assert browser.sign_in(prefix, login, market.PASSWORD).status_code == 303
    browser.get(f"{prefix}/stock")
    return browser


def code_of(db: Any, sku_id: int) -> str:
    return str(db.get(Sku, sku_id).code)


def text_of(answer: Any) -> str:
    return re.sub(r"\s+", " ", answer.soup.get_text())


def go(browser: Browser, url: str, data: dict[str, Any]) -> str:
    """Post a form that must be accepted; returns where it leads."""
    answer = browser.post(url, data)
    assert answer.status_code == 303, text_of(answer)[:400]
    return str(answer.headers["Location"])


def fetch(browser: Browser, url: str) -> bytes:
    """Post for a file."""
    return bytes(browser.http.post(url, data={"csrf_token": browser.token(url)}).get_data())


def sheet_of(body: bytes) -> list[list[Any]]:
    """The cells of a spreadsheet's first page."""
    return CalamineWorkbook.from_filelike(io.BytesIO(body)).get_sheet_by_index(0).to_python()


@pytest.fixture
def shop(db: Any) -> market.Shop:
    made, _, _ = yard.tracked_shop(stock=6)
    return made


def test_a_clerk_receives_a_lot_and_the_owner_sees_it(app: Any, db: Any, shop: market.Shop) -> None:
    clerk = sign_in(app, clerk_of(shop, "warehouse"))
    place, code = papers.own(shop), code_of(db, shop.sku_ids[0])
    form = {"warehouse_id": place, "supplier": "东坪合作社", "document_no": "CG-9", "code": [code, ""], "number": ["１２", ""]}
    more = clerk.post("/merchant/stock/receipts", {**form, "intent": "more"})
    assert len(more.soup.find_all("input", {"name": "code"})) == 8, "more rows, nothing saved"
    wrong = clerk.post("/merchant/stock/receipts", {**form, "code": ["nope", ""]})
    assert (wrong.status_code, wrong.soup.find("input", {"name": "supplier"})["value"]) == (422, "东坪合作社")
    assert "nope" in text_of(wrong)
    url = go(clerk, "/merchant/stock/receipts", form)
    line = {"code": code, "units": "12", "cause": str(new_id())}
    assert clerk.post(f"{url}/receive", line).status_code == 422, "a lot number is needed"
    line |= {"lot_no": "T20261125", "produced_on": "20261120", "expires_on": "2027-13-40"}
    bad = clerk.post(f"{url}/receive", line)
    assert (bad.status_code, bad.soup.find("input", {"name": "lot_no"})["value"]) == (422, "T20261125")
    line["expires_on"] = (yard.day(300)).strftime("%Y%m%d")
    line["produced_on"] = yard.day(-2).isoformat()
    for _ in range(2):
        go(clerk, f"{url}/receive", line)
    go(clerk, f"{url}/close", {})
    assert db.query(Receipt).one().status == "closed"
    assert yard.lot_units(yard.stock_of(shop.sku_ids[0]).id) == {"期初": (6, 0), "T20261125": (12, 0)}
    owner = sign_in(app, shop.login)
    assert "T20261125" in text_of(owner.get("/merchant/stock/lots"))
    ledger = text_of(owner.get(f"/merchant/stock/{yard.stock_of(shop.sku_ids[0]).id}"))
    assert "+12" in ledger
    yard.proven()


def test_a_clerk_counts_blind_and_another_person_books(app: Any, db: Any, shop: market.Shop) -> None:
    clerk, owner = sign_in(app, clerk_of(shop, "warehouse")), sign_in(app, shop.login)
    code = code_of(db, shop.sku_ids[1])
    url = go(clerk, "/merchant/stock/counts", {"warehouse_id": papers.own(shop), "codes": code})
    clerk.get(url)  # the message of the redirect names the book; the sheet does not
    assert "账面" not in text_of(clerk.get(url)), "the sheet is blind"
    assert clerk.post(f"{url}/submit").status_code == 422
    kept = clerk.post(f"{url}/enter", {"code": code, "units": "a4"})
    assert (kept.status_code, kept.soup.find("input", {"name": "units"})["value"]) == (422, "a4")
    go(clerk, f"{url}/enter", {"code": code, "units": "4"})
    go(clerk, f"{url}/submit", {})
    assert clerk.post(f"{url}/approve").status_code == 403
    page = text_of(owner.get(url))
    assert "账面" in page
    assert "盘亏" in page
    go(owner, f"{url}/approve", {})
    assert yard.free(shop.sku_ids[1]) == 4
    assert db.query(Count).one().status == "closed"
    yard.proven()


def test_who_counted_does_not_review_even_as_the_owner(app: Any, db: Any, shop: market.Shop) -> None:
    owner = sign_in(app, shop.login)
    url = go(owner, "/merchant/stock/counts", {"warehouse_id": papers.own(shop), "codes": code_of(db, shop.sku_ids[1])})
    line = counts.lines_of(int(url.rsplit("/", 1)[1]))[0].id
    go(owner, f"{url}/enter", {f"units_{line}": "5"})
    go(owner, f"{url}/submit", {})
    refused = owner.post(f"{url}/approve")
    assert refused.status_code == 403
    assert "不同的人" in text_of(refused)


def test_goods_go_to_the_platform_and_its_keeper_takes_them_in(app: Any, db: Any, shop: market.Shop) -> None:
    hub, sku = papers.central("HUB1"), shop.sku_ids[0]
    clerk = sign_in(app, clerk_of(shop, "warehouse"))
    keeper = sign_in(app, market.staff("operator", "warehouse"), "/operator")
    form = {"from_id": papers.own(shop), "to_id": hub, "code": [code_of(db, sku)], "number": ["4"], "lot_no": [""]}
    short = clerk.post("/merchant/stock/transfers", {**form, "number": ["40"]})
    assert (short.status_code, short.soup.find("input", {"name": "number"})["value"]) == (409, "40")
    url = go(clerk, "/merchant/stock/transfers", form)
    move = int(url.rsplit("/", 1)[1])
    assert keeper.post(f"/operator/stock/transfers/{move}/ship").status_code == 404
    go(clerk, f"{url}/ship", {})
    assert "在途" in text_of(clerk.get("/merchant/stock/transfers"))
    assert clerk.post(f"{url}/receive").status_code == 422
    line = transfers.lines_of(move)[0].id
    refused = keeper.post(f"/operator/stock/transfers/{move}/receive", {f"units_{line}": "3", f"reason_{line}": ""})
    assert (refused.status_code, refused.soup.find("input", {"name": f"units_{line}"})["value"]) == (422, "3")
    go(keeper, f"/operator/stock/transfers/{move}/receive", {f"units_{line}": "3", f"reason_{line}": "外箱破损"})
    assert (db.get(Transfer, move).status, yard.free(sku)) == ("received", 5)
    assert "HUB1" in text_of(keeper.get("/operator/stock/warehouses"))
    yard.proven()


def test_the_owner_keeps_lots_thresholds_warehouses_and_bundles(app: Any, db: Any) -> None:
    shop = market.make_shop(stock=9)
    owner, (sku, other) = sign_in(app, shop.login), shop.sku_ids
    stock = yard.stock_of(sku).id
    assert owner.post(f"/merchant/stock/{stock}/keeping", {"safety_stock": "-1"}).status_code == 422
    go(owner, f"/merchant/stock/{stock}/keeping", {"safety_stock": "12", "by_lots": "1", "shelf_days": "90", "min_remaining_days": "7"})
    assert (yard.stock_of(sku).tracking, yard.stock_of(sku).safety_stock) == ("lot", 12)
    lot_id = db.query(LotStock).filter_by(stock_id=stock).one().lot_id
    row = yard.row_id(stock, lot_id)
    cause = str(new_id())
    for _ in range(2):
        go(
            owner, f"/merchant/stock/{stock}/quarantine",
            {"kind": "damage", "lot_id": lot_id, "units": "2", "reason": "压坏", "cause": cause},
        )  # fmt: skip
    go(owner, f"/merchant/stock/quarantine/{row}/restore", {"units": "1", "reason": "完好", "cause": str(new_id())})
    too_many = owner.post(f"/merchant/stock/quarantine/{row}/scrap", {"units": "5", "reason": "坏", "cause": str(new_id())})
    assert too_many.status_code == 409
    go(owner, f"/merchant/stock/quarantine/{row}/scrap", {"units": "1", "reason": "坏", "cause": str(new_id())})
    assert yard.lot_units(stock) == {"期初": (8, 0)}
    place = {"code": "SHOP-2", "name": "前店", "kind": "merchant", "area_code": "T01", "priority": "5", "areas": "T01"}
    wrong = owner.post("/merchant/stock/warehouses", {**place, "priority": "x"})
    assert (wrong.status_code, wrong.soup.find("input", {"name": "name"})["value"]) == (422, "前店")
    go(owner, "/merchant/stock/warehouses", place)
    assert "前店" in text_of(owner.get("/merchant/stock/warehouses"))
    recipe = {"bundle": code_of(db, other), "code": [code_of(db, sku)], "number": ["2"]}
    assert owner.post("/merchant/stock/bundles", recipe).status_code == 409, "it still has stock of its own"
    with transaction():
        service.change_on_hand(SYSTEM, yard.stock_of(other).id, -9, cause_id=new_id(), note="清空")
    go(owner, "/merchant/stock/bundles", recipe)
    assert yard.free(other) == 4
    go(owner, f"/merchant/stock/bundles/{other}/dissolve", {})
    yard.proven()


def test_a_recall_reaches_the_buyers_once(app: Any, db: Any) -> None:
    shop = market.make_shop(stock=5)
    sku = shop.sku_ids[0]
    with transaction():
        lots.keep_by_lots(SYSTEM, sku)
    order_id = owned_order(shop)
    with transaction():
        service.ship(order_id)
    lot = db.query(LotStock).filter_by(stock_id=yard.stock_of(sku).id).one().lot_id
    owner = sign_in(app, shop.login)
    assert owner.post(f"/merchant/stock/lots/{lot}/recall", {"reason": " "}).status_code == 422
    go(owner, f"/merchant/stock/lots/{lot}/recall", {"reason": "农残超标"})
    assert owner.post(f"/merchant/stock/lots/{lot}/recall", {"reason": "再来一次"}).status_code == 409
    recall = db.query(Recall).one()
    recall_id = recall.id
    assert (recall.reached, yard.free(sku)) == (1, 0)
    for _ in range(2):
        with transaction():
            messaging.on_lot_recalled(LotRecalled(recall_id, lot, shop.merchant_id))
    assert db.query(ShortMessage).count() == 1, "each order is told once"
    page = owner.get(f"/merchant/recalls/{recall_id}")
    assert "农残超标" in text_of(page)
    rows = sheet_of(fetch(owner, f"/merchant/recalls/{recall_id}/export"))
    assert rows[1][5:7] == ["李四", "13812341234"], "the merchant must be able to call its buyers"
    operator = sign_in(app, market.staff("operator", "operations"), "/operator")
    assert text_of(operator.get(f"/operator/recalls/{recall_id}")).count("李四") == 0
    assert "13812341234" not in str(sheet_of(fetch(operator, f"/operator/recalls/{recall_id}/export")))
    yard.proven()


@pytest.mark.parametrize(("days", "leaves"), [(1, True), (9, False), (-1, True)])
def test_the_promised_day_of_an_order_chooses_its_lot(db: Any, days: int, leaves: bool) -> None:
    """A lot good until day 6 may leave for day 1 and not for day 9; a broken promise counts as none."""
    shop, sku, stock = yard.tracked_shop()
    yard.receive(shop, stock, "L1", 5, 6)
    order_id = owned_order(shop)
    with transaction():
        db.get_one(Order, order_id).promised_by = clock.now() + timedelta(days=days)
    try:
        with transaction():
            orders.mark_shipped(SYSTEM, order_id)
    except service.LotShort:
        assert not leaves
    else:
        assert leaves
    assert yard.columns(sku)["on_hand"] == (4 if leaves else 5)
    yard.proven()


def test_the_shop_is_told_of_low_stock_once(db: Any) -> None:
    shop = market.make_shop()
    for _ in range(2):
        with transaction():
            messaging.on_stock_alert_raised(StockAlertRaised(shop.merchant_id, 77, 2, 1))
    assert db.query(ShortMessage).count() == 1


def test_the_export_holds_every_row_of_the_shop_and_no_other(app: Any, db: Any, shop: market.Shop) -> None:
    market.make_shop()
    with transaction():
        quota.hold("flash", 1, shop.sku_ids[0], 2, cause_id=new_id())
    rows = sheet_of(sign_in(app, shop.login).http.get("/merchant/stock/export").get_data())
    assert [row[6:11] for row in rows[1:]] == [[6.0, 0.0, 0.0, 2.0, 4.0], [6.0, 0.0, 0.0, 0.0, 6.0]]


def test_the_ledger_keeps_its_balance_over_pages(app: Any, db: Any) -> None:
    shop = market.make_shop(stock=100)
    stock = yard.stock_of(shop.sku_ids[0])
    for step in range(12):
        with transaction():
            service.change_on_hand(SYSTEM, stock.id, -(step + 1), cause_id=new_id(), note="-")
    stock, seen, cursor = yard.stock_of(shop.sku_ids[0]), [], ""
    while True:
        page = reads.ledger(stock, cursor, 5)
        seen += [balance for _, balance in page.items]
        if not page.next_cursor:
            break
        cursor = page.next_cursor
    balance, wanted = 100, [100]
    for step in range(12):
        balance -= step + 1
        wanted.append(balance)
    assert seen == wanted[::-1]


@pytest.mark.parametrize("path", ["", "/alerts", "/lots", "/lots?view=blocked", "/lots?view=all", "/receipts", "/transfers", "/counts", "/warehouses"])
def test_every_list_stands_empty_and_full_on_both_surfaces(app: Any, db: Any, shop: market.Shop, path: str) -> None:
    bare = market.make_shop(stock=0)
    operator = sign_in(app, market.staff("operator", "operations"), "/operator")
    for browser, base in ((sign_in(app, bare.login), "/merchant"), (sign_in(app, shop.login), "/merchant"), (operator, "/operator")):
        assert browser.get(f"{base}/stock{path}").status_code == 200


def test_an_operator_handles_a_difference(app: Any, db: Any) -> None:
    shop = market.make_shop(stock=4)
    with transaction():
        db.query(Stock).filter_by(sku_id=shop.sku_ids[0]).one().on_hand = 5
    with transaction():
        verify.record(verify.verify())
    case = verify.open_cases()[0].id
    operator = sign_in(app, market.staff("operator", "operations"), "/operator")
    assert operator.post(f"/operator/stock/cases/{case}", {"resolution": ""}).status_code == 422
    go(operator, f"/operator/stock/cases/{case}", {"resolution": "数据修复单 7"})
    assert verify.count_open() == 0
    assert operator.post(f"/operator/stock/cases/{case}", {"resolution": "又一次"}).status_code == 404
    assert "库存差异" in text_of(operator.get("/operator/"))
