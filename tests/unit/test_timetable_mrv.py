"""Propagation and backtracking against trying everything."""

import pytest

from core.timetable.program import Program
from core.timetable.solvers.mrv import Mrv, luby
from core.timetable.solvers.port import Budget, Outcome, Progress, Status
from tests.factories.program_cost import cost
from tests.factories.programs import assignments, random_program
from tests.factories.racing import two_blocks

PROGRAMS = 60


def solve(program: Program, seed: int = 0, *, stop: bool = False, seconds: float = 30) -> Outcome:
    """Solve."""
    return Mrv().solve(program, Budget(seconds=seconds, seed=seed), report=_deaf_ear, stopped=lambda: stop)


def test_it_finds_what_trying_everything_finds() -> None:
    """On each random program with every hard primitive it says feasible exactly where something is, and shows it."""
    found = 0
    for seed in range(PROGRAMS):
        program = random_program(seed)
        outcome = solve(program, seed)
        there_is = any(cost(program, assignment)[0] == 0 for assignment in assignments(program))
        assert outcome.status is (Status.FEASIBLE if there_is else Status.INFEASIBLE), seed
        if outcome.best is not None:
            assert cost(program, outcome.best)[0] == 0, seed
            found += 1
    assert PROGRAMS / 10 < found < PROGRAMS


def test_the_same_seed_gives_the_same() -> None:
    """Two runs with one seed end in one assignment after as many attempts."""
    one, other = solve(two_blocks(), 7), solve(two_blocks(), 7)
    assert one.best is not None
    assert (one.best, one.attempts) == (other.best, other.attempts)


def test_stopped_and_out_of_time_are_told_apart() -> None:
    """A search that is stopped is cancelled, one without time timed out."""
    assert solve(two_blocks(), stop=True).status is Status.CANCELLED
    assert solve(two_blocks(), seconds=0).status is Status.TIMED_OUT


@pytest.mark.parametrize(("i", "number"), [(1, 1), (2, 1), (3, 2), (7, 4), (8, 1), (15, 8), (22, 4)])
def test_luby(i: int, number: int) -> None:
    """The sequence is Luby's."""
    assert luby(i) == number


def _deaf_ear(_: Progress) -> None:
    pass
