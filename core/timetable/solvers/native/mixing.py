"""Kernels that learn, while an annealing goes on, how often to make each kind of move.

What serves one school is idle in another: a lesson alone finds no place where each class is full, rooms mean nothing
where there are none. A kind is made as often as its prior says, times the root of how often it changes the cost and
is kept; never so seldom that it could not show that it has become useful.
"""

from math import sqrt

import numpy as np
from numpy.typing import NDArray

from core.timetable.solvers.native.chance import Dice, below
from core.timetable.solvers.native.compiled import inner
from core.timetable.solvers.native.layout import whole
from core.timetable.solvers.native.pack import Ints

ROOM, TURN, ALONE, NEAR, CHAIN, RUN, RUNS, DAY_ALONE, DAY_NEAR, DAY_CHAIN, DAY_RUN, DAY_RUNS = range(12)
"""Another room; two neighbours turned round; a block alone, with those in its way, with the whole chain, with the run
of blocks alike around it, with everyone's runs; and the last five within the block's day."""
KINDS = 12
TO_DAY = DAY_ALONE - ALONE
PRIOR, SHARE, TRIED, CHANGED = 0, KINDS, 2 * KINDS, 3 * KINDS
"""Where in ``mix`` the numbers of each kind begin: what is thought of it first, how many of WHOLE moves it gets, how
often it was tried, and kept with another cost than before."""
NUMBERS = 4 * KINDS
WHOLE = 10_000
ANY = whole(WHOLE)
LEAST = 50
"""Of WHOLE moves, so many each kind gets in any case."""
LEARN_EVERY = 20_000
"""Moves."""
KNOWN, CHANCE = 100.0, 1.0
"""Of a kind that was not tried yet, as many tries and changes are taken to be known."""


def mixed(prior: dict[int, int]) -> NDArray[np.int64]:
    """Return what ``kind`` and ``learn`` take, for priors of kinds in any unit; a kind without one is never made."""
    mix = np.zeros(NUMBERS, np.int64)
    for one, weight in prior.items():
        mix[PRIOR + one] = weight
    mix[SHARE : SHARE + KINDS] = mix[PRIOR : PRIOR + KINDS] * WHOLE // mix[PRIOR : PRIOR + KINDS].sum()
    return mix


@inner
def kind_of_move(mix: Ints, dice: Dice) -> int:
    """Return a random kind."""
    thrown = below(dice, ANY)
    kind = 0
    while kind < KINDS - 1 and thrown >= mix[SHARE + kind]:
        thrown -= mix[SHARE + kind]
        kind += 1
    while mix[PRIOR + kind] == 0:
        kind -= 1
    return kind


@inner
def usefulness(mix: Ints, kind: int) -> float:
    """Return how much a kind deserves to be made."""
    found: float = mix[PRIOR + kind] * sqrt((mix[CHANGED + kind] + CHANCE) / (mix[TRIED + kind] + KNOWN))
    return found


@inner
def learn(mix: Ints) -> None:
    """Share the moves anew, and forget half of what was known."""
    total = 0.0
    for kind in range(KINDS):
        total += usefulness(mix, kind)
    for kind in range(KINDS):
        if mix[PRIOR + kind] > 0:
            spare = WHOLE - LEAST * KINDS
            mix[SHARE + kind] = LEAST + int(spare * usefulness(mix, kind) / total)
    for kind in range(KINDS):
        mix[TRIED + kind] //= 2
        mix[CHANGED + kind] //= 2
