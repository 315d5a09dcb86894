"""Promotions of a trade: held at placement, settled at payment, given back when the trade is undone. Called by orders.

Rows are written coupons first, then uses, then the shared rule rows in id order; the caller's stock rows come after them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import bindparam, case, delete, select, update

from app.core import clock, sql
from app.core.db import session
from app.core.errors import Conflict
from app.core.ids import new_id
from app.promotions.models import Coupon, PromotionAdjustment, PromotionRule, PromotionUse
from app.promotions.pricing import Adjustment, Quote, Share, spread
from app.promotions.queries import active
from dbadapters.errors import Conflict as RunAgain
from dbadapters.errors import UniqueViolation


class CouponGone(Conflict):
    """A coupon of the quote was used, voided or ran out since."""


class PromotionGone(Conflict):
    """A limited rule of the quote has no room left."""


def hold(
    trade_id: int, account_id: int, quote: Quote, order_ids: Mapping[int, int], line_ids: Mapping[int, int],
    relief: Mapping[int, Sequence[tuple[int, int]]],
) -> None:  # fmt: skip
    """Freeze the adjustments of a quote, lock its coupons, count uses of limited rules. Nothing is written without adjustments.

    order_ids, line_ids: by SKU id; relief: by merchant id the (order id, fen) the freight relief was spread to.
    Raises CouponGone(`coupon.gone`), PromotionGone(`promotion.gone`).
    """
    if not quote.adjustments:
        return
    rows = []
    for adjustment in quote.adjustments:
        for share in adjustment.shares:
            if share.sku_id:
                rows.append(_row(trade_id, adjustment, share, order_ids[share.sku_id], line_ids[share.sku_id]))
            else:
                parts = _divided(share, relief[share.merchant_id])
                rows += [_row(trade_id, adjustment, part, order_id, 0) for order_id, part in parts]
    sql.add_all(PromotionAdjustment, rows)
    for coupon_id in sorted(quote.coupon_ids):
        _lock(coupon_id, account_id, trade_id)
    _use(trade_id, account_id, quote)


def _divided(share: Share, parts: Sequence[tuple[int, int]]) -> Iterator[tuple[int, Share]]:
    """Split a freight share over orders; who bears it is spread within each order's part, so all sums are kept."""
    fens = [fen for _, fen in parts]
    merchant = spread(share.merchant_fen, fens, fens)
    left = [fen - own for fen, own in zip(fens, merchant, strict=True)]
    platform = spread(share.platform_fen, left, left)
    for (order_id, fen), own, other in zip(parts, merchant, platform, strict=True):
        if fen:
            yield order_id, Share(share.merchant_id, 0, fen, own, other, fen - own - other)


def _row(trade_id: int, adjustment: Adjustment, share: Share, order_id: int, line_id: int) -> dict[str, Any]:
    return {
        "id": new_id(), "trade_id": trade_id, "order_id": order_id, "line_id": line_id, "layer": adjustment.layer,
        "kind": adjustment.kind, "rule_id": adjustment.rule_id, "version": adjustment.version, "coupon_id": adjustment.coupon_id,
        "title": adjustment.title, "amount_fen": share.fen, "merchant_fen": share.merchant_fen, "platform_fen": share.platform_fen,
        "programme_fen": share.programme_fen, "programme": adjustment.programme, "is_void": False,
    }  # fmt: skip


def _lock(coupon_id: int, account_id: int, trade_id: int) -> None:
    changed = session.execute(
        update(Coupon)
        .where(
            Coupon.id == coupon_id, Coupon.account_id == account_id, Coupon.status == "unused", Coupon.valid_until > clock.now()
        )
        .values(status="locked", trade_id=trade_id)
        .execution_options(synchronize_session=False)
    )  # fmt: skip
    if changed.rowcount != 1:  # type: ignore[attr-defined]
        raise CouponGone("coupon.gone", "优惠券已使用或已失效，请重新选择")


def _use(trade_id: int, account_id: int, quote: Quote) -> None:
    """Count one use of each limited rule, however many lines and orders it touched (usage counts per trade)."""
    amounts: dict[int, int] = {}
    for adjustment in quote.adjustments:
        amounts[adjustment.rule_id] = amounts.get(adjustment.rule_id, 0) + adjustment.fen
    specs = active.specs({(a.rule_id, a.version) for a in quote.adjustments if a.rule_id and not a.coupon_id})
    limited = {rule_id: spec.per_account for (rule_id, _), spec in specs.items() if spec.is_limited}
    if not limited:
        return
    u = PromotionUse
    taken: dict[int, set[int]] = {}
    for rule_id, seq in session.execute(select(u.rule_id, u.seq).where(u.rule_id.in_(limited), u.account_id == account_id)):
        taken.setdefault(rule_id, set()).add(seq)
    rows = []
    for rule_id, per_account in sorted(limited.items()):
        use_id = new_id()
        seq = next((n for n in range(1, per_account + 1) if n not in taken.get(rule_id, ())), 0) if per_account else use_id
        if not seq:
            raise PromotionGone("promotion.gone", "您已享受过该优惠，请核对新的金额")
        use = {"id": use_id, "rule_id": rule_id, "account_id": account_id, "seq": seq, "trade_id": trade_id}
        rows.append(use | {"amount_fen": amounts[rule_id]})
    try:
        sql.add_all(PromotionUse, rows)  # (rule, account, seq) decides between two submissions of one account
    except UniqueViolation as error:
        raise RunAgain("the account used the rule at the same time") from error
    for rule_id in sorted(limited):
        _count(rule_id, amounts[rule_id])


