"""What the native kernels reckon while blocks come and go is what the program says, for every primitive."""

from dataclasses import replace
from random import Random

import numpy as np
import pytest

from core.timetable.cost_function import CostFunction
from core.timetable.program import Combine, Measure, Program, Relation, RoomOption
from core.timetable.solvers.native import cooling, state
from core.timetable.solvers.native import layout as at
from core.timetable.solvers.native.annealing import Schedule
from core.timetable.solvers.native.chance import dice
from core.timetable.solvers.native.ejection import Chain
from core.timetable.solvers.native.pack import Ints, Packed, pack
from core.timetable.solvers.native.search import empty_journal
from tests.factories.program_cost import faults, rules_cost
from tests.factories.programs import random_program


def mixed_program(seed: int) -> Program:
    """Return a random program with hard and soft pieces of random weights, and with prices of starts and rooms."""
    random = Random(seed)
    program = random_program(seed)

    def mixed(pieces: tuple) -> tuple:  # type: ignore[type-arg]  # of any kind of piece
        return tuple(replace(piece, hard=random.random() < 0.5, weight=random.randint(1, 9)) for piece in pieces)

    def function(pieces: tuple) -> tuple:  # type: ignore[type-arg]  # of any kind of piece
        return tuple(replace(piece, function=random.choice(list(CostFunction))) for piece in pieces)

    blocks = tuple(
        replace(
            block,
            start_cost={start: random.randint(1, 5) for start in block.starts if random.random() < 0.3},
            needs=tuple(
                tuple(RoomOption(option.room, i * random.randint(0, 3)) for i, option in enumerate(need))
                for need in block.needs
            ),
        )
        for block in program.blocks
    )
    return replace(
        program,
        blocks=blocks,
        terms=mixed(program.terms),
        pairs=function(mixed(program.pairs)),
        stabilities=function(mixed(program.stabilities)),
        travels=function(mixed(program.travels)),
    )


def assert_right(packed: Packed, states: Ints, tally: Ints) -> None:
    """Assert that a tally is what the state costs, reckoned plainly."""
    taken = np.zeros(packed.p[at.BLOCKS] + packed.p[at.NEEDS], np.int64)
    state.save(packed.p, states, taken)
    assignment = packed.assignment(taken)
    hard, soft = rules_cost(packed.program, assignment)
    broken = faults(packed.program, assignment)
    assert tally[at.SOFT] == soft
    assert (
        (tally[at.HARD] + tally[at.UNPLACED] == hard) if broken == 0 else (tally[at.HARD] + tally[at.UNPLACED] > hard)
    )
    assert tally[at.UNPLACED] == assignment.starts.count(-1)


@pytest.mark.parametrize("temperature", [1e9, 3.0])
def test_costs_stay_right_while_a_complete_timetable_is_annealed(temperature: float) -> None:
    """After each move, kept or undone, the tally is what the timetable costs."""
    for seed in range(150):
        packed = pack(mixed_program(seed))
        states, tally = packed.state()
        blocks = int(packed.p[at.BLOCKS])
        best = np.full(blocks + packed.p[at.NEEDS], -1, np.int64)
        journal, throws = empty_journal(packed), dice(seed)
        state.load(packed.p, states, tally, best)
        cooling.fill(packed.p, states, tally, journal, throws)
        heat, own, mix = cooling.heat(temperature, 10.0), Schedule().numbers(), Schedule().kinds()
        queue, way = np.zeros(blocks + 2, np.int64), np.zeros(2 * blocks, np.int64)
        for _ in range(25):
            cooling.anneal(packed.p, states, tally, best, heat, own, mix, journal, queue, way, throws, 3)
            assert_right(packed, states, tally)


def test_costs_stay_right_while_a_timetable_is_constructed() -> None:
    """After each step of the chain the tally is what the partial timetable costs."""
    for seed in range(150):
        packed = pack(mixed_program(seed))
        chain = Chain(packed, seed)
        chain.begin(None)
        for _ in range(15):
            chain.step(1)
            assert_right(packed, chain.state, chain.tally)


def test_looking_ahead_reckons_right() -> None:
    """Chains of moves that end well, and those that are taken back, leave the tally what the timetable costs."""
    for seed in range(100):
        packed = pack(mixed_program(seed))
        chain = Chain(packed, seed)
        chain.begin(None)
        chain.look_ahead(len(packed.program.blocks))
        for _ in range(15):
            chain.step(1)
            assert_right(packed, chain.state, chain.tally)


def test_the_layout_numbers_measures_as_the_program_does() -> None:
    """The kernels' numbers of measures, combinations and relations are the program's."""
    for kind in (Measure, Combine, Relation):
        for one in kind:
            assert getattr(at, one.name) == one


def test_what_blocks_not_placed_can_make_good_is_forgiven() -> None:
    """Of an empty timetable's hard terms, what the waiting blocks can still fill costs nothing."""
    for seed in range(100):
        packed = pack(random_program(seed))
        states, tally = packed.state()
        state.clear(packed.p, states, tally)
        assert 0 <= tally[at.FORGIVEN] <= tally[at.HARD]
