"""Rules for all templates and style sheets: strict content security, old browsers, small files."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest
from jinja2 import Environment, nodes

from app.web import filters

APP = Path(filters.__file__).resolve().parents[1]
WEB = APP / "web"
TEMPLATES = sorted(path for path in APP.rglob("templates/**/*.html"))
STYLES = sorted((WEB / "static" / "css").glob("*.css"))
SCRIPTS = sorted((WEB / "static" / "js").glob("*.js"))
MAX_LINES = 120
EXEMPT = {"styleguide.html"}

FORBIDDEN_MARKUP = {
    "inline style": re.compile(r"<[^>]*\sstyle\s*=", re.I),
    "style element": re.compile(r"<style\b", re.I),
    "inline script": re.compile(r"<script\b(?![^>]*\b(?:src=|type=\"application/json\"))", re.I),
    "event attribute": re.compile(r"<[a-z][^>{}]*\son[a-z]+\s*=", re.I),
    "javascript url": re.compile(r"javascript:", re.I),
    "hx-on": re.compile(r"\bhx-on\b", re.I),
    "evaluated hx value": re.compile(r"hx-(?:vals|headers)\s*=\s*[\"']\s*(?:js|javascript):", re.I),
    "htmx trigger filter": re.compile(r"hx-trigger\s*=\s*\"[^\"]*\[[^\"]*\]", re.I),
}
FORBIDDEN_STYLE = {
    name: re.compile(pattern)
    for name, pattern in {
        "color-mix": r"color-mix\(",
        ":has": r":has\(",
        "aspect-ratio": r"aspect-ratio\s*:",
        ":is": r":is\(",
        ":where": r":where\(",
        "@layer": r"@layer",
        "@container": r"@container",
        "dvh": r"\d(?:d|s|l)vh\b",
        "inset property": r"(?:^|[\s;{])inset(?:-[a-z-]+)?\s*:",
        "accent-color": r"accent-color\s*:",
        "light-dark": r"light-dark\(",
        "blanket focus removal": r":focus\s*\{[^}]*outline\s*:\s*0",
        "import": r"@import",
        "nesting": r"&\s*[:.>+~\[{]|[{;]\s*&",
        "subgrid": r"\bsubgrid\b",
        "@scope, @property, @starting-style": r"@(?:scope|property|starting-style)\b",
        "media ranges": r"@media[^{]*[<>]",
        "logical shorthand": r"(?:^|[\s;{])(?:margin|padding)-(?:inline|block)\s*:",
        "single transform property": r"(?:^|[\s;{])(?:translate|rotate|scale)\s*:",
        "list inside :not": r":not\([^()]*,",
        "overflow clip": r"overflow(?:-[xy])?\s*:\s*clip",
        "modern colours": r"\b(?:oklch|oklab|lch|lab|hwb|color)\(",
        "unprefixed mask": r"(?:^|[\s;{])mask(?:-[a-z]+)?\s*:",
        "text-wrap": r"text-wrap(?:-[a-z]+)?\s*:",
        "scrollbar properties": r"scrollbar-(?:gutter|color|width)\s*:",
        "popover": r":popover-open",
    }.items()
}
FORBIDDEN_SCRIPT = {
    name: re.compile(pattern)
    for name, pattern in {
        "eval": r"\beval\(|new Function",
        "style attribute": r"setAttribute\('style'",
        "newer methods": r"\.(?:at|findLast|findLastIndex|replaceAll|replaceChildren|toSorted|toReversed|hasOwn|groupBy|any)\(",
        "newer globals": r"\b(?:structuredClone|AggregateError|WeakRef|randomUUID|AbortSignal\.timeout|Promise\.any)\b",
        "logical assignment": r"(?:\?\?|\|\||&&)=",
        "class blocks": r"\bstatic\s*\{",
        "private fields": r"(?:this|self)\.#",
        "modules": r"(?:^|\n)\s*(?:import\b|export\b)|\bimport\s*\(",
        "numeric separators": r"\b\d+_\d",
        "inert, popover": r"\.(?:inert|showPopover|hidePopover)\b",
    }.items()
}
SAFE_IF = re.compile(r"{%.*?%}|{{.*?}}|{#.*?#}", re.S)


def name_of(path: Path) -> str:
    return path.relative_to(APP).as_posix()


def markup(path: Path) -> str:
    """Template text with the Jinja parts blanked, so that '>' inside them cannot confuse the patterns."""
    return SAFE_IF.sub(" ", path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def env() -> Environment:
    environment = Environment(autoescape=True, extensions=["jinja2.ext.i18n", "jinja2.ext.do"])
    filters.install(environment)
    return environment


def test_there_are_templates() -> None:
    assert TEMPLATES
    assert STYLES
    assert SCRIPTS


@pytest.mark.parametrize("path", TEMPLATES, ids=name_of)
def test_template_parses(env: Environment, path: Path) -> None:
    env.parse(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", TEMPLATES, ids=name_of)
def test_template_keeps_the_content_security_policy(path: Path) -> None:
    text = markup(path)
    found = [rule for rule, pattern in FORBIDDEN_MARKUP.items() if pattern.search(text)]
    assert not found, f"{name_of(path)}: {found}"


@pytest.mark.parametrize("path", TEMPLATES, ids=name_of)
def test_images_have_size_and_text(path: Path) -> None:
    for image in re.findall(r"<img\b[^>]*>", markup(path)):
        for attribute in ("width=", "height=", "alt="):
            assert attribute in image, f"{name_of(path)}: {image} lacks {attribute}"


@pytest.mark.parametrize("path", TEMPLATES, ids=name_of)
def test_template_is_short(path: Path) -> None:
    if path.name not in EXEMPT:
        assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_LINES


def component_names() -> set[str]:
    return {path.stem for path in (WEB / "templates" / "components").glob("*.html") if path.stem[0] != "_"}


def test_style_guide_shows_every_component() -> None:
    text = (WEB / "templates" / "styleguide.html").read_text(encoding="utf-8")
    shown = set(re.findall(r'from "components/([a-z_]+)\.html"', text))
    assert shown == component_names()


@pytest.mark.parametrize("path", TEMPLATES, ids=name_of)
def test_components_are_called_with_keywords(env: Environment, path: Path) -> None:
    tree = env.parse(path.read_text(encoding="utf-8"))
    imported: set[str] = set()
    for node in tree.find_all(nodes.FromImport):
        if isinstance(node.template, nodes.Const) and str(node.template.value).startswith("components/"):
            imported |= {item[1] if isinstance(item, tuple) else item for item in node.names}
    for call in tree.find_all(nodes.Call):
        if isinstance(call.node, nodes.Name) and call.node.name in imported:
            assert not call.args, f"{name_of(path)}:{call.lineno}: {call.node.name}() needs keyword arguments"


@pytest.mark.parametrize("path", sorted((WEB / "templates" / "components").glob("*.html")), ids=name_of)
def test_component_has_a_header_comment(path: Path) -> None:
    assert path.read_text(encoding="utf-8").startswith("{# ")


@pytest.mark.parametrize("path", STYLES, ids=name_of)
def test_style_sheet_works_in_chromium_86(path: Path) -> None:
    text = re.sub(r"/\*.*?\*/", "", path.read_text(encoding="utf-8"), flags=re.S)
    found = [rule for rule, pattern in FORBIDDEN_STYLE.items() if pattern.search(text)]
    assert not found, f"{name_of(path)}: {found}"


@pytest.mark.parametrize("path", STYLES, ids=name_of)
def test_style_sheet_has_balanced_braces(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count("{") == text.count("}")


@pytest.mark.parametrize("path", SCRIPTS, ids=name_of)
def test_script_works_in_chromium_81_and_needs_no_eval(path: Path) -> None:
    text = re.sub(r"/\*.*?\*/", "", path.read_text(encoding="utf-8"), flags=re.S)
    found = [rule for rule, pattern in FORBIDDEN_SCRIPT.items() if pattern.search(text)]
    assert not found, f"{name_of(path)}: {found}"


@pytest.mark.parametrize(
    ("rules", "name", "bad", "good"),
    [
        (FORBIDDEN_STYLE, "nesting", ".a { &:hover { color: red; } }", ".a:hover { color: red; }"),
        (FORBIDDEN_STYLE, "media ranges", "@media (width >= 40rem) { }", "@media (min-width: 40rem) { }"),
        (FORBIDDEN_STYLE, "inset property", ".a { inset: 0; }", ".a { box-shadow: inset 0 0 0 1px; }"),
        (FORBIDDEN_STYLE, "logical shorthand", ".a { margin-inline: 1rem; }", ".a { margin-inline-start: 1rem; }"),
        (FORBIDDEN_STYLE, "single transform property", ".a { rotate: 3deg; }", ".a { transform: rotate(3deg); }"),
        (FORBIDDEN_STYLE, "list inside :not", "a:not(.b, .c) { }", "a:not(.b):not(.c) { }"),
        (FORBIDDEN_STYLE, "unprefixed mask", ".a { mask-image: none; }", ".a { -webkit-mask-image: none; }"),
        (FORBIDDEN_STYLE, "modern colours", ".a { color: oklch(1 0 0); }", ".a { color: rgba(0, 0, 0, .5); }"),
        (FORBIDDEN_SCRIPT, "logical assignment", "a ||= b;", "a = a || b;"),
        (FORBIDDEN_SCRIPT, "newer methods", "list.at(-1)", "list[list.length - 1]"),
        (FORBIDDEN_SCRIPT, "modules", "import x from 'y';", "var important = 1;"),
    ],
    ids=lambda v: v if isinstance(v, str) and " " not in v else None,
)
def test_the_rules_for_old_browsers_tell_bad_from_good(rules: dict[str, re.Pattern[str]], name: str, bad: str, good: str) -> None:
    assert rules[name].search(bad)
    assert not rules[name].search(good)


def test_own_scripts_are_small() -> None:
    assert sum(len(gzip.compress(path.read_bytes())) for path in SCRIPTS) < 10_000


def test_style_sheets_stay_in_their_budget() -> None:
    def size(*names: str) -> int:
        return sum(len(gzip.compress((WEB / "static" / "css" / f"{name}.css").read_bytes())) for name in names)

    shared = size("tokens", "base", "components")
    assert shared + size("storefront", "shopfront", "trade") <= 20_000
    assert shared + size("console", "trade") <= 16_000
