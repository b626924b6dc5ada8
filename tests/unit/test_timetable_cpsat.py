"""CP-SAT over the program's model, held to every assignment there is and to costs known by hand."""

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.timetable.checker import score
from core.timetable.cost_function import CostFunction
from core.timetable.lowering import lower, timetable_of
from core.timetable.program import (
    CLASH,
    Assignment,
    Block,
    Combine,
    Exclusive,
    Measure,
    Pair,
    Program,
    Relation,
    RoomOption,
    Stability,
    Term,
    Travel,
)
from core.timetable.solvers.cpsat import CpSat, CpSatFeasibility, CpSatNeighbourhoods, CpSatProof
from core.timetable.solvers.cpsat_bundles import Bundles
from core.timetable.solvers.cpsat_model import Formulation, Scope
from core.timetable.solvers.cpsat_neighbourhoods import Freed, Neighbourhoods
from core.timetable.solvers.port import Budget, Outcome, Progress, Status, unheard
from tests.factories.program_cost import cost
from tests.factories.programs import assignments, random_program
from tests.factories.small_problems import small_problem

TWO_DAYS = (0, 0, 0, 0, 1, 1, 1, 1)
DAYS = ((0, 1, 2, 3), (4, 5, 6, 7))
SEEDS = st.integers(0, 2**32)


def solve(program: Program, *, seconds: float = 20, feasibility_only: bool = False) -> Outcome:
    """Solve on one thread."""
    budget = Budget(seconds=seconds, feasibility_only=feasibility_only)
    return CpSat().solve(program, budget, report=unheard, stopped=lambda: False)


def program(*starts: tuple[int, ...], clash: bool = True, duration: int = 1, **fields: object) -> Program:
    """Return a program of blocks with these starts, one track of all."""
    blocks = tuple(Block((i,), duration, of, {}, ()) for i, of in enumerate(starts))
    every = tuple(range(len(blocks)))
    plain = Program(
        day_of=TWO_DAYS,
        blocks=blocks,
        rooms=(),
        building_of=(),
        exclusives=(Exclusive(CLASH, every, ("teacher", "t")),) if clash else (),
        tracks=(every,),
        terms=(),
        pairs=(),
        stabilities=(),
        travels=(),
        cuts=(),
    )
    return replace(plain, **fields)  # type: ignore[arg-type]  # any field of a program


def term(measure: Measure, high: int, **fields: object) -> Term:
    """Return a soft bound of weight 1 on the track in each day."""
    soft = Term(source=0, track=0, measure=measure, windows=DAYS, high=high, hard=False, weight=1)
    return replace(soft, **fields)  # type: ignore[arg-type]  # any field of a term


def pair(relation: Relation, amount: int = 0) -> Pair:
    """Return a soft bound of weight 1 on the first two blocks."""
    return Pair(source=0, first=0, second=1, relation=relation, amount=amount, hard=False, weight=1)


MEASURED = [
    ((0,), (1,), (2,), term(Measure.BUSY, 1), 2),
    ((0,), (1,), (2,), term(Measure.BUSY, 1, function=CostFunction.QUADRATIC), 4),
    ((0,), (1,), (2,), term(Measure.BUSY, 1, function=CostFunction.STEP), 1),
    ((0,), (1,), (4,), term(Measure.BUSY, 4, low=2, or_zero=True), 1),
    ((0,), (1,), (2,), term(Measure.BUSY, 4, low=2), 2),
    ((0,), (1,), (2,), term(Measure.BUSY, 4, low=2, or_zero=True), 0),
    ((0,), (1,), (4,), term(Measure.STARTS, 1), 1),
    ((0,), (2,), (7,), term(Measure.GAPS, 0), 1),
    ((0,), (3,), (7,), term(Measure.GAPS, 0, function=CostFunction.QUADRATIC), 4),
    ((1,), (3,), (5,), term(Measure.LATE, 0), 3),
    ((1,), (3,), (5,), term(Measure.LATE, 0, combine=Combine.SUM_DEVIATION, function=CostFunction.STEP), 1),
    ((0,), (1,), (2,), term(Measure.EXCESS_RUN, 0, run=1), 2),
    ((0,), (1,), (5,), term(Measure.ACTIVE, 1, combine=Combine.SUM_VALUE), 1),
    ((0,), (1,), (5,), term(Measure.MORE_DAYS, 0, windows=(tuple(range(8)),)), 1),
    ((0,), (1,), (5,), term(Measure.MORE_DAYS, 1, windows=(tuple(range(8)),)), 0),
    ((0,), (1,), (2,), term(Measure.MORE_DAYS, 0, windows=(tuple(range(8)),)), 0),
]


