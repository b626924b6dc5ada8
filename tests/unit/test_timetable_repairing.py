"""Repairs: as few moves as there can be, and nothing moved that may not."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.timetable.checker import validate
from core.timetable.lowering import lower, timetable_of
from core.timetable.model import Placement, Problem, Timetable
from core.timetable.repairing import Freedom, repair
from core.timetable.solvers.cpsat_improving import FixAndOptimise
from core.timetable.solvers.port import Budget, Status
from tests.factories.program_cost import cost
from tests.factories.programs import assignments
from tests.factories.small_problems import random_timetable, small_problem
from tests.factories.tiny_school import SCHOOL, in_rooms, lesson

BUDGET = Budget(seconds=20)
BOTH_BUSY = SCHOOL.model_copy(
    update={
        "lessons": (
            lesson("maths-1", groups=("ruby",)),
            lesson("maths-2", groups=("art",)),
            lesson("pe", "PE", teachers=("okafor",), groups=("ruby",), rooms=in_rooms("lab", "hall")),
        )
    }
)
BEFORE = Timetable(
    placements=(
        Placement(lesson="maths-1", slot=0),
        Placement(lesson="maths-2", slot=1),
        Placement(lesson="pe", slot=2, rooms=("lab",)),
    )
)


def without(problem: Problem, teacher: str, slots: set[int]) -> Problem:
    """Return the school in which a teacher is away in these slots."""
    teachers = (
        one.model_copy(update={"unavailable": frozenset(slots)}) if one.id == teacher else one
        for one in problem.teachers
    )
    return problem.model_copy(update={"teachers": tuple(teachers)})


def test_nothing_moves_where_nothing_has_to() -> None:
    """A timetable that is still valid stays as it is, proven."""
    repaired = repair(BOTH_BUSY, BEFORE, BUDGET)
    assert (repaired.status, repaired.moved, repaired.rooms_changed, repaired.bound) == (Status.OPTIMAL, (), (), 0)


def test_one_lost_slot_moves_one_lesson() -> None:
    """A teacher who is away in one period moves the lesson of that period alone."""
    repaired = repair(without(BOTH_BUSY, "bello", {1}), BEFORE, BUDGET)
    assert (repaired.status, repaired.moved, repaired.bound) == (Status.OPTIMAL, ("maths-2",), 1)


def test_pins_and_classes_that_may_not_move_stay() -> None:
    """Mrs Bello has two slots left for two lessons: one has to move, and where neither may, there is no repair."""
    problem = without(BOTH_BUSY, "bello", {1, 3, 4, 5, 6, 7})
    assert repair(problem, BEFORE, BUDGET).moved == ("maths-2",)
    pinned = repair(problem, BEFORE, BUDGET, freedom=Freedom(pins=frozenset({"maths-1", "pe"})))
    assert pinned.moved == ("maths-2",)
    stuck = repair(problem, BEFORE, BUDGET, freedom=Freedom(only_groups=frozenset({"ruby"})))
    assert (stuck.status, stuck.timetable) == (Status.INFEASIBLE, None)


def test_closed_room_changes_the_room_and_not_the_time() -> None:
    """A lesson whose room is closed takes another at its own time."""
    rooms = (
        room.model_copy(update={"unavailable": frozenset({2})}) if room.id == "lab" else room for room in SCHOOL.rooms
    )
    repaired = repair(BOTH_BUSY.model_copy(update={"rooms": tuple(rooms)}), BEFORE, BUDGET)
    assert (repaired.moved, repaired.rooms_changed) == ((), ("pe",))


def test_lesson_added_is_no_move() -> None:
    """A second lesson of a course finds a place beside the first, which stays."""
    more = BOTH_BUSY.model_copy(update={"lessons": (*BOTH_BUSY.lessons, lesson("maths-3", groups=("art",)))})
    repaired = repair(more, BEFORE, BUDGET)
    assert (repaired.status, repaired.moved, repaired.bound) == (Status.OPTIMAL, (), 0)
    assert repaired.timetable is not None
    assert len(repaired.timetable.placements) == 4


def test_a_timetable_comes_without_the_proof_where_that_takes_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was found is handed back as not proven, and a stop as what it is."""
    monkeypatch.setattr(FixAndOptimise, "loop", lambda _: Status.FEASIBLE)
    monkeypatch.setattr("core.timetable.fewest_moves._Proof._prove", lambda _: None)
    changed = without(BOTH_BUSY, "bello", {1})
    repaired = repair(changed, BEFORE, Budget(seconds=0.5))
    assert (repaired.status, repaired.bound) == (Status.FEASIBLE, None)
    assert repaired.timetable is not None
    assert validate(changed, repaired.timetable, complete=True).valid
    stopped = repair(changed, BEFORE, BUDGET, stopped=lambda: True)
    assert (stopped.status, stopped.timetable) == (Status.CANCELLED, None)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_moves_are_the_fewest_of_all_timetables(seed: int) -> None:
    """No valid timetable moves fewer lessons than the repair, and the repair is valid."""
    random = Random(seed)
    problem = small_problem(random, rules=2)
    previous = random_timetable(random, problem)
    program = lower(problem)
    every = 1
    for block in program.blocks:
        every *= len(block.starts)
        for need in block.needs:
            every *= len(need)
    if every > 1_000:
        return
    fewest = min(
        (
            _moves(previous, timetable_of(problem, program, assignment))
            for assignment in assignments(program)
            if cost(program, assignment)[0] == 0
        ),
        default=None,
    )
    repaired = repair(problem, previous, BUDGET)
    assert repaired.status is (Status.INFEASIBLE if fewest is None else Status.OPTIMAL)
    assert repaired.bound == fewest
    if repaired.timetable is not None:
        assert validate(problem, repaired.timetable, complete=True).valid
        assert len(repaired.moved) == fewest


def _moves(previous: Timetable, timetable: Timetable) -> int:
    old = previous.by_lesson
    return sum(p.slot != old[p.lesson].slot for p in timetable.placements if p.lesson in old)
