"""Verbs of content: home blocks, notices, agreements and consents."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from app.audit import service as audit
from app.content import queries
from app.content.blocks import DEFAULTS, KINDS
from app.content.models import Agreement, Consent, HomeBlock, Notice
from app.core import cas, clock
from app.core.actor import Actor
from app.core.db import session
from app.core.errors import Invalid, NotFound
from app.core.ids import new_id

AGREEMENTS = {"terms": "用户协议", "privacy": "隐私政策", "trading": "交易规则"}


def ensure_blocks() -> bool:
    """Write the default home blocks when there are none; True when written."""
    if session.scalar(select(HomeBlock.id).limit(1)) is not None:
        return False
    for number, block in enumerate(DEFAULTS, 1):
        session.add(
            HomeBlock(
                id=new_id(),
                kind=block.kind,
                title=block.title,
                data=block.data,
                sort=number * 10,
                is_visible=True,
            )
        )
    session.flush()  # so that the page that follows reads them back in this transaction
    return True


def add_block(actor: Actor, kind: str, title: str, data: dict[str, Any]) -> HomeBlock:
    """Add a block at the end of the home page. Raises Invalid(`block.kind`)."""
    actor.require("content.edit")
    if kind not in KINDS:
        raise Invalid("block.kind", "没有这种首页区块", field="kind")
    last = session.scalar(select(func.max(HomeBlock.sort))) or 0
    block = HomeBlock(id=new_id(), kind=kind, title=title, data=data, sort=last + 10, is_visible=True)
    session.add(block)
    audit.record(actor, "content.block_add", "home_block", block.id, detail={"kind": kind, "title": title})
    return block


def edit_block(actor: Actor, block_id: int, *, title: str, sort: int, is_visible: bool) -> None:
    """Change a block's title, place and visibility. Raises NotFound."""
    actor.require("content.edit")
    values = {"title": title, "sort": sort, "is_visible": is_visible}
    if not cas.change(HomeBlock, block_id, where={}, values=values):
        raise NotFound("block.missing", "首页区块不存在")
    audit.record(actor, "content.block_edit", "home_block", block_id, detail=values)


def draft_notice(actor: Actor, *, title: str, body: str, kind: str = "notice") -> Notice:
    """Write a notice that nobody sees yet."""
    actor.require("content.edit")
    notice = Notice(id=new_id(), title=title, body=body, kind=kind, status="draft", created_at=clock.now())
    session.add(notice)
    audit.record(actor, "content.notice_draft", "notice", notice.id, detail={"title": title})
    return notice


def edit_notice(actor: Actor, notice_id: int, *, title: str, body: str) -> None:
    """Change a draft or withdrawn notice. Raises Conflict(`notice.published`): such a one is withdrawn first."""
    actor.require("content.edit")
    notice = queries.get_any_notice(notice_id)
    cas.move(
        Notice, notice_id, from_=("draft", "withdrawn"), to=notice.status, code="notice.published",
        message="已发布的公告请先撤回再修改", title=title, body=body,
    )  # fmt: skip
    audit.record(actor, "content.notice_edit", "notice", notice_id, detail={"title": title})


def publish_notice(actor: Actor, notice_id: int) -> None:
    """Show a notice to everybody. Raises Conflict(`notice.moved`)."""
    actor.require("content.edit")
    queries.get_any_notice(notice_id)
    cas.move(
        Notice,
        notice_id,
        from_=("draft", "withdrawn"),
        to="published",
        code="notice.moved",
        published_at=clock.now(),
    )
    audit.record(actor, "content.notice_publish", "notice", notice_id)


def withdraw_notice(actor: Actor, notice_id: int) -> None:
    """Hide a published notice. Raises Conflict(`notice.moved`)."""
    actor.require("content.edit")
    queries.get_any_notice(notice_id)
    cas.move(Notice, notice_id, from_="published", to="withdrawn", code="notice.moved")
    audit.record(actor, "content.notice_withdraw", "notice", notice_id)


def publish_agreement(actor: Actor, code: str, *, title: str, body: str, effective_at: datetime | None = None) -> Agreement:
    """Add the next version of an agreement; versions are never edited, consents name them."""
    actor.require("content.edit")
    if code not in AGREEMENTS:
        raise Invalid("agreement.code", "没有这种协议", field="code")
    last = session.scalar(select(func.max(Agreement.version)).where(Agreement.code == code)) or 0
    agreement = Agreement(
        id=new_id(),
        code=code,
        version=last + 1,
        title=title,
        body=body,
        effective_at=effective_at or clock.now(),
    )
    session.add(agreement)
    audit.record(actor, "content.agreement_publish", "agreement", agreement.id, detail={"version": last + 1})
    return agreement


def record_consents(account_id: int, address: str = "-", codes: tuple[str, ...] = ("terms", "privacy")) -> int:
    """Record that an account agreed to the versions in force; returns how many were new. Idempotent."""
    versions = queries.versions_in_force()
    given = set(session.execute(select(Consent.code, Consent.version).where(Consent.account_id == account_id)).tuples())
    fresh = [(code, versions[code]) for code in codes if code in versions and (code, versions[code]) not in given]
    for code, version in fresh:
        session.add(
            Consent(
                id=new_id(),
                account_id=account_id,
                code=code,
                version=version,
                address=address or "-",
                at=clock.now(),
            )
        )
    return len(fresh)
