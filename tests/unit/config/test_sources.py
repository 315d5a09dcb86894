"""Where settings come from, which source wins, and what a mistake says."""

from pathlib import Path

import pytest

from config import reference
from config.settings import DEMO_SIMULATOR_SECRET, Settings
from config.sources import SettingsError, describe, flatten, load_settings, redacted


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home directory with an empty secrets folder."""
    (tmp_path / "secrets").mkdir()
    return tmp_path


def load(home: Path, overrides: dict[str, object] | None = None, **environ: str) -> Settings:
    return load_settings(overrides, {"REGIONMART_HOME": str(home), **environ})


def test_defaults_need_nothing(home: Path) -> None:
    settings = load(home)
    assert settings.home == home
    assert settings.database_url() == f"sqlite:///{home}/regionmart.db"
    assert (settings.trade.unpaid_order_ttl_s, settings.trade.ship_sla_h) == (1_800, 48)


def test_each_source_overrides_the_one_before(home: Path) -> None:
    assert load(home).log.level == "INFO"
    (home / "regionmart.toml").write_text('[log]\nlevel = "ERROR"\n')
    assert load(home).log.level == "ERROR"
    environ = {"REGIONMART_LOG__LEVEL": "WARNING"}
    assert load(home, **environ).log.level == "WARNING"
    (home / "secrets" / "log.level").write_text("DEBUG\n")
    assert load(home, **environ).log.level == "DEBUG"
    assert load(home, {"log": {"level": "INFO"}}, **environ).log.level == "INFO"


def test_a_source_replaces_fields_not_groups(home: Path) -> None:
    (home / "regionmart.toml").write_text("[server]\nworkers = 3\n")
    server = load(home, PORT="9000").server
    assert (server.port, server.workers) == (9000, 3)


def test_config_variable_names_the_file(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "elsewhere.toml"
    file.write_text('[site]\nname = "别处"\n')
    assert load(home, REGIONMART_CONFIG=str(file)).site.name == "别处"
    with pytest.raises(SettingsError, match="找不到配置文件"):
        load(home, REGIONMART_CONFIG=str(tmp_path / "absent.toml"))


def test_surfaces_are_separated_by_commas(home: Path) -> None:
    assert load(home, REGIONMART_SURFACES="operator,security").surfaces == ("operator", "security")
    with pytest.raises(SettingsError, match="surfaces"):
        load(home, REGIONMART_SURFACES="operator,kitchen")


@pytest.mark.parametrize(
    ("environ", "key"),
    [
        ({"REGIONMART_SERVER__PROT": "1"}, "server.prot"),
        ({"REGIONMART_SREVER__PORT": "1"}, "srever"),
        ({"REGIONMART_NONSENSE": "1"}, "nonsense"),
    ],
)
def test_unknown_variables_are_named(home: Path, environ: dict[str, str], key: str) -> None:
    with pytest.raises(SettingsError, match=f"未知的配置项 {key}"):
        load(home, **environ)


def test_unknown_keys_of_file_and_secrets_are_named(home: Path) -> None:
    (home / "regionmart.toml").write_text("[trade]\ncart_ttl = 1\n")
    with pytest.raises(SettingsError, match="未知的配置项 trade.cart_ttl"):
        load(home)
    (home / "regionmart.toml").unlink()
    (home / "secrets" / "metrics.tokne").write_text("x")
    with pytest.raises(SettingsError, match="未知的配置项 metrics.tokne"):
        load(home)


def test_other_peoples_variables_are_ignored(home: Path) -> None:
    assert load(home, PATH="/bin", SERVER__PORT="1").server.port == 8000


@pytest.mark.parametrize("port", ["0", "70000", "http"])
def test_impossible_values_are_named(home: Path, port: str) -> None:
    with pytest.raises(SettingsError, match=r"配置项 server\.port 的值有误"):
        load(home, PORT=port)


@pytest.mark.parametrize("text", ["server = 3\n[log]\n", "server = "])
def test_a_broken_file_is_an_error_not_a_crash(home: Path, text: str) -> None:
    (home / "regionmart.toml").write_text(text)
    with pytest.raises(SettingsError):
        load(home, PORT="9000")


def test_a_variable_below_a_value_is_an_error(home: Path) -> None:
    with pytest.raises(SettingsError, match="上级已是一个值"):
        load(home, REGIONMART_LOG__LEVEL="INFO", REGIONMART_LOG__LEVEL__DEEP="x")


def test_settings_are_frozen(home: Path) -> None:
    with pytest.raises(ValueError, match="frozen"):
        load(home).server.port = 1


def test_secrets_never_leave_in_print_or_dump(home: Path) -> None:
    (home / "secrets" / "metrics.token").write_text("tok-31337\n")
    (home / "secrets" / "security.keyring_passphrase").write_text("open-sesame")
    (home / "secrets" / "database.url").write_text("mysql://shop:p@ss:w0rd@db.example/mall")
    settings = load(home)
    assert settings.metrics.token is not None
    assert settings.metrics.token.get_secret_value() == "tok-31337"
    shown = str(dict(flatten(redacted(settings))))
    for secret in ("tok-31337", "open-sesame", "p@ss", "w0rd", DEMO_SIMULATOR_SECRET):
        assert secret not in shown
    assert "mysql://shop:**********@db.example/mall" in shown
    assert "open-sesame" not in repr(settings)


def test_hidden_files_in_the_secrets_folder_are_skipped(home: Path) -> None:
    (home / "secrets" / ".keep").write_text("")
    load(home)


def test_every_setting_has_a_description() -> None:
    rows = list(describe())
    assert len(rows) > 30
    assert [key for key, _, _, text in rows if not text] == []


def test_numbers_name_their_unit() -> None:
    rows = {key: text for key, _, _, text in describe()}
    for key, text in rows.items():
        if key.endswith("_s"):
            assert "秒" in text, key
        if key.endswith("_h"):
            assert "小时" in text, key
        if key.endswith("_days"):
            assert "天" in text, key


def test_the_reference_is_current() -> None:
    assert reference.TARGET.read_text() == reference.render(), "run `make reference`"


def test_the_production_example_loads(home: Path) -> None:
    example = reference.TARGET.with_name("production.example.toml")
    settings = load(home, REGIONMART_CONFIG=str(example))
    assert settings.environment == "production"
    assert settings.security.cookie_secure
    assert not settings.payment.simulator_enabled
