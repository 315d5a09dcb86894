"""Home blocks, notices, agreements and consents (C04 P03 P05)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from app.content import handlers, queries, service
from app.content.models import Consent
from app.core import clock
from app.core.actor import Actor
from app.core.errors import Conflict, Forbidden, NotFound
from app.core.tx import transaction
from app.identity.events import AccountRegistered

EDITOR = Actor("operator", 21, "运营", frozenset({"content.edit"}))


def test_home_falls_back_to_the_defaults_and_follows_edits(db: Any) -> None:
    """A new installation has a home page; a hidden block leaves it."""
    kinds = [b.kind for b in queries.home().blocks]
    assert {"hero", "shortcuts", "products", "merchants"} <= set(kinds)
    with transaction():
        assert service.ensure_blocks()
        assert not service.ensure_blocks()
        hero = queries.list_blocks()[0]
        service.edit_block(EDITOR, hero.id, title="新标题", sort=999, is_visible=False)
    queries.forget_home()
    assert [b.kind for b in queries.home().blocks] == kinds[1:]


def test_notice_is_seen_only_while_published(db: Any) -> None:
    """Draft, published, withdrawn; a published text is not edited under the reader."""
    with transaction():
        notice_id = service.draft_notice(EDITOR, title="停运公告", body="今日停运").id
    with pytest.raises(NotFound):
        queries.get_notice(notice_id)
    with transaction():
        service.publish_notice(EDITOR, notice_id)
    assert queries.get_notice(notice_id).title == "停运公告"
    with pytest.raises(Conflict), transaction():
        service.edit_notice(EDITOR, notice_id, title="改", body="改")
    with transaction():
        service.withdraw_notice(EDITOR, notice_id)
    assert queries.latest_notices(5) == []
    with transaction():
        service.edit_notice(EDITOR, notice_id, title="改期公告", body="明日停运")
    assert queries.get_any_notice(notice_id).status == "withdrawn"


def test_editing_needs_the_permission(db: Any) -> None:
    """A reviewer cannot publish."""
    with pytest.raises(Forbidden), transaction():
        service.draft_notice(Actor("operator", 22, "审核"), title="x", body="y")


def test_consent_names_the_versions_in_force(db: Any) -> None:
    """A version of the future does not bind; delivery twice records once; a new version is a new consent."""
    with transaction():
        service.publish_agreement(EDITOR, "terms", title="用户协议", body="一")
        service.publish_agreement(EDITOR, "privacy", title="隐私政策", body="一")
        later = clock.now() + timedelta(days=7)
        service.publish_agreement(EDITOR, "terms", title="用户协议", body="二", effective_at=later)
    for _ in range(2):
        with transaction():
            handlers.on_account_registered(AccountRegistered(account_id=11, address="10.0.0.1"))
    given = sorted((c.code, c.version, c.address) for c in db.query(Consent))
    assert given == [("privacy", 1, "10.0.0.1"), ("terms", 1, "10.0.0.1")]
    assert queries.get_agreement("terms").body == "一"
    with clock.travel(timedelta(days=8)), transaction():
        assert service.record_consents(11) == 1
        assert queries.get_agreement("terms").body == "二"
