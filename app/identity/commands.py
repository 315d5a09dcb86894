"""Console commands of identity."""

from __future__ import annotations

import click


@click.group("user")
def user_group() -> None:
    """账号。"""


@user_group.command("create")
@click.option("--realm", required=True, type=click.Choice(["operator", "government", "security", "merchant"]))
@click.option("--login", required=True, help="登录名")
@click.option("--name", required=True, help="姓名")
@click.option("--role", "roles", required=True, multiple=True, help="角色代码，可多次")
@click.option("--merchant", default="", help="商家代码（商家账号）")
@click.password_option(prompt="口令")
def create(realm: str, login: str, name: str, roles: tuple[str, ...], merchant: str, password: str) -> None:
    """新建账号；口令从提示输入，不出现在命令行历史里。"""
    from sqlalchemy import text

    from app.core.actor import SYSTEM
    from app.core.console import open_database
    from app.core.db import session
    from app.core.errors import Invalid
    from app.core.tx import transaction
    from app.identity import service

    open_database()
    merchant_id = 0
    if realm == "merchant":
        merchant_id = session.scalar(text("SELECT id FROM merchant WHERE code = :code"), {"code": merchant}) or 0
        if not merchant_id:
            raise Invalid("merchant.unknown", f"没有代码为“{merchant}”的商家")
    with transaction():
        account = service.create_account(
            SYSTEM, realm, login, name, password=password, roles=roles, merchant_id=merchant_id
        )
    click.echo(f"已创建账号 {account.login_name}（{account.id}）")


@user_group.command("reset-password")
@click.option("--realm", required=True, type=click.Choice(["operator", "government", "security", "merchant"]))
@click.option("--login", required=True, help="登录名")
@click.password_option(prompt="临时口令")
def reset(realm: str, login: str, password: str) -> None:
    """在主机上重置口令（下次登录须修改）；三员丢失口令而无人复核时由此恢复，写入审计日志。"""
    from app.core.actor import SYSTEM
    from app.core.console import open_database
    from app.core.errors import NotFound
    from app.core.tx import transaction
    from app.identity import queries, service

    open_database()
    account = queries.find_by_login(realm, login)
    if account is None:
        raise NotFound("account.missing", f"没有登录名为“{login}”的账号")
    with transaction():
        service.reset_password(SYSTEM, account.id, password)
    click.echo(f"已重置 {login} 的口令，下次登录须修改")


@user_group.command("list")
@click.option("--realm", default="", type=click.Choice(["", "merchant", "operator", "government", "security"]), help="只列一个门户")
def list_users(realm: str) -> None:
    """列出管理端账号（不含消费者），每行：门户、登录名、姓名、状态、角色。"""
    from app.core.console import open_database
    from app.identity import queries

    open_database()
    for one in [realm] if realm else ["merchant", "operator", "government", "security"]:
        cursor = ""
        while True:
            page = queries.list_accounts(one, cursor, 200)
            for account in page.items:
                state = "停用" if account.status != "active" else "锁定" if queries.is_locked(account) else "正常"
                roles = "、".join(queries.permissions_of(account.id)[1]) or "无角色"
                click.echo(f"{account.realm}\t{account.login_name}\t{account.display_name}\t{state}\t{roles}")
            cursor = page.next_cursor
            if not cursor:
                break
