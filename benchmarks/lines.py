"""The measured lines: pages in interleaved pairs, carts and orders in rounds, import and demo as commands."""

from __future__ import annotations

import http.client
import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from benchmarks import cpu, load, report
from benchmarks.lab import Lab, timed
from benchmarks.load import Steps, User
from benchmarks.report import Row, Sample

CONNECTIONS = 16
BUYERS = 8
REPLAYS = 20
KILL_EVERY_S = 1.5


@dataclass
class Shop:
    """What a lab's market offers: ids to visit, buyers, and everything that was ever accepted."""

    lab: Lab
    size: int
    category_id: int
    products: list[int]
    skus: list[int]
    words: list[str]
    users: list[User]

    def pages(self) -> dict[str, list[str]]:
        """Return the paths of the page lines."""
        searches = [f"/search?q={quote(word)}" for word in self.words]
        return {
            "list": [f"/categories/{self.category_id}"], "product": [f"/products/{p}" for p in self.products],
            "search": searches + [f"{path}{quote(' 精选')}" for path in searches],
        }  # fmt: skip


def _sample(line: str, shop: Shop, spent: cpu.Spent, count: int, only: Sequence[str], **seen: Any) -> Sample:
    us = {name: round(spent.us.get(name, 0.0) / max(count, 1), 1) for name in only if name in spent.us}
    return Sample(
        line, shop.lab.name, shop.size, us, count, round(count / seen.pop("seconds"), 1), foreign=round(spent.foreign, 3),
        steal=round(spent.steal, 3), **seen,
    )  # fmt: skip


def page_pairs(
    shops: Sequence[Shop], bare: tuple[int, dict[str, int]], pairs: int, seconds: float, folder: Path, into: report.Report, *,
    patient: bool = True,
) -> None:  # fmt: skip
    """Measure every page on every tree, the bare route before each pair; patient: a noisy pair is run once more.

    A second without measuring comes first: new processes compile templates and fill their caches once, not for each request.
    """
    for line in shops[0].pages():
        for shop in shops:
            load.wrk(shop.lab.port, shop.pages()[line], 1, CONNECTIONS, folder)
        for number in range(pairs):
            order = list(shops) if number % 2 == 0 else list(reversed(shops))
            taken = _pair(line, order, bare, seconds, folder)
            if patient and any(s.foreign > cpu.NOISY_CORES for s in taken):
                taken = min(taken, _pair(line, order, bare, seconds, folder), key=lambda some: max(s.foreign for s in some))
            into.samples += taken


def _pair(line: str, shops: Sequence[Shop], bare: tuple[int, dict[str, int]], seconds: float, folder: Path) -> list[Sample]:
    port, roots = bare
    before = cpu.read(roots)
    hello = load.wrk(port, ["/"], 1, CONNECTIONS, folder)
    bare_us = cpu.spent(before, cpu.read(roots)).us["web"] / max(hello.requests, 1)
    taken = []
    for shop in shops:
        before = cpu.read(shop.lab.roots())
        seen = load.wrk(shop.lab.port, shop.pages()[line], seconds, CONNECTIONS, folder)
        spent = cpu.spent(before, cpu.read(shop.lab.roots()))
        taken.append(
            _sample(line, shop, spent, seen.requests, ("web", "db"), seconds=seen.seconds, p50_ms=seen.p50, p99_ms=seen.p99,
                    errors=seen.errors, bare_us=round(bare_us, 1))
        )  # fmt: skip
    return taken


def thousand(shop: Shop, seconds: float, folder: Path, into: report.Report) -> None:
    """Hold 1000 connections on a mix of the three pages."""
    paths = [path for some in zip(*(paths[:10] * 10 for paths in shop.pages().values()), strict=False) for path in some]
    before = cpu.read(shop.lab.roots())
    seen = load.wrk(shop.lab.port, paths, seconds, 1_000, folder)
    spent = cpu.spent(before, cpu.read(shop.lab.roots()))
    into.samples.append(
        _sample("c1000", shop, spent, seen.requests, ("web", "db"), seconds=seen.seconds, p50_ms=seen.p50, p99_ms=seen.p99,
                errors=seen.errors)
    )  # fmt: skip


