"""What messaging hands to the registry."""

from __future__ import annotations

from app.aftersales.events import CaseMoved
from app.core.domain import Domain
from app.core.periodic import Periodic
from app.fulfilment.events import PickupPrepared, PickupReminded
from app.identity.events import SignInCodeIssued
from app.inventory.events import LotRecalled, StockAlertRaised
from app.messaging import handlers, operator, service
from app.orders.events import PromiseMissed
from app.web.menus import MenuEntry


def domain() -> Domain:
    """Return the domain."""
    return Domain(
        name="messaging",
        routes=(operator.bp,),
        handlers=(
            (SignInCodeIssued, handlers.on_sign_in_code_issued), (PickupPrepared, handlers.on_pickup_prepared),
            (PickupReminded, handlers.on_pickup_reminded), (PromiseMissed, handlers.on_promise_missed),
            (CaseMoved, handlers.on_case_moved),
            (StockAlertRaised, handlers.on_stock_alert_raised), (LotRecalled, handlers.on_lot_recalled),
        ),
        periodics=(Periodic("messaging.tidy", 86_400, service.tidy, "清除一周前的短信"),),
        menu=(MenuEntry("operator", "数据与系统", "短信", "/operator/messages", "message-square", "job.view", 60),),
    )
