"""A timetable as a page for the wall: HTML that prints on A4 across, and refers to nothing outside itself."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

from jinja2 import FileSystemLoader, StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup

from core.errors import Fault, InvalidInput
from core.timetable.grid import Cell, Entry, Grid, Overview, OverviewRow
from core.timetable.pages_fit import fit
from core.timetable.wording import listed

_FOLDER = Path(__file__).parent / "templates"
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
_COLUMNS, _ROWS = 45, 22
"""So many periods and people have room on a sheet."""
_HEADINGS = {"group": "All classes", "teacher": "All teachers", "room": "All rooms"}
_SHORT, _LONG = 3, 4
"""Letters of a sign for one word, and for several."""
_NO_HUE = 215


@dataclass(frozen=True, slots=True, kw_only=True)
class PageLook:
    """What stands around a timetable, and in which colour."""

    school: str
    title: str = "Timetable"
    term: str = ""
    note: str = ""
    """At the foot: ``Version 3, published on 12 January 2027``."""
    primary: str = "#1d4f91"
    fonts_css: str = ""
    """Rules that give the page a typeface by the name ``Card``, made by this program; others are used without."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """As much of an overview as has room on one sheet."""

    days: tuple[tuple[str, int], ...]
    periods: tuple[str, ...]
    rows: tuple[OverviewRow, ...]

    @property
    def firsts(self) -> frozenset[int]:
        """The columns in which a day begins."""
        begins, found = 0, set()
        for _, length in self.days:
            found.add(begins)
            begins += length
        return frozenset(found)

    @property
    def label(self) -> str:
        """What is on the sheet, in words."""
        days = listed([day for day, _ in self.days])
        return f"{days}, {self.rows[0].name} to {self.rows[-1].name}" if self.rows else days


def timetable_page(grids: Sequence[Grid], look: PageLook) -> str:
    """Return timetables of classes, teachers or rooms, each week on a sheet of its own."""
    return _rendered("timetable.html", look, grids=grids, fit=fit)


def overview_page(overview: Overview, look: PageLook) -> str:
    """Return the whole school, on as few sheets as it has room on."""
    entries = [entry for row in overview.rows for cell in row.cells for entry in cell.entries]
    codes, legend = _signs(overview.kind, entries)

    def sign(cell: Cell) -> str:
        found = list(dict.fromkeys(codes[name] for entry in cell.entries for name in _named(overview.kind, entry)))
        return found[0] + ("+" if len(found) > 1 else "") if found else ""

    return _rendered(
        "overview.html",
        look,
        overview=overview,
        heading=_HEADINGS[overview.kind],
        parts=_parts(overview),
        sign=sign,
        legend=legend,
    )


def _rendered(template: str, look: PageLook, **values: object) -> str:
    if not _COLOUR.fullmatch(look.primary):
        what = "a colour is written like #1d4f91"
        raise InvalidInput(what, [Fault("/primary", what, "pattern")])
    fonts = Markup(look.fonts_css)  # noqa: S704 - style rules that this program made
    page = _environment().get_template(template)
    return page.render(look=look, fonts=fonts, ink=_ink(look.primary), **values)


@cache
def _environment() -> ImmutableSandboxedEnvironment:
    return ImmutableSandboxedEnvironment(
        loader=FileSystemLoader(_FOLDER), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )


def _named(kind: str, entry: Entry) -> tuple[str, ...]:
    """Return what is written in an overview: a class's subjects, else the classes."""
    return (entry.subject,) if kind == "group" or not entry.groups else entry.groups


def _signs(kind: str, entries: list[Entry]) -> tuple[dict[str, str], list[tuple[str, str, int]]]:
    """Return a short sign for each name that is written, and the legend, in which colours are the subjects'."""
    codes = short_signs({name for entry in entries for name in _named(kind, entry)})
    hue_of = {entry.subject: entry.hue for entry in entries}
    return codes, [(codes[name], name, hue_of.get(name, _NO_HUE)) for name in sorted(codes)]


def short_signs(names: Iterable[str]) -> dict[str, str]:
    """Return a sign of a few letters a name, no two the same: ``Mat``, ``J1R`` for JSS 1 Ruby."""
    taken: dict[str, str] = {}
    for name in sorted(names):
        words = re.findall(r"\d+|[^\W\d_]+", name) or [name]
        telling = [word for word in words if not word[0].islower()] or words
        initials = "".join(word if word.isdigit() else word[0] for word in telling)[:_LONG]
        proposals = [words[0][:_SHORT] if len(words) == 1 else initials, initials[:2] + words[-1][:2], words[0][:4]]
        numbered = (f"{proposals[0]}{number}" for number in range(2, len(taken) + 3))
        sign = next(sign for sign in (*proposals, *numbered) if sign not in taken.values())
        taken[name] = sign
    return taken


def _parts(overview: Overview) -> list[_Part]:
    """Cut an overview to sheets, between days and between rows."""
    cuts, columns = [0], 0
    begins = [0]
    for index, (_, length) in enumerate(overview.days):
        if columns and columns + length > _COLUMNS:
            cuts.append(index)
            columns = 0
        columns += length
        begins.append(begins[-1] + length)
    sheets = max(1, -(-len(overview.rows) // _ROWS))
    size = max(1, -(-len(overview.rows) // sheets))
    rows = [overview.rows[first : first + size] for first in range(0, len(overview.rows), size)] or [()]
    return [
        _Part(
            days=overview.days[first:last],
            periods=overview.periods[begins[first] : begins[last]],
            rows=tuple(row.model_copy(update={"cells": row.cells[begins[first] : begins[last]]}) for row in some),
        )
        for first, last in pairwise([*cuts, len(overview.days)])
        for some in rows
    ]


def _ink(colour: str) -> str:
    """Return white, or near black where that reads better on a colour (WCAG relative luminance)."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "#ffffff" if luminance < 0.36 else "#14181f"
