"""Cross-field checks: what is only a remark in development blocks production."""

from typing import Any

import pytest

from config.settings import Settings, check

SAFE: dict[str, Any] = {
    "environment": "production",
    "security": {"cookie_secure": True, "keyring_passphrase": "a long passphrase"},
    "payment": {"simulator_enabled": False},
}


def levels(tree: dict[str, Any]) -> dict[str, str]:
    """Return {first word of the message: level}."""
    return {f.message.split(" ", 1)[0]: f.level for f in check(Settings.model_validate(tree))}


def test_safe_production_has_only_the_missing_sms_channel() -> None:
    # Only the development channel exists in this release; the check says so instead of hiding it.
    assert levels(SAFE) == {"sms.channel": "block"}


@pytest.mark.parametrize(
    ("group", "field", "value", "key"),
    [
        ("payment", "simulator_enabled", True, "payment.simulator_enabled"),
        ("security", "cookie_secure", False, "security.cookie_secure"),
    ],
)
def test_unsafe_production_is_blocked(group: str, field: str, value: bool, key: str) -> None:
    tree = {**SAFE, group: {**SAFE[group], field: value}}
    assert levels(tree)[key] == "block"
    assert levels({**tree, "environment": "development"})[key] == "info"


def test_an_unsealed_key_file_is_a_warning() -> None:
    assert levels({**SAFE, "security": {"cookie_secure": True}})["security.keyring_passphrase"] == "warn"


def test_several_processes_on_sqlite_are_a_warning() -> None:
    assert levels({**SAFE, "server": {"workers": 4}})["SQLite"] == "warn"
    other = {**SAFE, "server": {"workers": 4}, "database": {"url": "mysql://db.example/mall"}}
    assert "SQLite" not in levels(other)


def test_idle_longer_than_absolute_is_a_contradiction() -> None:
    security = {**SAFE["security"], "session_idle_s": 4_000, "session_absolute_s": 3_000}
    assert levels({**SAFE, "security": security})["security.session_idle_s"] == "block"
