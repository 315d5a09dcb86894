"""What may happen in the soak: one function for each thing a buyer, merchant, officer, carrier or channel does."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import func, select

from app.carts import queries as carts
from app.core import clock
from app.core.actor import SYSTEM
from app.core.db import release_session, session
from app.core.ids import new_id
from app.fulfilment import queries as parcels
from app.fulfilment import service as fulfilment
from app.fulfilment.models import Parcel
from app.inventory import service as inventory
from app.orders import service as orders
from app.orders.models import Order, OrderLine, Trade
from app.payments import service as payments
from app.payments.models import PaymentAttempt
from app.promotions import service as promotions
from app.promotions.queries import Buyer
from app.settlement.models import Payout, ReconCase
from app.settlement.service import cases, deposits, payouts, release
from app.settlement.service.ledger import balance
from app.settlement.service.splitting import Units, lines_of
from tests.soak.acting import Nothing, Scene, commit
from tests.soak.channel import deliver_late, pay_at_channel, payable
from tests.soak.complaints import move_case, open_case
from tests.soak.desk import raise_case, work_order_case
from tests.soak.purses import judge_slip, pay_by_bank, pay_stored, top_up, work_abnormal
from tests.soak.world import FINANCE, buyer, seller


def _orders(*where: Any) -> Any:
    return select(Order.id, Order.trade_id, Order.merchant_id, Order.account_id).where(*where).order_by(Order.id.desc())


def place(scene: Scene) -> None:
    """A buyer places a trade of one to five lines, with the best coupons, some, or none."""
    rng, (account_id, address_id) = scene.rng, scene.rng.choice(scene.world.buyers)
    skus = [sku for group in scene.world.shops.values() for sku in group]
    picked = [(sku, rng.choice((1, 1, 2, 3, 7))) for sku in rng.sample(skus, rng.randint(1, 5))]
    coupons = None if rng.random() < 0.7 else frozenset()
    quote, _, _ = carts.price(picked, None, Buyer(account_id), coupons)
    release_session()
    wanted = orders.Submission(
        picked=picked, address_id=address_id, quote_hash=quote.quote_hash, expected_total_fen=quote.total_fen,
        idempotency_key=f"k{rng.getrandbits(96):024x}", notes={}, from_cart=False, coupons=coupons,
    )  # fmt: skip
    first = commit(lambda: orders.place(buyer(account_id), wanted))
    if rng.random() < 0.1:  # the same form once more
        assert commit(lambda: orders.place(buyer(account_id), wanted)) == first


def pay(scene: Scene) -> None:
    """A buyer pays at the channel, with any outcome."""
    trade = payable(scene)
    payment_no = commit(lambda: payments.start(buyer(trade.account_id), trade.trade_no, "simulator").payment_no)
    pay_at_channel(scene, payment_no, scene.rng.choices(("paid", "late", "duplicate", "wrong_amount", "failed"), (12, 2, 2, 1, 1))[0])


def pay_again(scene: Scene) -> None:
    """A buyer pays at a cashier that was left open: his trade may be paid, closed or refunded by now."""
    where = (PaymentAttempt.channel == "simulator", PaymentAttempt.status.in_(("created", "closed", "failed")))
    attempt = scene.one_of(select(PaymentAttempt.payment_no).where(*where).order_by(PaymentAttempt.id.desc()))
    pay_at_channel(scene, attempt.payment_no, "paid")


def cancel_unpaid(scene: Scene) -> None:
    """A buyer gives an unpaid trade up."""
    trade = scene.one_of(select(Trade.id, Trade.account_id).where(Trade.status == "unpaid").order_by(Trade.id.desc()))
    commit(lambda: orders.cancel_trade(buyer(trade.account_id), trade.id, "不想要了"))


def cancel_paid(scene: Scene) -> None:
    """A buyer or merchant cancels a paid order before it is shipped."""
    order = scene.one_of(_orders(Order.status == "paid"))
    actor = buyer(order.account_id) if scene.rng.random() < 0.6 else seller(order.merchant_id)
    commit(lambda: orders.cancel_paid(actor, order.id, "缺货"))


def ship(scene: Scene) -> None:
    """A merchant ships an order, whole or some of its units."""
    order_id, merchant_id = scene.one_of(_orders(Order.status == "paid"))[::2]
    number, units = f"SF{scene.rng.getrandbits(40):013d}", None
    if scene.rng.random() < 0.25:
        waiting = parcels.waiting_units(session.get_one(Order, order_id))
        release_session()
        units = {line_id: scene.rng.randint(0, left) for line_id, left in waiting.items()}
    commit(lambda: fulfilment.ship(seller(merchant_id), order_id, "sf", number, units))


def arrive(scene: Scene) -> None:
    """The carrier says that a parcel was delivered, sometimes twice."""
    parcel = scene.one_of(select(Parcel.carrier, Parcel.tracking_no).where(Parcel.status == "shipped").order_by(Parcel.id.desc()))
    for _ in range(scene.rng.choice((1, 1, 2))):
        commit(lambda: fulfilment.track(parcel.carrier, parcel.tracking_no, "d1", "delivered", "云屏县", "已签收", clock.now()))


def complete(scene: Scene) -> None:
    """A buyer confirms receipt."""
    order = scene.one_of(_orders(Order.status == "shipped"))
    commit(lambda: orders.complete(buyer(order.account_id), order.id))


def refund_units(scene: Scene) -> None:
    """Finance gives back some units of a shipped or completed order, or its freight; the same click may come twice."""
    rng = scene.rng
    order = scene.one_of(_orders(Order.status.in_(("shipped", "completed"))))
    left = [(line.line_id, line.quantity - line.refunded) for line in lines_of(order.id) if line.quantity > line.refunded]
    release_session()
    if not left:
        raise Nothing
    chosen = rng.sample(left, rng.randint(1, len(left)))
    units = [Units(line_id, rng.randint(1, count)) for line_id, count in chosen]
    key = f"{rng.getrandbits(48):012x}"
    for _ in range(rng.choice((1, 1, 1, 2))):
        commit(lambda: release.refund(FINANCE[0], order.id, units, "协商退款", key))


def claim_coupon(scene: Scene) -> None:
    """A buyer takes a coupon."""
    rule_id, account_id = scene.rng.choice(scene.world.coupons), scene.rng.choice(scene.world.buyers)[0]
    commit(lambda: promotions.claim(buyer(account_id), rule_id))


def restock(scene: Scene) -> None:
    """Goods arrive or are written off; the cause is repeated now and then."""
    rng, stock_id = scene.rng, scene.rng.choice(scene.world.stocks)
    delta, cause = rng.choice((60, 25, 9, -4)), new_id()
    for _ in range(rng.choice((1, 1, 2))):
        commit(lambda: inventory.change_on_hand(SYSTEM, stock_id, delta, cause_id=cause, note="盘点"))


def ask_payout(scene: Scene) -> None:
    """A merchant claims part of its balance, sometimes more than it has, sometimes twice with one key."""
    rng, merchant_id = scene.rng, scene.rng.choice(sorted(scene.world.shops))
    has = balance("payable", merchant_id)
    release_session()
    if has < 1:
        raise Nothing
    amount, key = max(1, int(has * rng.choice((0.3, 0.7, 1.0, 1.2)))), f"{rng.getrandbits(48):012x}"
    for _ in range(rng.choice((1, 1, 2))):
        commit(lambda: payouts.request(seller(merchant_id), amount, key))


def decide_payout(scene: Scene) -> None:
    """The merchant takes a claim back, or an officer approves or rejects it."""
    payout = scene.one_of(select(Payout.id, Payout.merchant_id).where(Payout.status == "requested").order_by(Payout.id.desc()))
    what = scene.rng.choices(("approve", "reject", "withdraw"), (8, 1, 1))[0]
    if what == "approve":
        commit(lambda: payouts.approve(FINANCE[0], payout.id))
    elif what == "reject":
        commit(lambda: payouts.reject(FINANCE[0], payout.id, "资料不全"))
    else:
        commit(lambda: payouts.withdraw(seller(payout.merchant_id), payout.id))


def pay_payout(scene: Scene) -> None:
    """The bank file is made and the bank confirms a payout or sends it back."""
    if scene.rng.random() < 0.3:
        commit(lambda: payouts.make_batch(FINANCE[1]))
    payout = scene.one_of(select(Payout.id).where(Payout.status == "approved").order_by(Payout.id.desc()))
    if scene.rng.random() < 0.85:
        commit(lambda: payouts.confirm_paid(FINANCE[1], payout.id, f"BK{scene.rng.getrandbits(32)}"))
    else:
        commit(lambda: payouts.confirm_failed(FINANCE[1], payout.id, "账号不符"))


def deposit(scene: Scene) -> None:
    """A merchant pays its deposit from the balance, or what it owes is taken from the deposit."""
    rng, merchant_id = scene.rng, scene.rng.choice(sorted(scene.world.shops))
    key = f"{rng.getrandbits(48):012x}"
    what = rng.choice(("balance", "transfer", "offset"))
    if what == "balance":
        commit(lambda: deposits.pay_from_balance(seller(merchant_id), rng.randint(100, 3_000), key))
    elif what == "transfer":
        commit(lambda: deposits.take_transfer(FINANCE[0], merchant_id, rng.randint(100, 5_000), f"BK{key}"))
    else:
        commit(lambda: deposits.offset(FINANCE[0], merchant_id, key))


def hold(scene: Scene) -> None:
    """Finance stops the release of an order or lets it go on."""
    order = scene.one_of(_orders(Order.status.in_(("paid", "shipped", "completed"))))
    reason = scene.rng.choice(("", "", "待核实"))
    commit(lambda: release.set_hold(FINANCE[2], order.id, reason))


def work_case(scene: Scene) -> None:
    """An officer takes a difference to the channel's bill, or ends the one it owns."""
    case = scene.one_of(
        select(ReconCase.id, ReconCase.status, ReconCase.owner_id).where(ReconCase.status != "resolved").order_by(ReconCase.id.desc())
    )
    end_case(case, scene.rng)


