"""Collecting: chosen at checkout, prepared, handed over once, undone in time, given back; guesses are counted (traps 20)."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from app.core import clock
from app.core.actor import SYSTEM, Actor
from app.core.db import release_session
from app.core.errors import Conflict, NotFound, TooMany
from app.core.tx import retry_conflicts, transaction
from app.delivery import points
from app.delivery.models import Pickup, PickupPoint
from app.fulfilment import codes, service
from app.fulfilment.models import CodeTry
from app.fulfilment.service import pickups
from app.identity.queries import find_by_login
from app.orders import queries as order_queries
from app.orders import service as orders
from app.orders.models import Order
from tests.clients import Browser
from tests.factories import market
from tests.factories import orders as made
from tests.integration.orders.test_checkout import add_address, form_of, sign_in
from tests.integration.test_access_matrix import clerk_of


def point(shop: market.Shop, actor: Actor = SYSTEM, **values: Any) -> int:
    given = {"name": "店内自提", "area_code": "T01", "street": "路 1 号", "phone": "0000-1", "hours": "每天", "capacity": 5} | values
    with transaction():
        return points.save(actor, shop.merchant_id, points.PointInput(**given))


def clerk(shop: market.Shop, role: str = "pickup_clerk") -> Actor:
    return market.actor_of(find_by_login("merchant", clerk_of(shop, role)))


def prepared(shop: market.Shop, who: Any = None) -> tuple[Order, str]:
    """An order on the shelf, and its code."""
    point_id = next((p.id for p in points.list_points(shop.merchant_id)), 0) or point(shop)
    order = made.paid(shop, points={shop.merchant_id: point_id}, who=who)
    with transaction():
        code = service.prepare(SYSTEM, order.id)
    return order, code


def hand(who: Actor, code: str) -> pickups.Outcome:
    """What a clerk's confirmation gives, in its own transaction."""
    with transaction():
        return service.hand_over(who, code)


def pickup(db: Any, order: Order) -> Pickup:
    db.rollback()
    db.expire_all()
    return db.scalars(select(Pickup).where(Pickup.order_id == order.id)).one()


def open_count(db: Any, shop: market.Shop) -> int:
    db.expire_all()
    return int(db.scalars(select(PickupPoint.open_count).where(PickupPoint.merchant_id == shop.merchant_id)).one())


def test_collecting_costs_no_freight_and_ends_the_order(db: Any) -> None:
    shop = market.make_shop()
    order, code = prepared(shop)
    assert (order.freight_fen, len(code)) == (0, 12)
    kept = pickup(db, order)
    assert code not in (kept.live_code, kept.code_enc)
    assert codes.unseal(kept.code_enc or "", kept.id) == code
    who = clerk(shop)
    with transaction():
        assert service.hand_over(who, codes.grouped(code)).order_id == order.id
    assert pickup(db, order).state == "collected"
    assert open_count(db, shop) == 0
    assert db.get_one(Order, order.id).status == "shipped", "until it can no longer be undone"
    row = pickup(db, order)
    with transaction():
        assert pickups.complete(row.id, row.rev)
        assert not pickups.complete(row.id, row.rev)
    db.expire_all()
    assert db.get_one(Order, order.id).status == "completed"


