"""What FET says of half days, whole ones and blocks, and of changes of rooms, held to what FET itself accepts."""

import pytest

from core.timetable.checker import validate
from core.timetable.formats.fet.reader import read_fet
from core.timetable.model import Placement, Timetable
from tests.factories.fet_files import about, activity, constraint, fet_file, room

DAYS = "".join(f"<Day><Name>{day}{half}</Name></Day>" for day in ("Wed", "Thu") for half in "12")
FOUR = tuple(activity(number) for number in range(1, 5))
BELLO = "<Name>Bello</Name>"
BEHAVIOURS = (
    ("Unrestricted", 9),
    ("Exclusive", 0),
    ("One day exception", 1),
    ("Two days exception", 2),
    ("Three days exception", 3),
)
"""With on how many days somebody may work in both halves."""
FROM_AFTERNOON = "Allow_Afternoon_Morning_Afternoon_Morning_Exception"
ROOMS = room("A") + room("B") + room("AB", ("A",), ("B",))


def half_days(file: bytes, behaviour: str = "Unrestricted") -> bytes:
    """Return a file of three mornings and afternoons, four hours each, with Bello's behaviour."""
    text = file.decode().replace("<Days_List>", f"<Mode>Mornings_Afternoons</Mode><Days_List>{DAYS}")
    told = f"<Mornings_Afternoons_Behavior>{behaviour}</Mornings_Afternoons_Behavior>"
    return text.replace(BELLO, f"{BELLO}{told}").encode()


def on(*days: int) -> Timetable:
    """Return the activities 1, 2, ... in the first hours of these half days."""
    return at(*(4 * day for day in days))


def at(*slots: int) -> Timetable:
    """Return the activities 1, 2, ... in these slots."""
    return Timetable(placements=tuple(Placement(lesson=str(i + 1), slot=slot) for i, slot in enumerate(slots)))


def in_rooms(*places: tuple[int, str]) -> Timetable:
    """Return the activities 1, 2, ... in these slots and rooms."""
    return Timetable(
        placements=tuple(Placement(lesson=str(i + 1), slot=slot, rooms=(at,)) for i, (slot, at) in enumerate(places))
    )


@pytest.mark.parametrize(("behaviour", "most"), BEHAVIOURS)
def test_a_teacher_works_in_both_halves_of_so_many_days(behaviour: str, most: int) -> None:
    """A day with a morning and its afternoon counts, one of either does not, nor an afternoon with the next morning."""
    read = read_fet(half_days(fet_file(*FOUR), behaviour))
    assert not read.notes
    assert validate(read.problem, on(0, 3, 4)).valid
    assert validate(read.problem, on(1, 2)).valid
    assert validate(read.problem, on(2, 3)).valid == (most >= 1)
    assert validate(read.problem, on(0, 1, 4, 5)).valid == (most >= 2)


@pytest.mark.parametrize(("version", "valid"), [("5.27.3-ma3", False), ("5.40-morocco", True)])
def test_an_old_variant_counts_the_hours_of_whole_days(version: str, valid: bool) -> None:
    """Before FET had words for both, one variant meant a morning with its afternoon by hours a day."""
    law = constraint("TeachersMaxHoursDaily", ("Maximum_Hours_Daily", "1"))
    listed = "<Exception_Teachers_One_Day_List><Teacher>Bello</Teacher></Exception_Teachers_One_Day_List>"
    text = fet_file(activity(1), activity(2), time=(law,)).decode().replace('"6.0.0"', f'"{version}"')
    problem = read_fet(text.replace("<Days_List>", f"{listed}<Days_List>{DAYS}").encode()).problem
    assert validate(problem, on(0, 2)).valid
    assert validate(problem, on(0, 1)).valid == valid


@pytest.mark.parametrize("version", ['"6.0.0"><Mode>Block_Planning</Mode', '"5.44.4-bp"'])
def test_students_are_once_in_a_block(version: str) -> None:
    """Where hours are blocks, students are once in each, on whichever day and for however long; teachers need not."""
    blocks = (activity(1, "Red"), activity(2, "Red", duration="2"), activity(3, "Blue"))
    problem = read_fet(fet_file(*blocks).decode().replace('"6.0.0"', version).encode()).problem
    assert validate(problem, at(0, 5, 4)).valid
    assert not validate(problem, at(1, 5, 4)).valid
    assert not validate(problem, at(2, 5, 4)).valid
    assert validate(read_fet(fet_file(*blocks)).problem, at(2, 5, 4)).valid


def test_files_from_before_list_who_has_an_exception() -> None:
    """Where a file names those with an exception in a list, all others of Morocco's variant have none."""
    two = fet_file(activity(1), activity(2), activity(3, teacher="Sani"), activity(4, teacher="Sani"))
    listed = "<Exception_Teachers_One_Day_List><Teacher>Sani</Teacher></Exception_Teachers_One_Day_List>"
    text = two.decode().replace("<Days_List>", f"{listed}<Days_List>{DAYS}").replace('"6.0.0"', '"5.40-morocco"')
    problem = read_fet(text.encode()).problem
    assert validate(problem, on(0, 2, 4, 5)).valid
    assert not validate(problem, on(0, 1, 2, 4)).valid


