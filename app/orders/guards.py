"""Whether work on an order has begun that forbids changing what it consists of or where it goes; higher tiers say so."""

from __future__ import annotations

from collections.abc import Callable

from app.core.errors import Conflict

Check = Callable[[int], bool]
_checks: list[Check] = []


def on_started_check(check: Check) -> None:
    """Let a domain (fulfilment) tell whether an order has a parcel or a label; registering again changes nothing."""
    if check not in _checks:
        _checks.append(check)


def refuse_started(order_id: int) -> None:
    """Raise Conflict(`order.started`) when a parcel of the order has left or its label exists; call with the order's row taken."""
    if any(check(order_id) for check in _checks):
        raise Conflict("order.started", "订单已开始发货，不能再修改")
