"""Waves picked by shelf, trips with shared cost: each order once, sums exact, wrong input said."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from sqlalchemy import func, select

from app.core.actor import SYSTEM
from app.core.db import release_session
from app.core.errors import Conflict, Invalid, NotFound
from app.core.tx import retry_conflicts, transaction
from app.fulfilment import boards, queries, service
from app.fulfilment.models import Trip, TripStop, WaveOrder
from app.fulfilment.service import waves
from tests.factories import market
from tests.factories import orders as made
from tests.integration.fulfilment.test_carriers import owner_of


def test_a_wave_is_picked_by_shelf_and_merges_equal_goods(db: Any) -> None:
    shop = market.make_shop(stock=50)
    owner = owner_of(shop)
    ids = [made.paid(shop, [(shop.sku_ids[0], 2), (shop.sku_ids[1], 1)]).id for _ in range(2)]
    with transaction():
        waves.set_shelf(owner, shop.sku_ids[0], "b-02")
        waves.set_shelf(owner, shop.sku_ids[1], "A-01")
    with transaction():
        wave_id = waves.open_wave(owner, ids)
    rows = queries.pick_rows(boards.orders_of_wave(wave_id))
    assert [(row.place, row.quantity) for row in rows] == [("A-01", 2), ("B-02", 4)]
    with transaction():
        service.ship(SYSTEM, ids[0], "sf", "SF123123123123")
    db.expire_all()
    assert [row.quantity for row in queries.pick_rows(boards.orders_of_wave(wave_id))] == [1, 2], "what is sent need not be picked"
    with transaction():
        waves.finish_wave(owner, wave_id)
    with pytest.raises(Conflict), transaction():
        waves.finish_wave(owner, wave_id)


def test_an_order_is_in_one_wave_even_at_one_moment(db: Any) -> None:
    shop = market.make_shop(stock=50)
    owner, order_id, answers = owner_of(shop), made.paid(shop).id, []

    def work() -> None:
        def unit() -> int:
            with transaction():
                return waves.open_wave(owner, [order_id])

        try:
            answers.append("made" if retry_conflicts(unit) else "")
        except Conflict as error:
            answers.append(error.code)
        finally:
            release_session()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == ["made", "wave.taken", "wave.taken"]
    db.rollback()
    assert db.scalar(select(func.count()).select_from(WaveOrder)) == 1


def test_foreign_and_finished_orders_make_no_wave(db: Any) -> None:
    mine, theirs = market.make_shop(), market.make_shop()
    foreign = made.paid(theirs).id
    with pytest.raises(NotFound), transaction():
        waves.open_wave(owner_of(mine), [foreign])
    with pytest.raises(Invalid), transaction():
        waves.open_wave(owner_of(mine), [])
    with pytest.raises(NotFound), transaction():
        waves.set_shelf(owner_of(mine), theirs.sku_ids[0], "A-1")
    with pytest.raises(Invalid), transaction():
        waves.set_shelf(owner_of(mine), mine.sku_ids[0], "A/1")


def trip(ids: list[int], cost_fen: int = 1_001) -> int:
    with transaction():
        return waves.plan_trip(SYSTEM, ids, place="社区自提点", driver="老王", vehicle="澜A·0001", cost_fen=cost_fen, solo_fen=500)


def test_a_trip_shares_its_cost_to_the_fen_over_several_shops(db: Any) -> None:
    a, b = market.make_shop(), market.make_shop()
    ids = [made.paid(a).id, made.paid(b, [(b.sku_ids[0], 2)]).id, made.paid(b).id]
    trip_id = trip(ids)
    stops = boards.stops_of(trip_id)
    assert sum(stop.share_fen for stop, _ in stops) == 1_001
    assert {stop.merchant_id for stop, _ in stops} == {a.merchant_id, b.merchant_id}
    assert db.get_one(Trip, trip_id).solo_fen == 1_500
    with pytest.raises(Conflict, match=r"trip\.taken"):
        trip(ids[:2])
    assert db.scalar(select(func.count()).select_from(TripStop)) == 3
    with transaction():
        waves.move_trip(SYSTEM, trip_id, "out")
    for wrong in ("planned", "out", "x"):
        with pytest.raises(Conflict), transaction():
            waves.move_trip(SYSTEM, trip_id, wrong)


def test_the_desks_over_http(db: Any, app: Any, client: Any) -> None:
    from tests.clients import Browser

    shop = market.make_shop(stock=50)
    ids = [made.paid(shop).id for _ in range(2)]
    client.sign_in("/merchant", shop.login, market.PASSWORD)
    client.get("/merchant/waves")
    assert "请选择 1 到" in client.get(client.post("/merchant/waves", {}).headers["Location"]).text
    made_wave = client.post("/merchant/waves", {"order": [str(i) for i in ids]})
    assert "按货位拣货" in client.get(made_wave.headers["Location"]).text
    assert "波次拣货单" in client.post(made_wave.headers["Location"] + "/pick").text
    wrong = client.post("/merchant/shelves", {f"s{shop.sku_ids[0]}": "A 货架!"})
    assert (wrong.status_code, "货位为 20 字以内" in wrong.text) == (422, True)
    assert wrong.soup.find("input", {"name": f"s{shop.sku_ids[0]}"})["value"] == "A 货架!"
    assert client.post("/merchant/shelves", {f"s{shop.sku_ids[0]}": "a-01"}).status_code == 303
    assert "A-01" in client.get("/merchant/shelves").text
    desk = Browser(app)
    desk.sign_in("/operator", market.staff("operator", "operations"), market.PASSWORD)
    desk.get("/operator/trips")
    typed = {"order": [str(i) for i in ids], "place": "城东", "driver": "老王", "vehicle": "", "cost": "20", "solo": "12"}
    refused = desk.post("/operator/trips", typed)
    assert (refused.status_code, "请填写目的地、司机和车辆" in refused.text) == (422, True)
    assert refused.soup.find("input", {"name": "driver"})["value"] == "老王"
    assert len(refused.soup.find_all("input", {"name": "order", "checked": True})) == 2
    done = desk.post("/operator/trips", typed | {"vehicle": "澜A·1"})
    page = desk.get(done.headers["Location"]).text
    assert "16.66%" in page
    assert "¥10.00" in page
    assert desk.post(done.headers["Location"] + "/move", {"to": "out"}).status_code == 303
    assert desk.post(done.headers["Location"] + "/move", {"to": "planned"}).status_code == 409
    assert desk.get("/operator/trips/7").status_code == 404