@pytest.mark.parametrize(("one", "two", "three", "bound", "soft"), MEASURED)
def test_measure_costs_what_is_known_by_hand(
    one: tuple[int, ...], two: tuple[int, ...], three: tuple[int, ...], bound: Term, soft: int
) -> None:
    """Three placed blocks cost what the term says, and so they do where each may also be in one other slot."""
    fixed = program(one, two, three, terms=(bound,))
    assert solve(fixed).soft == soft
    assert solve(replace(fixed, terms=(replace(bound, hard=True),))).status == (
        Status.OPTIMAL if soft == 0 else Status.INFEASIBLE
    )


RELATED = [
    (Relation.SAME_START, 0, 0, 3, 1),
    (Relation.NO_OVERLAP, 0, 0, 0, 2),
    (Relation.NO_OVERLAP, 0, 0, 1, 1),
    (Relation.BEFORE, 1, 0, 2, 1),
    (Relation.BEFORE, 0, 0, 2, 0),
    (Relation.DAYS_APART, 1, 0, 2, 1),
    (Relation.DAYS_APART, 1, 0, 4, 0),
    (Relation.NOT_NEXT, 0, 0, 2, 1),
    (Relation.SAME_DAY, 0, 0, 4, 1),
    (Relation.DIFFERENT_DAY, 0, 0, 2, 1),
    (Relation.NEXT, 0, 0, 2, 0),
    (Relation.NEXT, 0, 2, 4, 1),
    (Relation.OFFSET, 4, 0, 4, 0),
    (Relation.OFFSET, 4, 0, 5, 1),
]


@pytest.mark.parametrize(("relation", "amount", "first", "second", "soft"), RELATED)
def test_relation_costs_what_is_known_by_hand(
    relation: Relation, amount: int, first: int, second: int, soft: int
) -> None:
    """Two placed doubles cost what their relation says, and where it is hard can't be so."""
    fixed = program((first,), (second,), clash=False, duration=2, pairs=(pair(relation, amount),))
    assert solve(fixed).soft == soft
    hard = replace(fixed, pairs=(replace(fixed.pairs[0], hard=True),))
    assert solve(hard).status == (Status.OPTIMAL if soft == 0 else Status.INFEASIBLE)


def test_rooms_alike_are_shared_out() -> None:
    """Two rooms alike take two doubles at once and no third, and nobody is in a room that somebody else has."""
    need = ((RoomOption(0, 0), RoomOption(1, 0)),)
    blocks = tuple(Block((i,), 2, (0, 1), {}, need) for i in range(2))
    school = program(clash=False, blocks=blocks, rooms=(frozenset(), frozenset()), building_of=(-1, -1), tracks=())
    outcome = solve(school)
    assert outcome.best is not None
    assert cost(school, outcome.best) == (0, 0)
    third = replace(school, blocks=(*blocks, Block((2,), 2, (0, 1), {}, need)))
    assert solve(third).status is Status.INFEASIBLE


def test_dear_room_is_taken_where_the_cheap_one_is_taken() -> None:
    """Of two lessons at one time, one pays for the second-best room."""
    need = ((RoomOption(0, 0), RoomOption(1, 3)),)
    blocks = tuple(Block((i,), 1, (2,), {}, need) for i in range(2))
    school = program(clash=False, blocks=blocks, rooms=(frozenset(), frozenset()), building_of=(-1, -1), tracks=())
    assert solve(school).soft == 3


