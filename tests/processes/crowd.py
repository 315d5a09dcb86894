"""A crowd of buyers who place, pay, cancel and walk away at once, and what each of them was told."""

from __future__ import annotations

import random
import re
import threading
import traceback
from dataclasses import dataclass, field
from itertools import count

from tests.processes.shopper import Visitor, found

OUTCOMES = ("paid",) * 8 + ("late",) * 2 + ("duplicate",) * 2 + ("wrong_amount",) * 2 + ("failed",) * 2
BUYERS_EACH = 4


@dataclass(frozen=True)
class Basket:
    """What a buyer told the platform to sell: how, and (SKU id, units)."""

    kind: str  # one | many | guest
    picked: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Told:
    """A trade the platform confirmed."""

    trade_no: str
    key: str
    basket: Basket


@dataclass
class Tally:
    """What all buyers together saw; guarded by its lock."""

    wanted_orders: int
    lock: threading.Lock = field(default_factory=threading.Lock)
    orders: int = 0
    told: list[Told] = field(default_factory=list)
    sold_out: int = 0
    losses: int = 0
    faults: list[str] = field(default_factory=list)
    done: dict[str, int] = field(default_factory=dict)

    @property
    def over(self) -> bool:
        """Tell whether enough was ordered, or something went wrong."""
        return self.orders >= self.wanted_orders or bool(self.faults)

    def count(self, what: str) -> None:
        """Count something a buyer did."""
        with self.lock:
            self.done[what] = self.done.get(what, 0) + 1


class Buyer:
    """One buyer. He starts as a guest with a full cart, registers, and comes back for more."""

    def __init__(self, port: int, tally: Tally, rng: random.Random, shops: list[tuple[int, ...]], scarce: int) -> None:
        self.visitor = Visitor(port)
        self.tally, self.rng, self.shops, self.scarce = tally, rng, shops, scarce
        self.address_id = ""
        self._quotes: dict[tuple[tuple[int, int], ...], tuple[str, str]] = {}

    def arrive(self, phone: str) -> bool:
        """Fill a cart as a guest, register, and buy what was in it; False when the code got lost with a connection."""
        picked = self._fill_cart()
        if not self.visitor.sign_in_phone(phone):
            return False
        self._place(Basket("guest", picked), {})
        return True

    def _fill_cart(self) -> tuple[tuple[int, int], ...]:
        before, picked = self.visitor.losses, []
        for skus in self.rng.sample(self.shops, self.rng.choice((2, 3, 3, 4))):
            picked.append((self.rng.choice(skus), self.rng.randint(1, 2)))
            answer = self.visitor.post("/cart/items", sku_id=str(picked[-1][0]), qty=str(picked[-1][1]))
            assert answer.status == 303, f"cart: {answer.status} {answer.text[:500]}"
        return tuple(picked) if self.visitor.losses == before else ()  # an addition that was repeated may count twice

    def shop(self) -> None:
        """Place one trade and do something with it."""
        chance = self.rng.random()
        if chance < 0.1:
            basket = Basket("one", ((self.scarce, 1),))
        elif chance < 0.45:
            basket = Basket("one", ((self.rng.choice(self.rng.choice(self.shops)), self.rng.randint(1, 2)),))
        else:
            basket = Basket("many", self._fill_cart())
        direct = {"sku": str(basket.picked[0][0]), "qty": str(basket.picked[0][1])} if basket.kind == "one" else {}
        trade_no = self._place(basket, direct)
        if not trade_no:
            return
        fate = self.rng.random()
        if fate < 0.7:
            self._pay(trade_no)
        elif fate < 0.88:
            self._cancel()
        else:
            self.tally.count("left unpaid")

    def _place(self, basket: Basket, direct: dict[str, str]) -> str:
        """Submit a checkout under one key until the answer comes; returns the trade number, empty when sold out."""
        quote = self._quotes.get(basket.picked) if direct else None
        if quote is None:
            path = "/checkout" + (f"?sku={direct['sku']}&qty={direct['qty']}" if direct else "")
            page = self.visitor.get(path)
            if page.status == 409 or page.location == "/cart":
                return self._sold_out(page.text)
            assert page.status == 200, f"checkout page: {page.status} {page.location} {page.text[:500]}"
            quote = (found(r'name="quote_hash" value="([^"]+)"', page.text), found(r'name="expected_total_fen" value="(\d+)"', page.text))
            self._quotes[basket.picked] = quote
            known = re.search(r'name="address_id" value="(\d+)"', page.text)
            self.address_id = known[1] if known else ""
        where = {"address_id": self.address_id} if self.address_id else {
            "address_id": "new", "new__receiver": "王五", "new__phone": "13912345678", "new__street": "长安街 1 号", "new__area": "T01",
        }  # fmt: skip
        key = f"k{self.rng.getrandbits(96):024x}"
        form = {**direct, **where, "quote_hash": quote[0], "expected_total_fen": quote[1], "idempotency_key": key}
        answer = self.visitor.post("/checkout", **form)
        if answer.status == 409:
            self._quotes.pop(basket.picked, None)
            return self._sold_out(answer.text)
        assert answer.status == 303, f"place: {answer.status} {answer.text[:1_500]}"
        trade_no = found(r"^/pay/(T\d+)$", answer.location)
        with self.tally.lock:
            self.tally.told.append(Told(trade_no, key, basket))
            self.tally.orders += len(basket.picked) if basket.kind != "one" else 1
        if self.rng.random() < 0.05:  # an impatient second click with the same form
            again = self.visitor.post("/checkout", **form)
            assert (again.status, again.location) == (303, answer.location), f"same key: {again.status} {again.location}"
            self.tally.count("clicked twice")
        return trade_no

    def _sold_out(self, text: str) -> str:
        with self.tally.lock:
            self.tally.sold_out += 1
        return ""

    def _pay(self, trade_no: str) -> None:
        """Go to the cashier, choose an outcome; after a failure half of the buyers try again."""
        outcome = self.rng.choice(OUTCOMES)
        for chosen in (outcome, "paid") if outcome == "failed" and self.rng.random() < 0.5 else (outcome,):
            answer = self.visitor.post(f"/pay/{trade_no}", channel="simulator")
            assert answer.status == 303, f"pay: {answer.status} {answer.text[:1_500]}"
            token = found(r"/simulator/cashier\?token=(.+)$", answer.location)
            answer = self.visitor.post("/simulator/cashier", token=token, outcome=chosen)
            assert answer.status == 303, f"cashier: {answer.status} {answer.text[:1_500]}"
            self.tally.count(chosen)

    def _cancel(self) -> None:
        """Cancel the newest unpaid order; a repetition after a lost answer finds it cancelled (409)."""
        listed = re.search(r'href="/orders/(\d+)"', self.visitor.get("/orders?status=unpaid").text)
        if listed is None:
            return
        before = self.visitor.losses
        answer = self.visitor.post(f"/orders/{listed[1]}/cancel", reason="不想要了")
        assert answer.status == 303 or (answer.status == 409 and self.visitor.losses > before), f"cancel: {answer.status}"
        self.tally.count("cancelled")


