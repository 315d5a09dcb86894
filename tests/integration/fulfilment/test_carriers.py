"""The carriers' protocols over real HTTP against simulators that check every signature; late answers, refusals, pushes (T21)."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import select
from werkzeug.serving import make_server

from app.core import cache_reset, clock, egress, jobs, runtime
from app.core.actor import SYSTEM, Actor
from app.core.db import release_session
from app.core.errors import Conflict, NotFound, Upstream
from app.core.jobs import Job
from app.core.tx import transaction
from app.demo.simulators.carriers import STEPS, Carriers
from app.demo.simulators.server import serve
from app.fulfilment import adapters, queries
from app.fulfilment.models import CarrierPush, Parcel, Waybill
from app.fulfilment.service import waybills
from app.identity.queries import find_by_login
from app.orders.models import Order
from app.payments.channels import secrets
from config.settings import CarrierAccount, Egress
from config.settings import Carriers as Accounts
from tests.factories import market
from tests.factories import orders as made

KEYS = ("sf", "zto", "jd", "local")


@dataclass
class World:
    """The simulators and where our own application listens."""

    sim: Carriers
    own: str


@pytest.fixture
def world(app: Any, db: Any) -> Iterator[World]:
    """Simulators and our application on loopback, joined by settings; secrets are sealed as in production."""
    web = make_server("127.0.0.1", 0, app, threaded=True)
    threading.Thread(target=web.serve_forever, daemon=True).start()
    own = f"http://127.0.0.1:{web.server_port}"
    sim = Carriers({key: (f"app-{key}", f"secret-of-{key}") for key in KEYS}, own + "/api/carriers/{carrier}/pushes")
    server = serve(sim, "127.0.0.1", 0)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port, before = server.server_address[1], runtime.current()
    accounts = {
        key: CarrierAccount(
            base_url=f"http://127.0.0.1:{port}/{key}", app_id=f"app-{key}",
            secret=SecretStr(secrets.seal(f"carriers.{key}.secret", f"secret-of-{key}")),
        )
        for key in KEYS
    }  # fmt: skip
    settings = before.settings.model_copy(
        update={"carriers": Accounts(**accounts), "egress": Egress(internal=(f"127.0.0.1:{port}",), timeout_s=1.0)}
    )
    runtime.install(replace(before, settings=settings))
    cache_reset.reset_all()
    try:
        yield World(sim, own)
    finally:
        runtime.install(before)
        cache_reset.reset_all()
        server.shutdown()
        server.server_close()
        web.shutdown()
        release_session()


def owner_of(shop: market.Shop) -> Actor:
    return market.actor_of(find_by_login("merchant", shop.login))


def sent(carrier: str, units: int = 1) -> tuple[Order, Parcel]:
    shop = market.make_shop()
    order = made.paid(shop, [(shop.sku_ids[0], units)])
    parcel_id = waybills.request(owner_of(shop), order.id, carrier)
    return order, queries.get_parcel(SYSTEM, parcel_id)


def run_pushes(db: Any) -> None:
    """Apply the kept pushes, as a worker does."""
    db.rollback()
    for job in db.execute(select(Job.id, Job.payload).where(Job.name == waybills.APPLY_JOB, Job.status == jobs.QUEUED)).all():
        with transaction():
            waybills.apply_push(**job.payload)
            db.get_one(Job, job.id).status = jobs.DONE


@pytest.mark.parametrize("carrier", KEYS)
def test_a_parcel_goes_its_whole_way(db: Any, world: World, carrier: str) -> None:
    order, parcel = sent(carrier)
    waybill = world.sim.waybills[parcel.tracking_no]
    assert waybill.reference.startswith("RM")
    assert "幸福路 88 号" in str(waybill.asked)
    at = int(clock.now().timestamp())
    for step, kind in enumerate(STEPS[:2]):
        assert world.sim.push(carrier, parcel.tracking_no, kind, at + step * 60) == 200
        assert world.sim.push(carrier, parcel.tracking_no, kind, at + step * 60) == 200, "a repeat is answered the same"
    run_pushes(db)
    db.expire_all()
    assert db.get_one(Parcel, parcel.id).status == "in_transit"
    waybill.scans = [(kind, at + step * 60) for step, kind in enumerate(STEPS)]
    assert waybills.refresh(SYSTEM, parcel.id) == 2, "what was pushed is known"
    assert waybills.refresh(SYSTEM, parcel.id) == 0
    db.expire_all()
    assert db.get_one(Order, order.id).delivered_at is not None


@pytest.mark.parametrize("carrier", KEYS)
def test_a_push_with_a_wrong_or_old_signature_is_not_kept(db: Any, world: World, carrier: str) -> None:
    _, parcel = sent(carrier)
    at = int(clock.now().timestamp())
    assert world.sim.push(carrier, parcel.tracking_no, "delivered", at, secret="another") == 401
    if carrier != "zto":  # its protocol signs no time
        assert world.sim.push(carrier, parcel.tracking_no, "delivered", at, skew_s=-3_600) == 401
    db.rollback()
    assert db.scalars(select(CarrierPush.id)).all() == []
    assert db.get_one(Parcel, parcel.id).status == "shipped"


@pytest.mark.parametrize("carrier", KEYS)
def test_a_wrong_secret_is_refused_in_the_carriers_words(db: Any, world: World, carrier: str) -> None:
    world.sim.accounts[carrier] = (f"app-{carrier}", "changed")
    shop = market.make_shop()
    order = made.paid(shop)
    with pytest.raises(adapters.Refused, match="签名"):
        waybills.request(owner_of(shop), order.id, carrier)
    db.rollback()
    db.expire_all()
    assert [w.state for w in db.scalars(select(Waybill))] == ["failed"]
    assert db.get_one(Order, order.id).status == "paid"


@pytest.mark.parametrize("carrier", KEYS)
def test_a_late_answer_leaves_one_waybill_after_the_repeat(db: Any, world: World, carrier: str) -> None:
    shop = market.make_shop()
    order = made.paid(shop)
    world.sim.slow_s = 1.6
    with pytest.raises(Upstream, match="carrier.unanswered"):
        waybills.request(owner_of(shop), order.id, carrier)
    time.sleep(0.8)
    assert len(world.sim.waybills) == 1, "the carrier made it although nobody heard"
    waybills.request(owner_of(shop), order.id, carrier)
    assert len(world.sim.waybills) == 1
    db.rollback()
    assert [w.state for w in db.scalars(select(Waybill))] == ["issued"]


def test_a_call_inside_a_transaction_is_refused(db: Any, world: World) -> None:
    with pytest.raises(RuntimeError, match="transaction"), transaction():
        adapters.get("sf").cancel("SF1", "RM1")


def test_secrets_that_were_not_sealed_here_open_nothing(db: Any, world: World) -> None:
    sealed = runtime.current().settings.carriers.sf.secret
    assert sealed is not None
    assert "secret-of-sf" not in sealed.get_secret_value()
    wrong = CarrierAccount(base_url="http://127.0.0.1:1", app_id="x", secret=sealed)
    accounts = runtime.current().settings.carriers.model_copy(update={"zto": wrong})
    runtime.install(replace(runtime.current(), settings=runtime.current().settings.model_copy(update={"carriers": accounts})))
    with pytest.raises(Conflict, match=r"channel\.secret"):
        adapters.get("zto")


def test_only_the_allowed_host_is_called(db: Any, world: World) -> None:
    account = CarrierAccount(base_url="http://127.0.0.1:9", app_id="app-sf", secret=SecretStr("plain"))
    accounts = runtime.current().settings.carriers.model_copy(update={"sf": account})
    runtime.install(replace(runtime.current(), settings=runtime.current().settings.model_copy(update={"carriers": accounts})))
    with pytest.raises(egress.NotSent, match=r"egress\.refused"):
        adapters.get("sf").track("SF1")


def test_a_waybill_nobody_used_is_cancelled_and_a_used_one_is_not(db: Any, world: World) -> None:
    _, parcel = sent("sf")
    used = db.scalars(select(Waybill)).one()
    with pytest.raises(Conflict, match=r"waybill\.state"):
        waybills.cancel(SYSTEM, used.id)
    shop = market.make_shop()
    order = made.paid(shop)
    spare = world.sim.make("sf", "RM77", {})
    with transaction():
        db.add(Waybill(id=77, order_id=order.id, merchant_id=shop.merchant_id, carrier="sf", state="issued", tracking_no=spare.number,
                       units={}, created_at=clock.now()))  # fmt: skip
    with pytest.raises(NotFound):
        waybills.cancel(owner_of(market.make_shop()), 77)
    waybills.cancel(owner_of(shop), 77)
    assert world.sim.waybills[spare.number].cancelled
    assert not world.sim.waybills[parcel.tracking_no].cancelled


def test_unknown_carriers_and_garbage_are_answered_without_an_error(db: Any, world: World, client: Any) -> None:
    assert client.http.post("/api/carriers/nobody/pushes", data=b"x").status_code == 404
    for carrier in KEYS:
        for body in (b"", b"\xff\xfe", b"msgData=%7B&timestamp=1&msgDigest=x", b'{"scans": 7}', b"data=x&data_digest=%E6"):
            assert client.http.post(f"/api/carriers/{carrier}/pushes", data=body).status_code in {400, 401}
    assert db.scalars(select(CarrierPush.id)).all() == []


def test_the_same_push_at_one_moment_is_kept_once(db: Any, world: World) -> None:
    _, parcel = sent("local")
    at, answers = int(clock.now().timestamp()), []
    threads = [
        threading.Thread(target=lambda: answers.append(world.sim.push("local", parcel.tracking_no, "collected", at))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    run_pushes(db)
    assert answers == [200] * 4
    assert [e.kind for e in queries.parcels_of(parcel.order_id)[0].events].count("collected") == 1