def test_few_rooms_and_short_ways_are_weighed() -> None:
    """Two lessons in a row, each in its own building: one room too many, and one slot too few to walk."""
    blocks = tuple(Block((i,), 1, (i,), {}, ((RoomOption(i, 0),),)) for i in range(2))
    stability = Stability(source=0, needs=((0, 0), (1, 0)), most=1, function=CostFunction.LINEAR, hard=False, weight=5)
    travel = Travel(source=0, track=0, slots_between={(0, 1): 1}, home=-1, stops=((0, 0), (1, 0)), hard=False, weight=7)
    school = program(
        blocks=blocks,
        tracks=((0, 1),),
        exclusives=(),
        rooms=(frozenset(), frozenset()),
        building_of=(0, 1),
        stabilities=(stability,),
        travels=(travel,),
    )
    assert solve(school).soft == 12


def test_lessons_that_are_alike_are_not_told_apart() -> None:
    """Four single lessons of one course are one bundle; where a rule orders two of them, each stands alone."""
    alike = program(*[tuple(range(8))] * 4)
    assert Bundles(alike).members == [(0, 1, 2, 3)]
    bound = replace(alike, pairs=(replace(pair(Relation.BEFORE), hard=True),))
    assert Bundles(bound).members == [(0,), (1,), (2,), (3,)]


def softened(seed: int) -> Program:
    """Return a random program in which most pieces are soft, with starts and rooms that cost."""
    random = Random(seed)
    hard = random_program(seed)

    def soft() -> dict[str, object]:
        weight, function = random.randint(1, 4), random.choice(list(CostFunction))
        return {"hard": random.random() < 0.3, "weight": weight, "function": function}

    blocks = [
        replace(
            block,
            start_cost={s: random.randint(1, 5) for s in block.starts if random.random() < 0.3},
            needs=tuple(
                tuple(sorted((RoomOption(o.room, random.choice((0, 0, 2))) for o in need), key=lambda o: o.cost))
                for need in block.needs
            ),
        )
        for block in hard.blocks
    ]
    if len(blocks[0].needs) == len(blocks[1].needs):
        blocks[1] = replace(blocks[0], lessons=(1,))
    return replace(
        hard,
        blocks=tuple(blocks),
        terms=tuple(replace(one, **soft()) for one in hard.terms),  # type: ignore[arg-type]  # fields of each
        pairs=tuple(replace(one, **soft()) for one in hard.pairs),  # type: ignore[arg-type]  # fields of each
        stabilities=tuple(replace(one, **soft()) for one in hard.stabilities),  # type: ignore[arg-type]  # of each
        travels=tuple(replace(one, **soft()) for one in hard.travels),  # type: ignore[arg-type]  # fields of each
    )


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS)
def test_optimum_is_the_best_of_all_assignments(seed: int) -> None:
    """The status and the cost are those that trying every assignment finds."""
    school = softened(seed)
    costs = (cost(school, assignment) for assignment in assignments(school))
    best = min((soft for hard, soft in costs if hard == 0), default=None)
    outcome = solve(school)
    assert outcome.status is (Status.INFEASIBLE if best is None else Status.OPTIMAL)
    assert outcome.soft == outcome.bound == best
    if outcome.best is not None:
        assert cost(school, outcome.best) == (0, best)


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS)
def test_timetable_passes_the_checker_at_the_cost_that_was_told(seed: int) -> None:
    """What CP-SAT finds in a school with any rules is valid, and costs what it says."""
    problem = small_problem(Random(seed))
    lowered = lower(problem)
    outcome = solve(lowered)
    if outcome.best is not None:
        assert score(problem, timetable_of(problem, lowered, outcome.best)) == (0, outcome.soft)


def test_progress_tells_better_timetables_and_bounds() -> None:
    """Each timetable told is better than the one before, each bound higher, and they meet in the optimum."""
    told: list[Progress] = []
    school = program(
        *[tuple(range(8))] * 3,
        terms=(term(Measure.GAPS, 0),),
        pairs=(pair(Relation.DAYS_APART, 1), pair(Relation.NEXT)),
    )
    outcome = CpSat().solve(school, Budget(seconds=20), report=told.append, stopped=lambda: False)
    costs = [progress.soft for progress in told if progress.best is not None and progress.soft is not None]
    assert costs == sorted(costs, reverse=True)
    assert outcome.status is Status.OPTIMAL
    assert outcome.soft == outcome.bound == 1