def test_an_unknown_behaviour_is_named() -> None:
    """A word for a teacher's half days that is none of FET's is told as a law that is lost."""
    read = read_fet(half_days(fet_file(*FOUR), "Sometimes"))
    assert [note.what for note in read.notes] == [
        "not supported: morning or afternoon (1 time): “Sometimes” for some teachers"
    ]
    assert not read.is_whole


@pytest.mark.parametrize("allowed", ["false", "true"])
def test_three_half_days_in_a_row_are_the_most(allowed: str) -> None:
    """Four half days in a row break it, but from an afternoon on where that is excepted; real days don't count."""
    law = constraint("TeachersMaxThreeConsecutiveDays", (FROM_AFTERNOON, allowed))
    read = read_fet(half_days(fet_file(*FOUR, activity(5), time=(law,))))
    assert not read.notes
    assert validate(read.problem, on(0, 1, 2, 4)).valid
    assert not validate(read.problem, on(0, 1, 2, 3)).valid
    assert validate(read.problem, on(1, 2, 3, 4)).valid == (allowed == "true")
    assert not validate(read.problem, on(1, 2, 3, 4, 5)).valid


@pytest.mark.parametrize("whose", [("Teacher", [("Teacher_Name", "Bello")]), ("Teachers", [])])
def test_two_of_three_tags_are_the_most_a_half_day(whose: tuple[str, list[tuple[str, str]]]) -> None:
    """Activities of N1, N2 and N3 are not all in one half day; two kinds, or one in the other half, may be."""
    tagged = [activity(number, tag=tag) for number, tag in enumerate(("N1", "N2", "N3", "lab"), start=1)]
    law = constraint(f"{whose[0]}MaxTwoActivityTagsPerDayFromN1N2N3", *whose[1])
    read = read_fet(half_days(fet_file(*tagged, time=(law,))))
    assert not read.notes
    assert validate(read.problem, at(0, 1, 4, 2)).valid
    assert not validate(read.problem, at(0, 1, 2, 4)).valid


def test_activities_of_different_lengths_start_at_one_hour() -> None:
    """A double and a single start at the same hour on different days, and at different hours they don't."""
    law = constraint("ActivitiesSameStartingHour", *about(1, 2))
    read = read_fet(fet_file(activity(1), activity(2, duration="2"), time=(law,)))
    assert not read.notes
    assert validate(read.problem, at(1, 5)).valid
    assert not validate(read.problem, at(1, 4)).valid


def test_one_day_may_be_an_hour_longer() -> None:
    """A day beyond the span by an hour is fine once a week, by two hours never."""
    exception = ("Allow_One_Day_Exception_of_Plus_One", "true")
    law = constraint("TeacherMaxSpanPerDay", ("Teacher_Name", "Bello"), ("Max_Span", "2"), exception)
    read = read_fet(fet_file(*FOUR, time=(law,)))
    assert not read.notes
    assert validate(read.problem, at(0, 2, 4, 5)).valid
    assert not validate(read.problem, at(0, 2, 4, 6)).valid
    assert not validate(read.problem, at(0, 3, 4, 5)).valid


def test_consecutive_activities_share_their_room() -> None:
    """One that starts where another ends is in its room; after a free hour, or on another day, it may be elsewhere."""
    law = constraint("ActivitiesSameRoomIfConsecutive", *about(1, 2))
    either = constraint("SubjectPreferredRooms", ("Subject", "Maths"), ("Preferred_Room", "A"), ("Preferred_Room", "B"))
    read = read_fet(fet_file(*FOUR[:2], space=(law, either), rooms=ROOMS))
    assert not read.notes
    assert validate(read.problem, in_rooms((0, "A"), (1, "A"))).valid
    assert validate(read.problem, in_rooms((0, "A"), (2, "B"))).valid
    assert validate(read.problem, in_rooms((3, "A"), (4, "B"))).valid
    assert not validate(read.problem, in_rooms((0, "A"), (1, "B"))).valid


def test_changes_of_rooms_take_their_time() -> None:
    """So many hours lie between two rooms of the same students, also where another activity is between."""
    law = constraint(
        "StudentsSetMinGapsBetweenRoomChanges", ("Students", "Year"), ("Min_Gaps_Between_Room_Changes", "2")
    )
    either = constraint("SubjectPreferredRooms", ("Subject", "Maths"), ("Preferred_Room", "A"), ("Preferred_Room", "B"))
    read = read_fet(fet_file(*FOUR[:3], space=(law, either), rooms=ROOMS))
    assert not read.notes
    assert validate(read.problem, in_rooms((0, "A"), (3, "B"))).valid
    assert validate(read.problem, in_rooms((0, "A"), (1, "A"), (2, "A"))).valid
    assert not validate(read.problem, in_rooms((0, "A"), (2, "B"))).valid


def test_changes_between_virtual_rooms_are_named() -> None:
    """Where an activity has several rooms at once, changes of its room are told as a law that is lost."""
    law = constraint("ActivitiesSameRoomIfConsecutive", *about(1, 2))
    virtual = constraint("ActivityPreferredRoom", ("Activity_Id", "1"), ("Room", "AB"))
    read = read_fet(fet_file(*FOUR[:2], space=(law, virtual), rooms=ROOMS))
    assert [note.what for note in read.notes] == [
        "not supported: changes of rooms (1 time): some of its activities are in virtual rooms"
    ]
