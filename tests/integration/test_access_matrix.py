"""Who gets in where: every route of the URL map, tried signed out, with the wrong role, and with another shop's ids."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import select

from app.aftersales.models import Case
from app.carts import queries as carts
from app.catalog import service as catalog
from app.catalog.importing import runs
from app.catalog.models import Document, ImportRun, Product, Tag
from app.core import clock
from app.core.actor import SYSTEM, Actor
from app.core.db import session
from app.core.ids import new_id
from app.core.tx import transaction
from app.delivery import points
from app.delivery import service as delivery
from app.delivery.models import DeliveryGoods, DeliveryPromise, FreightTemplate, Pickup, PickupPoint
from app.delivery.spec import RegionRule, TemplateSpec
from app.fulfilment import codes
from app.fulfilment.models import Parcel, Wave, Waybill
from app.identity import service as identity
from app.identity.queries import find_by_login
from app.identity.roles import BUILT_IN_ROLES
from app.inventory import service as inventory
from app.inventory.models import Count, Lot, LotStock, Recall, Receipt, Stock, Transfer, Warehouse
from app.inventory.service import counts, lots, recalls, receipts, transfers
from app.inventory.service.lot_rows import Cause
from app.orders import invoices
from app.orders import queries as orders
from app.orders import service as orders_service
from app.orders.models import Invoice, Order, OrderExport, Trade
from app.orders.searching import Criteria
from app.promotions import service as promotions_service
from app.promotions.models import PromotionRule
from app.reviews.models import Review
from app.settlement.models import Payout, Statement
from app.web.surfaces import SURFACES
from security.tokens import random_token
from tests.clients import Browser
from tests.factories import aftersales, market, promotions

# Fields that pass the form of a route, so that the refusal is about whose the row is and nothing else.
FORMS: dict[str, dict[str, Any]] = {
    "merchant_catalog.add_document": {"kind": "inspection", "number": "BG-2026-1", "issuer": "检测所"},
    "merchant_aftersales.approve": {"return_to": "测试路 1 号"},
    "merchant_aftersales.ask": {"note": "请补充照片"},
    "merchant_aftersales.check": {"good": "1", "scrapped": "0"},
    "merchant_aftersales.collected": {"carrier": "顺丰速运", "tracking_no": "SF1234567890123"},
    "merchant_aftersales.evidence": {"note": "见图"},
    "merchant_aftersales.refuse": {"reason": "已使用"},
    "merchant_aftersales.reject": {"reason": "不符合条件"},
    "merchant_aftersales.ship": {"carrier": "顺丰速运", "tracking_no": "SF1234567890123"},
    "merchant_catalog.add_tag": {"family": "marketing", "tag_name": "新品"},
    "merchant_fulfilment.ship": {"carrier": "sf", "tracking_no": "SF1234567890123"},
    "merchant_fulfilment.add_temperature": {"celsius": "4.0"},
    "merchant_delivery.save_point": {
        "name": "点", "area_code": "T01", "street": "路", "phone": "1", "hours": "天", "capacity": "1", "keep_days": "1",
    },
    "merchant_inventory.change": {"delta": "5", "cause": "77"},
    "merchant_inventory.stock_quarantine": {"units": "1", "reason": "破损", "cause": "78", "kind": "damage"},
    "merchant_inventory.stock_keeping": {"safety_stock": "5"},
    "merchant_inventory.lot_block": {"reason": "抽检"}, "merchant_inventory.lot_reopen": {"reason": "合格"},
    "merchant_inventory.lot_recall": {"reason": "召回"},
    "merchant_inventory.quarantine_restore": {"units": "1", "reason": "合格", "cause": "79"},
    "merchant_inventory.quarantine_scrap": {"units": "1", "reason": "报废", "cause": "80"},
    "merchant_inventory.receipt_receive": {"line_id": "1", "units": "1", "cause": "81"},
    "merchant_inventory.count_enter": {"units_1": "1"}, "merchant_inventory.count_return": {"reason": "重盘"},
    "merchant_inventory.warehouse_edit": {"code": "W9", "name": "仓", "kind": "merchant", "area_code": "T01"},
    "merchant_orders.note": {"note": "看到了"},
    "merchant_orders.raise_case": {"kind": "other", "reason": "异常"},
    "merchant_orders.propose_address": {"receiver": "李四", "phone": "13812341234", "street": "幸福路 88 号", "reason": "补充"},
    "merchant_reviews.reply": {"reply": "谢谢"},
}
FILES = {
    "merchant_orders.export_file", "merchant_orders.invoice_file", "merchant_aftersales.picture", "merchant_catalog.import_result",
    "merchant_inventory.stock_export",
    "merchant_settlement.statement_xlsx", "merchant_settlement.statement_pdf",
}  # fmt: skip
CONSOLES = ("merchant", "operator", "government", "security")


def rules(app: Any, kind: str, surfaces: tuple[str, ...] = tuple(SURFACES)) -> list[tuple[Any, Any, str]]:
    """Every (rule, view, method) of an access kind on some surfaces."""
    found = []
    for rule in sorted(app.url_map.iter_rules(), key=lambda r: (r.rule, r.endpoint)):
        view = app.view_functions[rule.endpoint]
        if rule.endpoint.split("_", 1)[0] in surfaces and getattr(view, "access", ("",))[0] == kind:
            found += [(rule, view, method) for method in sorted(rule.methods & {"GET", "POST"})]
    return found


def filled(rule: Any, ids: dict[str, int] | None = None) -> str:
    """The URL of a rule; a parameter without an id becomes 1."""
    return re.sub(r"<(?:\w+:)?(\w+)>", lambda match: str((ids or {}).get(match[1], 1)), rule.rule)


def owned_order(shop: market.Shop) -> int:
    """A paid order of a shop."""
    buyer, address_id = market.make_buyer()
    picked = [(shop.sku_ids[0], 1)]
    quote, _, _ = carts.price(picked)
    wanted = orders_service.Submission(picked, address_id, quote.quote_hash, quote.total_fen, random_token(), {}, from_cart=False)
    with transaction():
        trade_id = orders_service.place(buyer, wanted)
    with transaction():
        assert orders_service.mark_trade_paid(trade_id, session.get_one(Trade, trade_id).payable_fen)
    return orders.orders_of_trade(trade_id)[0].id


def owned(db: Any, shop: market.Shop) -> dict[str, int]:
    """One row of everything a merchant route can name, all belonging to the shop."""
    order_id = owned_order(shop)
    line = orders.lines_of([order_id])[order_id][0]
    buyer = Actor("consumer", db.get_one(Order, order_id).account_id, "买家")
    case_id = aftersales.opened(buyer, order_id, "refund", "dont_want", files=())
    with transaction():
        document = catalog.add_document(SYSTEM, shop.product_id, kind="inspection", number=f"BG-{shop.login}")
        tag = catalog.add_tag(SYSTEM, shop.product_id, family="marketing", name="热卖")
        run = runs.create(SYSTEM, "goods.xlsx", b"sheet", dry_run=True, merchant_id=shop.merchant_id, queue=False)
        review = Review(
            id=new_id(), product_id=shop.product_id, merchant_id=shop.merchant_id, order_line_id=line.id, account_id=1, author_mask="李*",
            rating=5, body="很好", pictures=[], created_at=clock.now(),
        )  # fmt: skip
        db.add(review)
        stock_id = db.scalar(select(Stock.id).where(Stock.sku_id == shop.sku_ids[0]))
        payout = Payout(
            id=new_id(), payout_no=f"W{order_id}", merchant_id=shop.merchant_id, request_key="key-00001", amount_fen=5_000, bank_name="银行",
            holder="户名", number_enc="-", number_mask="尾号 1", created_at=clock.now(),
        )  # fmt: skip
        statement = Statement(
            id=new_id(), merchant_id=shop.merchant_id, month_no=202610, opening_fen=0, increase_fen=0, decrease_fen=0, closing_fen=0,
            entry_count=0, totals={"accounts": [], "by_kind": []}, closed_at=clock.now(),
        )  # fmt: skip
        db.add_all([payout, statement])
        template = delivery.add_template(SYSTEM, shop.merchant_id, TemplateSpec("全区", "piece", (RegionRule((), 1, 500),)))
        delivery.bind(SYSTEM, template.id, shop.product_id)
        promise = delivery.add_promise(SYSTEM, shop.merchant_id, delivery.PromiseInput("次日达", 1, 960, 1_260))
        goods_id = db.scalar(select(DeliveryGoods.id).where(DeliveryGoods.product_id == shop.product_id))
        point_id = points.save(SYSTEM, shop.merchant_id, points.PointInput("店内", "T01", "路 1 号", "0000", "每天", 5))
        parcel_id, pickup_id = new_id(), new_id()
        db.add(Parcel(id=parcel_id, order_id=order_id, merchant_id=shop.merchant_id, carrier="self", tracking_no=f"P{order_id}",
                      status="shipped", shipped_at=clock.now()))  # fmt: skip
        waybill_id, wave_id = new_id(), new_id()
        db.add(Waybill(id=waybill_id, order_id=order_id, merchant_id=shop.merchant_id, carrier="sf", state="issued", tracking_no=f"W{order_id}",
                       units={}, created_at=clock.now()))  # fmt: skip
        db.add(Wave(id=wave_id, merchant_id=shop.merchant_id, number="B1", status="open", created_at=clock.now()))
        owner = find_by_login("merchant", shop.login)
        db.add(Pickup(id=pickup_id, order_id=order_id, merchant_id=shop.merchant_id, point_id=point_id, point_name="店内", state="collected",
                      live_code=f"#{pickup_id}", code_enc=codes.seal(codes.fresh(), pickup_id), collected_at=clock.now(),
                      collected_by=owner.id, rev=1))  # fmt: skip
        export = OrderExport(
            id=new_id(), account_id=1, merchant_id=shop.merchant_id, criteria=Criteria(shop.merchant_id).as_json(), status="queued",
            requested_by="店主", requested_at=clock.now(),
        )  # fmt: skip
        title = invoices.row_for(order_id, 1, shop.merchant_id, invoices.checked("personal", "李四"))
        db.add_all([export, Invoice(**title)])
        rule = promotions_service.draft(SYSTEM, promotions.spec(merchant_id=shop.merchant_id))
    return owned_goods(db, shop) | {
        "product_id": shop.product_id, "document_id": document.id, "tag_id": tag.id, "run_id": run.id, "order_id": order_id,
        "review_id": review.id, "stock_id": stock_id, "rule_id": rule.id, "payout_id": payout.id, "statement_id": statement.id,
        "template_id": template.id, "promise_id": promise.id, "goods_id": goods_id, "case_id": case_id,
        "export_id": export.id, "invoice_id": title["id"], "point_id": point_id, "parcel_id": parcel_id, "pickup_id": pickup_id,
        "waybill_id": waybill_id, "wave_id": wave_id,
    }  # fmt: skip


def owned_goods(db: Any, shop: market.Shop) -> dict[str, int]:
    """One paper of every kind in the shop's warehouse, a lot with a unit aside, a transfer to a second warehouse."""
    sku = shop.sku_ids[1]
    with transaction():
        lots.keep_by_lots(SYSTEM, sku)
        place = inventory.warehouse_of(shop.merchant_id)
        second = Warehouse(id=new_id(), merchant_id=shop.merchant_id, code=f"S{sku}", name="二仓", kind="merchant", area_code="T01")
        db.add(second)
        db.flush()
        stock_id = inventory.ensure_stock([sku], shop.merchant_id)[sku]
        lot = lots.open_lot(SYSTEM, sku, "L1")
        lots.receive_into(SYSTEM, stock_id, lot, 3, cause=Cause("receive", "test", new_id()))
        lots.quarantine(SYSTEM, stock_id, lot.id, 1, "待检", cause_id=new_id())
        note = receipts.create(SYSTEM, place.id, [(sku, 5)])
        sheet = counts.begin(SYSTEM, place.id, [sku])
        move = transfers.request(SYSTEM, place.id, second.id, [(sku, 1, lot.id)])
        called = lots.open_lot(SYSTEM, sku, "L2").id
        recall = recalls.recall(SYSTEM, called, "标签错误")
        row_id = db.scalar(select(LotStock.id).where(LotStock.stock_id == stock_id, LotStock.lot_id == lot.id))
        return {
            "lot_id": lot.id, "row_id": row_id, "receipt_id": note.id, "count_id": sheet.id, "transfer_id": move.id,
            "warehouse_id": second.id, "sku_id": shop.sku_ids[0], "recall_id": recall.id,
        }  # fmt: skip


