"""What must be true of the database whatever happened (commerce.md §2.25): each check returns what it found wrong, in words."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import func, select

from app.aftersales import states
from app.aftersales.models import Case
from app.audit import queries as audit
from app.core import jobs
from app.core.db import release_session, session
from app.inventory import queries as inventory
from app.inventory.models import Reservation, Stock
from app.orders.models import LineBack, Order, OrderCase, OrderEvent, OrderLine, Trade
from app.payments import channels, wallet
from app.payments import queries as payments
from app.payments.models import AbnormalReceipt, ChannelNotice, PaymentAttempt, PaymentIntent, Refund, Wallet
from app.promotions.models import Coupon, PromotionAdjustment, PromotionRule, PromotionUse
from app.settlement.models import Account, Bill, OrderSplit, Payout, ReconCase, Voucher
from app.settlement.queries import books

HELD = {"unpaid": "active", "paid": "consumed", "shipped": "shipped", "completed": "shipped"}  # state of units by state of the order


def ledger() -> Iterator[str]:
    """Σ of each voucher is 0, every balance is the sum of its entries, guarded accounts are not negative."""
    for found in books.verify():
        yield f"{found.what} {found.row_id} is off by {found.fen} fen"
    for account in session.scalars(select(Account).where(Account.guarded == 1, Account.side * Account.balance_fen < 0)):
        yield f"account {account.kind} of {account.owner_id} is negative"


def trades() -> Iterator[str]:
    """Σ line paid + freight = order payable, Σ orders = trade payable = what the price took, states agree."""
    goods = dict(session.execute(select(OrderLine.order_id, func.sum(OrderLine.paid_fen)).group_by(OrderLine.order_id)).tuples().all())
    of_trade: dict[int, list[Any]] = defaultdict(list)
    for order in session.execute(select(Order.id, Order.trade_id, Order.status, Order.goods_fen, Order.freight_fen, Order.payable_fen,
                                        Order.refunded_fen)):  # fmt: skip
        of_trade[order.trade_id].append(order)
        if int(goods.get(order.id, -1)) != order.goods_fen:
            yield f"order {order.id}: lines {goods.get(order.id)} fen, goods {order.goods_fen}"
        if order.goods_fen + order.freight_fen != order.payable_fen:
            yield f"order {order.id}: {order.goods_fen} + {order.freight_fen} is not {order.payable_fen}"
        if not 0 <= order.refunded_fen <= order.payable_fen:
            yield f"order {order.id}: refunded {order.refunded_fen} of {order.payable_fen}"
    for trade in session.execute(select(Trade.id, Trade.status, Trade.payable_fen)):
        group = of_trade.pop(trade.id, [])
        if sum(order.payable_fen for order in group) != trade.payable_fen:
            yield f"trade {trade.id}: its orders do not sum to {trade.payable_fen}"
        allowed = {"paid": {"paid", "shipped", "completed", "cancelled"}}.get(trade.status, {trade.status})
        if not group or not {order.status for order in group} <= allowed:
            yield f"trade {trade.id} is {trade.status}, its orders {[order.status for order in group]}"
    if of_trade:
        yield f"orders without a trade: {list(of_trade)[:5]}"


def receipts() -> Iterator[str]:
    """Every fen the channel took is kept by a paid trade or went back, exactly once."""
    for left in payments.unsettled():
        yield f"notice {left['id']} was never applied"
    trade_of = dict(session.execute(
        select(PaymentAttempt.payment_no, PaymentIntent.trade_id).join(PaymentIntent, PaymentIntent.id == PaymentAttempt.intent_id)
    ).tuples().all())  # fmt: skip
    attempts = dict(session.execute(
        select(PaymentAttempt.id, PaymentIntent.trade_id).join(PaymentIntent, PaymentIntent.id == PaymentAttempt.intent_id)
    ).tuples().all())  # fmt: skip
    came: dict[int, dict[str, int]] = defaultdict(dict)
    for body in session.scalars(select(ChannelNotice.body)):
        notice = channels.parse(body.encode())
        if notice.result == "paid":
            came[trade_of[notice.payment_no]][notice.channel_txn] = notice.amount_fen
    stored = select(PaymentAttempt.payment_no, PaymentAttempt.amount_fen).where(PaymentAttempt.channel == channels.WALLET)
    for payment_no, fen in session.execute(stored.where(PaymentAttempt.status == "succeeded")):
        came[trade_of[payment_no]][payment_no] = fen
    went: Counter[int] = Counter()
    for refund in session.execute(select(Refund.attempt_id, Refund.amount_fen, Refund.status, Refund.refund_no)):
        went[attempts[refund.attempt_id]] += refund.amount_fen
        if refund.status != "done":
            yield f"refund {refund.refund_no} is {refund.status}"
    owed = dict(session.execute(select(Order.trade_id, func.sum(Order.refunded_fen)).where(Order.paid_at.is_not(None)).group_by(
        Order.trade_id)).tuples().all())  # fmt: skip
    for trade in session.execute(select(Trade.id, Trade.status, Trade.payable_fen)):
        kept = sum(came[trade.id].values()) - went[trade.id]
        right = trade.payable_fen - int(owed.get(trade.id, 0)) if trade.status == "paid" else 0
        if kept != right:
            yield f"trade {trade.id} ({trade.status}) keeps {kept} fen instead of {right}"


def wallets() -> Iterator[str]:
    """A wallet is the sum of its entries; what the books owe for stored value is all wallets and what is set aside for open trades."""
    for wallet_id, principal, bonus in wallet.differences():
        yield f"wallet {wallet_id} is off by {principal} and {bonus} fen"
    owed = Counter(dict.fromkeys(("stored_value", "gift_value"), 0))
    for principal, bonus in session.execute(select(Wallet.principal_fen, Wallet.bonus_fen)):
        owed.update(stored_value=principal, gift_value=bonus)
    held = select(PaymentAttempt.amount_fen, PaymentAttempt.bonus_fen).where(PaymentAttempt.status == "held")
    for amount, bonus in session.execute(held):
        owed.update(stored_value=amount - bonus, gift_value=bonus)
    for kind, fen in owed.items():
        booked = session.execute(select(func.sum(Account.side * Account.balance_fen)).where(Account.kind == kind)).scalar() or 0
        if int(booked) != fen:
            yield f"{kind}: booked {booked} fen, wallets and open trades have {fen}"


def stock() -> Iterator[str]:
    """Columns are the sums of the movements, nothing is negative, what is held is what orders hold."""
    for found in inventory.audit_columns():
        yield f"stock: {found}"
    sums = session.execute(select(Reservation.stock_id, Reservation.state, func.sum(Reservation.quantity)).group_by(
        Reservation.stock_id, Reservation.state))  # fmt: skip
    held = {(stock_id, state): int(units) for stock_id, state, units in sums}
    for row in session.scalars(select(Stock)):
        free = row.on_hand - row.allocated - row.reserved - row.quota_held
        if min(row.on_hand, row.allocated, row.reserved, row.quota_held, free) < 0:
            yield f"stock {row.id} is negative"
        if (row.reserved, row.allocated) != (held.get((row.id, "active"), 0), held.get((row.id, "consumed"), 0)):
            yield f"stock {row.id} holds {row.reserved} and {row.allocated}, orders say otherwise"
    units: dict[tuple[int, str], int] = {(line_id, state): int(count) for line_id, state, count in session.execute(
        select(Reservation.line_id, Reservation.state, func.sum(Reservation.quantity)).group_by(Reservation.line_id, Reservation.state)
    )}  # fmt: skip
    kept = {line_id: int(count) for line_id, count in session.execute(
        select(Case.line_id, func.sum(Case.back_units)).where(Case.was_shipped == 0).group_by(Case.line_id))}  # fmt: skip
    lines = session.execute(select(OrderLine.id, OrderLine.quantity, Order.status).join(Order, Order.id == OrderLine.order_id))
    for line_id, quantity, status in lines:
        expected = {HELD[status]: quantity - kept.get(line_id, 0)} if status in HELD else {}
        found = {state: units[line_id, state] for state in set(HELD.values()) if units.get((line_id, state))}
        if found != {state: count for state, count in expected.items() if count}:
            yield f"line {line_id} of an order that is {status}: {found} instead of {expected}"


def timelines() -> Iterator[str]:
    """What can happen once to an order happened at most once, and as its state says."""
    kinds: dict[int, Counter[str]] = defaultdict(Counter)
    for order_id, kind in session.execute(select(OrderEvent.order_id, OrderEvent.kind)):
        kinds[order_id][kind] += 1
    for order_id, status in session.execute(select(Order.id, Order.status)):
        for kind in ("placed", "paid", "shipped", "delivered", "completed", "cancelled"):
            if kinds[order_id][kind] > 1:
                yield f"order {order_id} was {kind} {kinds[order_id][kind]} times"
        if status != "unpaid" and not kinds[order_id][status]:
            yield f"order {order_id} is {status} and its timeline does not say so"


def promotions() -> Iterator[str]:
    """Coupons are where their trades are, counters are the number of uses, limits hold, adjustments live with their trade."""
    status = dict(session.execute(select(Trade.id, Trade.status)).tuples().all())
    left = OrderLine.quantity - func.coalesce(LineBack.back_units, 0)
    alive = dict(session.execute(
        select(Order.trade_id, func.sum(left)).join(OrderLine, OrderLine.order_id == Order.id)
        .outerjoin(LineBack, LineBack.id == OrderLine.id).where(Order.status != "cancelled").group_by(Order.trade_id)
    ).tuples().all())  # fmt: skip
    claimed: Counter[int] = Counter()
    for coupon in session.execute(select(Coupon.id, Coupon.rule_id, Coupon.status, Coupon.trade_id)):
        claimed[coupon.rule_id] += 1
        expected = {"locked": "unpaid", "used": "paid"}.get(coupon.status)
        if (expected is None) != (coupon.trade_id == 0) or (expected and status[coupon.trade_id] != expected):
            yield f"coupon {coupon.id} is {coupon.status} with trade {coupon.trade_id} ({status.get(coupon.trade_id)})"
        if expected and not alive.get(coupon.trade_id):
            yield f"coupon {coupon.id} is held by a trade that was undone"
    uses: dict[int, tuple[int, int]] = {rule: (int(n), int(fen)) for rule, n, fen in session.execute(
        select(PromotionUse.rule_id, func.count(), func.sum(PromotionUse.amount_fen)).group_by(PromotionUse.rule_id))}  # fmt: skip
    for rule in session.scalars(select(PromotionRule)):
        if rule.kind == "coupon" and rule.used_count != claimed[rule.id]:
            yield f"coupon rule {rule.id} counts {rule.used_count}, {claimed[rule.id]} were claimed"
        if rule.kind != "coupon" and (rule.used_count, rule.used_fen) != uses.get(rule.id, (0, 0)):
            yield f"rule {rule.id} counts {rule.used_count} / {rule.used_fen}, its uses {uses.get(rule.id)}"
    a = PromotionAdjustment
    for trade_id, void in session.execute(select(a.trade_id, a.is_void).distinct()):
        if bool(void) == bool(alive.get(trade_id)):
            yield f"adjustments of trade {trade_id} are {'void' if void else 'alive'}"


def aftersales() -> Iterator[str]:
    """No line gave back more units or money than it had, units held by cases are those of open cases, refunds are the cases'."""
    held: Counter[int] = Counter()
    open_cases: Counter[int] = Counter()
    back: Counter[int] = Counter()
    paid_back = dict(session.execute(select(Refund.id, Refund.amount_fen)).tuples().all())
    for case in session.execute(select(Case.id, Case.line_id, Case.order_id, Case.status, Case.quantity, Case.back_units, Case.refund_id,
                                       Case.refund_fen)):  # fmt: skip
        back[case.line_id] += case.back_units
        if case.status not in states.ENDED:
            open_cases[case.order_id] += 1
            held[case.line_id] += case.quantity if case.status != states.REFUNDING else 0
        if case.refund_id and paid_back.get(case.refund_id) != case.refund_fen:
            yield f"case {case.id} promises {case.refund_fen} fen, refund {case.refund_id} gave {paid_back.get(case.refund_id)}"
    for row in session.scalars(select(LineBack)):
        if row.case_units != held[row.id] or row.back_units < back[row.id] or row.back_units + row.case_units > row.quantity:
            yield f"line {row.id}: {row.case_units} in cases, {row.back_units} back; cases say {held[row.id]}, {back[row.id]}"
    for order_id, count in session.execute(select(Order.id, Order.case_count)):
        if count != open_cases[order_id]:
            yield f"order {order_id} counts {count} cases, {open_cases[order_id]} are open"


