"""The native solvers keep the promises of the solver port."""

import time
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import pytest

from core.timetable.program import CLASH, Assignment, Block, Exclusive, Measure, Program, Term
from core.timetable.solvers.native import Annealing, EjectionChain
from core.timetable.solvers.native.library import library
from core.timetable.solvers.port import Budget, Outcome, Progress, Solver, Status
from tests.factories.program_cost import cost
from tests.factories.programs import assignments, random_program

EXAMPLES = 40
CLASSES, SUBJECTS, DAYS, PERIODS = 4, 5, 3, 5


def school() -> Program:
    """Return a school of four classes, of which each has each of five subjects twice, at most once a day."""
    of = [(c, subject) for c in range(CLASSES) for subject in range(SUBJECTS) for _ in range(2)]
    slots = range(DAYS * PERIODS)
    days = tuple(tuple(range(day * PERIODS, (day + 1) * PERIODS)) for day in range(DAYS))
    classes = [tuple(b for b, (c, _) in enumerate(of) if c == one) for one in range(CLASSES)]
    teachers = [tuple(b for b, (_, k) in enumerate(of) if k == one) for one in range(SUBJECTS)]
    courses = [tuple(b for b, course in enumerate(of) if course == one) for one in sorted(set(of))]
    bounds = (
        [(Measure.LATE, 0, True)] * CLASSES + [(Measure.GAPS, 0, False)] * SUBJECTS + [(Measure.STARTS, 1, True)] * 20
    )
    return Program(
        day_of=tuple(slot // PERIODS for slot in slots),
        blocks=tuple(
            Block((b,), 1, tuple(slots), {slot: 1 for slot in slots if k == 0 and slot % PERIODS}, ())
            for b, (_, k) in enumerate(of)
        ),
        rooms=(),
        building_of=(),
        exclusives=tuple(Exclusive(CLASH, members, ("group", "one")) for members in (*classes, *teachers)),
        tracks=(*classes, *teachers, *courses),
        terms=tuple(
            Term(source=0, track=track, measure=measure, windows=days, high=high, hard=hard, weight=1)
            for track, (measure, high, hard) in enumerate(bounds)
        ),
        pairs=(),
        stabilities=(),
        travels=(),
        cuts=(),
    )


@pytest.fixture(scope="module", autouse=True)
def _compiled() -> None:
    """Compile once, so that no test measures it."""
    library()


def solved(
    solver: Solver,
    program: Program,
    *,
    seconds: float = 20.0,
    seed: int = 1,
    hint: Assignment | None = None,
    stopped: Callable[[], bool] = lambda: False,
    told: list[Progress] | None = None,
    feasibility_only: bool = False,
) -> Outcome:
    """Return what a solver makes of a program."""
    budget = Budget(seconds=seconds, seed=seed, feasibility_only=feasibility_only)
    heard: list[Progress] = [] if told is None else told
    return solver.solve(program, budget, report=heard.append, stopped=stopped, hint=hint)


@pytest.mark.parametrize("solver", [EjectionChain(), Annealing(moves=20_000, from_nothing=True)])
def test_it_finds_a_timetable_where_there_is_one(solver: Solver) -> None:
    """Whatever the rules, a tiny program is solved if and only if trying everything solves it."""
    for seed in range(EXAMPLES):
        program = random_program(seed)
        possible = any(cost(program, assignment)[0] == 0 for assignment in assignments(program))
        outcome = solved(solver, program, seconds=20.0 if possible else 0.05)
        assert (outcome.best is not None) == possible, seed
        if outcome.best is not None:
            assert cost(program, outcome.best)[0] == 0


def test_it_finds_the_cheapest_of_a_tiny_program() -> None:
    """Annealing ends at the least soft cost that trying everything finds."""
    for seed in range(EXAMPLES):
        program = random_program(seed)
        program = replace(program, terms=tuple(replace(term, hard=False, weight=2) for term in program.terms))
        costs = [cost(program, assignment) for assignment in assignments(program)]
        least = min((soft for hard, soft in costs if hard == 0), default=None)
        if least is not None:
            outcome = solved(Annealing(moves=20_000, from_nothing=True), program)
            assert outcome.soft == least, seed
            assert (outcome.status is Status.OPTIMAL) == (least == 0)


def test_what_it_claims_is_what_it_costs() -> None:
    """Each assignment that is reported or returned is feasible and costs what was said."""
    program = school()
    told: list[Progress] = []
    outcome = solved(Annealing(moves=20_000), program, told=told)
    claims = [(progress.best, progress.soft) for progress in told if progress.best] + [(outcome.best, outcome.soft)]
    for best, soft in claims:
        assert best is not None
        assert cost(program, best) == (0, soft)


@pytest.mark.parametrize("solver", [EjectionChain(), Annealing(moves=20_000), Annealing(moves=5000, from_nothing=True)])
def test_the_same_seed_gives_the_same_timetable(solver: Solver) -> None:
    """Two runs with one seed, and time enough, end alike, however the clock cuts their slices."""
    program = school()
    assert solved(solver, program).best == solved(solver, program).best


@pytest.mark.parametrize("solver", [EjectionChain(), Annealing(), Annealing(from_nothing=True)])
def test_it_stops_when_told(solver: Solver) -> None:
    """A search without end comes back at once when it is told to stop, as cancelled if it has found nothing."""
    program = random_program(next(s for s in range(1000) if is_hopeless(random_program(s))))
    asked: list[float] = []

    def stopped() -> bool:
        asked.append(time.thread_time())
        return len(asked) > 30

    outcome = solved(solver, program, stopped=stopped)
    assert outcome.status is Status.CANCELLED
    assert outcome.partial is not None
    assert len(asked) == 31
    assert max(later - earlier for earlier, later in pairwise(asked)) < 0.05


def is_hopeless(program: Program) -> bool:
    """Tell whether a program has starts and rooms for everything, and no timetable."""
    complete = list(assignments(program))
    return bool(complete) and all(cost(program, assignment)[0] for assignment in complete)


def test_time_runs_out() -> None:
    """Where nothing was found in time, the outcome says so and shows the fullest partial timetable."""
    program = random_program(next(s for s in range(1000) if is_hopeless(random_program(s))))
    outcome = solved(EjectionChain(), program, seconds=0.05)
    assert outcome.status is Status.TIMED_OUT
    assert outcome.partial is not None
    assert max(outcome.partial.starts) >= 0


@pytest.mark.parametrize("solver", [EjectionChain(), Annealing()])
def test_a_block_without_a_start_is_infeasible(solver: Solver) -> None:
    """That a lesson can go nowhere is proven, not searched for."""
    program = random_program(1)
    program = replace(program, blocks=(*program.blocks, Block((9,), 1, (), {}, ())))
    assert solved(solver, program).status is Status.INFEASIBLE


@pytest.mark.parametrize("solver", [EjectionChain(), Annealing(moves=1000), Annealing(from_nothing=True)])
def test_nothing_to_place_is_done(solver: Solver) -> None:
    """A school without lessons has its timetable at once."""
    program = replace(
        random_program(1), blocks=(), exclusives=(), tracks=(), terms=(), pairs=(), stabilities=(), travels=()
    )
    assert solved(solver, program).status is Status.OPTIMAL


@pytest.mark.parametrize("solver", [EjectionChain(), Annealing(moves=1000)])
def test_a_hint_is_the_start(solver: Solver) -> None:
    """A feasible hint is told again at once, and nothing worse comes after."""
    program = school()
    hint = solved(EjectionChain(), program, seed=7).best
    assert hint is not None
    told: list[Progress] = []
    outcome = solved(solver, program, hint=hint, told=told, feasibility_only=True)
    assert outcome.best == hint
    assert told[0].best == hint
    better = solved(Annealing(moves=3000), program, hint=hint)
    assert better.soft is not None
    assert better.soft <= cost(program, hint)[1]