class Crowd:
    """Several buyers at a time, each thread with a few of its own."""

    def __init__(self, port: int, shops: list[tuple[int, ...]], scarce: int, *, orders: int, threads: int, seed: int) -> None:
        self.tally = Tally(orders)
        self._phones = count(13_700_000_000 + seed * 1_000)
        self._threads = [
            threading.Thread(target=self._run, args=(port, shops, scarce, random.Random(f"{seed}-{n}")), name=f"buyer-{n}")
            for n in range(threads)
        ]

    def start(self) -> None:
        """Let the buyers in."""
        for thread in self._threads:
            thread.start()

    def join(self, seconds: float) -> None:
        """Wait until enough was ordered. Fails the test with the first fault a buyer met."""
        for thread in self._threads:
            thread.join(seconds)
        assert not self.tally.faults, "\n".join(self.tally.faults[:3])
        assert not any(thread.is_alive() for thread in self._threads), f"the buyers are not done: {self.tally.orders} orders"

    def _run(self, port: int, shops: list[tuple[int, ...]], scarce: int, rng: random.Random) -> None:
        buyers: list[Buyer] = []
        try:
            while not self.tally.over:
                if len(buyers) < BUYERS_EACH and rng.random() < (1.0 if not buyers else 0.1):
                    new = Buyer(port, self.tally, rng, shops, scarce)
                    with self.tally.lock:
                        phone = str(next(self._phones))
                    if new.arrive(phone):
                        buyers.append(new)
                else:
                    rng.choice(buyers).shop()
        except BaseException:
            with self.tally.lock:
                self.tally.faults.append(traceback.format_exc())
        finally:
            for buyer in buyers:
                buyer.visitor.close()
            with self.tally.lock:
                self.tally.losses += sum(buyer.visitor.losses for buyer in buyers)