def merchants() -> Iterator[str]:
    """A merchant's frozen money is that of its frozen orders, what is on its way is that of its open payouts."""
    held = {(row.kind, row.owner_id): row.side * row.balance_fen for row in session.scalars(select(Account).where(Account.owner_id > 0))}
    frozen = session.execute(select(OrderSplit.merchant_id, func.sum(OrderSplit.net_fen)).where(OrderSplit.status == "frozen").group_by(
        OrderSplit.merchant_id))  # fmt: skip
    expected: Counter[tuple[str, int]] = Counter({("frozen", merchant_id): int(fen) for merchant_id, fen in frozen})
    moving = session.execute(select(Payout.merchant_id, func.sum(Payout.amount_fen)).where(Payout.status.in_(("requested", "approved"))).group_by(
        Payout.merchant_id))  # fmt: skip
    expected.update({("transit", merchant_id): int(fen) for merchant_id, fen in moving})
    for key in sorted(set(expected) | {key for key in held if key[0] in {"frozen", "transit"}}):
        if held.get(key, 0) != expected[key]:
            yield f"{key[0]} of {key[1]}: {held.get(key, 0)} fen instead of {expected[key]}"
    missing = session.scalars(
        select(Order.id).outerjoin(OrderSplit, OrderSplit.order_id == Order.id).where(Order.paid_at.is_not(None), OrderSplit.id.is_(None))
    ).all()
    if missing:
        yield f"{len(missing)} paid orders are not in the books"


