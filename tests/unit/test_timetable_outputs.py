"""What a timetable is given as: each form is parsed back and holds every lesson, where it is, and nothing else."""

import io
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import icalendar
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import load_workbook

from core.errors import InvalidInput
from core.timetable.grid import Grid, grid, grids, overview
from core.timetable.grid_dates import TermDates, dated, day_on, slots_on
from core.timetable.ics import calendar_of
from core.timetable.model import Calendar, Day, Group, Period, Problem, Timetable
from core.timetable.pages import PageLook, overview_page, short_signs, timetable_page
from core.timetable.pages_fit import fit
from core.timetable.view import View
from core.timetable.workbook import workbook_of, workbook_of_grids
from tests.factories.small_problems import random_timetable, small_problem
from tests.factories.tiny_school import CALENDAR, PERIODS, in_rooms, lesson, school, timetable

RUBY, BELLO = ("group", "ruby"), ("teacher", "bello")
LOOK = PageLook(school="Queen Amina College", term="First term", note="Version 3")
TERM = TermDates(starts_on=date(2027, 9, 13), ends_on=date(2027, 10, 8), time_zone="Africa/Lagos")
"""Four weeks from a Monday."""
PUBLISHED = datetime(2027, 9, 1, 10, tzinfo=UTC)
SEEDS = st.integers(0, 2**32)


def a_school() -> tuple[Problem, Timetable]:
    """Return a class with a double, two languages side by side and a room."""
    problem = school(
        lesson("double", duration=2, rooms=in_rooms("lab")),
        lesson("french", "French", groups=("french",)),
        lesson("igbo", "Igbo", groups=("igbo",), teachers=("okafor",)),
        lesson("waiting", "PE"),
    )
    return problem, timetable(double=(0, "lab"), french=2, igbo=2)


def subjects(shown: Grid) -> list[list[list[str] | None]]:
    """Return the subjects in each cell of a grid's only week, breaks left out."""
    return [
        [None if cell is None else [entry.subject for entry in cell.entries] for cell in row.cells]
        for row in shown.weeks[0].rows
        if not row.is_break
    ]


def test_a_class_sees_its_days_side_by_side() -> None:
    """A double takes two rows, parts of the class stand beside each other, the break lies between with its hours."""
    shown = grid(*a_school(), RUBY)
    week = shown.weeks[0]
    assert week.days == ("Monday", "Tuesday")
    assert subjects(shown) == [[["Mathematics"], []], [None, []], [["French", "Igbo"], []], [[], []]]
    double = week.rows[0].cells[0]
    assert double is not None
    assert (double.span, double.starts_at, double.ends_at, double.entries[0].rooms) == (
        2,
        "08:00",
        "09:20",
        ("Laboratory",),
    )
    pause = week.rows[2]
    assert (pause.is_break, pause.starts_at, pause.ends_at) == (True, "09:20", "09:40")
    assert [entry.subject for entry in shown.unplaced] == ["PE"]
    assert shown.periods == 3


def test_teachers_and_rooms_have_theirs() -> None:
    """A teacher sees own lessons alone, a room what is in it, and who has nothing is not among all."""
    problem, places = a_school()
    assert subjects(grid(problem, places, ("teacher", "okafor"))) == [[[], []], [[], []], [["Igbo"], []], [[], []]]
    assert [shown.id for shown in grids(problem, places, "room")] == ["lab"]
    assert [shown.id for shown in grids(problem, places, "group")] == ["ruby"]
    with pytest.raises(InvalidInput):
        grid(problem, places, ("room", "gone"))


