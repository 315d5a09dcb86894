"""Files of a conformance run: canonical JSON, its SHA-256, a detached signature, a page to read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path
from typing import Any

NOTICE = "签名与校验值只证明文件生成后未被改动，不能证明测试过程是诚实的；请在见证下运行，并核对服务器标识与时间。"
WORDS = {"passed": "通过", "failed": "失败", "skipped": "不适用", "ok": "成功"}
STYLE = (
    "body{font-family:sans-serif;max-width:1080px;margin:2em auto;padding:0 1em;color:#222}"
    "table{border-collapse:collapse;width:100%;margin:1em 0}"
    "th,td{border:1px solid #999;padding:4px 8px;text-align:left;vertical-align:top;word-break:break-word}"
    ".failed{background:#fbdcdc}.skipped{background:#eee}pre{white-space:pre-wrap;margin:0}"
)


def canonical(report: dict[str, Any]) -> bytes:
    """Return the report's one byte form: UTF-8, sorted keys, no spaces, no NaN."""
    return json.dumps(report, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def write_report(report: dict[str, Any], path: Path | str, signer: Callable[[bytes], bytes] | None = None) -> list[Path]:
    """Write `path` (JSON) and beside it .sha256, .html and, when there is a signer, .sig; returns the paths.

    The signature is over the JSON file's bytes and stored in hexadecimal.
    """
    target = Path(path)
    body = canonical(report)
    digest = hashlib.sha256(body).hexdigest()
    target.write_bytes(body)
    checksum = target.with_suffix(".sha256")
    checksum.write_text(f"{digest}  {target.name}\n", encoding="utf-8")
    written = [target, checksum]
    if signer is not None:
        signature = target.with_suffix(".sig")
        signature.write_text(signer(body).hex() + "\n", encoding="ascii")
        written.append(signature)
    page = target.with_suffix(".html")
    page.write_text(render(report, digest), encoding="utf-8")
    return [*written, page]


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]], classes: list[str] | None = None) -> str:
    top = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = []
    for number, row in enumerate(rows):
        kind = f' class="{escape(classes[number])}"' if classes and classes[number] else ""
        body.append(f"<tr{kind}>{''.join(f'<td><pre>{escape(cell)}</pre></td>' for cell in row)}</tr>")
    return f"<table><thead><tr>{top}</tr></thead><tbody>{''.join(body)}</tbody></table>"


def _answer(value: bool | None) -> str:
    return {True: "是", False: "否"}.get(value, "未能观察") if value is not None else "未能观察"


def render(report: dict[str, Any], digest: str) -> str:
    """Return the page: one file, no script, nothing from the network."""
    total = report["summary"]
    facts = [
        ("数据库", report["display_name"]), ("服务器标识", report["banner"]), ("地址", report["url"]), ("模式", report["schema"]),
        ("开始", report["started_at"]), ("结束", report["finished_at"]), ("Python", report["python"]),
        ("组件", "\n".join(f"{k} {v}" for k, v in sorted(report["packages"].items()))), ("JSON 的 SHA-256", digest),
    ]  # fmt: skip
    settings = [(name, "\n".join(rows)) for name, rows in sorted(report["settings"].items())]
    results = [(c["title"], WORDS[c["outcome"]], f"{c['ms']:.1f}", c["detail"]) for c in report["checks"]]
    flags = [
        (o["flag"], _answer(o["declared"]), _answer(o["observed"]), "" if o["agrees"] else f"不一致 {o['detail']}")
        for o in report["observations"]
    ]
    statements = [
        (s["check"], s["sql"], WORDS.get(s["outcome"], s["outcome"]), f"{s['ms']:.1f}", str(s.get("code", "")))
        for s in report["statements"]
    ]
    parts = [
        f"<p><strong>通过 {total['passed']}，失败 {total['failed']}，不适用 {total['skipped']}，"
        f"与声明不一致 {total['differences']}</strong></p>",
        f"<p>{escape(report['notice'])}</p>",
        "<h2>环境</h2>", _table(("项目", "内容"), facts), "<h2>服务器设置与权限</h2>", _table(("项目", "内容"), settings),
        "<h2>检查</h2>", _table(("检查", "结果", "毫秒", "说明"), results, [c["outcome"] for c in report["checks"]]),
        "<h2>观察</h2>", _table(("特性", "声明", "观察", "说明"), flags, ["" if o["agrees"] else "failed" for o in report["observations"]]),
        "<h2>全部语句</h2>", _table(("所属检查", "语句", "结果", "毫秒", "代码"), statements),
    ]  # fmt: skip
    return (
        f'<!DOCTYPE html><html lang="zh-CN"><head><meta charset="utf-8"><title>数据库一致性报告</title>'
        f"<style>{STYLE}</style></head><body><h1>数据库一致性报告</h1>{''.join(parts)}</body></html>\n"
    )