def end_case(case: Any, rng: random.Random) -> None:
    """Take an open case, or resolve a taken one with whatever it allows."""
    if case.status == "open":
        return commit(lambda: cases.take(rng.choice(FINANCE), case.id))
    owner = next(officer for officer in FINANCE if officer.account_id == case.owner_id)

    def resolve() -> None:
        found = cases.get(case.id)
        cases.resolve(owner, case.id, rng.choice(sorted(set(cases.choices(found)) - {"timing"})), "与渠道核对")

    return commit(resolve)


WEIGHTS: Sequence[tuple[Callable[[Scene], None], int]] = (
    (place, 30), (pay, 26), (pay_again, 2), (deliver_late, 3), (cancel_unpaid, 3), (cancel_paid, 3), (ship, 16), (arrive, 6),
    (complete, 9), (refund_units, 5), (claim_coupon, 5), (restock, 4), (ask_payout, 3), (decide_payout, 3), (pay_payout, 3),
    (deposit, 1), (hold, 2), (work_case, 3), (open_case, 8), (move_case, 16),
    (top_up, 2), (pay_by_bank, 2), (judge_slip, 4), (pay_stored, 5), (work_abnormal, 4), (raise_case, 1), (work_order_case, 3),
)  # fmt: skip


def line_count() -> int:
    """Return how many order lines there are."""
    return int(session.scalar(select(func.count(OrderLine.id))) or 0)
