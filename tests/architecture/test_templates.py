"""Rules for all templates and style sheets: strict content security, old browsers, small files."""

from __future__ import annotations

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
def test_script_needs_no_eval(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    banned = r"\beval\(|new Function|setAttribute\('style'|\.at\(|structuredClone|replaceChildren"
    assert not re.search(banned, text)


def test_own_script_is_small() -> None:
    import gzip

    assert len(gzip.compress((WEB / "static" / "js" / "app.js").read_bytes())) < 10_000