def test_weeks_days_and_breaks_may_differ() -> None:
    """Each week has a table of its own, a shorter day ends before, and a double over a break goes on below it."""
    days = (
        Day(name="Monday", week="A", periods=PERIODS),
        Day(name="Tuesday", week="A", periods=PERIODS[:2]),
        Day(name="Monday", week="B", periods=PERIODS),
    )
    problem = school(lesson("long", duration=2), calendar=Calendar(days=days))
    shown = grid(problem, timetable(long=7), RUBY)
    assert [week.name for week in shown.weeks] == ["A", "B"]
    short = shown.weeks[0].rows[3].cells[1]
    assert short is not None
    assert short.slot is None
    below = shown.weeks[1].rows[3].cells[0]
    assert below is not None
    assert below.entries[0].is_continued


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS)
def test_every_placed_slot_is_shown_once(seed: int) -> None:
    """Whatever the week looks like, a grid shows each slot that each lesson takes exactly once, and no other."""
    random = Random(seed)
    problem = small_problem(random)
    places = random_timetable(random, problem)
    view = View(problem, places)
    for who in [*(("teacher", t.id) for t in problem.teachers), *(("group", g.id) for g in problem.groups)]:
        seen = [
            (entry.lesson, slot)
            for week in grid(problem, places, who).weeks
            for row in week.rows
            for cell in row.cells
            if cell is not None and cell.slot is not None
            for entry in cell.entries
            for slot in range(cell.slot, cell.slot + cell.span)
        ]
        wanted = [(own.id, slot) for own in problem.lessons_of[who] for slot in view.span(own)]
        assert sorted(seen) == sorted(wanted)


class _Tables(HTMLParser):
    """Reads tables back: the text of each cell by the columns and rows that it covers."""

    def __init__(self) -> None:
        super().__init__()
        self.cells: list[tuple[dict[str, str | None], str]] = []
        self.scopes: list[str] = []
        self.unclosed = 0
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in {"td", "th"}:
            self._inside = True
            self.unclosed += 1
            self.cells.append((dict(attrs), ""))
            self.scopes += [dict(attrs).get("scope") or ""] if tag == "th" else []
        assert tag not in {"script", "img", "link"}

    def handle_endtag(self, tag: str) -> None:
        if tag in {"td", "th"}:
            self._inside = False
            self.unclosed -= 1

    def handle_data(self, data: str) -> None:
        if self._inside:
            attributes, text = self.cells[-1]
            self.cells[-1] = attributes, f"{text} {data.strip()}".strip()


def read(html: str) -> _Tables:
    """Return the tables of a page."""
    tables = _Tables()
    tables.feed(html)
    assert tables.unclosed == 0
    return tables


def test_a_page_holds_the_grid() -> None:
    """The page has a header a day and a period, the double over two rows, and every name that is in the grid."""
    html = timetable_page([grid(*a_school(), RUBY)], LOOK)
    tables = read(html)
    assert tables.scopes.count("col") == 3
    assert tables.scopes.count("row") == 5
    (double,) = [text for attributes, text in tables.cells if attributes.get("rowspan") == "2"]
    assert double == "Mathematics Mrs Bello Laboratory"
    assert any("JSS 1 Ruby (French)" in text for _, text in tables.cells)
    assert "Without a place: PE" in html
    assert "Queen Amina College" in html


def test_letters_shrink_until_a_week_has_room() -> None:
    """A plain week has large letters and equal rows; one of many periods and long names has smaller, and still fits."""
    plain = grid(*a_school(), RUBY)
    easy = fit(plain, plain.weeks[0])
    assert (easy.scale, len({height for height in easy.heights if height})) == (1.0, 1)
    days = tuple(Day(name=f"Day {d}", periods=tuple(Period(name=str(p)) for p in range(12))) for d in range(6))
    groups = (Group(id="ruby", name="Senior Secondary Science and Technology 2 Ruby"),)
    long = [lesson(f"l{slot}", rooms=in_rooms("lab"), teachers=("bello", "okafor")) for slot in range(72)]
    problem = school(*long, groups=groups, calendar=Calendar(days=days))
    dense = grid(problem, timetable(**{f"l{slot}": (slot, "lab") for slot in range(72)}), BELLO)
    tight = fit(dense, dense.weeks[0])
    assert tight.scale < easy.scale
    assert sum(tight.heights) < 440


def test_names_are_text_on_a_page() -> None:
    """A name that looks like markup is shown as it is, and a colour that is none is refused."""
    groups = (Group(id="ruby", name="<script>alert(1)</script>"),)
    problem = school(lesson("maths"), groups=groups)
    shown = grid(problem, timetable(maths=0), RUBY)
    for html in (
        timetable_page([shown], LOOK),
        overview_page(overview(problem, timetable(maths=0)), LOOK),
        overview_page(overview(problem, timetable(maths=0), "teacher"), LOOK),
    ):
        assert "&lt;script&gt;" in html
        read(html)
    with pytest.raises(InvalidInput):
        timetable_page([shown], PageLook(school="", primary="red;}"))


