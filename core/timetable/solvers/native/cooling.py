"""The kernel of simulated annealing over complete timetables."""

# ruff: noqa: PLR0917 - numba kernels take their arrays by position

from math import exp

import numpy as np
from numpy.typing import NDArray

from core.timetable.solvers.native.chance import Dice, below, fraction
from core.timetable.solvers.native.compiled import compiled, inner
from core.timetable.solvers.native.layout import (
    BLOCKS,
    CHOOSE,
    EMPTY,
    FORGIVEN,
    HARD,
    SOFT,
    START,
    START_FROM,
    START_LIST,
    whole,
)
from core.timetable.solvers.native.mixing import (
    ALONE,
    CHANGED,
    DAY_ALONE,
    LEARN_EVERY,
    NEAR,
    ROOM,
    RUN,
    RUNS,
    TO_DAY,
    TRIED,
    TURN,
    kind_of_move,
    learn,
)
from core.timetable.solvers.native.moving import (
    exchange,
    hurts,
    random_start,
    start_on_its_day,
    turn_round,
)
from core.timetable.solvers.native.pack import Ints
from core.timetable.solvers.native.rooming import change_room
from core.timetable.solvers.native.state import note, put, save, undo

Heat = NDArray[np.float64]

TEMPERATURE, COOLING, HARD_WEIGHT, SAMPLE = range(4)
"""Of ``heat``: by COOLING the temperature is multiplied with each move; HARD_WEIGHT is one hard point in soft ones;
from SAMPLE on, by how much the first moves that cost more did so."""
SAMPLES = 1024
MADE, TAKEN, BEST_HARD, BEST_SOFT, BESTS, WORSE = range(6)
"""The annealing's own numbers: moves tried, moves kept, the best costs met and how often they were bettered; how many
amounts are in the sample."""
LONGEST, TO_HURT = range(6, 8)
"""The longest chain; how many of 100 moves begin with a block that hurts."""
NUMBERS = 8


def heat(temperature: float, hard_weight: float) -> Heat:
    """Return what ``anneal`` takes for a temperature that stays."""
    found = np.zeros(SAMPLE + SAMPLES)
    found[TEMPERATURE], found[COOLING], found[HARD_WEIGHT] = temperature, 1.0, hard_weight
    return found


ONE, THROWS = whole(1), whole(5)
"""How often a block is thrown for, at most, until one hurts."""
NONE, FIRST, ALL = whole(0), whole(1), whole(1 << 20)
FINE = 1024
"""Soft points that weigh as one hard one where a timetable is filled."""
PERCENT = whole(100)


@inner
def any_block(p: Ints, s: Ints, own: Ints, dice: Dice) -> int:
    """Return a random block, or as often as wished one that hurts, if a few throws hit any."""
    throws = THROWS if below(dice, PERCENT) < own[TO_HURT] else ONE
    block = below(dice, p[BLOCKS])
    while throws > 1 and not hurts(p, s, block):
        block = below(dice, p[BLOCKS])
        throws -= 1
    return block


@inner
def move(p: Ints, s: Ints, t: Ints, own: Ints, journal: Ints, queue: Ints, way: Ints, dice: Dice, kind: int) -> bool:
    """Make a random move of a kind; tell whether there was one."""
    block = any_block(p, s, own, dice)
    if kind == ROOM:
        return change_room(p, s, t, journal, dice, block)
    if kind == TURN:
        return turn_round(p, s, t, journal, dice, block)
    start = start_on_its_day(p, s, dice, block) if kind >= DAY_ALONE else random_start(p, dice, block)
    if start == s[p[START] + block]:
        return False
    kind = kind - TO_DAY if kind >= DAY_ALONE else kind
    reach = NONE if kind == ALONE else (FIRST if kind == NEAR else ALL)
    runs = FIRST if kind == RUN else (ALL if kind == RUNS else NONE)
    return exchange(p, s, t, journal, queue, way, dice, block, start, reach, runs, own[LONGEST])


@compiled
def anneal(
    p: Ints,
    s: Ints,
    t: Ints,
    best: Ints,
    heat: Heat,
    own: Ints,
    mix: Ints,
    journal: Ints,
    queue: Ints,
    way: Ints,
    dice: Dice,
    moves: int,
) -> None:
    """Try so many moves; stop at a hard cost of 0 where the best had more."""
    for _ in range(moves if p[BLOCKS] > 0 else 0):
        own[MADE] += 1
        heat[TEMPERATURE] *= heat[COOLING]
        hard, soft = t[HARD], t[SOFT]
        if own[MADE] % LEARN_EVERY == 0:
            learn(mix)
        kind = kind_of_move(mix, dice)
        mix[TRIED + kind] += 1
        if not move(p, s, t, own, journal, queue, way, dice, kind):
            continue
        if t[HARD] == hard and t[SOFT] > soft and own[WORSE] < SAMPLES:
            heat[SAMPLE + own[WORSE]] = t[SOFT] - soft
            own[WORSE] += 1
        worse = heat[HARD_WEIGHT] * (t[HARD] - hard) + (t[SOFT] - soft)
        if worse > 0 and fraction(dice) >= exp(-worse / heat[TEMPERATURE]):
            undo(p, s, t, journal, EMPTY)
            continue
        journal[0] = 1
        own[TAKEN] += 1
        mix[CHANGED + kind] += worse != 0
        if t[HARD] < own[BEST_HARD] or (t[HARD] == own[BEST_HARD] and t[SOFT] < own[BEST_SOFT]):
            first = t[HARD] == 0 and own[BEST_HARD] > 0
            own[BEST_HARD], own[BEST_SOFT] = t[HARD], t[SOFT]
            own[BESTS] += 1
            save(p, s, best)
            if first:
                break


@compiled
def fill(p: Ints, s: Ints, t: Ints, journal: Ints, dice: Dice) -> None:
    """Put each block that is not placed where it costs least, in random order of its starts."""
    for block in range(p[BLOCKS]):
        first = p[p[START_FROM] + block]
        starts = p[p[START_FROM] + block + 1] - first
        if s[p[START] + block] >= 0 or starts == 0:
            continue
        turn, best, least = below(dice, starts), -1, 0
        for i in range(starts):
            start = p[p[START_LIST] + first + (turn + i) % starts]
            journal[0] = EMPTY
            note(p, s, journal, block)
            put(p, s, t, block, start, CHOOSE)
            cost = (t[HARD] - t[FORGIVEN]) * FINE + t[SOFT]
            undo(p, s, t, journal, EMPTY)
            if best < 0 or cost < least:
                best, least = start, cost
        put(p, s, t, block, best, CHOOSE)
