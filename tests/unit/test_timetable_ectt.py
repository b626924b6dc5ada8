"""The competition's course timetables: its four costs by hand, and its own form of a solution."""

import pytest

from core.errors import InvalidInput
from core.timetable.checker import score, validate
from core.timetable.formats.ectt import read_ectt, read_solution, write_solution
from core.timetable.lowering import assignment_of, lower
from tests.factories.program_cost import cost

FILE = b"""Name: Tiny
Courses: 2
Rooms: 2
Days: 2
Periods_per_day: 3
Curricula: 1
Min_Max_Daily_Lectures: 1 2

COURSES:
maths bello 2 2 30 1
physics sani 2 1 12 0

ROOMS:
small 10 1
large 25 0

CURRICULA:
first 2 maths physics

UNAVAILABILITY_CONSTRAINTS:
physics 1 2

ROOM_CONSTRAINTS:
maths small

END.
"""
BEST = "maths large 0 0\nmaths large 1 0\nphysics large 0 1\nphysics large 1 1\n"


@pytest.mark.parametrize(
    ("solution", "soft"),
    [
        (BEST, 5 + 5),
        (BEST.replace("maths large 1 0", "maths small 1 0"), 10 + 15 + 1),
        (
            BEST.replace("maths large 1 0", "maths large 0 2").replace("physics large 1 1", "physics large 1 0"),
            10 + 5 + 2,
        ),
        (BEST.replace("physics large 1 1", "physics large 1 2").replace("maths large 1 0", "maths large 1 0"), None),
    ],
    ids=["seats", "seats and rooms", "days and company", "not available"],
)
def test_costs_are_the_competition_s(solution: str, soft: int | None) -> None:
    """Missing seats cost 1 each, missing days 5, a lecture alone 2, another room 1; an absence is a law."""
    problem = read_ectt(FILE).problem
    timetable = read_solution(solution.encode(), problem)
    if soft is None:
        assert not validate(problem, timetable).valid
        return
    assert score(problem, timetable) == (0, soft)
    program = lower(problem)
    assert cost(program, assignment_of(problem, program, timetable)) == (0, soft)


def test_a_solution_is_written_as_it_is_read() -> None:
    """Each lecture is a line of its own in the competition's form."""
    problem = read_ectt(FILE).problem
    timetable = read_solution(BEST.encode(), problem)
    assert sorted(write_solution(problem, timetable).data.decode().splitlines()) == sorted(BEST.splitlines())


def test_what_is_no_part_of_the_competition_is_named() -> None:
    """Shut rooms, lectures in pairs and the daily bounds are counted in notes, none of which is a law."""
    read = read_ectt(FILE)
    assert len(read.notes) == 3
    assert read.is_whole


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        (b"Days: 2", b"Days: many", "line 4"),
        (b"Days: 2\n", b"", ""),
        (b"maths bello 2 2 30 1", b"maths bello", "line 10"),
        (b"first 2 maths physics", b"first 2 maths music", "line 18"),
        (b"physics 1 2", b"physics 1 3", "line 21"),
        (b"physics sani", b"maths sani", "line 11"),
    ],
)
def test_mistakes_are_told_by_their_line(old: bytes, new: bytes, place: str) -> None:
    """A file that makes no sense is refused with the line of its mistake."""
    with pytest.raises(InvalidInput) as refused:
        read_ectt(FILE.replace(old, new, 1))
    assert refused.value.faults[0].where == place


@pytest.mark.parametrize("line", ["maths large 0", "music large 0 0", "maths hall 0 0", "maths large 2 0", BEST + BEST])
def test_a_solution_of_another_problem_is_refused(line: str) -> None:
    """Lines that are none, and courses, rooms and periods that are not there, are refused."""
    with pytest.raises(InvalidInput):
        read_solution(line.encode(), read_ectt(FILE).problem)
