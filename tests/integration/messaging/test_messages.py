"""The development sender: once per code, encrypted, shown masked, tidied away."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import select

from app.core import clock
from app.core.tx import transaction
from app.identity import service as identity
from app.identity.events import SignInCodeIssued
from app.messaging import handlers, queries, service
from app.messaging.models import ShortMessage
from app.worker import Worker
from tests.clients import Browser
from tests.factories import market

PHONE = "13877778888"


def issue(settings: Any) -> str:
    with transaction():
        code = identity.request_code(PHONE, "-")[1]
    worker = Worker(settings, "test")
    while worker.drain():
        pass
    return code


def test_a_code_becomes_one_message(db: Any, settings: Any) -> None:
    code = issue(settings)
    row = db.scalars(select(ShortMessage)).one()
    assert code not in row.body_enc
    assert PHONE not in row.phone_enc
    sent = queries.list_sent().items[0]
    assert code in sent.body
    assert sent.phone == "138****8888"


def test_delivery_twice_sends_once(db: Any, settings: Any) -> None:
    from app.core.jobs import Job

    issue(settings)
    payload = db.scalars(select(Job.payload).where(Job.name == "messaging.on_sign_in_code_issued")).one()
    with transaction():
        handlers.on_sign_in_code_issued(SignInCodeIssued(**payload))
    assert len(db.scalars(select(ShortMessage)).all()) == 1


def test_the_operators_page(app: Any, db: Any, settings: Any) -> None:
    code = issue(settings)
    operator = Browser(app)
    operator.sign_in("/operator", market.staff("operator", "system"), market.PASSWORD)
    text = operator.get("/operator/messages").soup.get_text()
    assert code in text
    assert "138****8888" in text
    assert PHONE not in text
    reviewer = Browser(app)
    reviewer.sign_in("/operator", market.staff("operator", "reviewer"), market.PASSWORD)
    assert reviewer.get("/operator/messages").status_code == 403


def test_messages_go_after_a_week(db: Any, settings: Any) -> None:
    issue(settings)
    for days, left in ((6, 1), (8, 0)):
        with clock.travel(timedelta(days=days)), transaction():
            service.tidy()
        assert len(db.scalars(select(ShortMessage)).all()) == left