def test_the_whole_school_is_on_a_sheet() -> None:
    """The overview has a row a class and a column a slot with the subject's sign, which the legend explains."""
    html = overview_page(overview(*a_school()), LOOK)
    texts = [text for _, text in read(html).cells]
    assert texts[-8:] == ["Mat", "Mat", "Fre+", "", "", "", "", ""]
    assert "Mathematics</li>" in html


def test_signs_are_short_and_different() -> None:
    """No two names get one sign, however much they are alike."""
    names = ["JSS 1 Ruby", "JSS 1 Red", "JSS 1 Rubin", "Mathematics", "Maths", "Mathe", "数学", "12", "---"]
    signs = short_signs(names)
    assert len(set(signs.values())) == len(names)
    assert signs["Mathe"] == "Mat"
    assert all(len(sign) <= 6 for sign in signs.values())


def test_a_workbook_holds_every_lesson() -> None:
    """The workbook has the overview and a sheet for each class, teacher and room, with the double merged."""
    book = load_workbook(io.BytesIO(workbook_of(*a_school(), title="First term")))
    assert book.sheetnames == ["Overview", "JSS 1 Ruby", "Mrs Bello", "Mr Okafor", "Laboratory"]
    sheet = book["JSS 1 Ruby"]
    assert [cell.value for cell in sheet[4]] == ["Period", "Monday", "Tuesday"]
    assert sheet["B5"].value == "Mathematics\nMrs Bello\nLaboratory"
    assert "B5:B6" in {str(merged) for merged in sheet.merged_cells.ranges}
    assert sheet["B7"].value == "Break"
    assert sheet["B8"].value.splitlines()[:2] == ["French", "JSS 1 Ruby (French)"]
    assert [cell.value for cell in book["Overview"][6]][:4] == [
        "JSS 1 Ruby",
        "Mathematics",
        "Mathematics",
        "French / Igbo",
    ]


def test_a_name_is_no_formula() -> None:
    """Names that begin like formulas stay text, and names of sheets are made such as Excel takes, each its own."""
    groups = (
        Group(id="ruby", name="=HYPERLINK(1)"),
        Group(id="art", name="=hyperlink(1)"),
        Group(id="x", name="a/b" * 20),
    )
    problem = school(*(lesson(one.id, groups=(one.id,)) for one in groups), groups=groups)
    book = load_workbook(io.BytesIO(workbook_of(problem, timetable(ruby=0, art=1, x=2), title="+1")))
    assert len({name.casefold() for name in book.sheetnames}) == len(book.sheetnames) == 5
    for sheet in book.worksheets:
        for row in sheet.iter_rows():
            assert all(cell.data_type in {"s", "n"} for cell in row)
            assert all(cell.quotePrefix for cell in row if str(cell.value or "").startswith(("=", "+")))
    one = load_workbook(io.BytesIO(workbook_of_grids([grid(problem, timetable(ruby=0), RUBY)], title="")))
    assert len(one.sheetnames) == 1


def events(data: bytes) -> list[Any]:
    """Return the events of a calendar that is as the standard wants it; what a property holds has no one type."""
    read = icalendar.Calendar.from_ical(data)
    assert read["VERSION"] == "2.0"
    assert data.endswith(b"END:VCALENDAR\r\n")
    return list(read.walk("VEVENT"))


def dates_of(event: Any) -> list[datetime]:
    """Return when a series takes place, as a program that subscribed works it out."""
    starts, rule = event["DTSTART"].dt, event.get("RRULE")
    if rule is None:
        return [starts]
    closed = event.get("EXDATE", [])
    closed = {each.dt for listed in (closed if isinstance(closed, list) else [closed]) for each in listed.dts}
    step = timedelta(weeks=rule.get("INTERVAL", [1])[0])
    every = [starts]
    while every[-1] + step <= rule["UNTIL"][0]:
        every.append(every[-1] + step)
    return [each for each in every if each not in closed]


