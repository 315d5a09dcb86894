"""Vectors and back ends shared by the cryptography tests."""

import json
from pathlib import Path
from typing import Any

import pytest

from security import sm
from security.keyring import Keyring
from security.sm2_backends import probe

_ROOT = Path(__file__).resolve().parents[3]
BACKENDS = tuple(probe().usable)


@pytest.fixture(scope="session")
def vectors() -> dict[str, Any]:
    """gm_vectors.json."""
    return json.loads((_ROOT / "tests" / "vectors" / "gm_vectors.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def wycheproof() -> Any:
    """Loader of a Wycheproof set; skips where the sets are not laid beside the checkout."""
    folder = _ROOT.parent / "shared" / "vectors" / "wycheproof"

    def load(name: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
        path = folder / f"{name}_test.json"
        if not path.exists():
            pytest.skip(f"Wycheproof set {name} is not beside the checkout (it is not part of the repository)")
        groups = json.loads(path.read_text(encoding="utf-8"))["testGroups"]
        return [(group, test) for group in groups for test in group["tests"]]

    return load


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Each usable back end in turn, set behind the facade."""
    chosen = probe().usable[request.param]
    monkeypatch.setattr(sm, "_backend", lambda: chosen)
    sm._public_of.cache_clear()
    return chosen


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    """A fresh keyring without a passphrase."""
    return Keyring.create(tmp_path / "keys")
