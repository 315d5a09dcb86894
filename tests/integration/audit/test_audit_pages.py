"""The audit administrator's pages: search, event, integrity; looking is an event too."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import select

from app.audit import service
from app.audit.models import AuditEvent
from app.core import clock
from app.core.actor import SYSTEM
from app.core.ids import new_id
from app.core.tx import transaction
from tests.clients import Browser
from tests.factories import market


def auditor(app: Any) -> Browser:
    browser = Browser(app)
    assert browser.sign_in("/security", market.staff("security", "audit_admin"), market.PASSWORD).status_code == 303
    return browser


def test_search_by_object_and_paging(app: Any, db: Any) -> None:
    thing = new_id()
    with transaction():
        for n in range(35):
            service.record(SYSTEM, "order.noted", "order", thing, detail={"n": n})
    browser = auditor(app)
    page = browser.get(f"/security/audit?object_id={thing}")
    assert len(page.soup.select("tbody tr")) == 30
    following = next(a["href"] for a in page.soup.select("a[href*='cursor=']"))
    assert f"object_id={thing}" in following
    assert len(browser.get(f"/security/audit{following}").soup.select("tbody tr")) == 5
    for query, rows in (("result=refused", 0), ("realm=system", 30), ("object_type=trade", 0), ("to=2020-01-01", 0)):
        assert len(browser.get(f"/security/audit?object_id={thing}&{query}").soup.select("tbody tr")) == rows, query
    assert browser.get("/security/audit?from=yesterday").status_code == 422


def test_looking_is_recorded(app: Any, db: Any) -> None:
    thing = new_id()
    with transaction():
        event_id = service.record(SYSTEM, "order.noted", "order", thing)
    browser = auditor(app)
    browser.get(f"/security/audit?object_id={thing}")
    page = browser.get(f"/security/audit/{event_id}")
    event = db.get_one(AuditEvent, event_id)
    assert event.payload in page.soup.get_text()
    assert event.leaf in page.soup.get_text()
    part = browser.get(f"/security/audit/{event_id}", headers={"HX-Request": "true"})
    assert part.soup.find("header").get_text(strip=True).startswith("备注订单")
    assert "<!doctype" not in part.get_data(as_text=True).lower()
    found = db.scalars(select(AuditEvent).order_by(AuditEvent.id.desc()).limit(3)).all()
    assert [e.action for e in found] == ["audit.read", "audit.read", "audit.searched"]
    assert str(thing) in found[2].payload
    assert browser.get("/security/audit/1").status_code == 404


def test_integrity_page(app: Any, db: Any) -> None:
    browser = auditor(app)
    for _ in range(2):
        with clock.travel(timedelta(seconds=10)), transaction():
            service.seal_and_sign()
    assert browser.get("/security/integrity").soup.select("tbody tr")
    page = browser.post("/security/integrity")
    assert "校验通过" in page.soup.get_text()
    newest = db.scalars(select(AuditEvent).order_by(AuditEvent.id.desc()).limit(1)).one()
    assert (newest.action, newest.result) == ("audit.verified", "ok")


def test_command_says_where(app: Any, db: Any, monkeypatch: Any) -> None:
    from click.testing import CliRunner

    from app.audit import queries
    from app.audit.commands import audit_group
    from app.core import console

    console.use_opener(lambda: None)
    for _ in range(2):
        with clock.travel(timedelta(seconds=10)), transaction():
            service.seal_and_sign()
    result = CliRunner().invoke(audit_group, ["verify"])
    assert result.exit_code == 0, result.output
    assert "完整性校验通过" in result.output
    report = queries.Verification(3, 0, 1, (queries.Finding("序号 2", "审计事件被删除"),))
    monkeypatch.setattr(queries, "verify", lambda: report)
    result = CliRunner().invoke(audit_group, ["verify"])
    assert result.exit_code == 1
    assert "✗ 序号 2：审计事件被删除" in result.output


def test_user_commands(db: Any) -> None:
    from click.testing import CliRunner

    from app.core import console
    from app.identity.commands import user_group

    console.use_opener(lambda: None)
    arguments = ["create", "--realm", "security", "--login", "aud-cli", "--name", "审计员", "--role", "audit_admin"]
    result = CliRunner().invoke(user_group, arguments, input="Correct-Horse-9\nCorrect-Horse-9\n")
    assert result.exit_code == 0, result.output
    assert "Correct-Horse-9" not in result.output
    listed = CliRunner().invoke(user_group, ["list"]).output
    assert "security\taud-cli\t审计员\t正常\t审计管理员" in listed
    assert CliRunner().invoke(user_group, ["list", "--realm", "operator"]).output == ""
