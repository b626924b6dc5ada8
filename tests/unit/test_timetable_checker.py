"""What no school lists and every timetable has to keep: clashes, absences, locks, the day's end, rooms, places."""

from typing import Any

import pytest

from core.timetable.checker import score, validate
from core.timetable.lowering import lower
from core.timetable.model import Calendar, Group, Placement, Problem, Room, Timetable
from tests.factories.tiny_school import CALENDAR, SCHOOL, in_rooms, lesson, rule, school, timetable

LAB = in_rooms("lab")
A, B = lesson("a"), lesson("b", "Biology", groups=("art",))


def away(kind: str, name: str, *slots: int) -> dict[str, Any]:
    """Return the school's people or rooms of a kind, one of them absent in some slots."""
    changed = [
        one.model_copy(update={"unavailable": frozenset(slots if one.id == name else ())})
        for one in getattr(SCHOOL, kind)
    ]
    return {kind: tuple(changed)}


BROKEN: dict[str, tuple[Problem, Timetable, str, str]] = {
    "teacher": (
        school(A, B),
        timetable(a=2, b=2),
        "teacher_clash",
        "Mrs Bello teaches JSS 1 Ruby Mathematics and SSS 2 Art Biology at the same time on Monday, period 3.",
    ),
    "class": (
        school(A, lesson("c", "PE", teachers=("okafor",))),
        timetable(a=4, c=4),
        "group_clash",
        "Students of JSS 1 Ruby have JSS 1 Ruby Mathematics and JSS 1 Ruby PE at the same time on Tuesday, period 1.",
    ),
    "part and its class": (
        school(A, lesson("f", "French", teachers=(), groups=("french",))),
        timetable(a=0, f=0),
        "group_clash",
        (
            "Students of JSS 1 Ruby and JSS 1 Ruby (French) have JSS 1 Ruby Mathematics and JSS 1 Ruby (French) French "
            "at the same time on Monday, period 1."
        ),
    ),
    "parts of two divisions": (
        school(lesson("f", "French", groups=("french",)), lesson("c", "PE", teachers=(), groups=("choir",))),
        timetable(f=0, c=0),
        "group_clash",
        (
            "Students of JSS 1 Ruby (choir) and JSS 1 Ruby (French) have JSS 1 Ruby (choir) PE and JSS 1 Ruby (French) "
            "French at the same time on Monday, period 1."
        ),
    ),
    "room": (
        school(lesson("a", rooms=LAB), lesson("b", "Biology", teachers=(), groups=("art",), rooms=LAB)),
        timetable(a=(0, "lab"), b=(0, "lab")),
        "room_clash",
        "Laboratory is given to JSS 1 Ruby Mathematics and SSS 2 Art Biology at the same time on Monday, period 1.",
    ),
    "one room twice": (
        school(lesson("a", rooms=LAB + LAB)),
        Timetable(placements=(Placement(lesson="a", slot=0, rooms=("lab", "lab")),)),
        "room_clash",
        (
            "Laboratory is given to JSS 1 Ruby Mathematics and JSS 1 Ruby Mathematics at the same time on Monday, "
            "period 1."
        ),
    ),
    "absent teacher": (
        school(lesson("a", duration=2), **away("teachers", "bello", 1)),
        timetable(a=0),
        "teacher_unavailable",
        "Mrs Bello is not available on Monday, period 2 for JSS 1 Ruby Mathematics.",
    ),
    "absent class": (
        school(A, **away("groups", "ruby", 0)),
        timetable(a=0),
        "group_unavailable",
        "JSS 1 Ruby is not available on Monday, period 1 for JSS 1 Ruby Mathematics.",
    ),
    "closed room": (
        school(lesson("a", rooms=LAB), **away("rooms", "lab", 0)),
        timetable(a=(0, "lab")),
        "room_unavailable",
        "Laboratory is not available on Monday, period 1 for JSS 1 Ruby Mathematics.",
    ),
    "locked slot": (
        school(lesson("a", locked_slot=5)),
        timetable(a=0),
        "lock",
        "JSS 1 Ruby Mathematics is fixed to Tuesday, period 2, and is on Monday, period 1.",
    ),
    "locked room": (
        school(lesson("a", rooms=in_rooms("lab", "hall"), locked_rooms=("hall",))),
        timetable(a=(0, "lab")),
        "lock",
        "JSS 1 Ruby Mathematics on Monday, period 1 is fixed to Hall, and is in Laboratory.",
    ),
    "end of the day": (
        school(lesson("a", duration=2)),
        timetable(a=3),
        "end_of_day",
        "JSS 1 Ruby Mathematics takes 2 periods and runs past the end of the day from Monday, period 4.",
    ),
    "unknown lesson": (
        school(A),
        timetable(a=0, z=1),
        "unknown_lesson",
        "The timetable places a lesson “z” that there is not.",
    ),
    "unknown slot": (
        school(A),
        timetable(a=8),
        "unknown_slot",
        "JSS 1 Ruby Mathematics is in slot 8; they are 0 to 7.",
    ),
    "twice": (
        school(A),
        Timetable(placements=(Placement(lesson="a", slot=0), Placement(lesson="a", slot=1))),
        "placed_twice",
        "The timetable places JSS 1 Ruby Mathematics 2 times.",
    ),
    "wrong room": (
        school(lesson("a", rooms=LAB)),
        timetable(a=(0, "hall")),
        "room_choice",
        "Hall is no room for JSS 1 Ruby Mathematics (on Monday, period 1).",
    ),
    "too many rooms": (
        school(A),
        timetable(a=(0, "hall")),
        "room_choice",
        "JSS 1 Ruby Mathematics on Monday, period 1 has 1 room; it needs none.",
    ),
}


