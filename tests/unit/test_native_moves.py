"""Each move of the annealing leaves costs that are right, and is undone without a trace.

The kernels run here as the Python they are written in: each index of theirs is checked.
"""

from collections.abc import Callable
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.timetable.lowering import lower
from core.timetable.solvers.native import cooling, moving, rooming, state
from core.timetable.solvers.native import layout as at
from core.timetable.solvers.native.chance import dice
from core.timetable.solvers.native.heating import temperature
from core.timetable.solvers.native.pack import Ints, Packed, pack
from core.timetable.solvers.native.search import cannot_be, cost_of, empty_journal
from tests.factories.small_problems import small_problem

SEEDS = st.integers(0, 2**32)
Move = Callable[["Table", int], bool]


class Table:
    """A complete timetable of a small problem, filled at random."""

    def __init__(self, packed: Packed, seed: int) -> None:
        self.packed, self.p = packed, packed.p
        self.s, self.t = packed.state()
        self.journal, self.dice = empty_journal(packed), dice(seed)
        blocks = int(self.p[at.BLOCKS])
        self.queue, self.way = np.zeros(blocks + 2, np.int64), np.zeros(2 * blocks, np.int64)
        state.load(self.p, self.s, self.t, np.full(blocks + self.p[at.NEEDS], -1, np.int64))
        cooling.fill(self.p, self.s, self.t, self.journal, self.dice)
        self.journal[0] = at.EMPTY

    def taken(self) -> Ints:
        """Return where everything is."""
        taken = np.zeros(self.p[at.BLOCKS] + self.p[at.NEEDS], np.int64)
        state.save(self.p, self.s, taken)
        return taken

    def tally(self) -> tuple[int, int]:
        """Return the costs as they were kept up to date."""
        return int(self.t[at.HARD] + self.t[at.UNPLACED]), int(self.t[at.SOFT])


def change_room(table: Table, block: int) -> bool:
    """Give the block another room."""
    return rooming.change_room(table.p, table.s, table.t, table.journal, table.dice, block)


def turn_round(table: Table, block: int) -> bool:
    """Let the block and the next one change places."""
    return moving.turn_round(table.p, table.s, table.t, table.journal, table.dice, block)


def exchange(reach: int, runs: int) -> Move:
    """Return the move of a chain that starts with a block."""

    def move(table: Table, block: int) -> bool:
        start = moving.random_start(table.p, table.dice, block)
        where = (table.p, table.s, table.t, table.journal, table.queue, table.way, table.dice)
        return moving.exchange(*where, block, start, reach, runs, 12)

    return move


@pytest.mark.parametrize(
    "move",
    [change_room, turn_round, exchange(0, 0), exchange(1, 0), exchange(99, 0), exchange(99, 1), exchange(99, 99)],
    ids=["room", "turn", "alone", "neighbours", "chain", "run", "runs"],
)
@settings(deadline=None, max_examples=25)
@given(seed=SEEDS)
def test_a_move_costs_what_it_says_and_leaves_no_trace_when_undone(move: Move, seed: int) -> None:
    """After a move the tally is what the timetable costs; after undoing it all is as before, to the last number."""
    program = lower(small_problem(Random(seed)))
    if cannot_be(program):
        return
    table = Table(pack(program), seed)
    with np.errstate(over="ignore"):  # the dice count on it
        for block in range(len(program.blocks)):
            before, costs = table.s.copy(), table.t.copy()
            moved = move(table, block)
            assert table.tally() == cost_of(table.packed, table.taken())
            assert moved == (table.journal[0] != at.EMPTY)
            state.undo(table.p, table.s, table.t, table.journal, at.EMPTY)
            assert bool((table.t == costs).all())
            assert bool((table.s == before).all())
            move(table, block)
            table.journal[0] = at.EMPTY


def test_the_temperature_is_where_chances_are_as_wished() -> None:
    """The mean chance of what moves cost is the share at the temperature; without any, one point is as good."""
    worse = np.array([1.0, 1.0, 3.0, 400.0])
    for share in (0.3, 0.01):
        assert np.exp(-worse / temperature(worse, share)).mean() == pytest.approx(share, rel=1e-6)
    assert temperature(np.zeros(0), np.exp(-1)) == pytest.approx(1.0)
