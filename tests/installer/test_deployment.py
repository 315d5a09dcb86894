"""The deployment files: YAML parses, roles keep their shape, rendered files are accepted by their programs."""

import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from config.settings import ALL_SURFACES, Settings

ROOT = Path(__file__).resolve().parents[2]
ANSIBLE = ROOT / "ansible"
ROLES = sorted(p for p in (ANSIBLE / "roles").iterdir() if p.is_dir())
YAML_FILES = sorted(ANSIBLE.rglob("*.yml"))
TASK_KEYS = {
    "name", "when", "loop", "loop_control", "register", "notify", "become", "become_user", "environment", "no_log",
    "changed_when", "failed_when", "check_mode", "until", "retries", "delay",
}  # fmt: skip
HARDENING = {
    "NoNewPrivileges=true", "ProtectSystem=strict", "ProtectHome=true", "PrivateTmp=true", "PrivateDevices=true",
    "CapabilityBoundingSet=", "RestrictSUIDSGID=true", "ProtectKernelModules=true", "SystemCallFilter=@system-service",
    "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6", "UMask=0077", "LockPersonality=true",
}  # fmt: skip


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def tasks_of(role: Path) -> list[dict[str, Any]]:
    files = [*(role / "tasks").glob("*.yml"), *(role / "handlers").glob("*.yml")]
    return [task for file in files for task in read(file)]


def variables(**changes: Any) -> dict[str, Any]:
    """All role defaults together with what the inventory sets."""
    values: dict[str, Any] = {"regionmart_bundle": "/srv/bundle", "regionmart_version": "0.1.0"}
    for role in ROLES:
        values |= read(role / "defaults" / "main.yml")
    values["app__release"] = "/opt/regionmart/releases/0.1.0"
    return values | changes


def render(role: str, template: str, **changes: Any) -> str:
    """Render as Ansible does: first newline after a block is dropped, undefined names are errors."""
    loader = FileSystemLoader(ANSIBLE / "roles" / role / "templates")
    environment = Environment(loader=loader, undefined=StrictUndefined, trim_blocks=True, keep_trailing_newline=True)
    environment.filters["bool"] = bool
    return environment.get_template(template).render(variables(**changes))


@pytest.mark.parametrize("path", YAML_FILES, ids=lambda p: str(p.relative_to(ANSIBLE)))
def test_yaml_parses(path: Path) -> None:
    assert read(path)
    assert path.read_text().startswith("---\n")


@pytest.mark.parametrize("role", ROLES, ids=lambda p: p.name)
def test_role_shape(role: Path) -> None:
    for part in ("defaults/main.yml", "tasks/main.yml", "meta/argument_specs.yml"):
        assert (role / part).is_file(), part
    names = {key.split("__")[0] for key in read(role / "defaults" / "main.yml")}
    assert names <= {role.name, "app"}
    included = {t["ansible.builtin.include_tasks"] for t in read(role / "tasks" / "main.yml") if len(t) == 2
                and "ansible.builtin.include_tasks" in t}  # fmt: skip
    assert included == {p.name for p in (role / "tasks").glob("*.yml")} - {"main.yml"}


@pytest.mark.parametrize("role", ROLES, ids=lambda p: p.name)
def test_every_default_is_specified_with_the_same_value(role: Path) -> None:
    defaults = read(role / "defaults" / "main.yml")
    options = read(role / "meta" / "argument_specs.yml")["argument_specs"]["main"]["options"]
    assert set(defaults) <= set(options)
    for name, spec in options.items():
        assert spec["description"], name
        assert spec.get("required") or spec["default"] == defaults[name], name


@pytest.mark.parametrize("role", ROLES, ids=lambda p: p.name)
def test_every_default_has_a_comment(role: Path) -> None:
    lines = (role / "defaults" / "main.yml").read_text().splitlines()
    commented = False
    for line in lines[1:]:
        assert line.startswith("#") or commented, line
        commented = commented or line.startswith("#")


@pytest.mark.parametrize("role", ROLES, ids=lambda p: p.name)
def test_tasks_use_full_names_and_no_shell(role: Path) -> None:
    for task in tasks_of(role):
        modules = set(task) - TASK_KEYS
        assert len(modules) == 1, task["name"]
        (module,) = modules
        assert re.fullmatch(r"ansible\.builtin\.\w+", module), task["name"]
        assert module not in {"ansible.builtin.shell", "ansible.builtin.raw", "ansible.builtin.get_url"}
        if module == "ansible.builtin.command":
            assert "creates" in task[module] or task.get("changed_when") is False, task["name"]


@pytest.mark.parametrize("role", ROLES, ids=lambda p: p.name)
def test_notified_handlers_and_templates_exist(role: Path) -> None:
    handlers = role / "handlers" / "main.yml"
    known = {h["name"] for h in read(handlers)} if handlers.is_file() else set()
    for task in tasks_of(role):
        if "notify" in task:
            assert task["notify"] in known, task["name"]
        if "ansible.builtin.template" in task:
            assert (role / "templates" / task["ansible.builtin.template"]["src"]).is_file()


