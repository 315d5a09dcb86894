"""Files of a conformance run: canonical bytes, checksum, signature over them, a page that stands alone."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest

from dbadapters import conformance, open_adapter
from dbadapters.conformance_report import NOTICE, canonical, render
from security import sm


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A run on SQLite."""
    folder = tmp_path_factory.mktemp("probe")
    return conformance.run(open_adapter(f"sqlite:///{folder}/unit_probe.db"), schema="unit_probe")


def test_bytes_are_canonical(report: dict[str, Any]) -> None:
    body = canonical(report)
    assert canonical(json.loads(body)) == body
    assert canonical(dict(reversed(report.items()))) == body
    assert "通过".encode() not in body or b"\\u" not in body


def test_files_belong_together(report: dict[str, Any], tmp_path: Path) -> None:
    private, public = sm.generate_keypair()
    target = tmp_path / "run.json"
    written = conformance.write_report(report, target, signer=lambda data: sm.sign(private, data))
    assert [p.name for p in written] == ["run.json", "run.sha256", "run.sig", "run.html"]
    body = target.read_bytes()
    digest = hashlib.sha256(body).hexdigest()
    assert (tmp_path / "run.sha256").read_text() == f"{digest}  run.json\n"
    signature = bytes.fromhex((tmp_path / "run.sig").read_text())
    assert sm.verify(public, body, signature)
    assert not sm.verify(public, body.replace(b'"passed"', b'"Passed"', 1), signature)
    assert digest in (tmp_path / "run.html").read_text(encoding="utf-8")


def test_no_signature_without_a_signer(report: dict[str, Any], tmp_path: Path) -> None:
    written = conformance.write_report(report, tmp_path / "run.json")
    assert not (tmp_path / "run.sig").exists()
    assert len(written) == 3


def test_report_says_what_a_signature_is_worth(report: dict[str, Any]) -> None:
    assert report["notice"] == NOTICE
    assert "不能证明测试过程是诚实的" in render(report, "0" * 64)


def test_page_needs_nothing_else(report: dict[str, Any]) -> None:
    page = render(report, "0" * 64)
    assert not re.search(r"<(?:script|link|img|iframe)\b|https?://|url\(", page)
    assert 'lang="zh-CN"' in page
    assert "锁等待" in page


def test_page_escapes_what_servers_say(report: dict[str, Any]) -> None:
    page = render({**report, "banner": "<script>alert(1)</script>"}, "0" * 64)
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_statements_carry_no_values(report: dict[str, Any]) -> None:
    inserts = [s for s in report["statements"] if s["sql"].startswith("INSERT INTO cf_item")]
    assert inserts
    assert all("?" in s["sql"] and "中文" not in s["sql"] for s in inserts)


def test_a_failed_check_is_counted_and_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dbadapters import conformance_checks
    from dbadapters.conformance_probe import CheckFailed, Probe

    def broken(_probe: Probe) -> None:
        raise CheckFailed("原因")

    monkeypatch.setattr(conformance_checks, "CHECKS", (("坏", broken),))
    got = conformance.run(open_adapter(f"sqlite:///{tmp_path}/a_probe.db"), schema="a_probe")
    assert got["summary"] == {"passed": 0, "failed": 1, "skipped": 0, "differences": 0}
    assert got["checks"][0]["detail"] == "原因"
