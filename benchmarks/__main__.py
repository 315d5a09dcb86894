"""`python -m benchmarks [--quick|--full] [--db sqlite|mariadb|kingbase] [--sizes 1k,50k,1m] [--kill] [--against REF] [--only …]`

Starts its own servers on loopback in a scratch folder, seeds them, measures, checks the books and stops everything by pid.
Prints a table and writes JSON (`--out`). With `--against`, the commit and the checkout are measured in turn; the table then
gives the paired ratios.
"""

from __future__ import annotations

import argparse
import contextlib
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from benchmarks import lines, load, report
from benchmarks.lab import MARKET, ROOT, Lab, bare_server, timed, worktree
from benchmarks.lines import Shop

ONLY = ("pages", "orders", "kill", "import", "demo", "c1000")
USERS = 96
NOT_YET = "not in this release, not measured: flash orders and their refusal, nginx page cache, reports, CSV export"


def options() -> argparse.Namespace:
    """Read the command line; quick unless told."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="three pairs, 1k and 20k products (the default)")
    parser.add_argument("--full", action="store_true", help="five pairs, 1k, 50k and 1M products, 100,000 rows, 1000 connections")
    parser.add_argument("--db", default="sqlite", choices=("sqlite", "mariadb", "kingbase"))
    parser.add_argument("--sizes", default="", help="catalogue sizes, such as 1k,50k")
    parser.add_argument("--pairs", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=0)
    parser.add_argument("--kill", action="store_true", help="also kill -9 web workers and the job worker under load")
    parser.add_argument("--against", default="", metavar="REF", help="measure this commit in turn with the checkout")
    parser.add_argument("--only", default="", help="of " + ",".join(ONLY))
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "out" / "bench.json")
    chosen = parser.parse_args()
    chosen.sizes = [number(part) for part in (chosen.sizes or ("1k,50k,1m" if chosen.full else "1k,20k")).split(",")]
    chosen.pairs = chosen.pairs or (5 if chosen.full else 3)
    chosen.seconds = chosen.seconds or (4 if chosen.full else 1)
    chosen.rows = 100_000 if chosen.full else 20_000
    chosen.only = [part for part in chosen.only.split(",") if part]
    unknown = set(chosen.only) - set(ONLY)
    if unknown:
        parser.error(f"--only knows {', '.join(ONLY)}")
    if not chosen.only:
        chosen.only = [part for part in ONLY if part not in {"kill", "c1000"} or (part == "kill" and chosen.kill) or chosen.full]
    if "pages" in chosen.only and load.wrk_missing():
        parser.error(load.wrk_missing())
    return chosen


def number(text: str) -> int:
    """Return 50000 for `50k`, 1000000 for `1m`."""
    unit = {"k": 1_000, "m": 1_000_000}.get(text[-1:].lower(), 1)
    return int(text[:-1] if unit > 1 else text) * unit


def say(text: str) -> None:
    """Tell what goes on; the table goes to standard output alone."""
    sys.stderr.write(f"[{time.strftime('%H:%M:%S')}] {text}\n")


def open_shop(lab: Lab, users: int) -> Shop:
    """Seed a lab and return its shop, without products yet."""
    seeded = lab.market("seed", users=users)
    buyers = [load.User(lab.port, user["token"], user["address_id"]) for user in seeded["users"]]
    return Shop(lab, 0, seeded["category_id"], [], [], [], buyers)


def stock_up(shop: Shop, size: int, into: report.Report) -> None:
    """Bring a shop to a size, build its index, start its processes."""
    shop.lab.stop_processes()
    started = time.perf_counter()
    grown = shop.lab.market("grow", total=size)
    seconds = time.perf_counter() - started
    index = timed(shop.lab, "-P", MARKET, "index")
    into.facts.setdefault("seeding", []).append({"tree": shop.lab.name, "size": size, "seconds": round(seconds, 1), "index": index})
    say(f"{shop.lab.name}: {size} products in {seconds:.1f} s, index {index['wall_s']:.1f} s ({index['cpu_s']:.1f} s CPU)")
    shop.size, shop.products, shop.skus, shop.words = size, grown["products"], grown["skus"], grown["words"]
    for user in shop.users:
        user.connection.close()  # it opens again by itself
    shop.lab.start()


def measure(shops: Sequence[Shop], chosen: argparse.Namespace, folder: Path, into: report.Report) -> None:
    """Measure everything chosen at every size."""
    with bare_server(folder) as bare:
        for size in chosen.sizes:
            for shop in shops:
                stock_up(shop, size, into)
            if "pages" in chosen.only:
                lines.page_pairs(shops, bare, chosen.pairs, chosen.seconds, folder, into, patient=chosen.full)
                say(f"pages at {size} done")
            if "orders" in chosen.only:
                orders(shops, chosen, size, into)
                say(f"orders at {size} done")
    if "c1000" in chosen.only:
        for shop in shops:
            lines.thousand(shop, 2.5 * chosen.seconds, folder, into)
    if "kill" in chosen.only:
        for shop in shops:
            lines.kill_run(shop, 12 if chosen.full else 4, into)
            lines.check(shop, "after kill -9", into)


def orders(shops: Sequence[Shop], chosen: argparse.Namespace, size: int, into: report.Report) -> None:
    """Measure carts and orders of all trees in turn, then check their books."""
    each = 20 if chosen.full else 12
    for _ in range(chosen.pairs):
        for shop in shops:
            lines.guarded("place", shop, partial(lines.place_round, shop, "place", into), into)
        if size == chosen.sizes[0]:
            for shop in shops:
                lines.guarded("hot", shop, partial(lines.place_round, shop, "hot", into), into)
            for shop in shops:
                lines.guarded("whole", shop, partial(lines.whole_round, shop, each, into), into)
        for shop in shops:
            lines.guarded("cart", shop, partial(lines.cart_round, shop, 40, into), into)
    for shop in shops:
        lines.guarded("checker", shop, partial(lines.check, shop, "after orders", into), into)


def run(chosen: argparse.Namespace, folder: Path, stack: contextlib.ExitStack) -> report.Report:
    """Run everything; what was started is stopped by the stack."""
    trees = {"head": ROOT}
    if chosen.against:
        trees = {"base": stack.enter_context(worktree(chosen.against, folder)), **trees}
    into = report.Report(facts=facts(chosen))
    labs = []
    for name, tree in trees.items():
        labs.append(Lab(name, tree, chosen.db, folder))
        stack.callback(labs[-1].close)
    if set(chosen.only) - {"demo"}:
        shops = [open_shop(lab, USERS) for lab in labs]
        measure(shops, chosen, folder, into)
        for lab in labs:
            lab.stop_processes()
            if "import" in chosen.only:
                lines.import_line(lab, chosen.rows, folder, into)
    if "demo" in chosen.only:
        for lab in labs:
            lines.demo_line(lab, into)
    found, into.rows = into.rows, []
    report.judge(into, "head", chosen.sizes)
    if chosen.against:
        report.compare(into, "base", "head", chosen.sizes)
    into.rows += found
    return into


def facts(chosen: argparse.Namespace) -> dict[str, object]:
    """Return what a reader must know to compare two runs."""
    ref = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout.strip()
    changed = subprocess.run(["git", "status", "--porcelain"], cwd=ROOT, capture_output=True, text=True).stdout
    return {
        "commit": ref, "changed_files": len(changed.splitlines()), "database": chosen.db, "sizes": chosen.sizes, "pairs": chosen.pairs,
        "against": chosen.against, "python": platform.python_version(), "machine": platform.machine(), "cores": lines.cpu.CORES,
        "at": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }  # fmt: skip


def main() -> None:
    """Run, print, save; exit code 1 when a line fails."""
    chosen, started = options(), time.perf_counter()
    folder = Path(tempfile.mkdtemp(prefix="regionmart-bench-"))
    folder.chmod(0o755)
    try:
        with contextlib.ExitStack() as stack:
            into = run(chosen, folder, stack)
    except RuntimeError:
        say(f"the logs are kept in {folder}")
        raise
    shutil.rmtree(folder, ignore_errors=True)
    into.facts["seconds"] = round(time.perf_counter() - started)
    sys.stdout.write(report.table(into.rows) + f"\n{NOT_YET}\n{chosen.db}, {into.facts['seconds']} s; {chosen.out}\n")
    report.save(into, chosen.out)
    sys.exit(any(row.verdict == "fail" for row in into.rows))


if __name__ == "__main__":
    main()
