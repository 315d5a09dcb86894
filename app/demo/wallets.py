"""Stored value of the demo: a top-up with a gift, confirmed by two officers, and a slip that waits for the second one."""

from __future__ import annotations

from sqlalchemy import select

from app.core.actor import SYSTEM, Actor
from app.core.db import session
from app.core.tx import transaction
from app.demo.accounts import CONSUMER_PHONE
from app.identity import queries as identity
from app.identity import service as identity_service
from app.identity.phones import phone_index
from app.payments import bank
from app.payments.models import BankSlip

ENTERED_BY, CONFIRMED_BY = "caiwu", "fuhe"


def load() -> None:
    """Give the demo buyer, who is made here when new, stored value; repeating it adds nothing."""
    maker, checker = _officer(ENTERED_BY), _officer(CONFIRMED_BY)
    if not identity.consumers_by_phone([CONSUMER_PHONE]):
        with transaction():
            identity_service.create_account(SYSTEM, "consumer", phone_index(CONSUMER_PHONE), "王女士", phone=CONSUMER_PHONE, roles=("consumer",))
    for number, amount, bonus, confirmed in (("HD20261101001", 50_000, 5_000, True), ("HD20261120007", 20_000, 1_000, False)):
        with transaction():
            if session.scalar(select(BankSlip.id).where(BankSlip.slip_no == number)) is not None:
                continue
            slip_id = bank.enter(maker, bank.SlipInput(number, "wallet", CONSUMER_PHONE, "王女士", amount, bonus))
        if confirmed:
            with transaction():
                bank.confirm(checker, slip_id)


def _officer(login: str) -> Actor:
    account = identity.find_by_login("operator", login)
    if account is None:
        raise LookupError(f"the demo has no officer {login}")
    return Actor("operator", account.id, account.display_name)
