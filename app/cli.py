"""Console door: `regionmart`. Domains add their own commands through the registry."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import FrameType

import click

from app import boot, registry
from app.core import console, db, jobs
from app.core.errors import AppError
from app.migrations import run as migrations
from config import settings as settings_module
from config import sources
from config.settings import Settings

SIMULATORS_ABOVE = 900  # the simulators' port lies so far above the web server's


class DoorGroup(click.Group):
    """Group that turns refusals into one Chinese line and exit code 1, and knows the domains' commands.

    Domains are imported when one of their commands is asked for: `run` itself has no use for them, its children have.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        self._add_domains()
        return super().list_commands(ctx)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.commands:
            self._add_domains()
        return super().get_command(ctx, cmd_name)

    def _add_domains(self) -> None:
        for command in registry.commands():
            self.add_command(command)

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except AppError as error:
            raise click.ClickException(f"{error.message}（{error.code}）") from error


@click.group(cls=DoorGroup)
def main() -> None:
    """区域电商平台 RegionMart 命令行。"""


def load() -> Settings:
    """Load the settings or stop with the Chinese reason."""
    try:
        return sources.load_settings()
    except sources.SettingsError as error:
        raise click.ClickException(str(error)) from error


def open_database(settings: Settings, *, need_schema: bool = True) -> None:
    """Start this process for a command; refuses to work on a schema that is not current."""
    boot.start(settings)
    if need_schema:
        if not migrations.is_current():
            raise click.ClickException("数据库结构不是当前版本，请先运行：regionmart db upgrade")
        boot.take_node()


@main.group("db")
def db_group() -> None:
    """数据库：升级、检查、一致性探测。"""


@db_group.command("upgrade")
@click.option("--sql", is_flag=True, help="只输出 SQL，不连接数据库")
def db_upgrade(sql: bool) -> None:
    """把数据库结构升级到当前版本（可重复执行）。"""
    settings = load()
    open_database(settings, need_schema=False)
    if sql:
        migrations.offline_sql(sys.stdout)
        return
    prepare_schema(settings)
    click.echo(f"数据库结构已是 {migrations.current_revision()}")


def prepare_schema(settings: Settings) -> None:
    """Migrate, lease a node id and install the built-in roles."""
    from app.core.tx import transaction
    from app.identity import service as identity

    migrations.upgrade()
    boot.take_node()
    with transaction():
        identity.install_roles()


@db_group.command("check")
def db_check() -> None:
    """检查数据库版本、字符集、权限与结构版本。"""
    settings = load()
    boot.start(settings)
    failed = False
    with db.engine().connect() as connection:
        for finding in db.adapter().preflight(connection):
            failed = failed or finding.level == "block"
            click.echo(f"[{finding.level}] {finding.message}")
    if not migrations.is_current():
        failed = True
        click.echo("[block] 数据库结构不是当前版本，请运行：regionmart db upgrade")
    click.echo("检查未通过" if failed else "检查通过")
    sys.exit(1 if failed else 0)


@db_group.command("conformance")
@click.option("--url", required=True, help="目标数据库地址")
@click.option("--schema", required=True, help="名称须含 PROBE 的专用模式")
@click.option("--report", "report_path", required=True, type=click.Path(dir_okay=False, path_type=Path))
def db_conformance(url: str, schema: str, report_path: Path) -> None:
    """在真实数据库上逐条执行一致性探测，写出签名报告（JSON、签名与网页）。"""
    from dbadapters import conformance, open_adapter
    from security import sm

    current = boot.make_runtime(load())
    try:
        report = conformance.run(open_adapter(url), schema=schema)
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    key = current.keyring.signing_key()
    report["signed_by"] = key.public_point.hex()
    conformance.write_report(report, report_path, signer=lambda data: sm.sign(key.private_d, data))
    summary = report["summary"]
    click.echo(f"通过 {summary['passed']}，失败 {summary['failed']}；报告：{report_path}")
    sys.exit(1 if summary["failed"] else 0)


@main.group("settings")
def settings_group() -> None:
    """配置：查看与检查。"""


@settings_group.command("show")
def settings_show() -> None:
    """显示生效的配置（密钥打码）。"""
    for key, value in sources.flatten(sources.redacted(load())):
        click.echo(f"{key} = {value}")


@settings_group.command("check")
def settings_check() -> None:
    """检查配置的取值与相互关系。"""
    findings = settings_module.check(load())
    for finding in findings:
        click.echo(f"[{finding.level}] {finding.message}")
    blocked = any(f.level == "block" for f in findings)
    click.echo("配置检查未通过" if blocked else "配置检查通过")
    sys.exit(1 if blocked else 0)


@main.group("job")
def job_group() -> None:
    """后台任务。"""


@job_group.command("retry")
@click.argument("job_id", type=int)
def job_retry(job_id: int) -> None:
    """重新排队一个已搁置的任务。"""
    from app.core.tx import transaction

    open_database(load())
    with transaction():
        done = jobs.retry(job_id)
    click.echo("已重新排队" if done else "该任务不在搁置状态")


@main.group("demo")
def demo_group() -> None:
    """演示区域澜州市。"""


@demo_group.command("load")
def demo_load() -> None:
    """载入演示数据（可重复执行，已有的不重复）。"""
    from app.demo import loader

    settings = load()
    open_database(settings, need_schema=False)
    prepare_schema(settings)
    click.echo(loader.load())


@demo_group.command("channels")
@click.option("--port", default=8900, show_default=True, help="监听端口（仅本机）")
def demo_channels(port: int) -> None:
    """运行支付渠道模拟器：按各渠道的公开协议应答与通知。"""
    from app.demo.simulators import launch

    launch.run(Path(load().home) / "simulators", port)


