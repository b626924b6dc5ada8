"""FET's files: what each constraint means by the checker, what is not kept, and what is written back.

The week is Monday and Tuesday with four hours each: slots 0 to 3 and 4 to 7.
"""

import pytest

from core.errors import InvalidInput
from core.timetable.bounds import MOST_DAYS
from core.timetable.checker import validate
from core.timetable.formats import FORMATS, format_of
from core.timetable.formats.fet.reader import read_fet
from core.timetable.formats.fet.writer import write_fet
from core.timetable.model import Placement, Timetable
from tests.factories.fet_files import about, activity, constraint, fet_file, room, times
from tests.factories.tiny_school import SCHOOL, in_rooms, lesson, rule, school, timetable

TWO = (activity(1, split="1"), activity(2, split="1"))
PAIR = (("First_Activity_Id", "1"), ("Second_Activity_Id", "2"))
APART = (("Consecutive_If_Same_Day", "true"), *about(1, 2), ("MinDays", "1"))
EARLY = times("Preferred_Starting_Time", ("Mon", "8"), ("Tue", "8"), prefix="Preferred_Starting_")
AT_EIGHT = times("Selected_Time_Slot", ("Mon", "8"), ("Tue", "8"), prefix="Selected_")
EVERYONE = [("Teacher_Name", ""), ("Students_Name", ""), ("Subject_Name", "Maths"), ("Activity_Tag_Name", "")]
HARD_CASES = (
    ("MinDaysBetweenActivities", APART, (0, 4), (0, 1)),
    ("MaxDaysBetweenActivities", (*about(1, 2), ("MaxDays", "0")), (0, 2), (0, 4)),
    ("ActivityPreferredStartingTimes", (("Activity_Id", "1"), *EARLY), (4, 1), (2, 0)),
    ("ActivitiesPreferredStartingTimes", (*EVERYONE, *EARLY), (0, 4), (0, 1)),
    ("ActivityPreferredDay", (("Activity_Id", "1"), ("Preferred_Day", "Tue")), (5, 0), (1, 0)),
    (
        "ActivityPreferredStartingTime",
        (("Activity_Id", "1"), ("Preferred_Day", "Tue"), ("Preferred_Hour", "9")),
        (5, 0),
        (4, 0),
    ),
    ("ActivitiesSameStartingHour", about(1, 2), (1, 5), (1, 6)),
    ("ActivitiesSameStartingDay", about(1, 2), (0, 3), (0, 4)),
    ("TwoActivitiesConsecutive", PAIR, (2, 3), (3, 2)),
    ("TwoActivitiesGrouped", PAIR, (3, 2), (1, 3)),
    ("TwoActivitiesOrdered", PAIR, (2, 4), (4, 2)),
    ("TwoActivitiesOrderedIfSameDay", PAIR, (4, 2), (2, 1)),
    ("MinGapsBetweenActivities", (*about(1, 2), ("MinGaps", "2")), (0, 3), (0, 2)),
    ("ActivityEndsStudentsDay", (("Activity_Id", "1"),), (3, 2), (1, 2)),
    (
        "ActivitiesOccupyMaxTimeSlotsFromSelection",
        (*about(1, 2), *AT_EIGHT, ("Max_Number_of_Occupied_Time_Slots", "1")),
        (0, 1),
        (0, 4),
    ),
    ("TeacherMaxDaysPerWeek", (("Teacher_Name", "Bello"), ("Max_Days_Per_Week", "1")), (0, 3), (0, 4)),
    ("TeachersMaxGapsPerWeek", (("Max_Gaps", "1"),), (0, 2), (0, 3)),
    ("StudentsSetMaxGapsPerDay", (("Max_Gaps", "0"), ("Students", "Red")), (0, 1), (0, 2)),
    ("TeachersMaxHoursDaily", (("Maximum_Hours_Daily", "1"),), (0, 4), (0, 1)),
    ("StudentsMinHoursDaily", (("Minimum_Hours_Daily", "2"), ("Allow_Empty_Days", "true")), (0, 3), (0, 4)),
    ("StudentsMaxHoursContinuously", (("Maximum_Hours_Continuously", "1"),), (0, 2), (0, 1)),
    ("StudentsEarlyMaxBeginningsAtSecondHour", (("Max_Beginnings_At_Second_Hour", "1"),), (1, 4), (1, 5)),
    ("StudentsMaxSpanPerDay", (("Max_Span", "3"),), (0, 2), (0, 3)),
    ("TeachersMinRestingHours", (("Minimum_Resting_Hours", "2"), ("Circular", "false")), (2, 5), (2, 4)),
    (
        "TeacherIntervalMaxDaysPerWeek",
        (
            ("Teacher_Name", "Bello"),
            ("Interval_Start_Hour", "8"),
            ("Interval_End_Hour", "9"),
            ("Max_Days_Per_Week", "1"),
        ),
        (0, 5),
        (0, 4),
    ),
)