@pytest.fixture
def two(app: Any, db: Any) -> SimpleNamespace:
    """Two shops with everything; browsers of both owners."""
    a, b = market.make_shop(), market.make_shop()
    found = SimpleNamespace(a=owned(db, a), b=owned(db, b), owner_a=Browser(app), owner_b=Browser(app))
    for browser, shop in ((found.owner_a, a), (found.owner_b, b)):
        assert browser.sign_in("/merchant", shop.login, market.PASSWORD).status_code == 303
        browser.get("/merchant/shop")
    return found


def named(app: Any) -> list[tuple[Any, Any, str]]:
    return [found for found in rules(app, "permission", ("merchant",)) if "<int:" in found[0].rule]


def test_the_matrix_knows_every_parameter(app: Any, two: SimpleNamespace) -> None:
    """A new kind of id on a merchant route must get its row here."""
    assert {argument for rule, _, _ in named(app) for argument in rule.arguments} == set(two.a)
    assert len(named(app)) >= 15


def test_ones_own_rows_are_shown(app: Any, two: SimpleNamespace) -> None:
    """The control: the same URLs answer their owner, so a 404 below means 'not yours'."""
    for rule, _, method in named(app):
        if method == "GET" and rule.endpoint not in FILES:
            assert two.owner_a.get(filled(rule, two.a)).status_code == 200, rule.rule


