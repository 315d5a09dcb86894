"""Where settings come from: defaults < TOML file < environment < secrets directory < overrides."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import SecretStr, ValidationError
from pydantic_core import PydanticUndefined

from config.settings import Group, Settings

PREFIX = "REGIONMART_"
PLAIN = {"REGIONMART_HOME": ("home",), "REGIONMART_ENVIRONMENT": ("environment",), "PORT": ("server", "port")}
IGNORED = {"REGIONMART_CONFIG"}
LISTS = {("surfaces",), ("egress", "allow"), ("egress", "internal")}


class SettingsError(Exception):
    """A key is unknown or a value is wrong; the message names it in Chinese."""


def _put(tree: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    for part in path[:-1]:
        tree = tree.setdefault(part, {})
        if not isinstance(tree, dict):
            raise SettingsError(f"配置项 {'.'.join(path)} 的上级已是一个值")
    tree[path[-1]] = value


def _merge(base: dict[str, Any], extra: Mapping[str, Any]) -> None:
    for key, value in extra.items():
        if isinstance(value, Mapping):
            inner = base.setdefault(key, {})
            if not isinstance(inner, dict):
                raise SettingsError(f"配置项 {key} 应为一组配置，实际是单个值")
            _merge(inner, value)
        else:
            base[key] = value


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for name, value in environ.items():
        if name in PLAIN:
            _put(tree, PLAIN[name], value)
        elif name.startswith(PREFIX) and name not in IGNORED:
            path = tuple(name.removeprefix(PREFIX).lower().split("__"))
            parsed: Any = [s.strip() for s in value.split(",") if s.strip()] if path in LISTS else value
            _put(tree, path, parsed)
    return tree


def _from_secrets(folder: Path) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    if folder.is_dir():
        for file in sorted(folder.iterdir()):
            if file.is_file() and not file.name.startswith("."):
                _put(tree, tuple(file.name.split(".")), file.read_text().strip())
    return tree


def load_settings(
    overrides: Mapping[str, Any] | None = None, environ: Mapping[str, str] | None = None
) -> Settings:
    """Build the settings. Raises SettingsError naming the key and the reason."""
    env = os.environ if environ is None else environ
    tree: dict[str, Any] = {}
    home = Path(str((overrides or {}).get("home") or env.get("REGIONMART_HOME") or "var"))
    file = Path(env.get("REGIONMART_CONFIG") or home / "regionmart.toml")
    if file.is_file():
        try:
            _merge(tree, tomllib.loads(file.read_text()))
        except tomllib.TOMLDecodeError as error:
            raise SettingsError(f"配置文件 {file.name} 格式有误：{error}") from None
    elif env.get("REGIONMART_CONFIG"):
        raise SettingsError(f"找不到配置文件 {file}")
    _merge(tree, _from_environment(env))
    _merge(tree, _from_secrets(home / "secrets"))
    _merge(tree, overrides or {})
    try:
        return Settings.model_validate(tree)
    except ValidationError as error:
        lines = []
        for problem in error.errors():
            key = ".".join(str(part) for part in problem["loc"])
            unknown = problem["type"] == "extra_forbidden"
            lines.append(f"未知的配置项 {key}" if unknown else f"配置项 {key} 的值有误：{problem['msg']}")
        raise SettingsError("；".join(lines)) from None


def redacted(settings: Settings) -> dict[str, Any]:
    """Return the settings as plain data with secrets masked, the password inside the database URL included."""
    tree = settings.model_dump(mode="json")
    tree["database"]["url"] = re.sub(r"(://[^:/@]*:).*@", r"\1**********@", tree["database"]["url"])
    return tree


def flatten(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield (dotted key, value)."""
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def describe(group: type[Group] = Settings, prefix: str = "") -> Iterator[tuple[str, str, str, str]]:
    """Yield (key, type, default, description) of every setting, for REFERENCE.md."""
    for name, field in group.model_fields.items():
        annotation = field.annotation
        if isinstance(annotation, type) and issubclass(annotation, Group):
            yield from describe(annotation, f"{prefix}{name}.")
            continue
        default = field.default
        shown = "（密钥）" if isinstance(default, SecretStr) else "" if default is PydanticUndefined else str(default)
        kind = getattr(annotation, "__name__", None) or str(annotation)
        kind = str(annotation).replace("typing.", "") if kind in {"Literal", "tuple", "Union"} else kind
        yield f"{prefix}{name}", kind, shown, field.description or ""