def _window(line: str, shop: Shop, only: Sequence[str], work: Callable[[], Steps], *, drained: bool = False) -> Sample:
    """Measure a run of users. drained: the window ends when the worker has done what the run left to it."""
    before = cpu.read(shop.lab.roots())
    steps = work()
    after = cpu.read(shop.lab.roots())
    spent = cpu.spent(before, after)
    if drained:
        shop.lab.drain()
        whole = cpu.spent(before, cpu.read(shop.lab.roots()))
        spent = cpu.Spent(spent.seconds, whole.us, spent.foreign, spent.steal)
    return _sample(
        line, shop, spent, steps.done, only, seconds=steps.seconds, p50_ms=round(steps.percentile(0.5), 1),
        p99_ms=round(steps.percentile(0.99), 1), errors=len(steps.errors), first_error=steps.errors[0] if steps.errors else "",
    )  # fmt: skip


def guarded(line: str, shop: Shop, work: Callable[[], None], into: report.Report) -> None:
    """Run a line; when it breaks, that line fails, the others go on, and so the run fails."""
    try:
        work()
    except (RuntimeError, load.Refused, OSError, http.client.HTTPException) as error:
        into.rows.append(Row(f"{line} @{shop.size} ({shop.lab.name})", "every step succeeds", "broken off", "fail", str(error)[:400]))


def cart_round(shop: Shop, each: int, into: report.Report) -> None:
    """Every buyer adds units of a few variants to the cart."""
    users = shop.users[:BUYERS]
    for user in users:
        user.get(f"/products/{shop.products[0]}")

    def work(user: User, number: int) -> bool:
        if number < each:
            user.add(shop.skus[number % 5])
        return number < each

    into.samples.append(_window("cart", shop, ("web", "db"), lambda: load.together(users, work, BUYERS)))
    for user in users:  # what follows counts on empty carts
        user.place(user.prepare([(sku, 1) for sku in shop.skus[:2]]), [(sku, each) for sku in shop.skus[:5]])


def place_round(shop: Shop, line: str, into: report.Report) -> None:
    """Every buyer places a cart of two variants: all the same two (hot) or others for each; only the placing is measured."""
    forms: dict[int, tuple[dict[str, str], list[tuple[int, int]]]] = {}

    def fill(user: User, number: int) -> bool:
        if number == 0:
            place = shop.users.index(user) * 2 + 10 if line == "place" else 0
            picked = [(sku, 1) for sku in shop.skus[place : place + 2]]
            if not user.csrf:
                user.get(f"/products/{shop.products[0]}")
            forms[id(user)] = (user.prepare(picked), picked)
        return number == 0

    filled = load.together(shop.users, fill, BUYERS)
    if filled.errors:
        raise RuntimeError(f"{len(filled.errors)} carts could not be filled, first: {filled.errors[0]}")

    def work(user: User, number: int) -> bool:
        if number == 0:
            user.place(*forms[id(user)])
        return number == 0

    into.samples.append(_window(line, shop, ("web", "db"), lambda: load.together(shop.users, work, BUYERS)))


def whole_round(shop: Shop, each: int, into: report.Report) -> None:
    """Eight buyers go from a product page to a paid order, again and again; the worker's share is counted to its end."""
    rng = random.Random(shop.size)

    def work(user: User, number: int) -> bool:
        if number < each:
            place = rng.randrange(len(shop.products))
            user.whole_order(shop.products[place], shop.skus[place])
        return number < each

    warm = load.together(shop.users[:BUYERS], lambda user, number: number < 1 and work(user, number), BUYERS)
    if warm.errors:
        raise RuntimeError(f"{len(warm.errors)} orders failed before the measurement, first: {warm.errors[0]}")
    shop.lab.drain()
    run = lambda: load.together(shop.users[:BUYERS], work, BUYERS)  # noqa: E731 - a name for one expression
    into.samples.append(_window("whole", shop, ("web", "worker", "db"), run, drained=True))