@pytest.mark.parametrize("what", BROKEN)
def test_broken_law_is_named_in_words(what: str) -> None:
    """A partial timetable that breaks one law has that one violation, with a sentence for a person."""
    problem, broken, law, sentence = BROKEN[what]
    verdict = validate(problem, broken)
    assert [(violation.rule, violation.sentence) for violation in verdict.violations] == [(law, sentence)]
    assert not verdict.valid


def test_complete_timetable_lacks_nothing() -> None:
    """Only where a timetable has to be complete, a lesson without a place or a room breaks a law."""
    problem = school(lesson("a", rooms=LAB), B)
    partial = timetable(a=0)
    assert validate(problem, partial).valid
    found = validate(problem, partial, complete=True).violations
    assert [violation.sentence for violation in found] == [
        "JSS 1 Ruby Mathematics on Monday, period 1 has no room yet.",
        "SSS 2 Art Biology has no place yet.",
    ]
    assert score(problem, partial) == (2, 0)
    assert score(problem, timetable(a=(0, "lab"), b=1)) == (0, 0)


def test_parts_of_one_division_may_be_taught_at_once() -> None:
    """Students are in one part of a division, so its parts share nobody."""
    french, igbo = lesson("f", groups=("french",)), lesson("i", groups=("igbo",), teachers=("okafor",))
    assert validate(school(french, igbo), timetable(f=0, i=0), complete=True).violations == ()


def test_classes_that_share_students_clash() -> None:
    """Classes that are said to share students can't be taught at once, whichever of them says so."""
    groups = (Group(id="ruby", name="Ruby"), Group(id="art", name="Art", shares_with=frozenset({"ruby"})))
    problem = school(A, lesson("b", groups=("art",), teachers=("okafor",)), groups=groups)
    assert [violation.rule for violation in validate(problem, timetable(a=0, b=0)).violations] == ["group_clash"]


def test_hard_comes_before_soft_and_dear_before_cheap() -> None:
    """Violations come in the order in which a person should look at them."""
    wishes = (
        rule("avoided_slots", lessons={}, slots=[0], hard=False, weight=1),
        rule("avoided_slots", lessons={}, slots=[0], hard=False, weight=50),
    )
    verdict = validate(school(A, **away("teachers", "bello", 0), rules=wishes), timetable(a=0))
    assert [(violation.hard, violation.cost) for violation in verdict.violations] == [
        (True, 1),
        (False, 50),
        (False, 1),
    ]
    assert (verdict.hard, verdict.soft) == (1, 51)


def test_tied_lessons_of_one_teacher_have_no_start() -> None:
    """Lessons that a law ties to one start and that clash among themselves leave solvers nothing to try."""
    both = (A, lesson("b", "Biology", groups=("art",)))
    program = lower(school(*both, rules=(rule("same_start", lessons={}),)))
    assert [block.starts for block in program.blocks] == [()]


def test_divided_class_makes_as_few_exclusives_as_it_has_kinds_of_students() -> None:
    """Students with French and in the choir, and those with Igbo and in the choir: two sets that exclude each other."""
    lessons = [lesson(name, teachers=(), groups=(name,)) for name in ("ruby", "french", "igbo", "choir")]
    program = lower(school(*lessons))
    assert sorted(exclusive.blocks for exclusive in program.exclusives) == [(0, 1, 3), (0, 2, 3)]


def test_weeks_are_named_where_there_are_two() -> None:
    """A slot of a cycle of two weeks is told with its week."""
    days = tuple(day.model_copy(update={"week": week}) for week in ("A", "B") for day in CALENDAR.days)
    problem = school(A, calendar=Calendar(days=days), rules=(rule("avoided_slots", lessons={}, slots=[8]),))
    found = validate(problem, timetable(a=8)).violations
    assert [violation.slots for violation in found] == [(8,)]
    assert found[0].sentence.startswith("JSS 1 Ruby Mathematics is on Monday (week B), period 1, ")
    assert problem.calendar.weeks == (((0, 1, 2, 3), (4, 5, 6, 7)), ((8, 9, 10, 11), (12, 13, 14, 15)))


def test_copy_forgets_what_the_original_worked_out() -> None:
    """A changed copy of a problem knows its own lessons, not those that the original had looked up."""
    problem = school(A)
    assert problem.lesson.keys() == {"a"}
    changed = problem.model_copy(update={"lessons": (A, B), "rooms": (Room(id="x", name="X"),)})
    assert changed.lesson.keys() == {"a", "b"}
    assert changed.room.keys() == {"x"}
