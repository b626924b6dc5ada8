"""Writes a problem and its timetable as a workbook that can be filled in and read again, or as plain CSV."""

import csv
import io
from collections.abc import Iterable, Iterator
from itertools import groupby

from openpyxl import Workbook
from openpyxl.cell.cell import Cell
from openpyxl.styles import Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.worksheet import Worksheet

from core.school.spreadsheets import writable, write_text
from core.timetable.formats.naming import with_names
from core.timetable.formats.reading import Note, Written
from core.timetable.formats.sheets.tables import COLUMNS
from core.timetable.formats.sheets.times import words_of
from core.timetable.formats.sheets.wishes import WISHES, words_of_rule
from core.timetable.model import Calendar, Day, Lesson, Period, Problem, Timetable

_HEAD = PatternFill("solid", fgColor="1D4F91")
_Row = tuple[str | int | None, ...]


def write_workbook(problem: Problem, timetable: Timetable | None, source: bytes | None = None) -> Written:  # noqa: ARG001
    """Return the workbook, with a note for each rule that it has no words for."""
    problem, timetable = with_names(problem, timetable)
    unsaid = [rule for rule in problem.rules if words_of_rule(rule, problem) is None]
    rows: dict[str, Iterable[_Row]] = {
        "Days": _days(problem.calendar),
        "Teachers": ((t.id, words_of(t.unavailable, problem.calendar)) for t in problem.teachers),
        "Classes": (
            (g.id, g.size, g.within, g.division, words_of(g.unavailable, problem.calendar)) for g in problem.groups
        ),
        "Rooms": (
            (r.id, r.kind, r.capacity, r.building, words_of(r.unavailable, problem.calendar)) for r in problem.rooms
        ),
        "Lessons": _lessons(problem),
        "Wishes": _wishes(problem),
        "Timetable": _placed(problem, timetable),
    }
    notes = [
        Note(what=f"not written: the rule {rule.kind}: the sheet has no words for it", hard=rule.hard)
        for rule in unsaid
    ]
    return Written(data=_saved(rows), notes=tuple(dict.fromkeys(notes)))


def template() -> bytes:
    """Return the workbook to fill in, with a week and an example in each sheet."""
    periods = tuple(Period(name=str(p + 1), starts_at=480 + 45 * p, ends_at=520 + 45 * p) for p in range(8))
    days = tuple(Day(name=day, periods=periods) for day in ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday"))
    return _saved(
        {
            "Days": _days(Calendar(days=days)),
            "Teachers": [("Mrs Bello", "Friday 5-8"), ("Mr Okafor", "")],
            "Classes": [("JSS 1 Ruby", 30, "", "", "")],
            "Rooms": [("Laboratory 1", "Laboratory", 32, "", "")],
            "Lessons": [
                ("Mathematics", "JSS 1 Ruby", "Mrs Bello", 5, "", ""),
                ("Basic Science", "JSS 1 Ruby", "Mr Okafor", 4, "2, 1, 1", "Laboratory"),
            ],
            "Wishes": [
                ("once a day", "", "", "yes", ""),
                ("at most periods a day", "all teachers", 6, "yes", ""),
                ("only at", "Mathematics", "every day 1-4", "no", 2),
            ],
            "Timetable": [],
        }
    )


def write_csv(problem: Problem, timetable: Timetable | None, source: bytes | None = None) -> Written:  # noqa: ARG001
    """Return the lessons with their places as CSV, which spreadsheet programs show as it is (CWE-1236)."""
    problem, timetable = with_names(problem, timetable)
    target = io.StringIO()
    lines = csv.writer(target)
    lines.writerow(COLUMNS["Timetable"])
    for row in _placed(problem, timetable or Timetable()):
        lines.writerow([_plain(cell) for cell in row])
    notes = (Note(what="not written: the rules and absences: the file is a list of lessons"),)
    return Written(data=b"\xef\xbb\xbf" + target.getvalue().encode(), notes=notes if problem.rules else ())


def _plain(cell: str | int | None) -> str:
    text = writable(str("" if cell is None else cell))
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def _days(calendar: Calendar) -> Iterator[_Row]:
    for day in calendar.days:
        for period in day.periods:
            hours = (_clock(period.starts_at), _clock(period.ends_at))
            yield day.name, period.name, *hours, "yes" if period.break_after else "", day.week


def _clock(minutes: int | None) -> str:
    return "" if minutes is None else f"{minutes // 60}:{minutes % 60:02d}"


def _lessons(problem: Problem) -> Iterator[_Row]:
    for _, together in groupby(problem.lessons, key=lambda lesson: (lesson.course, lesson.rooms)):
        lessons = list(together)
        lengths = ", ".join(str(lesson.duration) for lesson in lessons)
        total = sum(lesson.duration for lesson in lessons)
        yield *_what(problem, lessons[0]), total, lengths if total > len(lessons) else "", _rooms(lessons[0])


def _what(problem: Problem, lesson: Lesson) -> tuple[str, str, str]:
    return problem.subject[lesson.subject].name, ", ".join(lesson.groups), ", ".join(lesson.teachers)


def _rooms(lesson: Lesson) -> str:
    return ", ".join(dict.fromkeys(choice.room for need in lesson.rooms for choice in need.choices))


def _wishes(problem: Problem) -> Iterator[_Row]:
    for rule in problem.rules:
        words = words_of_rule(rule, problem)
        if words is not None:
            yield *words, "yes" if rule.hard else "no", rule.weight


def _placed(problem: Problem, timetable: Timetable | None) -> Iterator[_Row]:
    """Yield each lesson with its place, in the order of the week."""
    calendar = problem.calendar
    for placement in sorted(timetable.placements if timetable else (), key=lambda each: each.slot):
        lesson = problem.lesson[placement.lesson]
        day = calendar.days[calendar.day_of[placement.slot]]
        rooms = ", ".join(room for room in placement.rooms if room is not None)
        period = calendar.period(placement.slot).name
        yield *_what(problem, lesson), lesson.duration, day.name, period, day.week, rooms


def _saved(rows: dict[str, Iterable[_Row]]) -> bytes:
    workbook = Workbook()
    for sheet in workbook.worksheets:
        workbook.remove(sheet)
    for name, columns in COLUMNS.items():
        sheet = workbook.create_sheet(name)
        _fill(sheet, [columns, *rows.get(name, ())])
    _offer(workbook["Wishes"])
    target = io.BytesIO()
    workbook.save(target)
    return target.getvalue()


def _fill(sheet: Worksheet, rows: Iterable[_Row]) -> None:
    for number, row in enumerate(rows, start=1):
        for column, value in enumerate(row, start=1):
            cell = sheet.cell(number, column)
            assert isinstance(cell, Cell)  # noqa: S101 - a new sheet has no merged cells
            if isinstance(value, int):
                cell.value = value
            elif value:
                write_text(cell, value)
            if number == 1:
                cell.font, cell.fill = Font(bold=True, color="FFFFFF"), _HEAD
    for column in range(1, sheet.max_column + 1):
        sheet.column_dimensions[get_column_letter(column)].width = 22
    sheet.freeze_panes = "A2"


def _offer(sheet: Worksheet) -> None:
    """Offer the wishes that there are in their column."""
    choice = DataValidation(type="list", formula1=f'"{",".join(WISHES)}"', allow_blank=True)
    sheet.add_data_validation(choice)
    choice.add("A2:A500")
