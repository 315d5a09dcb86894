"""Small charts drawn on the server as SVG.

Only presentation attributes and classes are used: the content security policy of the product
forbids inline styles. Colours come from the ``c1`` … ``c6`` classes of components.css.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup, escape

Number = int | float


def _hidden_or_named(label: str) -> str:
    if label:
        return f'role="img" aria-label="{escape(label)}"'
    return 'aria-hidden="true" focusable="false"'


def _svg(cls: str, width: Number, height: Number, body: str, label: str = "", extra: str = "") -> Markup:
    return Markup(  # noqa: S704 - numbers and escaped text only
        f'<svg class="{escape(cls)}" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f"{extra}{_hidden_or_named(label)}>{body}</svg>"
    )


def spark(values: Sequence[Number], width: int = 84, height: int = 30, label: str = "") -> Markup:
    """Sparkline with a soft area and a dot on the last value."""
    if not values:
        return Markup("")
    low, high = min(values), max(values)
    span = (high - low) or 1
    step = (width - 4) / max(len(values) - 1, 1)
    points = [
        (round(2 + index * step, 1), round(height - 3 - (value - low) / span * (height - 6), 1))
        for index, value in enumerate(values)
    ]
    line = " ".join(f"{x},{y}" for x, y in points)
    (first_x, _), (last_x, last_y) = points[0], points[-1]
    body = (
        f'<polygon class="spark-a" points="{first_x},{height} {line} {last_x},{height}"/>'
        f'<polyline class="spark-l" points="{line}"/>'
        f'<circle class="spark-d" cx="{last_x}" cy="{last_y}" r="2.2"/>'
    )
    return _svg("spark", width, height, body, label)


def meter(percent: Number, cls: str = "", label: str = "") -> Markup:
    """Horizontal bar, 0 to 100, stretched by CSS to the width of its box."""
    filled = round(min(max(float(percent), 0.0), 100.0), 1)
    body = (
        f'<rect class="meter-t" width="100" height="6"/><rect class="meter-f" width="{filled}" height="6"/>'
    )
    return _svg(f"meter {cls}".strip(), 100, 6, body, label, 'preserveAspectRatio="none" ')


def _nice_ceiling(value: Number) -> float:
    if value <= 0:
        return 1.0
    power = 10 ** math.floor(math.log10(value))
    for factor in (1, 1.5, 2, 3, 4, 5, 6, 8, 10):
        if value <= factor * power:
            return float(factor * power)
    return float(10 * power)


def _axis(width: int, height: int, top: float, box: tuple[int, int, int, int], ticks: int = 4) -> str:
    left, upper, right, lower = box
    parts = []
    for index in range(ticks + 1):
        y = round(lower - (lower - upper) * index / ticks, 1)
        parts.append(f'<line class="chart-g" x1="{left}" x2="{right}" y1="{y}" y2="{y}"/>')
        text = f"{top * index / ticks:,.4g}" if top < 10 else f"{top * index / ticks:,.0f}"
        parts.append(f'<text class="chart-t" x="{left - 6}" y="{y + 4}" text-anchor="end">{text}</text>')
    return "".join(parts)


def _labels(labels: Sequence[str], xs: Sequence[float], y: float, most: int = 8) -> str:
    every = max(math.ceil(len(labels) / most), 1)
    return "".join(
        f'<text class="chart-t" x="{round(x, 1)}" y="{y}" text-anchor="middle">{escape(text)}</text>'
        for index, (text, x) in enumerate(zip(labels, xs, strict=False))
        if index % every == 0
    )


def bars(
    labels: Sequence[str],
    values: Sequence[Number],
    width: int = 640,
    height: int = 220,
    label: str = "",
    cls: str = "c1",
) -> Markup:
    """Column chart with axis, one series."""
    top = _nice_ceiling(max(values, default=0))
    box = (48, 10, width - 8, height - 26)
    left, upper, right, lower = box
    slot = (right - left) / max(len(values), 1)
    body = [_axis(width, height, top, box)]
    centres = []
    for index, value in enumerate(values):
        tall = max((lower - upper) * float(value) / top, 0)
        x = left + slot * index + slot * 0.2
        centres.append(left + slot * (index + 0.5))
        title = f"{escape(labels[index])}：{value:,}" if index < len(labels) else f"{value:,}"
        body.append(
            f'<rect class="{escape(cls)}" x="{x:.1f}" y="{lower - tall:.1f}" width="{slot * 0.6:.1f}" '
            f'height="{tall:.1f}" rx="2"><title>{title}</title></rect>'
        )
    body.append(_labels(labels, centres, height - 8))
    return _svg("chart", width, height, "".join(body), label)


def line(
    labels: Sequence[str],
    series: Sequence[tuple[str, Sequence[Number]]],
    width: int = 640,
    height: int = 220,
    label: str = "",
    threshold: Number | None = None,
) -> Markup:
    """Line chart; series is a list of (name, values), coloured c1 … c6 in order."""
    numbers = [value for _, values in series for value in values]
    top = _nice_ceiling(max([*numbers, threshold or 0], default=0))
    box = (48, 10, width - 12, height - 26)
    left, upper, right, lower = box
    count = max((len(values) for _, values in series), default=1)
    step = (right - left - 16) / max(count - 1, 1)
    xs = [left + 8 + step * index for index in range(count)]
    body = [_axis(width, height, top, box)]
    for order, (name, values) in enumerate(series):
        points = " ".join(
            f"{x:.1f},{lower - (lower - upper) * float(value) / top:.1f}"
            for x, value in zip(xs, values, strict=False)
        )
        body.append(
            f'<polyline class="chart-l l{order % 6 + 1}" points="{points}">'
            f"<title>{escape(name)}</title></polyline>"
        )
    if threshold is not None:
        y = round(lower - (lower - upper) * float(threshold) / top, 1)
        body.append(f'<line class="chart-th" x1="{left}" x2="{right}" y1="{y}" y2="{y}"/>')
    body.append(_labels(labels, xs, height - 8))
    return _svg("chart", width, height, "".join(body), label)


def donut(
    parts: Sequence[tuple[str, Number]], size: int = 160, label: str = "", centre: str = "", unit: str = ""
) -> Markup:
    """Ring chart; parts is a list of (name, value), coloured c1 … c6 in order."""
    total = sum(float(value) for _, value in parts) or 1.0
    radius, stroke = size / 2 - 16, 26
    around = 2 * math.pi * radius
    middle = size / 2
    body, offset = [], 0.0
    for order, (name, value) in enumerate(parts):
        share = float(value) / total * around
        dash = max(share - 2, 0.5)
        body.append(
            f'<circle class="ring l{order % 6 + 1}" cx="{middle}" cy="{middle}" r="{radius}" fill="none" '
            f'stroke-width="{stroke}" stroke-dasharray="{dash:.2f} {around - dash:.2f}" '
            f'stroke-dashoffset="{-offset:.2f}" transform="rotate(-90 {middle} {middle})">'
            f"<title>{escape(name)}：{value:,}</title></circle>"
        )
        offset += share
    if centre:
        body.append(
            f'<text class="ring-v" x="{middle}" y="{middle + 4}" text-anchor="middle">{escape(centre)}</text>'
        )
    if unit:
        body.append(
            f'<text class="chart-t" x="{middle}" y="{middle + 22}" text-anchor="middle">{escape(unit)}</text>'
        )
    return _svg("donut", size, size, "".join(body), label)