def _count(rule_id: int, amount_fen: int) -> None:
    r = PromotionRule
    changed = session.execute(
        update(r)
        .where(
            r.id == rule_id, r.status == "active", (r.quantity == 0) | (r.used_count + 1 <= r.quantity),
            (r.budget_fen == 0) | (r.used_fen + amount_fen <= r.budget_fen),
        )
        .values(used_count=r.used_count + 1, used_fen=r.used_fen + amount_fen)
        .execution_options(synchronize_session=False)
    )  # fmt: skip
    if changed.rowcount != 1:  # type: ignore[attr-defined]
        raise PromotionGone("promotion.gone", "活动名额已用完，请核对新的金额")


_USED = (
    update(sql.table_of(Coupon))
    .where(Coupon.trade_id == bindparam("w_trade"), Coupon.status == "locked")
    .values(status="used", used_at=bindparam("at"))
)


def settle(trade_id: int) -> int:
    """Turn the locked coupons of a paid trade used; returns how many. Repeating changes nothing."""
    session.flush()
    return sql.change(_USED, {"w_trade": trade_id, "at": clock.now()})


def release(trade_id: int) -> bool:
    """Give everything of a wholly undone trade back: coupons (expired ones stay expired), uses and budget; True when there was any.

    The caller has moved the trade by compare-and-set, so this runs once; repeating it changes nothing. A trade that is undone
    in part gives nothing back: its frozen shares tell what each unit is worth.
    """
    session.flush()
    a = PromotionAdjustment
    first = select(a.id).where(a.trade_id == trade_id, a.is_void == False).limit(1)  # noqa: E712
    if session.scalar(first) is None:
        return False
    session.execute(update(a).where(a.trade_id == trade_id).values(is_void=True).execution_options(synchronize_session=False))
    session.execute(
        update(Coupon)
        .where(Coupon.trade_id == trade_id, Coupon.status.in_(("locked", "used")))
        .values(status=case((Coupon.valid_until > clock.now(), "unused"), else_="expired"), trade_id=0, used_at=None)
        .execution_options(synchronize_session=False)
    )
    u, r = PromotionUse, PromotionRule
    uses = session.execute(select(u.rule_id, u.amount_fen).where(u.trade_id == trade_id).order_by(u.rule_id)).all()
    if uses:
        session.execute(delete(u).where(u.trade_id == trade_id))
    for rule_id, amount_fen in uses:
        session.execute(
            update(r)
            .where(r.id == rule_id, r.used_count >= 1, r.used_fen >= amount_fen)
            .values(used_count=r.used_count - 1, used_fen=r.used_fen - amount_fen)
            .execution_options(synchronize_session=False)
        )
    return True

def divide(order_id: int, new_order_id: int, moves: Sequence[tuple[int, int, int, int]]) -> None:
    """Divide the frozen shares of a split order: (line id, new line id, quantity, units that leave) each. Called by orders.

    The units that stay keep ⌈j·S/n⌉ of every running sum S of a line's shares, which is the line's list price less F(j) of what was
    paid (commerce.md §2.4): list price, discounts and payment agree on both parts to the fen, and no share falls below zero.
    """
    a = PromotionAdjustment
    for line_id, new_line_id, quantity, count in moves:
        mine = (a.order_id == order_id, a.line_id == line_id)
        if count == quantity:
            session.execute(update(a).where(*mine).values(order_id=new_order_id).execution_options(synchronize_session=False))
            continue
        found = session.scalars(select(a).where(*mine).order_by(a.id)).all()
        kept = iter(_kept([fen for row in found for fen in (row.merchant_fen, row.platform_fen, row.programme_fen)], quantity, count))
        added = []
        for row in found:
            stay = (next(kept), next(kept), next(kept))
            leave = [had - keep for had, keep in zip((row.merchant_fen, row.platform_fen, row.programme_fen), stay, strict=True)]
            if sum(leave):
                added.append(_moved(row, new_order_id, new_line_id, leave))
            row.merchant_fen, row.platform_fen, row.programme_fen = stay
            row.amount_fen = sum(stay)
        sql.add_all(PromotionAdjustment, added)
    session.flush()


def _kept(shares: Sequence[int], quantity: int, count: int) -> list[int]:
    """Return what of each share stays with quantity − count units."""
    stays, running, before, kept = quantity - count, 0, 0, []
    for share in shares:
        running += share
        upto = -(-stays * running // quantity)
        kept.append(upto - before)
        before = upto
    return kept


def _moved(row: PromotionAdjustment, order_id: int, line_id: int, parts: Sequence[int]) -> dict[str, Any]:
    return {
        "id": new_id(), "trade_id": row.trade_id, "order_id": order_id, "line_id": line_id, "layer": row.layer, "kind": row.kind,
        "rule_id": row.rule_id, "version": row.version, "coupon_id": row.coupon_id, "title": row.title, "amount_fen": sum(parts),
        "merchant_fen": parts[0], "platform_fen": parts[1], "programme_fen": parts[2], "programme": row.programme, "is_void": row.is_void,
    }  # fmt: skip