def test_a_calendar_repeats_through_the_term() -> None:
    """A lesson is one weekly series in the school's time, without the holidays, and says who and where."""
    problem, places = a_school()
    term = replace(TERM, holidays=frozenset({date(2027, 9, 20)}))
    found = events(
        calendar_of(problem, places, RUBY, term, name="Ruby", source="t1", version=3, published_at=PUBLISHED)
    )
    double = next(event for event in found if event["UID"] == "double.t1@schoolos")
    lagos = ZoneInfo("Africa/Lagos")
    assert dates_of(double) == [datetime(2027, 9, 13, 8, tzinfo=lagos) + timedelta(days=days) for days in (0, 14, 21)]
    assert double["DTEND"].dt - double["DTSTART"].dt == timedelta(minutes=80)
    assert (str(double["SUMMARY"]), str(double["LOCATION"]), double["SEQUENCE"]) == ("Mathematics", "Laboratory", 3)
    assert len(found) == 3


def test_a_moved_lesson_keeps_its_uid() -> None:
    """In the next version a lesson is the same event with a higher number, so that it moves where it is subscribed."""
    problem, places = a_school()
    moved = Timetable(placements=tuple(p.model_copy(update={"slot": 4}) for p in places.placements[:1]))
    was, now = (
        events(calendar_of(problem, t, BELLO, TERM, name="B", source="t1", version=v, published_at=PUBLISHED))
        for t, v in ((places, 1), (moved, 2))
    )
    assert now[0]["UID"] in {event["UID"] for event in was}
    assert (now[0]["SEQUENCE"], now[0]["DTSTART"].dt.date()) == (2, date(2027, 9, 14))


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS, start=st.dates(date(2027, 1, 1), date(2028, 1, 1)), days=st.integers(0, 60))
def test_a_calendar_is_the_timetable_on_every_date(seed: int, start: date, days: int) -> None:
    """On each date of any term the calendar has what the timetable has on that day of its cycle, A and B in turn."""
    random = Random(seed)
    problem = small_problem(random)
    places = random_timetable(random, problem)
    closed = frozenset(start + timedelta(days=random.randint(0, 60)) for _ in range(3))
    term = TermDates(starts_on=start, ends_on=start + timedelta(days=days), time_zone="Africa/Lagos", holidays=closed)
    who = ("teacher", random.choice(problem.teachers).id)
    data = calendar_of(problem, places, who, term, name="x", source="t", version=1, published_at=PUBLISHED)
    got = {
        (str(e["UID"]).split(".")[0], when.date(), when.hour * 60 + when.minute)
        for e in events(data)
        for when in dates_of(e)
    }
    view = View(problem, places)
    wanted = {
        (own.id, on, problem.calendar.period(view.span(own).start).starts_at)
        for on, day in dated(problem.calendar, term).items()
        for own in view.placed(problem.lessons_of[who])
        if view.day(own) == day
    }
    assert got == wanted


def test_weeks_a_and_b_take_turns() -> None:
    """The term begins with the week that is named; weekends and holidays are no days of the cycle."""
    days = tuple(Day(name="Mon", week=week, periods=PERIODS) for week in ("A", "B"))
    calendar = Calendar(days=days)
    assert list(dated(calendar, TERM).values()) == [0, 1, 0, 1]
    from_b = replace(TERM, first_week="B", holidays=frozenset({date(2027, 9, 20)}))
    assert dated(calendar, from_b) == {date(2027, 9, 13): 1, date(2027, 9, 27): 1, date(2027, 10, 4): 0}
    assert slots_on(CALENDAR, TERM, date(2027, 9, 14)) == (4, 5, 6, 7)
    assert day_on(CALENDAR, TERM, date(2027, 9, 18)) is None


def test_what_has_no_dates_or_hours_is_refused() -> None:
    """A term that ends before it begins, an unknown week and periods without hours are refused with the place."""
    problem, places = a_school()
    bare = Calendar(days=(Day(name="Monday", periods=(Period(name="1"),) * 8),))
    backwards = replace(TERM, ends_on=date(2027, 1, 1))
    unknown = replace(TERM, first_week="C")
    for refused, dates in (
        (problem, backwards),
        (problem, unknown),
        (problem.model_copy(update={"calendar": bare}), TERM),
    ):
        with pytest.raises(InvalidInput) as raised:
            calendar_of(refused, places, RUBY, dates, name="x", source="t", version=1, published_at=PUBLISHED)
        assert raised.value.faults
