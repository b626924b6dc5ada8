"""How large letters may be for a week to fit on one sheet: reckoned from how many lines its cells need."""

import math
from dataclasses import dataclass

from core.timetable.grid import Cell, Entry, Grid, Row, Week

_SCALES = (1.0, 0.92, 0.84, 0.76, 0.68, 0.6, 0.54, 0.48)
"""Of the largest letters; smaller ones nobody reads off a wall, so what needs more goes on on another sheet."""
_WIDTH_PT, _HOURS_PT, _GAP_PT = 781.0, 62.0, 2.5
_HEIGHT_PT = 436.0
"""For periods and breaks, below the days' names."""
_BREAK_PT = 19.0
_INNER_PT = 15.0
"""What a cell's padding and the bar at its side take of its width."""
_STRONG, _PLAIN = (10.9, 0.63), (8.3, 0.56)
"""Size of letters in points, and how wide one is on average by that size."""
_BESIDE = 0.8
"""Letters of lessons that stand beside each other are smaller by so much."""
_LEADING, _PADDING_PT = 1.2, 3.5


@dataclass(frozen=True, slots=True)
class Fit:
    """How a week is set."""

    scale: float
    heights: tuple[float, ...]
    """Points that each row takes; breaks have 0, for their own."""


def fit(grid: Grid, week: Week) -> Fit:
    """Return the largest letters with which a week fits, all periods equally high where that can be."""
    for scale in _SCALES:
        needs = [0.0 if row.is_break else _need(grid, row, len(week.days), scale) for row in week.rows]
        periods = sum(not row.is_break for row in week.rows)
        free = _HEIGHT_PT - _BREAK_PT * (len(week.rows) - periods) - _GAP_PT * len(week.rows)
        if sum(needs) <= free or scale == _SCALES[-1]:
            break
    equal = free / periods
    if max(needs) <= equal:
        return Fit(scale, tuple(0.0 if row.is_break else equal for row in week.rows))
    spare = max(0.0, free - sum(needs)) / periods
    return Fit(scale, tuple(need + spare if need else 0.0 for need in needs))


def _need(grid: Grid, row: Row, days: int, scale: float) -> float:
    width = (_WIDTH_PT - _HOURS_PT - _GAP_PT * (days + 2)) / days - _INNER_PT
    cells = [_height(grid, row, cell, width, scale) / cell.span for cell in row.cells if cell is not None]
    return max(cells, default=0.0) or _PLAIN[0]


def _height(grid: Grid, row: Row, cell: Cell, width: float, scale: float) -> float:
    hours = "" if row.starts_at else f"{cell.starts_at}–{cell.ends_at}"
    if len(cell.entries) == 1:
        return _PADDING_PT + _entry(cell.entries[0].subject, [*_under(grid, cell.entries[0]), hours], width, scale)
    beside = ((entry.subject, [" · ".join(filter(None, (*_under(grid, entry), hours)))]) for entry in cell.entries)
    return sum(_PADDING_PT + _entry(subject, under, width, scale * _BESIDE) for subject, under in beside)


def _under(grid: Grid, entry: Entry) -> list[str]:
    """Return what stands under a subject, a line each."""
    others = [", ".join(name for name in names if name != grid.name) for names in (entry.groups, entry.teachers)]
    rooms = "" if grid.kind == "room" else ", ".join(entry.rooms)
    return [*others, rooms, "continued" if entry.is_continued else ""]


def _entry(subject: str, under: list[str], width: float, size: float) -> float:
    return _lines(subject, _STRONG, width, size) + sum(_lines(text, _PLAIN, width, size) for text in under)


def _lines(text: str, letters: tuple[float, float], width: float, size: float) -> float:
    """Return how high a text is; words that don't fit whole leave an end of the line free."""
    height, broad = letters[0] * size, letters[1] * letters[0] * size
    if not text:
        return 0.0
    a_line = max(1.0, width / broad)
    lines, used = 1, 0.0
    for word in text.split():
        if used and used + 1 + len(word) > a_line:
            lines, used = lines + 1, 0.0
        used += len(word) + (1 if used else 0)
        lines += math.ceil(used / a_line) - 1
        used = min(used, a_line)
    return lines * height * _LEADING
