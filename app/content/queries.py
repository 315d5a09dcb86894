"""Reads of content."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from app.content.blocks import DEFAULTS, Block
from app.content.models import Agreement, HomeBlock, Notice
from app.core import clock
from app.core.cache_reset import on_reset
from app.core.db import session
from app.core.errors import NotFound
from app.core.paging import Page, paginate

CACHE_S = 5.0


@dataclass(frozen=True)
class NoticeLine:
    """A notice as lists show it."""

    id: int
    title: str
    published_at: datetime | None


@dataclass(frozen=True)
class HomeContent:
    """Visible blocks in order and the newest notices."""

    blocks: tuple[Block, ...]
    notices: tuple[NoticeLine, ...]


_home: tuple[float, HomeContent] | None = None


def home() -> HomeContent:
    """Return what the home page shows; two queries, kept for five seconds per process."""
    global _home
    if _home is None or time.monotonic() - _home[0] > CACHE_S:
        rows = session.scalars(select(HomeBlock).order_by(HomeBlock.sort, HomeBlock.id)).all()
        shown = tuple(Block(r.kind, r.title, dict(r.data), r.id) for r in rows if r.is_visible)
        _home = (time.monotonic(), HomeContent(shown if rows else DEFAULTS, tuple(latest_notices(5))))
    return _home[1]


@on_reset
def forget_home() -> None:
    """Drop the cached home content; the operator's pages call it after a change."""
    global _home
    _home = None


def list_blocks() -> Sequence[HomeBlock]:
    """Return all home blocks in order."""
    return session.scalars(select(HomeBlock).order_by(HomeBlock.sort, HomeBlock.id)).all()


def latest_notices(limit: int) -> list[NoticeLine]:
    """Return the newest published notices."""
    found = session.execute(
        select(Notice.id, Notice.title, Notice.published_at)
        .where(Notice.status == "published")
        .order_by(Notice.id.desc())
        .limit(limit)
    )
    return [NoticeLine(*row) for row in found]


def list_notices(cursor: str = "", size: int = 20, *, only_published: bool = True) -> Page[Notice]:
    """Return a page of notices, newest first."""
    statement = select(Notice)
    if only_published:
        statement = statement.where(Notice.status == "published")
    return paginate(statement, [Notice.id], lambda n: [n.id], cursor=cursor, size=size)


def get_notice(notice_id: int) -> Notice:
    """Return a published notice. Raises NotFound(`notice.missing`)."""
    notice = session.get(Notice, notice_id)
    if notice is None or notice.status != "published":
        raise NotFound("notice.missing", "公告不存在或已撤回")
    return notice


def get_any_notice(notice_id: int) -> Notice:
    """Return a notice in any state (operator). Raises NotFound(`notice.missing`)."""
    notice = session.get(Notice, notice_id)
    if notice is None:
        raise NotFound("notice.missing", "公告不存在")
    return notice


def get_agreement(code: str, version: int = 0) -> Agreement:
    """Return a version of an agreement, by default the one in force. Raises NotFound(`agreement.missing`)."""
    statement = select(Agreement).where(Agreement.code == code)
    if version:
        statement = statement.where(Agreement.version == version)
    else:
        statement = statement.where(Agreement.effective_at <= clock.now()).order_by(Agreement.version.desc()).limit(1)
    agreement = session.scalar(statement)
    if agreement is None:
        raise NotFound("agreement.missing", "没有找到该协议")
    return agreement


def list_versions(code: str) -> Sequence[Agreement]:
    """Return all versions of an agreement, newest first."""
    return session.scalars(select(Agreement).where(Agreement.code == code).order_by(Agreement.version.desc())).all()


def versions_in_force() -> dict[str, int]:
    """Return code -> version in force now."""
    newest = select(Agreement.code, func.max(Agreement.version)).where(Agreement.effective_at <= clock.now())
    return dict(session.execute(newest.group_by(Agreement.code)).tuples().all())
