"""Timetables printed by the real browser: each on the sheets that it is meant for, with everything on it."""

from collections.abc import AsyncIterator

import pytest

from cluster.checks import find_browser
from core.adapters.chromium import ChromiumRenderer
from core.reports.faces import css
from core.timetable.grid import grid, overview
from core.timetable.model import Calendar, Day, Group, Period, Problem, Timetable
from core.timetable.pages import PageLook, overview_page, timetable_page
from tests.factories.printing import FONTS, pages_of
from tests.factories.tiny_school import in_rooms, lesson, school, timetable

LOOK = PageLook(school="Queen Amina College", note="Version 3", fonts_css=css("sans"))


@pytest.fixture(scope="module")
async def renderer(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ChromiumRenderer]:
    """A browser of this module."""
    program = find_browser()
    assert program, "there is no Chromium: run `make setup`"
    made = ChromiumRenderer(program, fonts=FONTS, folder=tmp_path_factory.mktemp("browser"))
    yield made
    await made.close()


def a_full_school() -> tuple[Problem, Timetable]:
    """Return two weeks of six days with eleven periods, in each of which a class with a long name has a lesson."""
    periods = tuple(
        Period(name=str(i + 1), starts_at=450 + 40 * i, ends_at=490 + 40 * i, break_after=i in {3, 7})
        for i in range(11)
    )
    names = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
    days = tuple(Day(name=name, week=week, periods=periods) for week in "AB" for name in names)
    groups = (Group(id="ruby", name="Senior Secondary 2 Science and Technology Ruby"),)
    lessons = [lesson(f"l{slot}", rooms=in_rooms("lab"), teachers=("bello", "okafor")) for slot in range(132)]
    problem = school(*lessons, groups=groups, calendar=Calendar(days=days))
    return problem, timetable(**{f"l{slot}": (slot, "lab") for slot in range(132)})


async def test_each_week_is_on_one_sheet(renderer: ChromiumRenderer) -> None:
    """A class, a teacher and a room with every period of long days taken have each week on one sheet, to the footer."""
    problem, places = a_full_school()
    shown = [grid(problem, places, who) for who in (("group", "ruby"), ("teacher", "bello"), ("room", "lab"))]
    pdf = await renderer.render(timetable_page(shown, LOOK), landscape=True, tagged=True, deadline_s=60)
    pages = pages_of(pdf)
    assert len(pages) == 6
    for page in pages:
        assert "Queen Amina College" in page.text
        assert "132 periods in 2 weeks" in page.text


async def test_the_whole_school_is_printed(renderer: ChromiumRenderer) -> None:
    """The overview of two weeks of eleven periods a day has as many sheets as days have room on, and no more."""
    html = overview_page(overview(*a_full_school()), LOOK)
    pages = pages_of(await renderer.render(html, landscape=True, tagged=True, deadline_s=60))
    assert len(pages) == 3
    assert all("Mat" in page.text for page in pages)
