"""States of rules and coupons, the moves that are allowed, and their words."""

from __future__ import annotations

from datetime import datetime

DRAFT, SUBMITTED, REJECTED, ACTIVE, PAUSED, ENDED = "draft", "submitted", "rejected", "active", "paused", "ended"
UNUSED, LOCKED, USED, EXPIRED, VOID = "unused", "locked", "used", "expired", "void"

RULE_MOVES = {
    (DRAFT, SUBMITTED), (DRAFT, ACTIVE), (REJECTED, SUBMITTED), (REJECTED, ACTIVE), (SUBMITTED, ACTIVE), (SUBMITTED, REJECTED),
    (ACTIVE, PAUSED), (PAUSED, ACTIVE), (PAUSED, DRAFT), (REJECTED, DRAFT), (ACTIVE, ENDED), (PAUSED, ENDED),
}  # fmt: skip
COUPON_MOVES = {
    (UNUSED, LOCKED), (LOCKED, USED), (LOCKED, UNUSED), (LOCKED, EXPIRED), (USED, UNUSED), (USED, EXPIRED), (UNUSED, EXPIRED),
    (UNUSED, VOID),
}  # fmt: skip

RULE_NAMES = {
    DRAFT: "草稿", SUBMITTED: "待审核", REJECTED: "已驳回", "waiting": "未开始", ACTIVE: "进行中", PAUSED: "已暂停", ENDED: "已结束",
}  # fmt: skip
RULE_TONES = {
    DRAFT: "mute", SUBMITTED: "warn", REJECTED: "bad", "waiting": "info", ACTIVE: "ok", PAUSED: "warn", ENDED: "mute",
}  # fmt: skip
COUPON_NAMES = {UNUSED: "未使用", LOCKED: "已锁定", USED: "已使用", EXPIRED: "已过期", VOID: "已作废"}


def shown(status: str, starts_at: datetime, ends_at: datetime, at: datetime) -> str:
    """Return the state people see: an active rule waits before its window and has ended after it, whatever the job did."""
    if status == ACTIVE and at < starts_at:
        return "waiting"
    return ENDED if status in {ACTIVE, PAUSED} and at >= ends_at else status