def test_another_shops_rows_do_not_exist(app: Any, two: SimpleNamespace) -> None:
    answers = {}
    for rule, _, method in named(app):
        url = filled(rule, two.a)
        answer = two.owner_b.get(url) if method == "GET" else two.owner_b.post(url, FORMS.get(rule.endpoint, {}))
        answers[f"{method} {rule.rule}"] = answer.status_code
    assert {route: status for route, status in answers.items() if status != 404} == {}


def test_another_shops_part_is_not_reached_through_ones_own_product(app: Any, two: SimpleNamespace) -> None:
    """/products/<mine>/documents/<theirs>/remove: both ids are checked, together."""
    tried = 0
    for rule, _, method in named(app):
        if len(rule.arguments) == 2:
            tried += 1
            mixed = {**two.a, "product_id": two.b["product_id"]}
            assert two.owner_b.post(filled(rule, mixed)).status_code == 404, f"{method} {rule.rule}"
    assert tried >= 2


def test_refusals_leave_the_rows_untouched(app: Any, db: Any, two: SimpleNamespace) -> None:
    before = state(db, two.a)
    for rule, _, method in named(app):
        if method == "POST":
            two.owner_b.post(filled(rule, two.a), FORMS.get(rule.endpoint, {}))
    assert state(db, two.a) == before


