"""Files of a conformance run: canonical JSON, its SHA-256, a detached signature, a page to read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path
from typing import Any

NOTICE = "签名与校验值只证明文件生成后未被改动，不能证明测试过程是诚实的；请在见证下运行，并核对服务器标识与时间。"
REFUSALS = (
    "结果写着错误类名的语句，多数是检查有意触发的拒绝（例如重复键、空值）；开头的 SchemaMismatch 是清理尚不存在的表。"
    "是否合格以“检查”一节为准。"
)
FLAGS = {
    "empty_string_is_null": "空串等于 NULL", "unique_nulls_distinct": "唯一键可有多个 NULL", "blank_padded_compare": "比较时忽略尾部空格",
    "transactional_ddl": "建表可回滚", "skip_locked": "支持跳过锁定行",
}  # fmt: skip
SETTINGS = {
    "version": "版本", "parameters": "参数", "page": "页大小", "unicode": "字符集（1 为 UTF-8）", "case sensitive": "大小写敏感",
    "length in characters": "长度以字符计", "privileges": "权限", "variables": "变量", "grants": "授权", "settings": "参数",
    "create right": "建表权",
}  # fmt: skip
WORDS = {"passed": "通过", "failed": "失败", "skipped": "不适用", "ok": "成功"}
FACT = (("项目", ""), ("内容", "wide"))
STYLE = (
    "body{font-family:sans-serif;max-width:1280px;margin:2em auto;padding:0 1em;color:#222}"
    "table{border-collapse:collapse;width:100%;margin:1em 0;font-size:14px}"
    "th,td{border:1px solid #999;padding:4px 8px;text-align:left;vertical-align:top}th{white-space:nowrap;background:#f3f3f3}"
    "td{white-space:nowrap}td.wide{white-space:pre-wrap;overflow-wrap:anywhere;width:60%}td.number{text-align:right}"
    ".sql{font-family:monospace}.failed{background:#fbdcdc}.skipped{background:#eee}.refused{color:#7a4b00}"
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


def _table(head: Sequence[tuple[str, str]], rows: Sequence[tuple[str, ...]], classes: Sequence[str] = ()) -> str:
    """Return a table. head: title and class of each column; classes: class of each row, '' for none."""
    top = "".join(f"<th>{escape(title)}</th>" for title, _ in head)
    body = []
    for number, row in enumerate(rows):
        kind = f' class="{escape(classes[number])}"' if classes and classes[number] else ""
        cells = "".join(f'<td class="{look}">{escape(cell)}</td>' for cell, (_, look) in zip(row, head, strict=True))
        body.append(f"<tr{kind}>{cells}</tr>")
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
    if report.get("signed_by"):
        facts.append(("签名公钥（SM2）", report["signed_by"]))
    settings = [(SETTINGS.get(name, name), "\n".join(rows)) for name, rows in sorted(report["settings"].items())]
    titles = {c["name"]: c["title"] for c in report["checks"]} | FLAGS | {"setup": "准备"}
    return (
        f'<!DOCTYPE html><html lang="zh-CN"><head><meta charset="utf-8"><title>数据库一致性报告</title>'
        f"<style>{STYLE}</style></head><body><h1>数据库一致性报告</h1>"
        f"<p><strong>通过 {total['passed']}，失败 {total['failed']}，不适用 {total['skipped']}，"
        f"与声明不一致 {total['differences']}</strong></p><p>{escape(report['notice'])}</p>"
        f"<h2>环境</h2>{_table(FACT, facts)}<h2>服务器设置与权限</h2>{_table(FACT, settings)}"
        f"<h2>检查</h2>{_checks(report)}<h2>观察</h2>{_flags(report)}"
        f"<h2>全部语句（{len(report['statements'])} 条）</h2><p>{REFUSALS}</p>{_statements(report, titles)}</body></html>\n"
    )


def _checks(report: dict[str, Any]) -> str:
    rows = [(c["title"], WORDS[c["outcome"]], f"{c['ms']:.1f}", c["detail"]) for c in report["checks"]]
    head = (("检查", ""), ("结果", ""), ("毫秒", "number"), ("说明", "wide"))
    return _table(head, rows, [c["outcome"] for c in report["checks"]])


def _flags(report: dict[str, Any]) -> str:
    rows = [
        (
            FLAGS.get(o["flag"], o["flag"]), o["flag"], _answer(o["declared"]), _answer(o["observed"]),
            "" if o["agrees"] else f"不一致 {o['detail']}",
        )
        for o in report["observations"]
    ]  # fmt: skip
    head = (("特性", ""), ("代号", ""), ("声明", ""), ("观察", ""), ("说明", "wide"))
    return _table(head, rows, ["" if o["agrees"] else "failed" for o in report["observations"]])


def _statements(report: dict[str, Any], titles: dict[str, str]) -> str:
    rows = [
        (
            str(number), titles.get(s["check"], s["check"]), s["sql"].strip(), WORDS.get(s["outcome"], s["outcome"]), f"{s['ms']:.1f}",
            str(s.get("code", "")),
        )
        for number, s in enumerate(report["statements"], 1)
    ]  # fmt: skip
    head = (("序号", "number"), ("所属检查", ""), ("语句", "wide sql"), ("结果", ""), ("毫秒", "number"), ("代码", ""))
    return _table(head, rows, ["" if s["outcome"] == "ok" else "refused" for s in report["statements"]])
