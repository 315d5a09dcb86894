"""The preflight: honest results, Chinese advice, exit codes."""

import json
import socket
from pathlib import Path

import pytest

from installer import checks, preflight
from installer.__main__ import main
from installer.checks import Plan, Result


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    return Plan(home=tmp_path / "home", ports=(0,), disk_gib=0, memory_gib=0)


def test_every_check_reports_once_and_changes_nothing(plan: Plan) -> None:
    results = preflight.run(plan)
    ids = [r.id for r in results]
    assert len(ids) == len(set(ids)) == len(checks.CHECKS)
    assert all(r.seen and r.wanted and r.title for r in results)
    assert all(r.fix for r in results if r.level != "ok")
    assert not plan.home.exists()


def test_a_taken_port_blocks_and_is_named() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        found = checks.check_ports(Plan(Path("/"), ports=(port,)))
        assert found.level == "block"
        assert str(port) in found.seen
    assert checks.check_ports(Plan(Path("/"), ports=(port,))).level == "ok"


def test_too_little_disk_blocks(plan: Plan) -> None:
    assert checks.check_disk(plan).level == "ok"
    full = checks.check_disk(Plan(plan.home, disk_gib=10**9))
    assert full.level == "block"
    assert "扩容" in full.fix


def test_a_file_in_the_way_of_the_home_blocks(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert checks.check_writable(Plan(tmp_path / "file" / "home")).level == "block"


def test_little_memory_warns_only(plan: Plan) -> None:
    assert checks.check_memory(Plan(plan.home, memory_gib=10**6)).level == "warn"


def test_memory_is_read_in_gib(tmp_path: Path) -> None:
    (tmp_path / "meminfo").write_text("MemTotal:        8388608 kB\nMemFree: 1 kB\n")
    assert checks.read_meminfo(tmp_path / "meminfo") == 8.0


def test_loongarch_worlds_are_told_apart(tmp_path: Path) -> None:
    for flags, old in ((0x03, True), (0x43, False)):
        (tmp_path / "sh").write_bytes(b"\x7fELF" + bytes(44) + flags.to_bytes(4, "little"))
        assert checks.loongarch_is_old_world(tmp_path / "sh") is old


def test_os_release_is_parsed(tmp_path: Path) -> None:
    (tmp_path / "os-release").write_text('NAME="Kylin"\nPRETTY_NAME="Kylin V10 (Lance)"\n\n')
    assert checks.os_release(tmp_path / "os-release")["PRETTY_NAME"] == "Kylin V10 (Lance)"
    assert checks.os_release(tmp_path / "absent") == {}


def test_an_unreachable_database_blocks_without_showing_the_password(plan: Plan) -> None:
    url = "mysql://shop:open-sesame@127.0.0.1:1/mall"
    found = checks.check_database(Plan(plan.home, database_url=url))
    assert found.level == "block"
    assert "open-sesame" not in repr(found)


def test_an_unknown_database_blocks(plan: Plan) -> None:
    assert checks.check_database(Plan(plan.home, database_url="oracle://x/y")).level == "block"


def test_the_embedded_database_is_not_created(tmp_path: Path) -> None:
    file = tmp_path / "regionmart.db"
    assert checks.check_database(Plan(tmp_path, database_url=f"sqlite:///{file}")).level == "ok"
    assert not file.exists()


def test_a_check_that_breaks_blocks(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    def check_broken(_plan: Plan) -> Result:
        raise OSError("disk on fire")

    monkeypatch.setattr(preflight, "CHECKS", (check_broken,))
    (only,) = preflight.run(plan)
    assert (only.id, only.level) == ("broken", "block")
    assert "disk on fire" in only.seen


def test_exit_code_and_json(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code = main(["preflight", "--json", "--home", str(tmp_path), "--port", "0", "--disk-gib", "1000000000"])
    report = json.loads(capsys.readouterr().out)
    assert code == 1
    assert report["passed"] is False
    assert next(r for r in report["results"] if r["id"] == "disk")["level"] == "block"


def test_text_names_problem_and_fix(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(preflight, "CHECKS", (lambda _plan: Result("a", "甲", "warn", "一", "二", "做三"),))
    assert main(["preflight"]) == 0
    out = capsys.readouterr().out
    assert "[提醒] 甲：实际 一；要求 二" in out
    assert "处理：做三" in out
    assert "预检通过" in out


def test_a_missing_url_file_is_wrong_usage(tmp_path: Path) -> None:
    assert main(["preflight", "--database-url-file", str(tmp_path / "absent")]) == 2
