"""Console commands of inventory."""

from __future__ import annotations

import sys

import click


@click.group("inventory")
def inventory_group() -> None:
    """库存：核对。"""


@inventory_group.command("verify")
@click.option("--record", is_flag=True, help="把差异登记为案例（夜间任务总是登记）")
def verify(record: bool) -> None:
    """核对库存：流水之和等于库存列，批次之和等于在库，占用与预留相符，没有负数；有差异时退出码为 1。"""
    from app.core.console import open_database
    from app.core.tx import transaction
    from app.inventory.service import verify as proof

    open_database()
    with transaction():
        found = proof.verify()
        if record:
            proof.record(found)
    for finding in found:
        click.echo(f"{proof.KINDS[finding.kind]}：库存记录 {finding.stock_id}，{finding.text}")
    click.echo(f"发现 {len(found)} 处差异" if found else "核对一致")
    sys.exit(1 if found else 0)
