"""What carts hand to the registry."""

from __future__ import annotations

from app.carts import service, storefront
from app.core.domain import Domain
from app.core.periodic import Periodic
from app.identity import service as identity
from app.web import figures


def _start() -> None:
    identity.on_consumer_sign_in(service.merge)
    figures.declare("me", "carts", storefront.figures_of, 10)


def domain() -> Domain:
    """Return the domain."""
    return Domain(
        name="carts",
        routes=(storefront.bp,),
        periodics=(Periodic("carts.purge_expired", 3_600, service.purge_expired, "清理过期的游客购物车"),),
        start=_start,
    )
