"""Console commands of the audit log."""

from __future__ import annotations

import sys

import click


@click.group("audit")
def audit_group() -> None:
    """审计日志。"""


@audit_group.command("verify")
def verify() -> None:
    """重算整个审计日志并逐处报告改动；有发现时退出码为 1。"""
    from app.audit import queries
    from app.core.console import open_database

    open_database()
    report = queries.verify()
    click.echo(f"已封存 {report.sealed} 条，待封存 {report.unsealed} 条，检查点 {report.checkpoints} 个")
    for finding in report.findings:
        click.echo(f"✗ {finding.place}：{finding.problem}")
    click.echo("完整性校验通过" if report.ok else f"完整性校验未通过：{len(report.findings)} 处")
    sys.exit(0 if report.ok else 1)