def state(db: Any, ids: dict[str, int]) -> dict[str, Any]:
    """The columns of every row of the ids, read afresh."""
    models = {"product_id": Product, "document_id": Document, "tag_id": Tag, "run_id": ImportRun, "order_id": Order}
    db.rollback()
    db.expire_all()
    models |= {"template_id": FreightTemplate, "promise_id": DeliveryPromise, "goods_id": DeliveryGoods, "case_id": Case}
    models |= {"point_id": PickupPoint, "parcel_id": Parcel, "pickup_id": Pickup, "export_id": OrderExport, "invoice_id": Invoice}
    models |= {"waybill_id": Waybill, "wave_id": Wave}
    models |= {"review_id": Review, "stock_id": Stock, "rule_id": PromotionRule, "payout_id": Payout, "statement_id": Statement}
    models |= {"lot_id": Lot, "row_id": LotStock, "receipt_id": Receipt, "count_id": Count, "transfer_id": Transfer}
    models |= {"warehouse_id": Warehouse, "recall_id": Recall}
    rows = {name: db.get_one(model, ids[name]) for name, model in models.items()}
    return {name: {c.key: getattr(row, c.key) for c in type(row).__mapper__.column_attrs} for name, row in rows.items()}


def test_bulk_shelf_change_passes_over_foreign_products(db: Any, two: SimpleNamespace) -> None:
    before = state(db, two.a)
    assert two.owner_b.post("/merchant/products/shelf", {"intent": "off", "id": two.a["product_id"]}).status_code == 303
    assert state(db, two.a) == before