def kill_run(shop: Shop, kills: int, into: report.Report) -> None:
    """Buyers go on buying while web workers and the job worker are killed; they ask again with the same key.

    A killed process gets the time it needs to come back before the next one is killed: something is always there to answer.
    """
    over, killed = threading.Event(), []

    def killer() -> None:
        while len(killed) < kills and not over.wait(KILL_EVERY_S + shop.lab.boot_s):
            if len(killed) % 3 == 2:
                shop.lab.kill_worker()
            else:
                shop.lab.kill_web_worker(len(killed))
            killed.append(1)
        over.set()

    def work(user: User, number: int) -> bool:
        if not over.is_set():
            user.buy_now(shop.products[number % 50], shop.skus[number % 50])
        return not over.is_set()

    users = shop.users[:BUYERS]
    for user in users:
        user.patient = True
    thread = threading.Thread(target=killer, daemon=True)
    thread.start()
    steps = load.together(users, work, BUYERS)
    over.set()
    thread.join()
    for user in users:
        user.patient = False
    retries = sum(user.retries for user in users)
    found = f"{steps.done} orders, {len(killed)} kills, {retries} asked again, {len(steps.errors)} gave up"
    passed = bool(killed) and not steps.errors
    into.rows.append(Row("kill -9 under load", "every buyer ends with an order", found, report.verdict(passed=passed, noisy=False),
                         "; ".join(steps.errors[:2])))  # fmt: skip


def check(shop: Shop, what: str, into: report.Report) -> None:
    """Replay some forms, then hold the database against what the buyers were told."""
    shop.lab.drain()
    for user in shop.users:
        user.connection.close()  # it opens again by itself
    placed = [(user, order) for user in shop.users for order in user.placed]
    wrong = [order.trade_no for user, order in placed[-REPLAYS:] if _replayed(user, order) != order.trade_no]
    accepted = [order.trade_no for _, order in placed]
    answer = shop.lab.market("check", accepted=accepted, unknown=sum(user.unknown for user in shop.users))
    problems = [*answer["problems"], *([f"{len(wrong)} of {REPLAYS} replayed forms did not lead to their trade"] if wrong else [])]
    into.rows.append(
        Row(f"checker {what} @{shop.size} ({shop.lab.name})", "books agree", f"{answer['trades']} trades, {len(problems)} problems",
            report.verdict(passed=not problems, noisy=False), "; ".join(problems))
    )  # fmt: skip


def _replayed(user: User, order: load.Placed) -> str:
    try:
        return user.replay(order)
    except load.Refused as refused:
        return str(refused)


def import_line(lab: Lab, rows: int, folder: Path, into: report.Report) -> None:
    """Import a sheet by the console, everything included: check of the file, rows, merge, events, result file."""
    from benchmarks import sheet

    path = folder / f"{rows}.xlsx"
    code = lab.market("importer")["code"]
    sheet.write(path, rows)
    cost = timed(lab, "-m", "app.cli", "catalog", "import", str(path), "--merchant", code)
    speed = rows / cost["wall_s"]
    passed = speed >= report.IMPORT_ROWS_S and cost["rss_mb"] <= report.IMPORT_RSS_MB
    noisy = cost["foreign"] > cpu.NOISY_CORES and cost["rss_mb"] <= report.IMPORT_RSS_MB
    into.facts.setdefault("import", {})[lab.name] = {"rows": rows, **cost}
    into.rows.append(
        Row(f"import {rows} rows ({lab.name})", f">= {report.IMPORT_ROWS_S} rows/s, <= {report.IMPORT_RSS_MB} MB",
            f"{cost['wall_s']:.1f} s, {speed:.0f} rows/s, {cost['cpu_s']:.1f} s CPU, {cost['rss_mb']:.0f} MB",
            report.verdict(passed=passed, noisy=noisy), f"foreign {cost['foreign']:.2f}")
    )  # fmt: skip


def demo_line(lab: Lab, into: report.Report) -> None:
    """Load the demo region into an empty home of its own."""
    home = lab.folder / f"demo-{lab.name}"
    other = {"REGIONMART_HOME": str(home), "REGIONMART_DATABASE__URL": f"sqlite:///{home}/regionmart.db"}
    kept, lab.env = lab.env, {**lab.env, **other}
    home.mkdir()
    try:
        cost = timed(lab, "-m", "app.cli", "demo", "load")
    finally:
        lab.env = kept
    noisy = cost["foreign"] > cpu.NOISY_CORES
    into.facts.setdefault("demo", {})[lab.name] = cost
    into.rows.append(
        Row(f"demo region, first load ({lab.name})", f"<= {report.DEMO_S} s", f"{cost['wall_s']:.1f} s, {cost['cpu_s']:.1f} s CPU",
            report.verdict(passed=cost["wall_s"] <= report.DEMO_S, noisy=noisy), f"foreign {cost['foreign']:.2f}")
    )  # fmt: skip
