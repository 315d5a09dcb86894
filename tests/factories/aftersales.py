"""After-sale on the market of the tests: orders in every state, applications, the sides as actors."""

from __future__ import annotations

import io
from itertools import count
from typing import Any

from PIL import Image

from app.aftersales import service, states
from app.core.actor import SYSTEM, Actor
from app.core.tx import transaction
from app.identity import queries as identity
from app.orders import queries as orders
from app.orders import service as orders_service
from tests.factories import market
from tests.integration.settlement import money

_keys = count(1)


def _picture() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (60, 40), "green").save(out, "PNG")
    return out.getvalue()


PICTURE = _picture()


def owner(shop: market.Shop) -> Actor:
    """The shop's owner."""
    return money.owner(shop)


def operator() -> Actor:
    """A new operator who may decide."""
    login = market.staff("operator", "operations")
    account = identity.find_by_login("operator", login)
    assert account is not None
    return market.actor_of(account)


def delivered_order(shop: market.Shop, quantity: int = 1, *, variant: int = 0, completed: bool = False) -> tuple[Actor, int]:
    """A paid order that arrived; returns (buyer, order id). The books are not told yet."""
    buyer, order_id = money.paid_order(shop, quantity, variant=variant)
    arrive(order_id)
    if completed:
        with transaction():
            orders_service.complete(buyer, order_id)
    return buyer, order_id


def arrive(order_id: int) -> None:
    """Ship an order and have it delivered."""
    with transaction():
        orders_service.mark_shipped(SYSTEM, order_id)
    with transaction():
        orders_service.mark_delivered(order_id)


def line_of(order_id: int, place: int = 0) -> int:
    """The id of a line of an order."""
    return orders.lines_of([order_id])[order_id][place].id


def wanted(order_id: int, kind: str = states.RETURN, reason: str = "quality", quantity: int = 1, **values: Any) -> service.Application:
    """An application for the first line."""
    given = {"description": "果皮破损，见图", "request_key": f"request-{next(_keys):06d}", "files": (PICTURE,), "line_id": 0} | values
    return service.Application(**({"kind": kind, "reason": reason, "quantity": quantity} | given | {"line_id": given["line_id"] or line_of(order_id)}))


def opened(buyer: Actor, order_id: int, kind: str = states.RETURN, reason: str = "quality", quantity: int = 1, **values: Any) -> int:
    """An open case of the first line."""
    with transaction():
        return service.apply(buyer, order_id, wanted(order_id, kind, reason, quantity, **values))


def sent_back(buyer: Actor, shop: market.Shop, order_id: int, kind: str = states.RETURN, quantity: int = 1, **values: Any) -> int:
    """A case whose goods are on their way back."""
    case_id = opened(buyer, order_id, kind, quantity=quantity, **values)
    with transaction():
        service.approve(owner(shop), case_id)
    with transaction():
        service.send_back(buyer, case_id, "顺丰速运", "SF1234567890123")
    return case_id


