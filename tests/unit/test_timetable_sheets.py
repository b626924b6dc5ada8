"""Workbooks and CSV of timetables: read by people's words, told by cell, written so that they read back."""

import io
from typing import Any

import pytest
from openpyxl import Workbook, load_workbook

from core.errors import InvalidInput
from core.timetable.checker import validate
from core.timetable.formats.sheets.reader import read_lessons, read_workbook
from core.timetable.formats.sheets.times import slots_in, words_of
from core.timetable.formats.sheets.writer import template, write_csv, write_workbook
from core.timetable.model import Teacher
from tests.factories.tiny_school import CALENDAR, SCHOOL, in_rooms, lesson, rule, school, timetable

LESSONS = ["Subject", "Classes", "Teachers", "Periods", "Lengths", "Rooms"]


def book(**sheets: list[list[Any]]) -> bytes:
    """Return a workbook of these sheets."""
    workbook = Workbook()
    for sheet in workbook.worksheets:
        workbook.remove(sheet)
    for name, rows in sheets.items():
        sheet = workbook.create_sheet(name)
        for row in rows:
            sheet.append(row)
    target = io.BytesIO()
    workbook.save(target)
    return target.getvalue()


def test_lessons_are_all_that_is_needed() -> None:
    """Teachers, classes and rooms come from the lessons, the week is five days of eight periods."""
    rows: list[list[Any]] = [
        LESSONS,
        ["Maths", "JSS 1", "Mrs Bello", 3, "2", ""],
        ["French", "JSS 1, JSS 2", "Mr Sani", 1, "", "Room 1, Room 2"],
    ]
    problem = read_workbook(book(Lessons=rows)).problem
    assert problem.calendar.slots == 40
    assert [lesson.duration for lesson in problem.lessons] == [2, 1, 1]
    assert {group.name for group in problem.groups} == {"JSS 1", "JSS 2"}
    assert [choice.room for choice in problem.lessons[2].rooms[0].choices] == ["Room 1", "Room 2"]


def test_the_template_is_a_problem_itself() -> None:
    """What we hand out can be handed in: a room by its kind, absences and wishes in words."""
    problem = read_workbook(template()).problem
    assert [rule.kind for rule in problem.rules] == ["one_block_a_day", "periods_a_day", "preferred_slots"]
    assert problem.teacher["Mrs Bello"].unavailable == {36, 37, 38, 39}
    assert problem.lessons[-1].rooms[0].choices[0].room == "Laboratory 1"


@pytest.mark.parametrize(
    ("sheets", "where"),
    [
        ({"Lessons": [LESSONS, ["Maths", "A", "B", "many"]]}, "Lessons!D2"),
        ({"Lessons": [LESSONS, ["Maths", "A", "B", 2, "2, 2"]]}, "Lessons!E2"),
        ({"Lessons": [LESSONS, [None, "A", "B", 2]]}, "Lessons!A2"),
        ({"Lessons": [LESSONS, ["=1+1", "A", "B", 2]]}, "Lessons!A2"),
        ({"Lessons": [["Subjekt"], ["Maths"]]}, "Lessons!A1"),
        ({"Lessons": [LESSONS]}, "Lessons!A1"),
        ({"Lessons": [LESSONS, ["Maths"]], "Teachers": [["Name", "Not available"], ["B", "Someday"]]}, "Teachers!B2"),
        ({"Lessons": [LESSONS, ["Maths"]], "Teachers": [["Name"], ["B"], ["B"]]}, "Teachers!A3"),
        ({"Lessons": [LESSONS, ["Maths"]], "Wishes": [["Wish"], ["be happy"]]}, "Wishes!A2"),
        ({"Lessons": [LESSONS, ["Maths"]], "Wishes": [["Wish", "For"], ["once a day", "Alchemy"]]}, "Wishes!B2"),
        ({"Lessons": [LESSONS, ["Maths"]], "Days": [["Day", "Period", "From"], ["Mon", "1", "noon"]]}, "Days!C2"),
        (
            {"Lessons": [LESSONS, ["Maths"]], "Timetable": [["Subject", "Day", "Period"], ["Music", "Monday", 1]]},
            "Timetable!A2",
        ),
        (
            {"Lessons": [LESSONS, ["Maths"]], "Timetable": [["Subject", "Day", "Period"], ["Maths", "Sunday", 1]]},
            "Timetable!B2",
        ),
    ],
)  # fmt: skip
def test_mistakes_are_told_by_their_cell(sheets: dict[str, list[list[Any]]], where: str) -> None:
    """What makes no sense is refused with sheet and cell."""
    with pytest.raises(InvalidInput) as refused:
        read_workbook(book(**sheets))
    assert refused.value.faults[0].where == where