def placed(*slots: int) -> Timetable:
    """Return the activities 1, 2, ... in these slots."""
    return Timetable(placements=tuple(Placement(lesson=str(i + 1), slot=slot) for i, slot in enumerate(slots)))


@pytest.mark.parametrize(("name", "fields", "kept", "broken"), HARD_CASES, ids=[case[0] for case in HARD_CASES])
def test_a_constraint_of_100_percent_is_a_law(
    name: str, fields: tuple[str, ...], kept: tuple[int, int], broken: tuple[int, int]
) -> None:
    """What FET demands makes a timetable invalid where it is broken, and costs nothing where it is kept."""
    read = read_fet(fet_file(*TWO, time=(constraint(name, *fields),)))
    assert not read.notes
    good = validate(read.problem, placed(*kept))
    assert good.valid, good.violations
    assert not validate(read.problem, placed(*broken)).valid


def test_a_constraint_below_100_percent_is_a_wish_of_that_weight() -> None:
    """A conflict costs its percentage, and that both are in one go on their day holds always."""
    wish = constraint("MinDaysBetweenActivities", *APART, percentage="95")
    problem = read_fet(fet_file(*TWO, time=(wish,))).problem
    assert (validate(problem, placed(0, 1)).hard, validate(problem, placed(0, 1)).soft) == (0, 95)
    assert not validate(problem, placed(0, 2)).valid


def test_students_are_their_smallest_parts() -> None:
    """Groups of a year don't clash with each other, and both do with the year; what attends alike is one group."""
    three = (activity(1, "Red"), activity(2, "Blue", teacher="Sani"), activity(3, "Year", teacher="Sani"))
    problem = read_fet(fet_file(*three)).problem
    assert {group.id for group in problem.groups} == {"Red", "Blue"}
    assert validate(problem, placed(0, 0, 1)).valid
    assert not validate(problem, placed(0, 1, 0)).valid
    assert [group.id for group in read_fet(fet_file(activity(1))).problem.groups] == ["Year"]


def test_a_break_is_no_period() -> None:
    """A break makes no gap, holds no block, and is not crossed by one."""
    breaks = constraint("BreakTimes", *times("Break_Time", ("Mon", "9")))
    no_gaps = constraint("TeachersMaxGapsPerWeek", ("Max_Gaps", "0"))
    problem = read_fet(fet_file(activity(1), activity(2, duration="2"), time=(breaks, no_gaps))).problem
    assert problem.calendar.slots == 7
    assert validate(problem, placed(0, 1)).valid
    assert not validate(problem, placed(3, 0)).valid


def test_an_absence_is_no_gap() -> None:
    """A free period in which the teacher is away does not count."""
    away = constraint("TeacherNotAvailableTimes", ("Teacher", "Bello"), *times("Not_Available_Time", ("Mon", "9")))
    no_gaps = constraint("TeachersMaxGapsPerWeek", ("Max_Gaps", "0"))
    problem = read_fet(fet_file(*TWO, time=(away, no_gaps))).problem
    assert validate(problem, placed(0, 2)).valid
    assert not validate(problem, placed(0, 3)).valid
    assert not validate(problem, placed(1, 2)).valid


def test_rooms_come_from_constraints() -> None:
    """A preferred room goes before a home room, several constraints hold, a virtual room is one of each set."""
    prefers = constraint(
        "SubjectPreferredRooms", ("Subject", "Maths"), ("Preferred_Room", "A"), ("Preferred_Room", "B")
    )
    own = constraint("ActivityPreferredRoom", ("Activity_Id", "1"), ("Room", "B"))
    home = constraint("StudentsSetHomeRoom", ("Students", "Year"), ("Room", "A"))
    both = constraint("ActivityPreferredRoom", ("Activity_Id", "3"), ("Room", "AB"))
    three = (activity(1), activity(2, subject="PE"), activity(3, subject="PE"))
    rooms = room("A") + room("B") + room("AB", ("A",), ("A", "B"))
    first, second, third = read_fet(fet_file(*three, space=(prefers, own, home, both), rooms=rooms)).problem.lessons
    assert [[choice.room for choice in need.choices] for need in first.rooms] == [["B"]]
    assert [[choice.room for choice in need.choices] for need in second.rooms] == [["A"]]
    assert [[choice.room for choice in need.choices] for need in third.rooms] == [["A"], ["A", "B"]]


def test_a_cycle_may_have_as_many_days_as_blocks_are_planned_for() -> None:
    """A course planned over 34 days is read, with all of its days; one of more days than a cycle has is refused."""
    file = fet_file(*TWO).decode()
    days = [f"<Day><Name>D{d}</Name></Day>" for d in range(MOST_DAYS - 1)]
    many = file.replace("<Days_List>", f"<Days_List>{''.join(days[:32])}")
    assert len(read_fet(many.encode()).problem.calendar.days) == 34
    with pytest.raises(InvalidInput):
        read_fet(file.replace("<Days_List>", f"<Days_List>{''.join(days)}").encode())


