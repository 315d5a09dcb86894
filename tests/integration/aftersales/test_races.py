"""Two at the same moment, with real threads on the engine under test: one wins, the other is told, sums hold."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from sqlalchemy import func, select

from app.aftersales import service, states
from app.aftersales.models import Case, FruitClaim
from app.core import db as core_db
from app.core.errors import AppError
from app.core.tx import retry_conflicts, transaction
from app.inventory import queries as stock_queries
from app.inventory.models import Movement
from app.orders import queries as orders
from app.payments.models import Refund
from tests.factories import aftersales as cases
from tests.factories import market
from tests.integration.settlement import money


def together(*verbs: Callable[[], Any]) -> list[str]:
    """Run verbs at once, each in a transaction of its own thread as a door does; returns 'ok' or the refusal's code."""
    start, found = threading.Barrier(len(verbs)), [""] * len(verbs)

    def run(place: int) -> None:
        def unit() -> None:
            with transaction():
                verbs[place]()

        try:
            start.wait(20)
            retry_conflicts(unit, attempts=8)
            found[place] = "ok"
        except AppError as error:
            found[place] = error.code
        finally:
            core_db.release_session()

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(verbs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    core_db.session.rollback()
    core_db.session.expire_all()
    return found


def test_two_cases_for_the_last_unit(db: Any) -> None:
    shop = market.make_shop()
    for _ in range(3):
        buyer, order_id = cases.delivered_order(shop)
        a, b = cases.wanted(order_id), cases.wanted(order_id)
        core_db.release_session()
        found = together(partial(service.apply, buyer, order_id, a), partial(service.apply, buyer, order_id, b))
        assert sorted(found) == ["line.units", "ok"]
        assert db.scalar(select(func.count(Case.id)).where(Case.order_id == order_id)) == 1
        assert orders.backs_of([order_id])[cases.line_of(order_id)].case_units == 1


def test_a_double_click_is_one_case(db: Any) -> None:
    shop = market.make_shop()
    buyer, order_id = cases.delivered_order(shop, 3)
    wanted = cases.wanted(order_id)
    core_db.release_session()
    assert together(*[partial(service.apply, buyer, order_id, wanted)] * 3) == ["ok"] * 3
    assert db.scalar(select(func.count(Case.id)).where(Case.order_id == order_id)) == 1


def test_approval_against_withdrawal(db: Any) -> None:
    shop = market.make_shop()
    owner = cases.owner(shop)
    for _ in range(4):
        buyer, order_id = cases.delivered_order(shop)
        case_id = cases.opened(buyer, order_id, states.REFUND, "quality")
        core_db.release_session()
        found = together(partial(service.approve, owner, case_id), partial(service.withdraw, buyer, case_id))
        assert sorted(found) == ["case.state", "ok"]
        case = db.get_one(Case, case_id)
        paid = db.scalar(select(func.count(Refund.id)).where(Refund.cause == f"aftersale:{case_id}"))
        assert (case.status, paid) in {(states.REFUNDING, 1), (states.WITHDRAWN, 0)}
        back = orders.backs_of([order_id])[case.line_id]
        assert (back.case_units, back.back_units) == (0, paid)
    money.deliver()
    money.assert_proven()


def test_a_double_inspection_restocks_and_refunds_once(db: Any) -> None:
    shop = market.make_shop()
    owner = cases.owner(shop)
    buyer, order_id = cases.delivered_order(shop, 2)
    case_id = cases.sent_back(buyer, shop, order_id, quantity=2)
    core_db.release_session()
    found = together(*[partial(service.check, owner, case_id, 1, 1)] * 3)
    assert sorted(found) == ["case.state", "case.state", "ok"]
    assert db.scalars(select(Refund.amount_fen).where(Refund.cause == f"aftersale:{case_id}")).all() == [3_980 + 500]
    moved = db.scalar(select(func.sum(Movement.on_hand_delta)).where(Movement.cause_type == "return", Movement.cause_id == case_id))
    assert moved == 1
    assert stock_queries.audit_columns() == []
    money.deliver()
    money.assert_proven()


def test_two_bad_fruit_claims_of_one_line(db: Any) -> None:
    from tests.integration.aftersales.test_other_kinds import fresh_shop

    shop = fresh_shop(db)
    buyer, order_id = cases.delivered_order(shop, 2)
    given = {"kind": states.CLAIM, "reason": "bad_fruit", "sampled": 10, "bad": 5}
    a, b = cases.wanted(order_id, **given), cases.wanted(order_id, **given)
    core_db.release_session()
    found = together(partial(service.apply, buyer, order_id, a), partial(service.apply, buyer, order_id, b))
    assert sorted(found) == ["claim.twice", "ok"]
    assert db.scalar(select(func.count(FruitClaim.id)).where(FruitClaim.line_id == cases.line_of(order_id))) == 1


def test_cases_on_two_orders_of_a_trade_end_at_once_and_the_coupon_returns_once(db: Any) -> None:
    """Each sees its own order undone; the trade's row makes the second see both."""
    from app.carts import queries as carts
    from app.orders import service as orders_service
    from app.promotions import service as promotions
    from app.promotions.models import Coupon
    from app.promotions.queries import Buyer
    from security.tokens import random_token
    from tests.factories import promotions as offers

    for _ in range(2):
        one, two = market.make_shop(price_fen=5_000), market.make_shop(price_fen=5_000)
        buyer, address_id = market.make_buyer()
        rule_id = offers.start("coupon", tiers=((2_000, 1_001),))
        with transaction():
            coupon_id = promotions.claim(buyer, rule_id)
        picked = [(one.sku_ids[0], 1), (two.sku_ids[0], 1)]
        quote, _, _ = carts.price(picked, None, Buyer(buyer.account_id), frozenset({coupon_id}))
        assert quote.discount_fen == 1_001
        wanted = orders_service.Submission(
            picked, address_id, quote.quote_hash, quote.total_fen, random_token(), {}, from_cart=False, coupons=frozenset({coupon_id})
        )
        with transaction():
            trade_id = orders_service.place(buyer, wanted)
        assert money.pay(buyer, trade_id) == ["paid"]
        made = []
        for shop, order in zip((one, two), sorted(orders.orders_of_trade(trade_id), key=lambda o: o.merchant_id != one.merchant_id), strict=True):
            cases.arrive(order.id)
            made.append((cases.owner(shop), cases.opened(buyer, order.id, states.REFUND, "quality")))
        core_db.release_session()
        assert together(*[partial(service.approve, *m) for m in made]) == ["ok", "ok"]
        coupon = db.get_one(Coupon, coupon_id)
        assert (coupon.status, coupon.trade_id) == ("unused", 0)
        assert promotions.release(trade_id) is False, "it came back once"
        money.deliver()
        refunded = db.scalar(select(func.sum(Refund.amount_fen)).where(Refund.cause.in_([f"aftersale:{case}" for _, case in made])))
        assert refunded == quote.total_fen
        assert [money.balances(s)["frozen"] for s in (one, two)] == [0, 0]
    money.assert_proven()
