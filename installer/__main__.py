"""Command line of the installer: `python -m installer preflight`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from installer import preflight
from installer.checks import Plan


def parser() -> argparse.ArgumentParser:
    """Build the argument parser."""
    top = argparse.ArgumentParser(prog="regionmart-preflight", description="区域电商平台安装工具")
    verbs = top.add_subparsers(dest="verb", required=True)
    check = verbs.add_parser("preflight", help="只读检查本机是否满足安装条件")
    check.add_argument("--home", type=Path, default=Path("/var/lib/regionmart"), help="数据目录")
    check.add_argument("--database-url-file", type=Path, help="存放数据库地址的文件（地址含口令，不宜写在命令行）")
    check.add_argument("--port", type=int, action="append", help="需要空闲的端口，可重复")
    check.add_argument("--disk-gib", type=float, default=Plan.disk_gib, help="要求的可用磁盘（GiB）")
    check.add_argument("--memory-gib", type=float, default=Plan.memory_gib, help="要求的内存（GiB）")
    check.add_argument("--json", action="store_true", help="输出 JSON")
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Return 0 when the host is fit, 1 when something blocks, 2 for wrong usage."""
    options = parser().parse_args(argv)
    url = ""
    if options.database_url_file:
        try:
            url = options.database_url_file.read_text().strip()
        except OSError as error:
            sys.stderr.write(f"读不到数据库地址文件：{error.strerror}\n")
            return 2
    ports = tuple(options.port) if options.port else Plan.ports
    plan = Plan(options.home, url, ports, options.disk_gib, options.memory_gib)
    results = preflight.run(plan)
    sys.stdout.write((preflight.as_json(results) if options.json else preflight.as_text(results)) + "\n")
    return 0 if preflight.passed(results) else 1


if __name__ == "__main__":
    sys.exit(main())