def test_what_is_not_supported_is_named_with_its_count() -> None:
    """Nothing is dropped in silence, and a law that is lost is told as one."""
    unknown = constraint("TeachersMaxWonder", ("Max_Wonder", "1"))
    read = read_fet(fet_file(*TWO, time=(unknown, unknown)))
    assert [(note.what, note.hard) for note in read.notes] == [("not supported: TeachersMaxWonder (2 times)", True)]
    assert not read.is_whole


@pytest.mark.parametrize(
    "data",
    [
        b"<fet",
        b"<other/>",
        b'<!DOCTYPE fet [<!ENTITY a "aaaa">]><fet>&a;</fet>',
        b"<fet>" + b"<a>" * 100 + b"</a>" * 100 + b"</fet>",
        fet_file(activity(1, duration="99")),
        fet_file(activity(1, duration="many")),
        fet_file(*TWO, time=(constraint("ActivityPreferredDay", ("Activity_Id", "1"), ("Preferred_Day", "Sun")),)),
        fet_file(activity(1), activity(1)),
    ],
)
def test_a_file_that_can_not_be_read_is_refused(data: bytes) -> None:
    """Each mistake, entity and bomb is refused as input, with its place."""
    with pytest.raises(InvalidInput) as refused:
        read_fet(data)
    assert refused.value.faults


def test_a_file_keeps_all_it_had_and_gets_the_locks() -> None:
    """The timetable is written as locks; a wish that it breaks is switched off; the file reads back with its places."""
    wish = constraint("MinDaysBetweenActivities", *APART, percentage="95")
    kept = constraint("TeachersMaxGapsPerWeek", ("Max_Gaps", "1"), percentage="50")
    source = fet_file(*TWO, time=(wish, kept))
    written = write_fet(read_fet(source).problem, placed(4, 5), source)
    assert len(written.notes) == 1
    back = read_fet(written.data).problem
    assert [lesson.locked_slot for lesson in back.lessons] == [4, 5]
    assert {rule.kind for rule in back.rules} == {"gaps"}


def test_a_name_is_written_letter_by_letter_as_the_file_has_it() -> None:
    """FET takes an hour or a room whose name ends with a space for another than the one without."""
    own = constraint("ActivityPreferredRoom", ("Activity_Id", "1"), ("Room", "Hall "), percentage="90")
    source = fet_file(activity(1), space=(own,), rooms=room("Hall ")).replace(b"<Name>9</Name>", b"<Name>9 </Name>")
    there = Timetable(placements=(Placement(lesson="1", slot=1, rooms=("Hall",)),))
    data = write_fet(read_fet(source).problem, there, source).data
    assert b"<Preferred_Hour>9 </Preferred_Hour>" in data
    assert data.count(b"<Room>Hall </Room>") == 2


def test_a_timetable_of_another_file_is_refused() -> None:
    """Locks of activities that are not there are not written."""
    source = fet_file(activity(1))
    with pytest.raises(InvalidInput):
        write_fet(read_fet(source).problem, placed(0, 1), source)


def test_a_problem_of_our_own_becomes_a_file() -> None:
    """Names, parts of classes, absences, laws and locks read back; what has no word is named."""
    lessons = (
        lesson("a", rooms=in_rooms("lab", "hall")),
        lesson("b"),
        lesson("c", "French", groups=("french",), teachers=("okafor",)),
        lesson("d", "Igbo", groups=("igbo",), duration=2),
    )
    laws = (
        rule("one_block_a_day"),
        rule("compact_day", people={"groups": ["ruby"]}),
        rule("blocks_within_breaks"),
        rule("lunch", people={"groups": ["ruby"]}, slots=[1, 5]),
        rule("gaps", hard=False),
    )
    problem = school(*lessons, rules=laws)
    written = write_fet(problem, timetable(a=(0, "lab"), b=4, c=1, d=2), None)
    assert {note.what.split()[2] for note in written.notes} == {"lunch", "gaps"}
    back = read_fet(written.data)
    assert not back.notes
    assert [lesson.locked_slot for lesson in back.problem.lessons] == [0, 4, 1, 2]
    assert {teacher.id for teacher in back.problem.teachers} == {teacher.name for teacher in SCHOOL.teachers}
    assert {rule.kind for rule in back.problem.rules} >= {"days_apart", "begins_early", "preferred_starts"}
    assert back.problem.lessons[2].groups != back.problem.lessons[3].groups


def test_every_form_is_told_by_its_files() -> None:
    """Extensions lead to forms, of those with one extension by what is in the file; a name goes before both."""
    assert format_of("a.fet", b"").name == "fet"
    assert format_of("a.ectt", b"COURSES:").name == "ectt"
    assert format_of("a.xlsx", b"").name == "xlsx"
    assert format_of("a.txt", b"", "csv").name == "csv"
    with pytest.raises(InvalidInput):
        format_of("a.txt", b"")
    assert len({form.name for form in FORMATS}) == len(FORMATS)
