"""After-sale in the soak: buyers open cases of every kind, both sides move them on, the platform decides, goods come back."""

from __future__ import annotations

import io

from PIL import Image
from sqlalchemy import select

from app.aftersales import service, states
from app.aftersales.models import Case
from app.aftersales.service import arbitration
from app.core.actor import Actor
from app.core.db import release_session, session
from app.orders.models import Order, OrderLine
from tests.soak.acting import Nothing, Scene, commit
from tests.soak.world import buyer, seller

ARBITER = Actor("operator", 910_001, "仲裁员", frozenset({"aftersale.arbitrate", "aftersale.view", "order.view"}))
TURNS = (
    states.PENDING, states.ASKING, states.SENDING, states.COLLECTING, states.CHECKING, states.SHIPPING, states.SHIPPED,
    states.REPAIRING, states.REJECTED, states.DISPUTED,
)  # fmt: skip


def _picture() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (40, 30), (90, 160, 60)).save(file, "PNG")
    return file.getvalue()


PROOF = (_picture(),)


def open_case(scene: Scene) -> None:
    """A buyer asks for something about a line; often what no rule allows, now and then with two clicks."""
    rng = scene.rng
    row = scene.one_of(
        select(OrderLine.id, Order.id.label("order_id"), Order.status, Order.account_id, OrderLine.quantity, OrderLine.sku_id, OrderLine.paid_fen)
        .join(Order, Order.id == OrderLine.order_id)
        .where(Order.status.in_(("paid", "shipped", "completed", "completed")))
        .order_by(OrderLine.id.desc())
    )
    kind = rng.choice(tuple(states.KINDS))
    reason = rng.choice([key for key, reason in states.REASONS.items() if kind in reason.kinds])
    if row.status == "paid" and rng.random() < 0.9:
        kind, reason = states.REFUND, rng.choice(states.UNSENT)
    sampled = rng.randint(1, 20)
    wanted = service.Application(
        line_id=row.id, kind=kind, reason=reason, quantity=rng.randint(1, row.quantity), description="与期望不符",
        request_key=f"{rng.getrandbits(48):012x}", new_sku_id=row.sku_id, amount_fen=rng.randint(1, max(1, row.paid_fen)),
        sampled=sampled, bad=rng.randint(1, sampled), files=PROOF,
    )  # fmt: skip
    for _ in range(rng.choice((1, 1, 1, 2))):
        commit(lambda: service.apply(buyer(row.account_id), row.order_id, wanted))


def move_case(scene: Scene) -> None:
    """Whoever's turn it is does one of the things that can be done to a case, sometimes twice."""
    row = scene.one_of(
        select(Case.id, Case.status, Case.kind, Case.quantity, Case.account_id, Case.merchant_id, Case.want_fen)
        .where(Case.status.in_(TURNS))
        .order_by(Case.id.desc())
    )
    for _ in range(scene.rng.choice((1, 1, 1, 1, 2))):
        _move(scene, row)


def _move(scene: Scene, row: Case) -> None:
    rng, shop, owner = scene.rng, seller(row.merchant_id), buyer(row.account_id)
    number = f"SF{rng.getrandbits(40):013d}"
    if rng.random() < 0.08:
        return commit(lambda: service.withdraw(owner, row.id))
    if row.status == states.PENDING:
        what = rng.choices(("approve", "reject", "ask"), (7, 2, 1))[0]
        if what == "approve":
            return commit(lambda: service.approve(shop, row.id))
        if what == "reject":
            return commit(lambda: service.reject(shop, row.id, "凭证看不清"))
        return commit(lambda: service.ask(shop, row.id, "请补充照片"))
    if row.status == states.ASKING:
        return commit(lambda: service.answer(owner, row.id, "已补充", PROOF))
    if row.status == states.SENDING:
        return commit(lambda: service.send_back(owner, row.id, "sf", number))
    if row.status == states.COLLECTING:
        return commit(lambda: service.collected(shop, row.id, "sf", number))
    if row.status == states.CHECKING:
        if rng.random() < 0.15:
            return commit(lambda: service.refuse_goods(shop, row.id, "已使用过", PROOF))
        came = row.quantity if row.kind != states.RETURN else rng.randint(1, row.quantity)
        good = rng.randint(0, came)
        return commit(lambda: service.check(shop, row.id, good, came - good))
    if row.status in (states.SHIPPING, states.REPAIRING):
        return commit(lambda: service.ship(shop, row.id, "sf", number))
    if row.status == states.SHIPPED:
        return commit(lambda: service.confirm_received(owner, row.id))
    if row.status == states.REJECTED:
        return commit(lambda: service.escalate(owner, row.id, "请平台判断"))
    return decide(scene, row)


def decide(scene: Scene, row: Case) -> None:
    """The platform decides a dispute, any way that fits it."""
    rng = scene.rng
    found = session.get(Case, row.id)
    outcomes = sorted(arbitration.outcomes_for(found)) if found is not None else []
    release_session()
    if not outcomes:
        raise Nothing
    outcome, fault, fen = rng.choice(outcomes), rng.choice(tuple(states.FAULTS)), rng.randint(1, 2_000)
    commit(lambda: service.decide(ARBITER, row.id, outcome, "依据双方举证", fault=fault, amount_fen=fen))
