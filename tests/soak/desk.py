"""The queue of abnormal orders in the soak: officers raise, claim and resolve cases; a held order neither ships nor pays out."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from app.orders import cases
from app.orders.models import Order, OrderCase
from tests.soak.acting import Nothing, Scene, commit
from tests.soak.world import FINANCE


def raise_case(scene: Scene) -> None:
    """An officer stops an order that looks wrong."""
    order = scene.one_of(select(Order.id).where(Order.status.in_(("paid", "shipped"))).order_by(Order.id.desc()))
    kind = scene.rng.choice(("oversold", "address", "other"))
    commit(lambda: cases.raise_by_hand(scene.rng.choice(FINANCE), order.id, kind, "收件电话打不通"))


def work_order_case(scene: Scene) -> None:
    """An officer claims a case, or ends the one it has claimed."""
    case = scene.one_of(
        select(OrderCase.id, OrderCase.status, OrderCase.officer_id).where(OrderCase.status != "resolved").order_by(OrderCase.id.desc())
    )
    end_order_case(scene, case)


def end_order_case(scene: Scene, case: Any) -> None:
    """Claim an open case, or resolve a claimed one in a way it allows."""
    if case.status == "open":
        return commit(lambda: cases.claim(scene.rng.choice(FINANCE), case.id))
    owner = next((officer for officer in FINANCE if officer.account_id == case.officer_id), None)
    if owner is None:
        raise Nothing

    def resolve() -> None:
        found = cases.get(case.id)
        cases.resolve(owner, case.id, scene.rng.choice(sorted(cases.choices(found))), "已与买家电话核实")

    return commit(resolve)