@demo_group.command("carriers")
@click.option("--port", default=8901, show_default=True, help="监听端口（仅本机）")
@click.option("--push", "push_url", default="", help="推送地址，{carrier} 代入承运商")
def demo_carriers(port: int, push_url: str) -> None:
    """运行承运商模拟器：顺丰、中通、京东物流与同城配送，按公开协议应答与推送。"""
    from app.demo.simulators import carriers

    carriers.run(port, push_url)


@main.command("worker")
def worker_command() -> None:
    """运行后台任务进程。"""
    from app import worker

    settings = load()
    open_database(settings)
    worker.main(settings)
    boot.stop()


@main.command("run")
@click.option("--demo", is_flag=True, help="首次启动时载入演示数据并显示演示账号")
def run_command(demo: bool) -> None:
    """升级数据库，然后启动网站与后台任务；Ctrl-C 一并停止。"""
    settings = load()
    if demo:
        os.environ.setdefault("REGIONMART_ENVIRONMENT", "development")
    _prepare(demo)
    stop = _stop_signals()
    simulators = _simulators(settings) if demo and settings.payment.simulator_enabled else None
    houses = _carriers(settings) if simulators is not None else None
    # Groups of their own: Ctrl-C reaches this process alone, which then stops them gently.
    children = [
        subprocess.Popen([sys.executable, "-m", "gunicorn", *gunicorn_args(settings)], process_group=0),
        subprocess.Popen([sys.executable, "-m", "app.cli", "worker"], process_group=0),
    ]
    children += [child for child in (simulators, houses) if child is not None]
    _print_banner(settings, demo)
    if simulators is not None:
        click.echo(f"  支付渠道模拟器（扮演买家付款）\thttp://127.0.0.1:{settings.server.port + SIMULATORS_ABOVE}/play")
    sys.exit(_supervise(children, stop))


def _simulators(settings: Settings) -> subprocess.Popen[bytes] | None:
    """Start the simulators of the payment channels and tell the other children of them; None where real channels are set up."""
    from app.demo.simulators import launch

    if settings.payment.public_url or settings.egress.allow or settings.egress.internal:
        return None
    port = settings.server.port + SIMULATORS_ABOVE
    folder = Path(settings.home) / "simulators"
    demo = launch.build(folder, f"http://127.0.0.1:{port}")
    os.environ.update(launch.environment(demo, port, f"http://127.0.0.1:{settings.server.port}"))
    return subprocess.Popen([sys.executable, "-m", "app.cli", "demo", "channels", "--port", str(port)], process_group=0)


def _carriers(settings: Settings) -> subprocess.Popen[bytes] | None:
    """Start the simulators of the carriers and tell the other children of them; None where a real carrier is set up."""
    from app.demo.simulators import carriers

    accounts = settings.carriers
    if any(account.app_id for account in (accounts.sf, accounts.zto, accounts.jd, accounts.local)):
        return None
    port = settings.server.port + SIMULATORS_ABOVE + 1
    os.environ.update(carriers.environment(port, os.environ.get(carriers.EGRESS, "")))
    push = f"http://127.0.0.1:{settings.server.port}/api/carriers/{{carrier}}/pushes"
    command = [sys.executable, "-m", "app.cli", "demo", "carriers", "--port", str(port), "--push", push]
    return subprocess.Popen(command, process_group=0)


def _prepare(demo: bool) -> None:
    """Migrate and load demo data in a child, so that this process stays free of connections when it forks."""
    command = ["demo", "load"] if demo else ["db", "upgrade"]
    result = subprocess.run([sys.executable, "-m", "app.cli", *command], check=False)
    if result.returncode:
        sys.exit(result.returncode)


def gunicorn_args(settings: Settings) -> list[str]:
    """Return the command line of the web server (gthread; ADR-0003).

    Connections outlive the 60 s for which a proxy keeps its own: otherwise it sends a request on one that is just being closed.
    """
    return [
        "--config", "python:app.serving", "--bind", f"{settings.server.host}:{settings.server.port}",
        "--workers", str(settings.server.workers), "--worker-class", "gthread", "--threads", str(settings.server.threads),
        "--graceful-timeout", "20",
        "--timeout", "60", "--keep-alive", "75", "--log-level", "warning", "--no-control-socket", "app.wsgi:application()",
    ]  # fmt: skip


def _print_banner(settings: Settings, demo: bool) -> None:
    from app.web.surfaces import SURFACES

    base = f"http://{settings.server.host}:{settings.server.port}"
    click.echo(f"\n{settings.site.name}（{settings.site.region}）已启动，按 Ctrl-C 停止。")
    for surface in SURFACES.values():
        if surface.sign_in and surface.key in settings.surfaces:
            click.echo(f"  {surface.title}\t{base}{surface.prefix or '/'}")
    if demo:
        from app.demo import accounts

        for line in accounts.banner():
            click.echo(f"  {line}")


def _stop_signals() -> threading.Event:
    """Return what Ctrl-C and SIGTERM set; installed before there are children to lose."""
    stop = threading.Event()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGINT, on_signal)
    signal.signal(signal.SIGTERM, on_signal)
    return stop


def _supervise(children: list[subprocess.Popen[bytes]], stop: threading.Event) -> int:
    """Wait for the signal or the death of a child, then stop all children gently, by their pids."""
    signal.signal(signal.SIGHUP, lambda _n, _f: children[0].send_signal(signal.SIGHUP))
    code = 0
    while not stop.wait(0.3):
        dead = next((c for c in children if c.poll() is not None), None)
        if dead is not None:
            code = dead.returncode or 1
            break
    for child in children:
        if child.poll() is None:
            child.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + 25
    for child in children:
        try:
            child.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            child.kill()
    return code


console.use_opener(lambda: open_database(load()))

if __name__ == "__main__":
    main()
