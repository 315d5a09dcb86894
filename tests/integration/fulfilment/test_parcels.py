"""Parcels: some now, some later; scans that repeat, come late or out of order; lost ones; cold ones; papers."""

from __future__ import annotations

import random
import threading
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from app.catalog.models import Product
from app.core import clock
from app.core.actor import SYSTEM
from app.core.db import release_session
from app.core.errors import Conflict, Invalid, NotFound
from app.core.jobs import Job
from app.core.tx import retry_conflicts, transaction
from app.fulfilment import queries, service
from app.fulfilment.models import Parcel, PrintLog
from app.inventory import queries as inventory
from app.inventory.models import Stock
from app.orders import service as orders
from app.orders.models import Order
from tests.factories import market
from tests.factories import orders as made

NUMBERS = iter(range(10**11, 10**12))


def send(order: Order, units: dict[int, int] | None = None) -> Parcel:
    with transaction():
        return service.ship(SYSTEM, order.id, "sf", f"SF{next(NUMBERS)}", units)


def scan(parcel: Parcel, kind: str, minutes: int, key: str = "") -> bool:
    with transaction():
        return service.track(
            parcel.carrier, parcel.tracking_no, key or f"{kind}-{minutes}", kind, "中转站", kind, clock.now() + timedelta(minutes=minutes)
        )


def status_of(db: Any, row: Any) -> str:
    db.expire_all()
    return str(db.get_one(type(row), row.id).status)


def test_units_leave_in_two_parcels_and_the_order_follows(db: Any) -> None:
    shop = market.make_shop()
    order = made.paid(shop, [(shop.sku_ids[0], 3), (shop.sku_ids[1], 1)])
    first, second = queries.waiting_units(order)
    send(order, {first: 2, second: 0})
    db.expire_all()
    order = db.get_one(Order, order.id)
    assert (order.status, order.units_out) == ("paid", 2)
    assert queries.waiting_units(order) == {first: 1, second: 1}
    with pytest.raises(Invalid, match=r"parcel\.units"), transaction():
        service.ship(SYSTEM, order.id, "sf", "SF999999999999", {first: 2})
    send(order)
    assert status_of(db, order) == "shipped"
    assert sum(sum(lines.values()) for lines in queries.contents_of(db.scalars(select(Parcel.id)).all()).values()) == 4
    stock = db.scalars(select(Stock.on_hand).where(Stock.sku_id == shop.sku_ids[0])).one()
    assert stock == 7
    assert inventory.audit_columns() == []


def test_what_has_partly_left_cannot_be_cancelled(db: Any) -> None:
    shop, who = market.make_shop(), market.make_buyer()
    order = made.paid(shop, [(shop.sku_ids[0], 3)], who=who)
    send(order, {next(iter(queries.waiting_units(order))): 1})
    with pytest.raises(Conflict, match=r"order\.state"), transaction():
        orders.cancel_paid(who[0], order.id, "不要了")


@pytest.mark.parametrize("units", [{}, {1: 1}, {0: -1}])
def test_impossible_quantities_are_refused(db: Any, units: dict[int, int]) -> None:
    shop = market.make_shop()
    order = made.paid(shop, [(shop.sku_ids[0], 3)])
    line = next(iter(queries.waiting_units(order)))
    wanted = {line if key == 0 else key: n for key, n in units.items()}
    with pytest.raises(Invalid, match=r"parcel\.units"), transaction():
        service.ship(SYSTEM, order.id, "sf", "SF123456789999", wanted)
    assert db.scalars(select(Parcel.id)).all() == []


