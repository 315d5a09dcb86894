"""Console commands as an administrator runs them: a process of its own, with a home of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Run `regionmart` on an embedded database that has been upgraded."""
    environ = {**os.environ, "REGIONMART_HOME": str(tmp_path_factory.mktemp("home"))}

    def command(*words: str) -> subprocess.CompletedProcess[str]:
        line = [sys.executable, "-m", "app.cli", *words]
        return subprocess.run(line, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=120, check=False)

    upgraded = command("db", "upgrade")
    assert upgraded.returncode == 0, upgraded.stderr
    return command


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("db check", "检查通过"), ("search rebuild", "indexed products: 0"), ("search refresh", "applied products: 0"),
        ("audit verify", ""), ("inventory verify", "核对一致"), ("settings show", "environment"),
    ],
)  # fmt: skip
def test_it_works_on_a_fresh_database(run: Run, words: str, says: str) -> None:
    done = run(*words.split())
    assert done.returncode == 0, done.stdout + done.stderr
    assert says in done.stdout
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("words", ["job retry x", "catalog import missing.xlsx --merchant M1", "search nothing"])
def test_wrong_input_is_refused_without_a_traceback(run: Run, words: str) -> None:
    done = run(*words.split())
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert done.stderr.strip()
