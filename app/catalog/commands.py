"""Console commands of the catalogue."""

from __future__ import annotations

from pathlib import Path

import click

from app.catalog.importing import runs
from app.catalog.importing.result import write_result
from app.catalog.models import ImportRun
from app.core.actor import SYSTEM
from app.core.db import session
from app.core.tx import retry_conflicts, transaction
from app.merchants import queries as merchants


@click.group("catalog")
def catalog_group() -> None:
    """商品目录：批量导入。"""


@catalog_group.command("import")
@click.argument("path", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--merchant", "code", required=True, help="商家编码")
@click.option("--dry-run", is_flag=True, help="只检查，不写入")
def import_command(path: Path, code: str, dry_run: bool) -> None:
    """把电子表格（.xlsx）中的商品导入一个商家。"""
    from app.core.console import open_database

    open_database()
    run = import_file(path, code, dry_run=dry_run)
    if run.status == "failed":
        raise click.ClickException(run.error or "导入失败")
    for label, value in runs.summary_rows(run, runs.spool_of(run)):
        click.echo(f"{label}：{value}")
    click.echo(f"结果文件：{runs.result_path(run)}")


def import_file(path: Path, code: str, *, dry_run: bool = False) -> ImportRun:
    """Import a file here and now, chunk by chunk, each in its own transaction; returns the finished run."""
    merchant = merchants.get_by_code(code)
    with transaction():
        run = runs.create(SYSTEM, path.name, path.read_bytes(), dry_run=dry_run, merchant_id=merchant.id, queue=False)
    run_id, spool = run.id, runs.spool_of(run)
    spool.build(runs.files().path(run.file_key), runs.category_map())

    def step() -> bool:
        with transaction():
            return runs.merge_step(session.get_one(ImportRun, run_id), spool)

    while retry_conflicts(step):
        session.expunge_all()  # a long import must not keep every product in memory
    run = session.get_one(ImportRun, run_id)
    if run.status != "failed":
        write_result(spool.result, runs.summary_rows(run, spool), spool.all_problems())
        with transaction():
            runs.finish(session.get_one(ImportRun, run_id))
    session.expire_all()
    return session.get_one(ImportRun, run_id)