def loose_ends() -> Iterator[str]:
    """No money waits on a passing account, every difference to a bill is settled, no job was given up."""
    for account in session.scalars(select(Account).where(Account.kind.in_(("advance", "refund")), Account.balance_fen != 0)):
        yield f"{account.kind} {account.subject} still has {account.balance_fen} fen"
    for case in session.scalars(select(ReconCase).where(ReconCase.status != "resolved")):
        yield f"case {case.id} ({case.kind}) is {case.status}"
    for case in session.execute(select(Case.id, Case.status).where(Case.status.not_in(states.ENDED))):
        yield f"after-sale case {case.id} is still {case.status}"
    for receipt in session.execute(select(AbnormalReceipt.id, AbnormalReceipt.kind).where(AbnormalReceipt.status != "resolved")):
        yield f"receipt case {receipt.id} ({receipt.kind}) is not resolved"
    for order_case in session.execute(select(OrderCase.id, OrderCase.kind).where(OrderCase.status != "resolved")):
        yield f"abnormal order {order_case.id} ({order_case.kind}) is not resolved"
    for name, error in session.execute(select(jobs.Job.name, jobs.Job.last_error).where(jobs.Job.status == jobs.PARKED)):
        yield f"job {name} was given up: {error}"


def channel_account() -> Iterator[str]:
    """What the books hold at a channel is what it moved on days whose bill was not compared: bills and cases cleared the rest."""
    billed = set(session.execute(select(Bill.channel, Bill.day_on)).tuples().all())
    expected: Counter[str] = Counter()
    moved = select(Voucher.channel, Voucher.occurred_on, Voucher.flow, func.sum(Voucher.amount_fen)).where(Voucher.flow.in_(("pay", "refund")))
    for channel, day, flow, fen in session.execute(moved.group_by(Voucher.channel, Voucher.occurred_on, Voucher.flow)):
        if (channel, day) not in billed:
            expected[channel] += int(fen) if flow == "pay" else -int(fen)
    for account in session.scalars(select(Account).where(Account.kind == "channel")):
        if account.balance_fen != expected[account.subject]:
            yield f"channel {account.subject} holds {account.balance_fen} fen, unbilled are {expected[account.subject]}"


def audit_log() -> Iterator[str]:
    """The audit chain is whole."""
    for finding in audit.verify().findings:
        yield f"audit {finding.place}: {finding.problem}"


ALL: tuple[Callable[[], Iterator[str]], ...] = (
    ledger, trades, receipts, wallets, stock, timelines, promotions, aftersales, merchants, loose_ends, channel_account, audit_log,
)  # fmt: skip


def check() -> dict[str, list[str]]:
    """Run every check; returns what each found, empty lists when all is well."""
    found = {}
    for oracle in ALL:
        release_session()
        found[oracle.__name__] = list(oracle())
    release_session()
    return found
