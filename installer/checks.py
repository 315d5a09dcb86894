"""The single checks of the preflight: read-only, each returns what was seen, what is wanted and how to mend it."""

from __future__ import annotations

import locale
import os
import platform
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

GIB = 1024**3
OLD_WORLD_FLAGS = 0x03  # e_flags of LoongArch old-world binaries (ABI 1.0 carries 0x43)
EARLIEST_CLOCK = 1_735_689_600  # 2025-01-01: a machine that believes to live before has no time service


@dataclass(frozen=True)
class Result:
    """One line of the report. level: ok | warn | block. `fix` is empty when nothing has to be done."""

    id: str
    title: str
    level: str
    seen: str
    wanted: str
    fix: str = ""


@dataclass(frozen=True)
class Plan:
    """What this host is to become. Sizes in GiB."""

    home: Path
    database_url: str = ""
    ports: tuple[int, ...] = (80, 443, 8000)
    disk_gib: float = 5.0
    memory_gib: float = 4.0


def result(name: str, title: str, good: bool, seen: str, wanted: str, fix: str, *, otherwise: str = "block") -> Result:
    """Build a result: `ok` without fix, or the given level with it."""
    return Result(name, title, "ok" if good else otherwise, seen, wanted, "" if good else fix)


def os_release(path: Path = Path("/etc/os-release")) -> dict[str, str]:
    """Return the keys of os-release, empty when the file is missing."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    pairs = (line.split("=", 1) for line in lines if "=" in line)
    return {key: value.strip().strip('"') for key, value in pairs}


def check_os(_plan: Plan) -> Result:
    """Linux with glibc 2.28 or newer."""
    libc, version = platform.libc_ver()
    name = os_release().get("PRETTY_NAME", platform.system())
    good = libc == "glibc" and tuple(int(p) for p in version.split(".")[:2]) >= (2, 28)
    fix = "请改用麒麟 V10、统信 UOS 20、openEuler 20.03、Debian 12 或更新的系统"
    return result("os", "操作系统", good, f"{name}，{libc or '未知 libc'} {version}", "Linux，glibc ≥ 2.28", fix)


def loongarch_is_old_world(shell: Path = Path("/bin/sh")) -> bool:
    """Tell by the ELF header whether this LoongArch system is the old-world ABI."""
    with shell.open("rb") as file:
        header = file.read(52)
    return len(header) == 52 and int.from_bytes(header[48:52], "little") == OLD_WORLD_FLAGS


def check_arch(_plan: Plan) -> Result:
    """x86_64 or aarch64; LoongArch is refused by name."""
    machine = platform.machine()
    seen = machine
    if machine == "loongarch64":
        seen += "（旧世界 ABI）" if loongarch_is_old_world() else "（新世界 ABI）"
    fix = "本版本没有该架构的离线软件包，请改用 x86_64 或 aarch64 服务器"
    return result("arch", "处理器架构", machine in {"x86_64", "aarch64"}, seen, "x86_64 或 aarch64", fix)


def check_python(_plan: Plan) -> Result:
    """Python 3.11, the version the wheels are built for."""
    seen = platform.python_version()
    fix = "安装 Python 3.11 及 venv：apt-get install -y python3.11 python3.11-venv"
    return result("python", "Python 版本", sys.version_info[:2] == (3, 11), seen, "3.11.x", fix)


def existing(path: Path) -> Path:
    """Return the path or its nearest existing ancestor."""
    path = path.absolute()
    while not path.exists():
        path = path.parent
    return path


def check_disk(plan: Plan) -> Result:
    """Free space on the file system that will hold the home directory."""
    free = shutil.disk_usage(existing(plan.home)).free / GIB
    fix = f"清理或扩容 {plan.home} 所在的文件系统"
    return result("disk", "磁盘空间", free >= plan.disk_gib, f"可用 {free:.1f} GiB", f"≥ {plan.disk_gib:g} GiB", fix)


def check_writable(plan: Plan) -> Result:
    """The home directory can be created and written."""
    base = existing(plan.home)
    fix = f"把 {base} 的写权限授予运行用户，或更换数据目录"
    good = base.is_dir() and os.access(base, os.W_OK | os.X_OK)
    return result("home", "数据目录", good, f"{base} {'可写' if good else '不可写'}", "可写的目录", fix)


def read_meminfo(path: Path = Path("/proc/meminfo")) -> float:
    """Return the installed memory in GiB."""
    for line in path.read_text().splitlines():
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) / 1024**2
    return 0.0


def check_memory(plan: Plan) -> Result:
    """Installed memory; a tenth less is accepted because firmware keeps some."""
    total = read_meminfo()
    good = total >= plan.memory_gib * 0.9
    return result("memory", "内存", good, f"{total:.1f} GiB", f"≥ {plan.memory_gib:g} GiB", "增加内存，或减少网站进程数",
                  otherwise="warn")  # fmt: skip


def port_is_free(port: int) -> bool:
    """Tell whether nothing listens on this port of any IPv4 address."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", port))  # noqa: S104 - a probe: bound for a moment, never listening
        except PermissionError:
            return probe.connect_ex(("127.0.0.1", port)) != 0
        except OSError:
            return False
    return True