@pytest.mark.parametrize("surface", list(SURFACES))
def test_signed_out_visitors_are_sent_to_the_sign_in_of_the_surface(app: Any, db: Any, surface: str) -> None:
    browser = Browser(app)
    for rule, _, method in rules(app, "permission", (surface,)) + rules(app, "signed_in", (surface,)):
        url = filled(rule)
        answer = browser.get(url) if method == "GET" else browser.post(url)
        assert answer.status_code in {303, 401, 403}, f"{method} {rule.rule}"
        if answer.status_code == 303:
            assert answer.headers["Location"].startswith(f"{SURFACES[surface].sign_in}?next="), f"{method} {rule.rule}"
        as_json = browser.get(url, headers={"Accept": "application/json"}) if method == "GET" else None
        assert as_json is None or as_json.status_code == 401, rule.rule


ROLES = [role for role in BUILT_IN_ROLES if role.realm in CONSOLES]


def enter(app: Any, role: Any) -> Browser:
    """A browser signed in with just this role."""
    browser, prefix = Browser(app), SURFACES[role.realm].prefix
    if role.realm == "merchant":
        login = clerk_of(market.make_shop(), role.code)
    else:
        login = market.staff(role.realm, role.code)
    assert browser.sign_in(prefix, login, market.PASSWORD).status_code == 303
    return browser


def clerk_of(shop: market.Shop, code: str) -> str:
    """A new account of a shop with one role; returns its login."""
    login = f"{code}{shop.login}"
    with transaction():
        identity.create_account(SYSTEM, "merchant", login, "店员", password=market.PASSWORD, roles=(code,), merchant_id=shop.merchant_id)
    return login


@pytest.mark.parametrize("role", ROLES, ids=lambda role: f"{role.realm}-{role.code}")
def test_a_role_enters_only_what_it_may(app: Any, db: Any, role: Any) -> None:
    """403 exactly where the permission is missing; where it is held the page answers anything but 401 and 403."""
    browser = enter(app, role)
    for rule, view, method in rules(app, "permission", (role.realm,)):
        held, url = view.access[1] in role.permissions, filled(rule)
        if held and method == "POST":
            continue  # would change something; the refusal is what is looked at
        answer = browser.http.get(url) if method == "GET" else browser.post(url)
        assert (answer.status_code == 403) is not held, f"{role.code}: {method} {rule.rule} gives {answer.status_code}"
        assert answer.status_code < 500, rule.rule


@pytest.mark.parametrize("role", ROLES, ids=lambda role: f"{role.realm}-{role.code}")
def test_a_session_is_good_on_its_own_surface_only(app: Any, db: Any, role: Any) -> None:
    """The cookie's value, handed over under another surface's name, signs nobody in."""
    browser = enter(app, role)
    own = SURFACES[role.realm]
    token = browser.http.get_cookie(f"rm_{own.key}", path=own.prefix).value
    for other in SURFACES.values():
        if other.key != own.key and other.sign_in:
            thief = Browser(app)
            thief.http.set_cookie(f"rm_{other.key}", token, path=other.prefix or "/")
            rule = next(r for r, _, m in rules(app, "permission", (other.key,)) if m == "GET" and not r.arguments)
            assert thief.get(filled(rule)).headers.get("Location", "").startswith(other.sign_in), rule.rule


def test_holders_of_a_permission_still_need_the_form_token(app: Any, two: SimpleNamespace) -> None:
    """The owner's own rows, without a token: 422 and nothing else, on every unsafe route."""
    for rule, _, method in rules(app, "permission", ("merchant",)):
        if method == "POST":
            answer = two.owner_a.post(filled(rule, two.a), token=False, headers={"Accept": "application/json"})
            assert (answer.status_code, answer.get_json()["code"]) == (422, "csrf.stale"), rule.rule
