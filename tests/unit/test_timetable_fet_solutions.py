"""Timetables as FET writes them: the list of activities, and the file with every activity locked."""

import pytest

from core.errors import InvalidInput
from core.timetable.checker import validate
from core.timetable.formats import format_of
from core.timetable.formats.fet.solutions import read_solved
from core.timetable.formats.native import write_timetable
from core.timetable.model import Placement, Timetable
from tests.factories.fet_files import activity, constraint, fet_file, room

VIRTUAL = constraint("ActivityPreferredRoom", ("Activity_Id", "1"), ("Room", "AB"))
SOURCE = fet_file(activity(1), activity(2), space=(VIRTUAL,), rooms=room("A") + room("B") + room("AB", ("A",), ("B",)))


def listed(*activities: tuple[int, str, str, str]) -> bytes:
    """Return a list of (activity, day, hour, elements of its rooms) with the mark with which FET begins its files."""
    rows = (
        f"<Activity>\n\t<Id>{one}</Id>\n\t<Day>{day}</Day>\n\t<Hour>{hour}</Hour>\n\t{rooms}\n</Activity>\n"
        for one, day, hour, rooms in activities
    )
    head = '\ufeff<?xml version="1.0" encoding="UTF-8"?>\n'
    return f"{head}<Activities_Timetable>\n{''.join(rows)}</Activities_Timetable>\n".encode()


IN_BOTH = "<Room>AB</Room><Real_Room>A</Real_Room><Real_Room>B</Real_Room>"
NO_ROOM = "<Room></Room>"


def test_a_list_of_activities_is_judged() -> None:
    """A clash in FET's list is found, and a virtual room stands for the real ones that are named beside it."""
    problem, good = format_of("a.fet", SOURCE).read_judged(
        SOURCE, listed((1, "Tue", "8", IN_BOTH), (2, "Mon", "9", NO_ROOM))
    )
    assert validate(problem, good, complete=True).valid
    assert good.by_lesson["1"] == Placement(lesson="1", slot=4, rooms=("A", "B"))
    _, clash = read_solved(SOURCE, listed((1, "Mon", "9", IN_BOTH), (2, "Mon", "9", NO_ROOM)))
    assert not validate(problem, clash, complete=True).valid


def test_what_is_not_placed_is_missing() -> None:
    """An activity that a list leaves out, or gives no time, is told as missing."""
    problem, partial = read_solved(SOURCE, listed((1, "Tue", "8", IN_BOTH), (2, "", "", NO_ROOM)))
    verdict = validate(problem, partial, complete=True)
    assert [violation.lessons for violation in verdict.violations if violation.hard] == [("2",)]


def test_a_file_with_locks_is_a_timetable() -> None:
    """The last constraint of 100 % on an activity's time, and on its room, is where it is; others are wishes."""

    def starts(one: int, day: str, hour: str, percentage: str = "100") -> str:
        where = (("Activity_Id", str(one)), ("Preferred_Day", day), ("Preferred_Hour", hour))
        return constraint("ActivityPreferredStartingTime", *where, percentage=percentage)

    real = (("Number_of_Real_Rooms", "2"), ("Real_Room", "A"), ("Real_Room", "B"))
    lock = constraint("ActivityPreferredRoom", ("Activity_Id", "1"), ("Room", "AB"), *real)
    wish = starts(2, "Mon", "8", "50")
    locked = fet_file(
        activity(1), activity(2), time=(starts(1, "Tue", "8"), starts(2, "Tue", "9"), wish), space=(VIRTUAL, lock)
    )
    problem, found = read_solved(SOURCE, locked)
    assert {p.lesson: (p.slot, p.rooms) for p in found.placements} == {"1": (4, ("A", "B")), "2": (5, ())}
    assert validate(problem, found, complete=True).valid


def test_a_timetable_of_our_own_is_taken_as_well() -> None:
    """What was solved here into JSON is judged against the file of FET."""
    kept = Timetable(placements=(Placement(lesson="2", slot=3),))
    assert read_solved(SOURCE, write_timetable(kept))[1] == kept


@pytest.mark.parametrize(
    "solution",
    [
        b"<Teachers_Timetable/>",
        b"<Activities_Timetable>",
        listed((9, "Mon", "8", NO_ROOM)),
        listed((1, "Sun", "8", NO_ROOM)),
        listed((1, "Mon", "7", NO_ROOM)),
        listed((1, "Mon", "8", "<Room>C</Room>")),
    ],
)
def test_what_is_of_another_problem_is_refused(solution: bytes) -> None:
    """Activities, days, hours and rooms that the problem does not have are named with their line."""
    with pytest.raises(InvalidInput) as refused:
        read_solved(SOURCE, solution)
    assert refused.value.faults


def test_a_break_holds_nothing() -> None:
    """A place that is a break is no place."""
    source = fet_file(
        activity(1),
        time=(constraint("BreakTimes", "<Break_Time>\n<Day>Mon</Day>\n<Hour>9</Hour>\n</Break_Time>\n"),),
    )
    with pytest.raises(InvalidInput, match="break"):
        read_solved(source, listed((1, "Mon", "9", NO_ROOM)))