def check_ports(plan: Plan) -> Result:
    """No foreign process holds a port we need."""
    taken = [str(port) for port in plan.ports if not port_is_free(port)]
    wanted = "空闲：" + "、".join(str(port) for port in plan.ports)
    fix = "用 ss -ltnp 查看占用者并停用，或用 --port 指定其他端口"
    return result("ports", "端口", not taken, "已占用：" + "、".join(taken) if taken else "全部空闲", wanted, fix)


def check_time(_plan: Plan) -> Result:
    """A plausible clock; China has no daylight saving, so the zone can be compared by its offset."""
    now = time.time()
    seen = time.strftime("%Y-%m-%d %H:%M %z", time.localtime(now))
    if now < EARLIEST_CLOCK:
        fix = "校准时钟并启用时间同步（chrony）"
        return Result("time", "系统时间", "block", seen, "与标准时间一致", fix)
    fix = "timedatectl set-timezone Asia/Shanghai（不影响存储，只影响系统日志的显示）"
    return result("time", "系统时间", seen.endswith("+0800"), seen, "时区 +0800", fix, otherwise="warn")


def check_locale(_plan: Plan) -> Result:
    """A UTF-8 locale."""
    seen = locale.getpreferredencoding(False)
    return result("locale", "字符集", seen.upper().replace("-", "") == "UTF8", seen, "UTF-8", "设置环境变量 LANG=C.UTF-8")


def check_fonts(_plan: Plan) -> Result:
    """A Chinese font for pictures and print; pages use the visitor's own."""
    program = shutil.which("fc-list")
    found = ""
    if program:
        listing = subprocess.run([program, ":lang=zh", "family"], capture_output=True, text=True, check=False)  # noqa: S603
        found = next(iter(sorted(listing.stdout.splitlines())), "")
    fix = "安装中文字体：apt-get install -y fontconfig fonts-noto-cjk"
    return result("fonts", "中文字体", bool(found), found or "未找到", "至少一种中文字体", fix, otherwise="warn")


def check_database(plan: Plan) -> Result:
    """The database answers and its adapter has no objection."""
    wanted = "可连接，版本、字符集与权限合格"
    if plan.database_url.startswith("sqlite") or not plan.database_url:  # opening it would create the file
        return Result("database", "数据库", "ok", "使用内嵌 SQLite", wanted)
    from sqlalchemy.exc import SQLAlchemyError

    from dbadapters import open_adapter
    from dbadapters.errors import Unsupported

    fix = "检查数据库地址、账号、口令、防火墙，以及数据库是否已启动"
    try:
        adapter = open_adapter(plan.database_url)
        engine = adapter.create_engine()
        with engine.connect() as connection:
            findings = adapter.preflight(connection)
            banner = adapter.banner(connection)
        engine.dispose()
    except (Unsupported, SQLAlchemyError, ImportError) as error:
        return Result("database", "数据库", "block", f"无法连接（{type(error).__name__}）", wanted, fix)
    worst = next((lvl for lvl in ("block", "warn") if any(f.level == lvl for f in findings)), "ok")
    advice = "；".join(f.message for f in findings if f.level in {"block", "warn"})
    return Result("database", "数据库", worst, banner.splitlines()[0], wanted, advice)


CHECKS: tuple[Callable[[Plan], Result], ...] = (
    check_os, check_arch, check_python, check_disk, check_writable, check_memory, check_ports, check_time,
    check_locale, check_fonts, check_database,
)  # fmt: skip
