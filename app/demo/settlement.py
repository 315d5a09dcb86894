"""Money of the demo region: orders of the last weeks at made-up moments, so that balances, statements, payouts and cases are there.

Everything goes through the verbs and handlers of the product, at a shifted clock; the demo does it once.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta

from sqlalchemy import or_, select, update

from app.carts import queries as carts
from app.catalog.models import Product, Sku
from app.core import clock, jobs
from app.core.actor import SYSTEM, Actor
from app.core.db import release_session, session
from app.core.jobs import Job
from app.core.tx import transaction
from app.fulfilment import service as fulfilment
from app.identity import queries as identity
from app.identity import service as identity_service
from app.identity.models import Area
from app.merchants.models import Merchant
from app.orders import queries as order_queries
from app.orders import service as orders
from app.orders.models import Trade
from app.payments import bills as simulator_bills
from app.payments import channels, simulator
from app.payments import service as payments
from app.promotions.queries import Buyer
from app.settlement.models import OrderSplit, ReconCase
from app.settlement.queries import books, statements
from app.settlement.service import bills, cases, closing, deposits, payouts, rates, release
from security.tokens import random_token

BUYER = "demo-buyer"
OFFICERS = ("caiwu", "fuhe")
SHOPS, PER_DAY = 3, 2
LAST_MONTH, COMPLETE_AFTER, RELEASE_AFTER = (4, 7, 10), 2, 8


def load() -> int:
    """Make the orders and what follows from them; returns how many orders, 0 when they are there."""
    if session.scalar(select(OrderSplit.id).limit(1)) is not None:
        return 0
    release_session()
    shops = _shops()
    today = clock.business_date()
    first = (today.replace(day=1) - timedelta(days=1)).replace(day=1)
    with _at(first, hour=9):
        _rates(shops)
        _accounts(shops)
    buyer, address_id = _buyer()
    count = _last_month(buyer, address_id, shops, [first + timedelta(days=number - 1) for number in LAST_MONTH])
    with _at(first + timedelta(days=24)):
        _paid_payout(shops[0])
    with _at(today.replace(day=1), hour=7):
        for shop in shops:
            with transaction():
                closing.close(shop, statements.number_of(first))
    yesterday = today - timedelta(days=1)
    with _at(yesterday, hour=15):
        count += len(_sell(buyer, address_id, [*shops, shops[0]], yesterday, 1))
    count += len(_sell(buyer, address_id, shops, today, 1))
    with transaction():
        payouts.request(owner(shops[0]), books.balances_of(shops[0])["payable"] // 2, f"demo-{random_token()[:20]}")
    _reconcile(yesterday)
    return count


@contextmanager
def _at(day: date, hour: int = 10) -> Iterator[None]:
    """Work at an hour of a business day."""
    wanted = datetime.combine(day, time(hour), clock.REGION_TZ)
    with clock.travel(wanted - clock.now()):
        yield


def _shops() -> list[int]:
    """Return the first active demo shops."""
    wanted = select(Merchant.id).where(Merchant.code.startswith("DEMO"), Merchant.status == "active").order_by(Merchant.code)
    return list(session.scalars(wanted.limit(SHOPS)))


def owner(merchant_id: int) -> Actor:
    return Actor("merchant", 0, "店主", merchant_id=merchant_id)


def _officer(number: int) -> Actor:
    account = identity.find_by_login("operator", OFFICERS[number])
    if account is None:
        raise LookupError(f"the demo has no account {OFFICERS[number]}")
    return Actor("operator", account.id, account.display_name, identity.permissions_of(account.id)[0])


def _rates(shops: list[int]) -> None:
    """Give the shops agreed rates, so that none of them is in its free first year, and the region two general rules."""
    since = clock.business_date() - timedelta(days=400)
    wanted = [
        rates.RateInput(50, 450, merchant_id=shops[0], valid_from_on=since, note="年度协议费率"),
        *(
            rates.RateInput(
                rates.NEWCOMER_PLACE, 0, merchant_id=shop, valid_from_on=since, valid_until_on=since + rates.YEAR, note="首年免费"
            )
            for shop in shops[1:]
        ),
        rates.RateInput(600, 400, promoter_bps=100, area_code="LZ04", valid_from_on=since, note="青禾县助农推广"),
        rates.RateInput(900, 500, logistics_bps=50, freight_to="carrier", area_code="LZ03", valid_from_on=since, note="望湖区集配"),
    ]  # fmt: skip
    with transaction():
        for rule in wanted:
            rates.save(SYSTEM, rule)


def _accounts(shops: list[int]) -> None:
    """Keep bank accounts and deposits of the first two shops."""
    for place, shop in enumerate(shops[:2]):
        with transaction():
            holder = session.get_one(Merchant, shop).name
            payouts.set_bank(
                owner(shop), bank_name="澜州农商银行（虚构）城中支行", holder=holder, number=f"62220000000000{place:04d}", auto_payout=bool(place)
            )
            deposits.take_transfer(_officer(0), shop, 200_000 if place == 0 else 120_000, f"HD-DEMO-{place + 1:03d}")


def _buyer() -> tuple[Actor, int]:
    with transaction():
        account = identity_service.create_account(SYSTEM, "consumer", BUYER, "林晓", phone="13800005678", roles=("consumer",))
        permissions, roles = identity.permissions_of(account.id)
        buyer = Actor("consumer", account.id, account.display_name, permissions, roles=roles)
        area = session.scalars(select(Area.code).order_by(Area.sort).limit(1)).one()
        address = identity_service.add_address(buyer, receiver="林晓", phone="13800005678", street="人民路 1 号（虚构）", area_code=area)
        return buyer, address.id


def _last_month(buyer: Actor, address_id: int, shops: list[int], days: list[date]) -> int:
    """Sell on some days, have each order shipped, completed and released and each bill compared, in the order of time."""
    sold: dict[date, list[int]] = {}
    steps = [(day, 15, "sell", day) for day in days] + [(day + timedelta(days=1), 11, "bill", day) for day in days]
    steps += [(day + timedelta(days=COMPLETE_AFTER), 10, "complete", day) for day in days]
    steps += [(day + timedelta(days=COMPLETE_AFTER + RELEASE_AFTER), 12, "release", day) for day in days]
    for at, hour, step, day in sorted(steps):
        with _at(at, hour=hour):
            if step == "sell":
                sold[day] = _sell(buyer, address_id, shops, day, PER_DAY)
            elif step == "complete":
                for number, order_id in enumerate(sold[day]):
                    with transaction():
                        fulfilment.ship(SYSTEM, order_id, "local", f"LZ{day:%m%d}{number:04d}")
                    with transaction():
                        orders.complete(buyer, order_id)
            else:
                with transaction():
                    if step == "bill":
                        bills.import_bill(SYSTEM, channels.SIMULATOR, day, simulator_bills.daily_bill(day, differences=False))
                    else:
                        release.release_due()
            work()
    return sum(len(made) for made in sold.values())


def _sell(buyer: Actor, address_id: int, shops: list[int], day: date, each: int) -> list[int]:
    """Sell something of each shop now; returns the orders."""
    made = [
        order(buyer, address_id, shop, day.day + place * 2 + number) for place, shop in enumerate(shops) for number in range(each)
    ]
    work()
    return made


def order(buyer: Actor, address_id: int, merchant_id: int, number: int) -> int:
    """Place and pay an order of one or two units."""
    skus = session.scalars(
        select(Sku.id).join(Product, Product.id == Sku.product_id).where(Product.merchant_id == merchant_id, Product.is_listed == 1)
        .order_by(Sku.id)
    ).all()  # fmt: skip
    return pay(buyer, address_id, [(skus[number % len(skus)], 1 + number % 2)])


def pay(buyer: Actor, address_id: int, picked: list[tuple[int, int]], points: dict[int, int] | None = None) -> int:
    """Place an order of one shop and pay it through the simulator; points: where it is collected, by merchant. Returns the order."""
    area_code = identity.get_address(buyer.account_id, address_id).area_code
    modes = dict.fromkeys(points or {}, "pickup")
    quote, _, _ = carts.price(picked, None, Buyer(buyer.account_id, area_code=area_code), modes=modes)
    wanted = orders.Submission(
        picked, address_id, quote.quote_hash, quote.total_fen, random_token(), {}, from_cart=False, points=points or {}, modes=modes,
        exclusions_confirmed=True,
    )
    with transaction():
        trade_id = orders.place(buyer, wanted)
    with transaction():
        attempt = payments.start(buyer, session.get_one(Trade, trade_id).trade_no, channels.SIMULATOR)
        body = simulator.bodies(attempt, "paid")[0]
    with transaction():
        row = payments.receive_notice(channels.SIMULATOR, body, channels.sign(body))
    with transaction():
        payments.apply_notice(row)
    return order_queries.orders_of_trade(trade_id)[0].id


def work() -> None:
    """Run the queued jobs of money at the shifted clock, as a worker does; what greets new merchants waits for the real one."""
    mine = or_(*(Job.name.startswith(f"{name}.") for name in ("settlement", "payments", "aftersales")))
    wanted = (Job.status == jobs.QUEUED, Job.due_at <= clock.now(), mine, Job.name != "settlement.on_merchant_approved")
    while due := session.execute(select(Job.id, Job.name, Job.payload).where(*wanted).order_by(Job.id)).all():
        for job in due:
            with transaction():
                session.execute(
                    update(Job).where(Job.id == job.id, Job.status == jobs.QUEUED).values(status=jobs.RUNNING, owner="demo")
                    .execution_options(synchronize_session=False)
                )  # fmt: skip
            jobs.run(jobs.Claimed(job.id, job.name, job.payload), "demo")
    release_session()


def _paid_payout(merchant_id: int) -> None:
    """Pay half of a shop's balance out, with two officers."""
    with transaction():
        amount = books.balances_of(merchant_id)["payable"] // 2
        payout_id = payouts.request(owner(merchant_id), amount, f"demo-{random_token()[:20]}").id
    with transaction():
        payouts.approve(_officer(0), payout_id)
    with transaction():
        payouts.make_batch(_officer(0))
    with transaction():
        payouts.confirm_paid(_officer(1), payout_id, "HD-DEMO-100")


def _reconcile(day: date) -> None:
    """Fetch yesterday's bill with its differences; one case is resolved, the others wait. Then prove the books."""
    with transaction():
        bills.fetch(SYSTEM, day)
    work()
    found = session.scalar(select(ReconCase.id).where(ReconCase.kind == "amount"))
    if found is not None:
        with transaction():
            cases.take(_officer(0), found)
        with transaction():
            cases.resolve(_officer(0), found, "other_income", "渠道多付一分，已与渠道核实")
    with transaction():
        jobs.enqueue_once(books.VERIFY_JOB, {}, key="demo")
    work()
