"""The small world of the soak: shops, rules, buyers, officers; the clock and the channel's memory that all processes share."""

from __future__ import annotations

import json
import os
import struct
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import select

from app.core import clock
from app.core.actor import SYSTEM, Actor
from app.core.db import release_session, session
from app.core.tx import transaction
from app.inventory.models import Stock
from app.merchants.models import Merchant
from app.promotions import service as promotions
from app.settlement.service import payouts
from tests.factories import market
from tests.factories.promotions import spec

SEES = frozenset({"order.view"})
FINANCE = tuple(Actor("operator", 900_001 + n, f"财务{name}", SEES) for n, name in enumerate("甲乙丙"))
FIRST_BUYER = 5_000
OFFSET = struct.Struct("<d")


@dataclass(frozen=True)
class World:
    """Ids of what the processes act on. buyers: (account, address); shops: SKU ids by merchant id; coupons: rule ids; phones: the buyers'."""

    buyers: list[tuple[int, int]]
    shops: dict[int, list[int]]
    coupons: list[int]
    phones: list[str]
    stocks: list[int]

    def save(self, file: Path) -> None:
        """Write it for the processes."""
        file.write_text(json.dumps(asdict(self)))

    @staticmethod
    def load(file: Path) -> World:
        """Read it."""
        raw = json.loads(file.read_text())
        shops = {int(merchant_id): skus for merchant_id, skus in raw["shops"].items()}
        return World([(a, b) for a, b in raw["buyers"]], shops, raw["coupons"], raw["phones"], raw["stocks"])


def build(buyers: int) -> World:
    """Make the world in an empty database: prices that divide badly, rules of all funders, one scarce article."""
    until = clock.now() + timedelta(days=360)
    shops = {}
    for number in range(4):
        shop = market.make_shop(stock=2_000, price_fen=1_111 + 577 * number, variants=("甲", "乙", "丙"), free_over_fen=7_000 * (number % 2))
        shops[shop.merchant_id] = list(shop.sku_ids)
    scarce = market.make_shop(stock=40, price_fen=333, variants=("限量",))
    shops[scarce.merchant_id] = list(scarce.sku_ids)
    merchants = sorted(shops)
    _start("full_cut", merchants[0], tiers=((3_000, 301), (6_000, 707)), ends_at=until)
    _start("full_cut", merchants[1], tiers=((2_000, 199),), ends_at=until)
    _start("member_day", tiers=(), rate_bps=8_000, month_days=(8,), merchant_bps=3_333, ends_at=until)
    _start("full_cut", tiers=((10_000, 1_000), (20_000, 3_000)), merchant_bps=5_000, ends_at=until)
    _start("first_order", tiers=((1_000, 200),), ends_at=until)
    coupons = [
        _start("coupon", tiers=((1_000, 500),), quantity=4_000, per_account=50, ends_at=until),
        _start("coupon", merchants[2], tiers=((1_500, 333),), quantity=2_500, per_account=40, ends_at=until),
        _start("coupon", tiers=((500, 101),), quantity=60, per_account=5, ends_at=until),
    ]
    people = [market.make_buyer(FIRST_BUYER + n) for n in range(buyers)]
    for merchant_id in merchants:
        with transaction():
            name = session.get_one(Merchant, merchant_id).name
            payouts.set_bank(seller(merchant_id), bank_name="澜州农商银行", holder=name, number="6222000011112222", auto_payout=merchant_id % 2 == 0)
    stocks = list(session.scalars(select(Stock.id).order_by(Stock.id)))
    release_session()
    return World([(actor.account_id, address) for actor, address in people], shops, coupons, [f"138{FIRST_BUYER + n:08d}" for n in range(buyers)], stocks)


def _start(kind: str, merchant_id: int = 0, **values: object) -> int:
    with transaction():
        rule_id = promotions.draft(SYSTEM, spec(kind, merchant_id, **values)).id
        if promotions.submit(SYSTEM, rule_id) == "submitted":
            promotions.approve(SYSTEM, rule_id)
    return rule_id


def buyer(account_id: int) -> Actor:
    """Return the buyer of an account."""
    return Actor("consumer", account_id, "买家")


def seller(merchant_id: int) -> Actor:
    """Return the owner of a shop."""
    return Actor("merchant", 800_000 + merchant_id % 1_000, "店主", merchant_id=merchant_id)


class SharedClock:
    """An offset in a file that every process follows; it only grows."""

    def __init__(self, file: Path) -> None:
        self._fd = os.open(file, os.O_RDWR | os.O_CREAT)
        if os.fstat(self._fd).st_size == 0:
            os.pwrite(self._fd, OFFSET.pack(0.0), 0)

    def follow(self) -> datetime:
        """Take over the offset; returns the time it is now."""
        clock._offset = timedelta(seconds=OFFSET.unpack(os.pread(self._fd, OFFSET.size, 0))[0])
        return clock.now()

    def jump(self, by: timedelta) -> datetime:
        """Move every process ahead; returns the new time."""
        os.pwrite(self._fd, OFFSET.pack((clock._offset + by).total_seconds()), 0)
        return self.follow()


class ChannelBook:
    """What the payment channel knows it has done, written before the platform hears of it: a killed process loses no payment."""

    def __init__(self, file: Path) -> None:
        self._fd = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def write(self, body: bytes) -> None:
        """Remember a notice."""
        os.write(self._fd, body + b"\n")

    @staticmethod
    def read(folder: Path) -> list[bytes]:
        """Return all notices of all processes; a line that a kill cut off was never acted upon."""
        found = []
        for file in sorted(folder.glob("channel-*.jsonl")):
            text = file.read_bytes()
            found += text[: text.rfind(b"\n") + 1].splitlines()
        return found
