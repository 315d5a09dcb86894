"""Every macro of the design system renders alone, under StrictUndefined, with sound markup."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from wtforms import BooleanField, Form, RadioField, SelectField, StringField, TextAreaField, validators

from app.web import charts, filters
from app.web.icons import ICONS_FILE, icon

TEMPLATES = Path(filters.__file__).parent / "templates"
pytestmark = pytest.mark.skipif(not ICONS_FILE.is_file(), reason="run `npm run build` for the icon set")

EVIL = '<script>alert("1")</script>'


@pytest.fixture(scope="module")
def env() -> Environment:
    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined)
    filters.install(environment)
    environment.globals["asset"] = lambda path: f"/static/{path}"
    return environment


def render(env: Environment, name: str, call: str, **context: object) -> BeautifulSoup:
    source = '{% import "components/' + name + '.html" as ui %}' + call
    return BeautifulSoup(env.from_string(source).render(**context), "html.parser")


CALLS = {
    "ask": "{% call ui.ask(label=evil, action='#', csrf='t', message=evil, title=evil, hidden={'a': evil}) %}{{ evil }}{% endcall %}",
    "badge": "{{ ui.badge(text=evil) }}",
    "bar_list": "{{ ui.bar_list(items=[{'label': evil, 'percent': 5, 'value': evil}], ranked=true) }}",
    "bottom_bar": "{% call ui.bottom_bar(label=evil) %}{{ evil }}{% endcall %}",
    "btn": "{{ ui.btn(label=evil, attrs={'data-copy': evil}) }}",
    "bulk_bar": "{% call ui.bulk_bar(all_href='#a', total=3) %}{{ evil }}{% endcall %}",
    "chart_card": "{{ ui.chart_card(title=evil, id='x', headers=['a'], rows=[[evil]], source=evil) }}",
    "chip": "{{ ui.chip(label=evil, remove_href='#x') }}{{ ui.chip_strip(total=1) }}",
    "confirm": "{{ ui.confirm(action='#', title=evil, message=evil, word=evil, csrf='t', reason=true) }}",
    "date_range": "{{ ui.date_range(label=evil) }}",
    "dialog": "{% call ui.dialog(id='d', title=evil) %}x{% endcall %}",
    "diff": "{{ ui.diff(rows=[{'label': 'a', 'before': evil, 'after': none}]) }}",
    "drawer": "{% call ui.drawer(title=evil) %}x{% endcall %}",
    "empty": "{{ ui.empty(title=evil) }}",
    "error_summary": "{{ ui.error_summary(errors=[evil, {'text': evil, 'href': '#f'}]) }}",
    "field": "{{ ui.field(name='a', label=evil, value=evil, hint=evil, error=evil) }}",
    "filter_bar": "{{ ui.filter_bar(action='#', search_value=evil) }}",
    "group_row": "{{ ui.group_row(leader=evil, missing=1, href='#') }}",
    "mask": "{{ ui.mask(text=evil, reveal_href='#') }}",
    "menu": "{{ ui.menu(items=[{'label': evil}, {'label': 'b', 'href': '#', 'tone': 'bad'}]) }}",
    "meter": "{{ ui.meter(percent=140, label=evil, text=evil) }}",
    "money": "{{ ui.money(fen=123456) }}{{ ui.money(fen=none) }}{{ evil }}",
    "notice": "{{ ui.notice(text=evil, title=evil) }}",
    "page_header": "{{ ui.page_header(title=evil, crumbs=[{'label': evil}]) }}",
    "pager": "{{ ui.pager(next_href='#n', count=1, total=2) }}{{ evil }}",
    "price": "{{ ui.price(fen=5800, label=evil, was_fen=7900) }}",
    "product_card": "{{ ui.product_card(title=evil, href='#', image='/i.svg', price_fen=1, tags=[evil]) }}",
    "progress": "{{ ui.progress(done=1, total=2, label=evil) }}",
    "promo_progress": "{{ ui.promo_progress(text=evil, percent=3, marks=[{'label': evil}]) }}",
    "qty": "{{ ui.qty(name='n', label=evil) }}",
    "select": "{{ ui.select(name='s', label=evil, options=[(evil, evil)], value=evil) }}",
    "sidenav": "{{ ui.sidenav(menu=[{'label': evil, 'items': [{'label': evil, 'href': '#'}]}]) }}",
    "skeleton": "{{ ui.skeleton(label=evil) }}",
    "sku_sheet": (
        "{{ ui.sku_sheet(action='#', product={'title': evil, 'image': '/i.svg', 'price_fen': 1}, "
        "axes=[{'name': evil, 'values': [evil]}], skus=[{'id': 1, 'values': [evil], 'price_fen': 1}]) }}"
    ),
    "spark": "{{ ui.spark(values=[1, 2], label=evil) }}",
    "stat": "{{ ui.stat(label=evil, value=evil, delta=-1.0, values=[1, 2]) }}",
    "steps": "{{ ui.steps(items=[evil, 'b'], current=2) }}",
    "summary_list": "{{ ui.summary_list(rows=[(evil, evil), {'label': 'a', 'value': none}]) }}",
    "table": "{% call ui.table(columns=[evil], caption=evil, select_all=true) %}{% endcall %}",
    "tabs": "{{ ui.tabs(items=[{'label': evil, 'href': '#', 'current': true, 'count': 1000}]) }}",
    "tag": "{{ ui.tag(text=evil) }}",
    "task_list": "{{ ui.task_list(items=[{'label': evil}]) }}",
    "th_sort": "{{ ui.th_sort(label=evil, href='#', direction='asc') }}",
    "timeline": "{{ ui.timeline(items=[{'title': evil, 'time': moment, 'text': evil}]) }}",
    "toast": "{{ ui.toast(text=evil) }}",
    "trace_steps": "{{ ui.trace_steps(items=[{'label': evil}]) }}",
    "upload": "{{ ui.upload(name='u', label=evil, files=[{'name': evil}]) }}",
}
MOMENT = datetime(2026, 11, 22, 7, 31, tzinfo=UTC)


def test_every_component_is_tried() -> None:
    names = {path.stem for path in (TEMPLATES / "components").glob("*.html") if path.stem[0] != "_"}
    assert set(CALLS) == names


@pytest.mark.parametrize("name", sorted(CALLS))
def test_component_escapes_and_names_its_controls(env: Environment, name: str) -> None:
    page = render(env, name, CALLS[name], evil=EVIL, moment=MOMENT)
    assert page.find("script") is None
    assert "alert" in str(page)
    ids = [node["id"] for node in page.select("[id]")]
    assert len(ids) == len(set(ids))
    for node in page.select("input:not([type=hidden]), select, textarea"):
        label = node.find_parent("label") or page.find("label", attrs={"for": node.get("id")})
        assert label or node.get("aria-label"), f"unlabelled control: {node}"
    for node in page.select("button, a, summary"):
        assert node.get_text(strip=True) or node.get("aria-label"), f"nameless control: {node}"
    for node in page.select("[aria-describedby]"):
        assert all(page.find(id=ref) for ref in node["aria-describedby"].split())
    for node in page.find_all(True):
        assert not [key for key in node.attrs if key == "style" or key.startswith("on")]


class SampleForm(Form):
    title = StringField("名称", [validators.DataRequired("请填写名称")])
    memo = TextAreaField("说明", description="可不填")
    county = SelectField("县区", choices=[("a", "澜城区"), ("b", "滨澜区")])
    agree = BooleanField("同意", [validators.DataRequired("请先同意")])
    ship = RadioField("配送", choices=[("x", "同城"), ("y", "快递")], default="x")


def test_field_takes_a_wtforms_field(env: Environment) -> None:
    form = SampleForm(data={"county": "b", "memo": EVIL, "ship": "x"})
    assert not form.validate()
    page = render(env, "field", "{% for f in form %}{{ ui.field(f=f) }}{% endfor %}", form=form)
    title = page.find(id="title")
    assert title["aria-invalid"] == "true"
    assert page.find(id=title["aria-describedby"]).get_text(strip=True) == "请填写名称"
    assert page.find("label", attrs={"for": "title"}).get_text(strip=True) == "名称必填"
    assert page.find("textarea").get_text().strip() == EVIL
    assert page.select_one("option[selected]")["value"] == "b"
    assert page.find("legend").get_text(strip=True) == "配送"
    assert len(page.select("fieldset input[type=radio]")) == 2
    assert page.find("label", attrs={"for": "agree"})
    summary = render(env, "error_summary", "{{ ui.error_summary(form=form) }}", form=form)
    assert {link["href"] for link in summary.find_all("a")} == {"#title", "#agree"}


def test_error_summary_is_silent_without_errors(env: Environment) -> None:
    assert not str(render(env, "error_summary", "{{ ui.error_summary() }}")).strip()


def test_radio_error_stands_by_its_group(env: Environment) -> None:
    call = "{{ ui.field(name='r', label='选', type='radio', options=['a'], error='必选') }}"
    page = render(env, "field", call)
    assert page.find(id=page.find("fieldset")["aria-describedby"]).get_text(strip=True) == "必选"


def test_pager_dead_ends_are_not_links(env: Environment) -> None:
    page = render(env, "pager", "{{ ui.pager(prev_href='', next_href='?after=9') }}")
    assert [link["rel"] for link in page.find_all("a")] == [["next"]]
    assert page.select_one("[aria-disabled=true]").get_text(strip=True) == "上一页"


def test_unknown_icon_is_an_error() -> None:
    with pytest.raises(KeyError):
        icon("no-such-icon")


def test_icon_is_hidden_or_named() -> None:
    assert 'aria-hidden="true"' in icon("truck")
    assert 'aria-label="&lt;b&gt;"' in icon("truck", label="<b>")


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (filters.yuan(123400), "1,234.00"),
        (filters.yuan(-5), "-0.05"),
        (filters.yuan(None), "—"),
        (filters.wan(128_640_000), "128.64 万元"),
        (filters.wan(342_700_000_000), "34.27 亿元"),
        (filters.wan(9_900), "99.00 元"),
        (filters.when(MOMENT), "11-22 15:31"),
        (filters.when_long(MOMENT), "2026年11月22日（周日）15:31"),
        (filters.when_iso(MOMENT), "2026-11-22T15:31:00+08:00"),
        (filters.day(datetime(2026, 11, 22, 17, 0, tzinfo=UTC)), "2026-11-23"),
        (filters.number(1234), "1,234"),
        (filters.bps(1260), "12.6%"),
        (filters.signed_bps(-310), "-3.1%"),
        (filters.filesize(2048), "2.0 KB"),
        (filters.mask_phone("13812345678"), "138****5678"),
        (filters.mask_phone("1381"), "****"),
        (filters.mask_name("林玉珍"), "林*珍"),
        (filters.mask_id("110101199001011234"), "110*************34"),
    ],
)
def test_filters(call: str, text: str) -> None:
    assert call == text


def test_charts_survive_empty_and_flat_data() -> None:
    assert charts.spark([]) == ""
    for drawing in (
        charts.spark([5]),
        charts.bars([], []),
        charts.bars(["a"], [0]),
        charts.line([], []),
        charts.line(["a"], [("s", [0])]),
        charts.donut([]),
        charts.meter(-4),
    ):
        assert drawing.startswith("<svg")
        assert "style=" not in drawing
        assert "nan" not in drawing.lower()


def test_cells_are_named_after_their_columns(env: Environment) -> None:
    call = (
        "{% call ui.table(columns=['名称', {'label': '价格', 'align': 'r'}, {'label': '操作', 'hidden': true}], caption='c', select_all=true) %}"
        "<tr>{{ ui.row_check(value=1, label='选择') }}<td>甲</td><td class=\"r\">1</td><td>按钮</td></tr>"
        "<tr><td colspan=\"4\">没有</td></tr>{% endcall %}"
    )
    cells = render(env, "table", call).select("tbody td")
    assert [cell.get("data-label") for cell in cells] == [None, "名称", "价格", None, None]
    assert "tbl--stack" in str(render(env, "table", call))
    flat = call.replace("select_all=true", "select_all=true, stack=false")
    assert not render(env, "table", flat).select("[data-label]")


def test_a_question_posts_only_from_its_second_button(env: Environment) -> None:
    page = render(env, "ask", "{{ ui.ask(label='删除', action='/x', csrf='t', message='不能恢复', hidden={'id': 7}) }}")
    assert page.details.summary.get_text(strip=True) == "删除"
    assert not page.details.summary.find("button")
    form = page.details.form
    assert (form["method"], form["action"]) == ("post", "/x")
    assert {i["name"]: i["value"] for i in form.select("input")} == {"csrf_token": "t", "id": "7"}
    assert form.button.get_text(strip=True) == "确认删除"