def test_secrets_are_private_silent_and_made_once() -> None:
    secrets = [t for r in ROLES for t in tasks_of(r) if "/secrets/" in str(t.get("ansible.builtin.copy", {}).get("dest"))]
    assert len(secrets) == 3
    for task in secrets:
        assert task["no_log"] is True, task["name"]
        assert task["ansible.builtin.copy"]["mode"] == "0600"
        generated = "lookup(" in task["ansible.builtin.copy"]["content"]
        assert not generated or task["ansible.builtin.copy"]["force"] is False
        group, field = task["ansible.builtin.copy"]["dest"].rsplit("/", 1)[1].split(".")
        assert field in Settings.model_fields[group].annotation.model_fields  # type: ignore[union-attr]


def test_the_playbook_checks_before_it_changes() -> None:
    first, second = read(ANSIBLE / "playbooks" / "install.yml")
    assert [r["role"] for r in first["roles"]] == ["preflight"]
    assert [r["role"] for r in second["roles"]] == ["app", "worker", "web_proxy"]


def test_wheels_are_installed_offline_and_by_hash() -> None:
    tasks = {t["name"]: t for t in read(ANSIBLE / "roles" / "app" / "tasks" / "install.yml")}
    argv = tasks["Install the wheels"]["ansible.builtin.command"]["argv"]
    assert {"--no-index", "--require-hashes", "--no-deps"} <= set(argv)


def test_written_settings_are_valid() -> None:
    tree = tomllib.loads(render("app", "regionmart.toml.j2"))
    settings = Settings.model_validate(tree)
    assert settings.environment == "production"
    assert settings.surfaces == ALL_SURFACES
    assert settings.security.cookie_secure
    assert not settings.payment.simulator_enabled


UNITS = [("app", "regionmart-web.service"), ("worker", "regionmart-worker.service")]


@pytest.mark.parametrize(("role", "unit"), UNITS)
def test_units_are_hardened(role: str, unit: str) -> None:
    lines = set(render(role, f"{unit}.j2").splitlines())
    assert lines >= HARDENING
    assert "User=regionmart" in lines
    assert "ReadWritePaths=/var/lib/regionmart" in lines


@pytest.mark.parametrize(("role", "unit"), UNITS)
@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")
def test_systemd_accepts_the_unit(role: str, unit: str, tmp_path: Path) -> None:
    text = render(role, f"{unit}.j2")
    text = re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", text, flags=re.M)
    text = re.sub(r"^(User|Group)=.*", r"\1=root", text, flags=re.M)
    (tmp_path / unit).write_text(text)
    done = subprocess.run(["systemd-analyze", "verify", str(tmp_path / unit)], capture_output=True, text=True, check=False)
    assert [line for line in done.stderr.splitlines() if str(tmp_path) in line or "Unknown" in line] == []


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A throw-away certificate, so that nginx can read what the TLS variant names."""
    openssl = shutil.which("openssl")
    if not openssl:
        pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("tls")
    chain, key = folder / "chain.pem", folder / "key.pem"
    subject = ["-subj", "/CN=regionmart.example", "-days", "1", "-keyout", str(key), "-out", str(chain)]
    command = [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", *subject]
    subprocess.run(command, check=True, capture_output=True)
    return chain, key


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.skipif(not Path("/usr/sbin/nginx").exists(), reason="nginx is not installed")
def test_nginx_accepts_the_configuration(tls: bool, certificate: tuple[Path, Path], tmp_path: Path) -> None:
    files = {"web_proxy__tls_certificate": str(certificate[0]), "web_proxy__tls_key": str(certificate[1])} if tls else {}
    text = render("web_proxy", "regionmart.conf.j2", **files)
    text = re.sub(r"listen (80|443)", r"listen 127.0.0.1:5\g<1>", text)
    (tmp_path / "site.conf").write_text(text)
    main = tmp_path / "nginx.conf"
    main.write_text(
        f"pid {tmp_path}/pid; error_log stderr; events {{}}\n"
        f"http {{ access_log off; client_body_temp_path {tmp_path}/b; proxy_temp_path {tmp_path}/p;\n"
        f"fastcgi_temp_path {tmp_path}/f; uwsgi_temp_path {tmp_path}/u; scgi_temp_path {tmp_path}/s;\n"
        f"include {tmp_path}/site.conf; }}\n"
    )
    command = ["/usr/sbin/nginx", "-t", "-e", "stderr", "-p", str(tmp_path), "-c", str(main)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert ("ssl_protocols TLSv1.2 TLSv1.3;" in text) is tls
    assert ("Strict-Transport-Security" in text) is tls


def test_the_proxy_limits_hides_and_overwrites() -> None:
    text = render("web_proxy", "regionmart.conf.j2")
    assert "rate=20r/m" in text
    assert text.count("limit_req zone=") == 2
    assert re.search(r"location = /metrics \{\s+return 404;", text)
    assert "proxy_add_x_forwarded_for" not in text