def test_two_clerks_do_not_send_the_same_units(db: Any) -> None:
    shop = market.make_shop()
    order = made.paid(shop, [(shop.sku_ids[0], 2)])
    order_id, refused = order.id, []

    def work(number: str) -> None:
        def run() -> None:
            with transaction():
                service.ship(SYSTEM, order_id, "sf", number)

        try:
            retry_conflicts(run)
        except (Conflict, Invalid) as error:
            refused.append(error.code)
        finally:
            release_session()

    threads = [threading.Thread(target=work, args=(f"SF{next(NUMBERS)}",)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    db.rollback()
    db.expire_all()
    parcels = db.scalars(select(Parcel.id).where(Parcel.order_id == order_id)).all()
    assert len(parcels) == 1
    assert len(refused) == 2
    assert queries.contents_of(parcels)[parcels[0]] == dict.fromkeys(queries.contents_of(parcels)[parcels[0]], 2)
    assert inventory.audit_columns() == []


def test_the_order_arrives_with_its_last_parcel(db: Any) -> None:
    shop = market.make_shop()
    order = made.paid(shop, [(shop.sku_ids[0], 2)])
    line = next(iter(queries.waiting_units(order)))
    one, two = send(order, {line: 1}), send(order, {line: 1})
    assert scan(one, "delivered", 10)
    db.expire_all()
    assert db.get_one(Order, order.id).delivered_at is None
    assert scan(two, "delivered", 20)
    db.expire_all()
    assert db.get_one(Order, order.id).delivered_at is not None


def test_scans_in_any_order_never_move_it_back(db: Any) -> None:
    """Every shuffle of the same scans, with repeats, ends at the furthest one."""
    rng = random.Random(7)
    kinds = ["collected", "in_transit", "in_transit", "out_for_delivery"]
    ranks = {"shipped": 1, "collected": 2, "in_transit": 3, "out_for_delivery": 4, "delivered": 9}
    for _ in range(4):
        parcel = send(made.paid(market.make_shop()))
        reports = [(kind, minutes) for minutes, kind in enumerate(kinds)] * 2
        rng.shuffle(reports)
        furthest, seen = 1, set()
        for kind, minutes in reports:
            assert scan(parcel, kind, minutes) is ((kind, minutes) not in seen)
            seen.add((kind, minutes))
            furthest = max(furthest, ranks[kind])
            assert ranks[status_of(db, parcel)] == furthest
        assert scan(parcel, "delivered", 90)
        assert scan(parcel, "in_transit", 95)
        assert scan(parcel, "lost", 99)
        assert status_of(db, parcel) == "delivered"


def test_the_same_scan_at_one_moment_is_kept_once(db: Any) -> None:
    parcel = send(made.paid(market.make_shop()))
    answers: list[bool] = []

    def report() -> None:
        def run() -> bool:
            with transaction():
                return service.track(parcel.carrier, parcel.tracking_no, "same", "collected", "站", "揽收", clock.now())

        try:
            answers.append(retry_conflicts(run))
        finally:
            release_session()

    threads = [threading.Thread(target=report) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    db.rollback()
    assert sorted(answers) == [False, False, False, True]
    assert [e.source_key for e in queries.parcels_of(parcel.order_id)[0].events].count("same") == 1


@pytest.mark.parametrize("kind", ["lost", "returned"])
def test_a_parcel_that_fails_is_told_once_and_its_order_does_not_arrive(db: Any, kind: str) -> None:
    from app.core import events, jobs
    from app.fulfilment.events import ParcelFailed

    told: list[Any] = []
    jobs.register("test.on_parcel_failed", lambda payload: told.append(payload))
    events._handlers.setdefault(ParcelFailed, []).append("test.on_parcel_failed")
    try:
        parcel = send(made.paid(market.make_shop()))
        for minutes in (1, 2):
            scan(parcel, kind, minutes)
        assert status_of(db, parcel) == kind
        assert db.scalars(select(Job.name).where(Job.name == "test.on_parcel_failed")).all() == ["test.on_parcel_failed"]
        assert db.get_one(Order, parcel.order_id).delivered_at is None
    finally:
        events._handlers[ParcelFailed].remove("test.on_parcel_failed")


def test_an_unknown_number_is_not_found(db: Any) -> None:
    with pytest.raises(NotFound), transaction():
        service.track("sf", "SF000000000000", "k", "collected", "-", "x", clock.now())


def test_a_cold_parcel_keeps_its_temperatures_and_tells_a_breach_once(db: Any) -> None:
    shop = market.make_shop()
    with transaction():
        db.get_one(Product, shop.product_id).cold_chain = "chilled"
    parcel = send(made.paid(shop))
    assert parcel.temperature == "chilled"
    for number, (tenths, is_breach) in enumerate([(40, False), (81, True), (120, True), (20, False)]):
        with transaction():
            assert service.record_temperature(parcel.id, f"s{number}", tenths, "冷藏车", clock.now())
            assert not service.record_temperature(parcel.id, f"s{number}", tenths, "冷藏车", clock.now())
        db.expire_all()
        assert (db.get_one(Parcel, parcel.id).breached_at is not None) is (is_breach or number > 1)
    assert len(queries.readings_of(parcel.id)) == 4
    with pytest.raises(Invalid), transaction():
        service.record_temperature(parcel.id, "s9", 5_000, "-", clock.now())


def pdf_of(client: Any, url: str, **fields: str) -> Any:
    return client.http.post(url, data={"csrf_token": client.token(url), "format": "pdf", **fields})


def test_papers_are_logged_and_reprints_say_so(db: Any, client: Any) -> None:
    shop = market.make_shop()
    order = made.paid(shop)
    client.sign_in("/merchant", shop.login, market.PASSWORD)
    client.get("/merchant/parcels")
    pick = client.post(f"/merchant/orders/{order.id}/pick")
    assert (pick.status_code, "补打" in pick.text) == (200, False)
    assert "¥" not in pick.soup.main.get_text(), "a pick list has no prices"
    assert "补打第 1 次" in client.post(f"/merchant/orders/{order.id}/pick").text
    parcel = send(order)
    label = client.post(f"/merchant/parcels/{parcel.id}/label")
    assert "13812341234" in label.text
    assert label.soup.select_one("svg.bar") is not None
    for size in ("100x150", "76x130"):
        answer = pdf_of(client, f"/merchant/parcels/{parcel.id}/label", size=size)
        assert (answer.status_code, answer.data[:5]) == (200, b"%PDF-")
    assert pdf_of(client, f"/merchant/parcels/{parcel.id}/slip").data[:5] == b"%PDF-"
    kinds = sorted((row.kind, row.seq) for row in db.scalars(select(PrintLog)))
    assert kinds == [("label", 1), ("label", 2), ("label", 3), ("pick", 1), ("pick", 2), ("slip", 1)]
    assert "补打面单" in client.get(f"/merchant/parcels/{parcel.id}").text


def test_the_ship_page_sends_some_and_keeps_wrong_input(db: Any, client: Any) -> None:
    shop = market.make_shop()
    order = made.paid(shop, [(shop.sku_ids[0], 3)])
    line = next(iter(queries.waiting_units(order)))
    client.sign_in("/merchant", shop.login, market.PASSWORD)
    url = f"/merchant/orders/{order.id}/ship"
    assert client.get(url).soup.find("input", {"name": f"u{line}"})["value"] == "3"
    for typed, message in (("4", "不超过待发数量"), ("x", "须为整数"), ("0", "不超过待发数量")):
        refused = client.post(url, {"carrier": "sf", "tracking_no": "SF123456789012", f"u{line}": typed})
        assert (refused.status_code, message in refused.text) == (422, True), typed
        assert refused.soup.find("input", {"name": f"u{line}"})["value"] == typed
    sent = client.post(url, {"carrier": "sf", "tracking_no": "SF123456789012", f"u{line}": "1"})
    page = client.get(sent.headers["Location"])
    assert "还有 2 件待发" in page.text
    wrong = client.post(f"{sent.headers['Location']}/temperatures", {"celsius": "热"})
    assert (wrong.status_code, "请填写如 4.5 或 -18 的温度" in wrong.text) == (422, True)