def test_two_clerks_at_once_hand_over_once(db: Any) -> None:
    shop = market.make_shop()
    order, code = prepared(shop)
    clerks = [clerk(shop), clerk(shop, "owner")]
    answers: list[str] = []

    def work(who: Actor) -> None:
        def run() -> str:
            with transaction():
                return service.hand_over(who, code).refusal or "done"

        try:
            answers.append(retry_conflicts(run))
        except Conflict as error:
            answers.append(error.code)
        finally:
            release_session()

    threads = [threading.Thread(target=work, args=(who,)) for who in clerks for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers.count("done") == 1, answers
    assert pickup(db, order).rev == 1
    assert open_count(db, shop) == 0


def test_the_same_clerk_undoes_within_minutes_and_nobody_else(db: Any) -> None:
    shop = market.make_shop()
    order, code = prepared(shop)
    mine, other = clerk(shop), clerk(shop, "owner")
    with transaction():
        service.hand_over(mine, code)
    row = pickup(db, order)
    with pytest.raises(NotFound), transaction():
        service.undo(other, row.id)
    with pytest.raises(Conflict, match=r"pickup\.undo"), clock.travel(timedelta(minutes=10)), transaction():
        service.undo(mine, row.id)
    with transaction():
        service.undo(mine, row.id)
    assert (pickup(db, order).state, open_count(db, shop)) == ("ready", 1)
    with transaction():
        assert not pickups.complete(row.id, 1), "the queued completion belongs to the handing-over that was undone"
        assert service.hand_over(other, code).refusal == "", "the code lives again"


def test_undo_and_completion_meet_and_one_wins(db: Any) -> None:
    shop = market.make_shop()
    order, code = prepared(shop)
    mine = clerk(shop)
    with transaction():
        service.hand_over(mine, code)
    row = pickup(db, order)
    pickup_id, rev, answers = row.id, row.rev, []

    def run(verb: Any) -> None:
        def unit() -> Any:
            with transaction():
                return verb()

        try:
            answers.append(retry_conflicts(unit))
        except (Conflict, NotFound) as error:
            answers.append(error.code)
        finally:
            release_session()

    threads = [threading.Thread(target=run, args=(v,)) for v in (lambda: service.undo(mine, pickup_id), lambda: pickups.complete(pickup_id, rev))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    state = pickup(db, order).state
    status = db.get_one(Order, order.id).status
    assert (state, status) in {("ready", "shipped"), ("collected", "completed")}, (state, status, answers)


def test_guesses_are_counted_and_stopped(db: Any) -> None:
    shop = market.make_shop()
    _, code = prepared(shop)
    who = clerk(shop)
    for _ in range(pickups.TRIES):
        with transaction():
            assert service.hand_over(who, codes.fresh()).refusal
    with pytest.raises(TooMany), transaction():
        service.hand_over(who, code)
    assert db.scalar(select(func.count()).select_from(CodeTry)) == pickups.TRIES
    with clock.travel(timedelta(minutes=11)), transaction():
        assert service.hand_over(who, code).refusal == ""


def test_a_code_is_good_at_its_own_point_only(db: Any) -> None:
    mine, theirs = market.make_shop(), market.make_shop()
    _, code = prepared(mine)
    assert "不属于" in hand(clerk(theirs), code).refusal


def test_a_shared_point_hands_over_other_shops_orders(db: Any) -> None:
    host, seller = market.make_shop(), market.make_shop()
    point_id = point(host, is_shared=True)
    order = made.paid(seller, points={seller.merchant_id: point_id})
    with transaction():
        code = service.prepare(SYSTEM, order.id)
    assert "不属于" in hand(clerk(seller), code).refusal
    assert hand(clerk(host), code).order_id == order.id


def test_merchants_cannot_share_and_cannot_use_anothers_point(db: Any) -> None:
    mine, theirs = market.make_shop(), market.make_shop()
    owner = market.actor_of(find_by_login("merchant", theirs.login))
    point_id = point(theirs, owner, is_shared=True)
    assert not db.get_one(PickupPoint, point_id).is_shared
    with pytest.raises(Conflict, match=r"point\.full"):
        made.paid(mine, points={mine.merchant_id: point_id})
    with pytest.raises(NotFound), transaction():
        points.set_open(market.actor_of(find_by_login("merchant", mine.login)), point_id, False)


def test_a_full_point_takes_no_more(db: Any) -> None:
    shop = market.make_shop()
    point_id = point(shop, capacity=1)
    who = market.make_buyer()
    first = made.paid(shop, points={shop.merchant_id: point_id}, who=who)
    with pytest.raises(Conflict, match=r"point\.full"):
        made.paid(shop, points={shop.merchant_id: point_id})
    with transaction():
        orders.cancel_paid(who[0], first.id, "不要了")
        points.cancel(first.id)
        points.cancel(first.id)
    assert open_count(db, shop) == 0
    made.paid(shop, points={shop.merchant_id: point_id})


def test_a_hold_stops_the_handing_over(db: Any) -> None:
    shop = market.make_shop()
    order, code = prepared(shop)
    with transaction():
        db.get_one(Order, order.id).hold = "aftersale"
    assert "不能核销" in hand(clerk(shop), code).refusal
    assert pickup(db, order).state == "ready"


def test_collected_orders_are_not_sent_and_prepared_once(db: Any) -> None:
    shop = market.make_shop()
    order, _ = prepared(shop)
    with pytest.raises(Conflict), transaction():
        service.prepare(SYSTEM, order.id)
    other = made.paid(shop, points={shop.merchant_id: points.list_points(shop.merchant_id)[0].id})
    with pytest.raises(Conflict, match=r"order\.collected"), transaction():
        service.ship(SYSTEM, other.id, "sf", "SF123456789012")
    sent = made.paid(shop)
    with pytest.raises(NotFound), transaction():
        service.prepare(SYSTEM, sent.id)


def test_what_nobody_fetches_is_reminded_and_given_back(db: Any) -> None:
    shop = market.make_shop()
    order, code = prepared(shop)
    with transaction():
        assert service.remind_due() == 0
    with pytest.raises(Conflict, match=r"pickup\.not_due"), transaction():
        service.give_back(SYSTEM, order.id)
    with clock.travel(timedelta(days=2, minutes=1)):
        for expected in (1, 0):
            with transaction():
                assert service.remind_due() == expected
    with clock.travel(timedelta(days=3, minutes=1)):
        with transaction():
            service.give_back(SYSTEM, order.id)
        assert hand(clerk(shop), code).refusal
    assert (pickup(db, order).state, open_count(db, shop)) == ("returned", 0)


def test_the_whole_way_over_http(db: Any, app: Any, client: Browser) -> None:
    shop = market.make_shop()
    point_id = point(shop)
    add_address(sign_in(client, "13820000061"))
    client.post("/cart/items", {"sku_id": shop.sku_ids[0], "qty": 1})
    field = f"point-{shop.merchant_id}"
    page = client.get("/checkout")
    assert "自提：店内自提" in page.text
    priced = client.post("/checkout", form_of(page) | {field: str(point_id), "intent": "quote"})
    assert "自提免运费" in priced.text
    assert priced.soup.find("select", {"name": field}).find("option", selected=True)["value"] == str(point_id)
    placed = client.post("/checkout", form_of(priced) | {field: str(point_id)})
    assert placed.status_code == 303
    order = db.scalars(select(Order)).one()
    with transaction():
        assert orders.mark_trade_paid(order.trade_id, order.payable_fen)
    assert "商家备好后" in client.get(f"/orders/{order.id}/pickup").text
    owner = Browser(app)
    owner.sign_in("/merchant", shop.login, market.PASSWORD)
    owner.get("/merchant/pickups")
    assert owner.post(f"/merchant/orders/{order.id}/prepare").status_code == 303
    shown = client.get(f"/orders/{order.id}/pickup").soup.select_one(".pcode").get_text()
    phone = Browser(app)
    phone.sign_in("/merchant", clerk_of(shop, "pickup_clerk"), market.PASSWORD)
    assert phone.get("/merchant/orders").status_code == 403
    phone.get("/merchant/verify")
    wrong = phone.post("/merchant/verify", {"code": "123456789012"})
    assert (wrong.status_code, "核销码不正确" in wrong.text) == (422, True)
    assert wrong.soup.find("input", {"name": "code"})["value"] == "123456789012"
    seen = phone.post("/merchant/verify", {"code": shown})
    assert "请核对后交付" in seen.text
    assert phone.post("/merchant/verify/confirm", {"code": shown}).status_code == 303
    assert "核销码不正确" in phone.post("/merchant/verify/confirm", {"code": shown}).text
    done = phone.get("/merchant/verify")
    undo = done.soup.find("form", action=lambda a: a and a.endswith("/undo"))["action"]
    assert phone.post(undo).status_code == 303
    assert "待自提" in client.get(f"/orders/{order.id}/pickup").text
    assert order_queries.get_for(SYSTEM, order.id).status == "shipped"