def test_a_school_reads_back_as_it_was_written() -> None:
    """Lessons, classes, rooms, absences, wishes and the timetable come back; what has no words is named."""
    lessons = (
        lesson("a", rooms=in_rooms("lab", "hall")),
        lesson("b", duration=2),
        lesson("c", "PE", teachers=("okafor",)),
    )
    rules = (
        rule("gaps", people={"teachers": ["*"]}, hard=False, weight=3),
        rule("periods_a_day", people={"teachers": ["bello"]}, most=3),
        rule("avoided_slots", lessons={"subjects": ["PE"]}, slots=[0, 4], hard=False),
        rule("lunch", people={"groups": ["ruby"]}, slots=[1]),
    )
    away = Teacher(id="okafor", name="Mr Okafor", unavailable=frozenset({1, 2}))
    problem = school(*lessons, rules=rules, teachers=(SCHOOL.teachers[0], away))
    places = timetable(a=(4, "hall"), b=2, c=3)
    written = write_workbook(problem, places)
    assert [note.hard for note in written.notes] == [True]
    back = read_workbook(written.data)
    assert back.problem.calendar == CALENDAR
    assert [(each.kind, each.hard, each.weight) for each in back.problem.rules] == [
        (each.kind, each.hard, each.weight) for each in rules[:3]
    ]
    assert back.problem.teacher["Mr Okafor"].unavailable == {1, 2}
    assert back.timetable is not None
    before = validate(problem.model_copy(update={"rules": rules[:3]}), places, complete=True)
    after = validate(back.problem, back.timetable, complete=True)
    assert (after.hard, after.soft) == (before.hard, before.soft)


def test_text_that_looks_like_a_formula_stays_text() -> None:
    """Neither Excel nor a CSV reader finds a formula, and the name comes back as it was."""
    name = '=HYPERLINK("http://x")'
    bad = Teacher(id="bello", name=name)
    problem = school(lesson("a"), teachers=(bad, SCHOOL.teachers[1]))
    sheet = load_workbook(io.BytesIO(write_workbook(problem, None).data))["Teachers"]
    assert sheet["A2"].data_type == "s"
    text = write_csv(problem, timetable(a=0)).data.decode("utf-8-sig")
    assert f"\"'{name[:1]}" in text.replace('""', '"') or f"'{name[:1]}" in text
    assert name in read_lessons(text.encode()).problem.teacher


def test_a_csv_file_is_lessons_or_a_timetable() -> None:
    """Rows with a day and a period place their lessons; without, they are lessons to place."""
    plain = read_lessons(b"Subject;Classes;Teachers;Periods\nMaths;JSS 1;Bello;2\n")
    assert (len(plain.problem.lessons), plain.timetable) == (2, None)
    placed = read_lessons(b"Subject,Classes,Teachers,Length,Day,Period,Room\nMaths,JSS 1,Bello,2,Tuesday,3,Hall\n")
    assert placed.timetable is not None
    assert [(each.slot, each.rooms) for each in placed.timetable.placements] == [(10, ("Hall",))]


def test_times_are_people_s() -> None:
    """Days, ranges and lists become slots and come back as words."""
    slots = slots_in("Monday 1-2, 4; tuesday", CALENDAR)
    assert not isinstance(slots, str)
    assert sorted(slots) == [0, 1, 3, 4, 5, 6, 7]
    assert words_of(slots, CALENDAR) == "Monday 1-2, 4; Tuesday"
    assert slots_in("every day 1", CALENDAR) == slots_in("Monday 1; Tuesday 1", CALENDAR)
    assert "no period" in str(slots_in("Monday 7", CALENDAR))
