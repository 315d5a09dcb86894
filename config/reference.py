"""Write config/REFERENCE.md from the settings tree: `python -m config.reference`."""

from __future__ import annotations

from pathlib import Path

from config.sources import describe

TARGET = Path(__file__).with_name("REFERENCE.md")


def render() -> str:
    """Return the reference as Markdown."""
    lines = [
        "# 配置项", "", "由 `make reference` 生成。来源依次覆盖：默认值、`{home}/regionmart.toml`、"
        "环境变量 `REGIONMART_<组>__<项>`、`{home}/secrets/<组>.<项>` 文件。", "",
        "| 配置项 | 类型 | 默认 | 说明 |", "|---|---|---|---|",
    ]  # fmt: skip
    for key, kind, default, text in describe():
        lines.append(f"| `{key}` | {kind.replace('|', '/')} | {default} | {text} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    TARGET.write_text(render())
