"""`regionmart db conformance` on every engine: the files it writes, their signature, and the page in them."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from bs4 import BeautifulSoup
from click.testing import CliRunner
from sqlalchemy import text

from security import sm
from tests import engines, servers
from tests.standin import dm

ROOT = Path(__file__).resolve().parents[3]
SCHEMA = "REGIONMART_PROBE"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with keys of its own."""
    monkeypatch.setenv("REGIONMART_HOME", str(tmp_path))
    monkeypatch.setenv("REGIONMART_ENVIRONMENT", "testing")
    return tmp_path


def target(key: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """Return the URL and schema to probe on an engine; the stand-in takes the place of Dameng's driver and server."""
    if key == "sqlite":
        return f"sqlite:///{home}/{SCHEMA}.db", SCHEMA
    if key == "dameng":
        import dbadapters

        adapter = dm.adapter(servers.mariadb(), f"DM_{SCHEMA}")
        monkeypatch.setattr(dbadapters, "open_adapter", lambda _url: adapter)
        return f"dm+dmpython://app:x@127.0.0.1:5236/DM_{SCHEMA}", f"DM_{SCHEMA}"
    url = engines.engine_urls(key, SCHEMA if key == "mariadb" else "conformance_command")
    if key == "kingbase":
        engine = engines.open_adapter(url).create_engine()
        with engine.begin() as connection:
            connection.execute(text(f"CREATE SCHEMA {SCHEMA.lower()}"))
        engine.dispose()
    return url, SCHEMA


def assert_signed(file: Path) -> dict[str, Any]:
    """Check checksum and signature of a report and return it; one changed byte must not pass."""
    body = file.read_bytes()
    report: dict[str, Any] = json.loads(body)
    assert file.with_suffix(".sha256").read_text() == f"{hashlib.sha256(body).hexdigest()}  {file.name}\n"
    signature, point = bytes.fromhex(file.with_suffix(".sig").read_text()), bytes.fromhex(report["signed_by"])
    assert sm.verify(point, body, signature)
    assert not sm.verify(point, body.replace(b'"failed":0', b'"failed":1'), signature)
    return report


@pytest.mark.parametrize("key", engines.ENGINE_KEYS)
def test_files_of_a_run(key: str, home: Path, monkeypatch: pytest.MonkeyPatch, all_servers: None) -> None:
    from app.cli import main

    url, schema = target(key, home, monkeypatch)
    file = home / "out.json"
    done = CliRunner().invoke(main, ["db", "conformance", "--url", url, "--schema", schema, "--report", str(file)])
    assert done.exit_code == 0, done.output
    report = assert_signed(file)
    assert report["settings"]
    assert all(rows for rows in report["settings"].values())
    assert {s["check"] for s in report["statements"]} >= {c["name"] for c in report["checks"] if c["outcome"] == "passed"}
    assert "Unclassified" not in {s["outcome"] for s in report["statements"]}
    page = BeautifulSoup(file.with_suffix(".html").read_text(encoding="utf-8"), "html.parser")
    tables = page.find_all("table")
    assert len(tables[-1].select("tbody tr")) == len(report["statements"])
    for row, statement in zip(tables[-1].select("tbody tr"), report["statements"], strict=True):
        cells = [cell.get_text() for cell in row.find_all("td")]
        assert cells[2] == statement["sql"].strip()
        assert cells[3] == ("成功" if statement["outcome"] == "ok" else statement["outcome"])
        assert cells[4] == f"{statement['ms']:.1f}"
    assert report["signed_by"] in tables[0].get_text()
    assert ":x@" not in page.get_text(), "a password on the page"


def test_from_a_shell(home: Path) -> None:
    file = home / "out.json"
    argv = ["--url", f"sqlite:///{home}/{SCHEMA}.db", "--schema", SCHEMA, "--report", str(file)]
    run = [sys.executable, "-m", "app.cli", "db", "conformance"]
    done = subprocess.run([*run, *argv], cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "失败 0" in done.stdout
    assert assert_signed(file)["summary"]["passed"] == 19
    refused = subprocess.run([*run, *argv[:3], "production", *argv[4:]], cwd=ROOT, env=dict(os.environ), capture_output=True, text=True)
    assert refused.returncode == 1
    assert "PROBE" in refused.stderr
