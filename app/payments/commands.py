"""Console commands of payment."""

from __future__ import annotations

import sys

import click

from app.core.console import open_database
from app.payments.channels import secrets
from config.sources import describe


@click.group("channel")
def channel_group() -> None:
    """支付渠道：封存密钥。"""


@channel_group.command("seal")
@click.argument("setting")
def seal(setting: str) -> None:
    """从标准输入读取密钥，输出用密钥环封存的文本；写入 {home}/secrets/<配置项> 即可使用。"""
    if not setting.startswith(("payment.", "carriers.")) or setting not in {key for key, *_ in describe()}:
        raise click.ClickException(f"没有配置项 {setting}")
    value = sys.stdin.read().strip()
    if not value:
        raise click.ClickException("标准输入没有内容")
    open_database()
    click.echo(secrets.seal(setting, value))