def test_feasibility_alone_does_not_optimise() -> None:
    """The search for any timetable ends with the first, and says so."""
    school = program((0, 1), (2, 3), terms=(term(Measure.GAPS, 0),))
    outcome = CpSatFeasibility().solve(school, Budget(seconds=20), report=unheard, stopped=lambda: False)
    assert (outcome.status, outcome.soft) == (Status.FEASIBLE, None)


GAPPY = program(
    *[tuple(range(8))] * 3,
    terms=(term(Measure.GAPS, 0),),
    pairs=(pair(Relation.DAYS_APART, 1), pair(Relation.NEXT)),
)


@pytest.mark.parametrize("hint", [None, (0, 2, 4), (0, 0, 0), (-1, 3, 1)])
def test_parts_are_improved_from_any_hint(hint: tuple[int, ...] | None) -> None:
    """A hint that breaks a rule or lacks a block is no start, and no reason to say that there is no timetable."""
    given = None if hint is None else Assignment(hint, ((), (), ()))
    told: list[Progress] = []
    solver = CpSatNeighbourhoods()
    for school in (GAPPY, GAPPY, replace(GAPPY, pairs=())):  # its model is kept, and is not that of the next school
        told.clear()
        outcome = solver.solve(school, Budget(seconds=20), report=told.append, stopped=lambda: False, hint=given)
        assert outcome.best is not None
        assert (outcome.status, cost(school, outcome.best)) == (Status.OPTIMAL, (0, len(school.pairs) // 2))
        assert told[0].best is not None


def test_part_is_a_whole_week_of_some_or_two_days_of_more() -> None:
    """Both kinds come up, neither is taken for everything, and all with every day free is."""
    school = program(*[tuple(range(8))] * 30, clash=False, day_of=(0, 0, 0, 1, 1, 1, 2, 2))
    choosing = Neighbourhoods(school, Bundles(school), Random(1))
    chosen = [choosing.choose(())[1] for _ in range(40)]
    days = {freed.days for freed in chosen}
    assert days == {None, frozenset({0, 1}), frozenset({0, 2}), frozenset({1, 2})}
    assert all(not choosing.is_everything(freed) for freed in chosen)
    assert choosing.is_everything(Freed(frozenset(range(30))))
    assert not choosing.is_everything(Freed(frozenset(range(30)), frozenset({0, 1})))


def test_proof_is_one_of_everything() -> None:
    """The search of everything alone brings the best with its bound, and says where there is none."""
    found = CpSatProof().solve(GAPPY, Budget(seconds=20), report=unheard, stopped=lambda: False)
    assert (found.status, found.soft, found.bound) == (Status.OPTIMAL, 1, 1)
    full = program((0,), (0,), terms=(term(Measure.GAPS, 0),))
    assert CpSatProof().solve(full, Budget(seconds=20), report=unheard, stopped=lambda: False).status is (
        Status.INFEASIBLE
    )


def test_stopped_search_is_cancelled_and_no_time_is_timed_out() -> None:
    """A search that was told to stop before anything was found is cancelled; one without time has timed out."""
    school = program((0, 1), (2, 3))
    stopped = CpSat().solve(school, Budget(seconds=20), report=unheard, stopped=lambda: True)
    assert (stopped.status, stopped.best) == (Status.CANCELLED, None)
    assert solve(school, seconds=0.0).status is Status.TIMED_OUT


def test_hint_is_found_again_at_its_cost() -> None:
    """The model reckons a whole assignment at what the primitives say, also where CP-SAT's own figure may be more."""
    school = program(*[tuple(range(8))] * 3, terms=(term(Measure.GAPS, 0, function=CostFunction.QUADRATIC),))
    apart = Assignment((0, 3, 5), ((), (), ()))
    model = Formulation(school, Scope())
    assert model.reckon(apart) == cost(school, apart)[1] == 4
