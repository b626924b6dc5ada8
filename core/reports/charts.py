"""Small charts as SVG, drawn on the server: on report cards, and wherever else a page has no script."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from markupsafe import Markup

_WIDTH, _HEIGHT = 300, 92
_LEFT, _RIGHT, _TOP, _BOTTOM = 16, 16, 20, 26
_LEAST_SPAN = Decimal(20)
"""Points between the chart's floor and ceiling, at least: a change of one point must not look like a leap."""
_MOST_POINTS = 9
_ORDINALS = {"first": "1", "second": "2", "third": "3", "1st": "1", "2nd": "2", "3rd": "3"}


@dataclass(frozen=True, slots=True)
class Point:
    """A value of the chart and what stands below it, in two short lines."""

    value: Decimal
    label: str
    under: str = ""


def labels_of(term: str) -> tuple[str, str]:
    """Return a term's name in two lines short enough for a chart: ``First Term 2026/2027`` is ``T1`` over ``26/27``."""
    years = re.search(r"\d{2}(\d{2})\s*[/-]\s*\d{2}(\d{2})", term)
    rest = term.replace(years.group(0), "") if years else term
    number = next((word for word in (_ORDINALS.get(part.lower(), part) for part in rest.split()) if word in "123"), "")
    return f"T{number}" if number else rest.strip()[:9], f"{years.group(1)}/{years.group(2)}" if years else ""


def trend(points: Sequence[Point]) -> Markup:
    """Return a line through the newest points with each value above it; nothing for fewer than two."""
    points = points[-_MOST_POINTS:]
    if len(points) < 2:
        return Markup()
    spots = list(zip(_across(len(points)), _heights([point.value for point in points]), points, strict=True))
    told = ", ".join(f"{point.label} {point.under} {point.value}".replace("  ", " ") for point in points)
    line = " ".join(f"{x},{y}" for x, y, _ in spots)
    floor = _HEIGHT - _BOTTOM + 4
    area = f"{spots[0][0]},{floor} {line} {spots[-1][0]},{floor}"
    return Markup(
        '<svg class="trend" viewBox="0 0 {width} {height}" role="img" aria-label="Averages by term: {told}">'
        '<polygon class="area" points="{area}"/><line class="floor" x1="4" y1="{floor}" x2="{end}" y2="{floor}"/>'
        '<polyline class="line" points="{line}"/>{marks}</svg>'
    ).format(
        width=_WIDTH,
        height=_HEIGHT,
        told=told,
        area=area,
        floor=floor,
        end=_WIDTH - 4,
        line=line,
        marks=Markup().join(_mark(x, y, point, newest=point is points[-1]) for x, y, point in spots),
    )


def _across(count: int) -> list[float]:
    step = (_WIDTH - _LEFT - _RIGHT) / (count - 1)
    return [round(_LEFT + number * step, 1) for number in range(count)]


def _heights(values: Sequence[Decimal]) -> list[float]:
    lowest, highest = min(values), max(values)
    span = max(highest - lowest, _LEAST_SPAN)
    middle, room = (lowest + highest) / 2, _HEIGHT - _TOP - _BOTTOM
    return [round(_TOP + room * float(Decimal("0.5") - (value - middle) / span), 1) for value in values]


def _mark(x: float, y: float, point: Point, *, newest: bool) -> Markup:
    return Markup(
        '<circle class="{kind}" cx="{x}" cy="{y}" r="{r}"/>'
        '<text class="value {kind}" x="{x}" y="{above}">{value}</text>'
        '<text class="label" x="{x}" y="{base}">{label}</text><text class="label" x="{x}" y="{low}">{under}</text>'
    ).format(
        kind="newest" if newest else "earlier",
        x=x,
        y=y,
        r=3.4 if newest else 2.6,
        above=round(y - 7, 1),
        value=f"{point.value:.1f}",
        base=_HEIGHT - 11,
        label=point.label,
        low=_HEIGHT - 2,
        under=point.under,
    )
