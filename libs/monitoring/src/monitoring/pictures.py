"""A dashboard as a picture: its panels where Grafana would put them, drawn from what their queries answered.

Grafana is not needed for it. Rows, figures and graphs are drawn, which is all that the dashboards have.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Final

_COLUMN, _LINE, _GAP = 50, 30, 6
_LEGENDS: Final = 6
_COLOURS: Final = ("#1f6fb4", "#c8553d", "#2e8b57", "#8a5fb0", "#b8860b", "#4d7c8a", "#9c3f6b", "#5b6b2f")
_STYLE: Final = (
    "text{font:12px sans-serif;fill:#1c2733}.t{font-weight:600}.v{font-size:26px;font-weight:600}"
    ".r{font-size:15px;font-weight:600}.a{font-size:10px;fill:#66727f}.n{fill:#98a2ad}"
)


@dataclass(frozen=True, slots=True)
class Series:
    """What a query answered over a time: seconds and values, in order; values that are no numbers are left out."""

    labels: Mapping[str, str]
    points: Sequence[tuple[float, float]]


Ask = Callable[[str], Sequence[Series]]


def draw(dashboard: Mapping[str, Any], ask: Ask) -> str:
    """The dashboard as SVG; `ask` answers its queries, in PromQL with Grafana's variables in it."""
    panels = dashboard["panels"]
    height = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in panels) * _LINE + 50
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {24 * _COLUMN + _GAP} {height}" font-size="12">',
        f'<style>{_STYLE}</style><rect width="100%" height="100%" fill="#f3f5f7"/>',
        f'<text x="{_GAP}" y="28" style="font-size:20px;font-weight:600">{escape(dashboard["title"])}</text>',
    ]
    for panel in panels:
        parts += _panel(panel, ask)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _panel(panel: Mapping[str, Any], ask: Ask) -> Iterator[str]:
    place = panel["gridPos"]
    x, y = place["x"] * _COLUMN + _GAP, place["y"] * _LINE + 44
    width, height = place["w"] * _COLUMN - _GAP, place["h"] * _LINE - _GAP
    if panel["type"] == "row":
        yield f'<text class="r" x="{x}" y="{y + 18}">{escape(panel["title"])}</text>'
        return
    found = [
        (_legend(target["legendFormat"], series.labels), series)
        for target in panel["targets"]
        for series in ask(target["expr"])
        if series.points
    ]
    unit = panel["fieldConfig"]["defaults"].get("unit", "short")
    yield f'<g transform="translate({x} {y})"><rect width="{width}" height="{height}" fill="#fff" stroke="#dce1e6"/>'
    yield f'<text class="t" x="8" y="17">{escape(panel["title"])}</text>'
    if not found:
        yield f'<text class="n" x="8" y="{height / 2:.0f}">no data in this time</text>'
    elif panel["type"] == "stat":
        value = shown(found[0][1].points[-1][1], unit)
        yield f'<text class="v" x="8" y="{height / 2 + 22:.0f}">{value}</text>'
    else:
        yield from _graph(found, unit, width, height)
    yield "</g>"


def _graph(found: Sequence[tuple[str, Series]], unit: str, width: int, height: int) -> Iterator[str]:
    left, top, bottom = 58, 28, height - 42
    times = [at for _, series in found for at, _ in series.points]
    begin, end = min(times), max(*times, min(times) + 1)
    most = max(value for _, series in found for _, value in series.points) or 1.0
    for share in (0, 0.5, 1):
        y = bottom - share * (bottom - top)
        yield f'<line x1="{left}" y1="{y:.0f}" x2="{width - 8}" y2="{y:.0f}" stroke="#e6eaee"/>'
        yield f'<text class="a" x="{left - 6}" y="{y + 3:.0f}" text-anchor="end">{shown(share * most, unit)}</text>'
    for number, (_, series) in enumerate(found):
        path = " ".join(
            f"{left + (at - begin) / (end - begin) * (width - 8 - left):.1f},"
            f"{bottom - max(value, 0) / most * (bottom - top):.1f}"
            for at, value in series.points
        )
        colour = _COLOURS[number % len(_COLOURS)]
        yield f'<polyline fill="none" stroke="{colour}" stroke-width="1.5" points="{path}"/>'
    yield from _legends([legend for legend, _ in found], width, height)


def _legends(legends: Sequence[str], width: int, height: int) -> Iterator[str]:
    room = (width - 16) // 3
    for number, legend in enumerate(legends[:_LEGENDS]):
        x, y = 8 + number % 3 * room, height - 22 + number // 3 * 14
        last = number == _LEGENDS - 1 and len(legends) > _LEGENDS
        text = f"and {len(legends) - number} more" if last else legend[: room // 6]
        yield f'<rect x="{x}" y="{y - 8}" width="8" height="8" fill="{_COLOURS[number % len(_COLOURS)]}"/>'
        yield f'<text class="a" x="{x + 12}" y="{y}">{escape(text)}</text>'


def _legend(form: str, labels: Mapping[str, str]) -> str:
    for name, value in labels.items():
        form = form.replace("{{" + name + "}}", value)
    return form


def shown(value: float, unit: str) -> str:
    """A value with its unit, three digits at most: 1.2 kB, 35 ms, 99.9 %."""
    if math.isnan(value):
        return "-"
    if unit == "percentunit":
        return f"{value * 100:.3g} %"
    if unit == "s":
        return _scaled(value * 1e3, ("ms",)) if value < 1 else _scaled(value, ("s",))
    base, names = (1024.0, ("B", "KiB", "MiB", "GiB")) if unit == "bytes" else (1000.0, ("", "k", "M"))
    return _scaled(value, names, base) + ("/s" if unit == "eps" else "")


def _scaled(value: float, names: Sequence[str], base: float = 1000.0) -> str:
    step = 0
    while value >= base and step < len(names) - 1:
        value, step = value / base, step + 1
    return f"{value:.3g} {names[step]}".strip()
