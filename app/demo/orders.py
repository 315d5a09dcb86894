"""Orders of the demo region that went wrong in the ways the queue of abnormal orders knows; the demo does it once."""

from __future__ import annotations

from sqlalchemy import select

from app.carts import queries as carts
from app.catalog.models import Product, Sku
from app.core.actor import Actor
from app.core.db import session
from app.core.tx import transaction
from app.demo import settlement
from app.identity import queries as identity
from app.identity import service as identity_service
from app.identity.models import Area
from app.merchants.models import Merchant
from app.orders import cases, queries, service
from app.orders.models import OrderCase, Trade
from app.payments import channels, simulator
from app.payments import service as payments
from app.promotions.queries import Buyer
from security.tokens import random_token

FARMS = ("DEMO04", "DEMO10")
OFFICER = "yunying"


def load() -> int:
    """Make the orders and their cases; returns how many orders, 0 when they are there."""
    if session.scalar(select(OrderCase.id).limit(1)) is not None:
        return 0
    buyer, home = _buyer()
    farms = [session.scalars(select(Merchant.id).where(Merchant.code == code)).one() for code in FARMS]
    mixed = _buy(buyer, home, _skus(farms[0], 4))
    _case(_owner(farms[0]), mixed[-1], "oversold", "今早盘点，冷库实物比系统少，暂时发不出")
    late = _buy(buyer, home, _skus(farms[1], 1))
    _case(_owner(farms[1]), late[0], "other", "买家要求改约送货时间，电话未接通")
    doubtful = _buy(buyer, _scrawl(buyer), _skus(farms[1], 2))
    with transaction():
        cases.inspect(doubtful)
    done = _buy(buyer, home, _skus(farms[0], 1))
    resolved = _case(_owner(farms[0]), done[0], "address", "门牌号与小区名对不上")
    officer = _officer()
    with transaction():
        cases.claim(officer, resolved)
    with transaction():
        cases.resolve(officer, resolved, "release", "已致电买家，按小区名投递")
    with transaction():
        service.add_note(_owner(farms[0]), done[0], "小区东门有值班室，可代收", to_buyer=True)
    _buy(buyer, home, _skus(farms[1], 1), outcome="wrong_amount")
    settlement.work()
    return len(mixed) + len(late) + len(doubtful) + len(done)


def _buyer() -> tuple[Actor, int]:
    account = identity.find_by_login("consumer", settlement.BUYER)
    if account is None:
        raise LookupError("the demo buyer is made with the money of the demo")
    permissions, roles = identity.permissions_of(account.id)
    actor = Actor("consumer", account.id, account.display_name, permissions, roles=roles)
    return actor, identity.list_addresses(account.id)[0].id


def _scrawl(buyer: Actor) -> int:
    """Return an address nobody could deliver to."""
    with transaction():
        area = session.scalars(select(Area.code).order_by(Area.sort).limit(1)).one()
        return identity_service.add_address(buyer, receiver="林晓", phone="13800005678", street="aaaaa 11111", area_code=area).id


def _owner(merchant_id: int) -> Actor:
    return Actor("merchant", 0, "店主", merchant_id=merchant_id)


def _officer() -> Actor:
    account = identity.find_by_login("operator", OFFICER)
    if account is None:
        raise LookupError(f"the demo has no account {OFFICER}")
    return Actor("operator", account.id, account.display_name, identity.permissions_of(account.id)[0])


def _skus(merchant_id: int, products: int) -> list[tuple[int, int]]:
    """Return one unit of the first variant of some products; neighbours differ in category, and so in temperature."""
    rows = session.execute(
        select(Sku.product_id, Sku.id).join(Product, Product.id == Sku.product_id)
        .where(Product.merchant_id == merchant_id, Product.is_listed == 1).order_by(Product.id, Sku.id)
    ).tuples()  # fmt: skip
    first: dict[int, int] = {}
    for product_id, sku_id in rows:
        first.setdefault(product_id, sku_id)
    return [(sku_id, 1) for sku_id in list(first.values())[:products]]


def _buy(buyer: Actor, address_id: int, picked: list[tuple[int, int]], outcome: str = "paid") -> list[int]:
    """Place and pay; returns the orders."""
    quote, _, _ = carts.price(picked, None, Buyer(buyer.account_id))
    wanted = service.Submission(
        picked, address_id, quote.quote_hash, quote.total_fen, random_token(), {}, from_cart=False, exclusions_confirmed=True
    )
    with transaction():
        trade_id = service.place(buyer, wanted)
    with transaction():
        attempt = payments.start(buyer, session.get_one(Trade, trade_id).trade_no, channels.SIMULATOR)
        body = simulator.bodies(attempt, outcome)[0]
    with transaction():
        row = payments.receive_notice(channels.SIMULATOR, body, channels.sign(body))
    with transaction():
        payments.apply_notice(row)
    settlement.work()
    return [order.id for order in queries.orders_of_trade(trade_id)]


def _case(actor: Actor, order_id: int, kind: str, reason: str) -> int:
    with transaction():
        return cases.raise_by_hand(actor, order_id, kind, reason)
