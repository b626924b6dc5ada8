"""The kernel of the ejection chain: place a block where that costs least, take off what is in its way, and go on."""

# ruff: noqa: PLR0917 - numba kernels take their arrays by position

from core.timetable.solvers.native.augmenting import augment
from core.timetable.solvers.native.chance import Dice, below
from core.timetable.solvers.native.clearing import ANYTHING, NEVER, needs_of, place, weight_in_the_way
from core.timetable.solvers.native.compiled import compiled, inner
from core.timetable.solvers.native.layout import (
    BLOCKS,
    CHOOSE,
    EMPTY,
    FORGIVEN,
    HARD,
    NEEDS,
    ROOM_OF,
    SLOTS,
    SOFT,
    START,
    START_COST,
    START_FROM,
    START_LIST,
    whole,
)
from core.timetable.solvers.native.pack import Ints
from core.timetable.solvers.native.state import clear, own_room, put, take, undo

STEPS, WAITING, FEWEST, SINCE, HASTE, PATIENCE, NEARLY, LOOKS = range(8)
"""The chain's own numbers: steps made, blocks that wait, the fewest that ever waited, and the steps since then: at most
HASTE of them, and PATIENCE once no more than NEARLY wait. A trap on the way is left early, the end takes its time.
Of the last few, a chain of moves is looked for over at least LOOKS blocks, and for none where that is 0."""
NUMBERS = 8
FINE = 1024
"""Parts of one unit of weight, in which soft costs tell equals apart."""
TENURE = whole(12)
"""Steps for which a block that was taken off does not go back to where it was, and a random part more."""
MOST_LOOKS = whole(100)
"""Over how many blocks a chain of moves is looked for where one waits alone."""


@inner
def best_start(
    p: Ints, s: Ints, t: Ints, weight: Ints, tabu: Ints, journal: Ints, dice: Dice, block: int, step: int
) -> int:
    """Return the start that costs the least weight, then the least soft cost; -1 where none will do."""
    best, least = -1, NEVER
    soft = t[SOFT]
    first = p[p[START_FROM] + block]
    starts = p[p[START_FROM] + block + 1] - first
    turn = below(dice, max(1, starts))
    for i in range(starts):
        start = p[p[START_LIST] + first + (turn + i) % starts]
        held = 0 if tabu[block * p[SLOTS] + start] <= step else NEVER >> 24
        if (weight_in_the_way(p, s, weight, block, start) + held) * FINE > least:
            continue
        mark = journal[0]
        total = place(p, s, t, weight, journal, dice, block, start, least // FINE)
        cost = (total + held) * FINE + max(0, min(FINE - 1, t[SOFT] - soft + FINE // 2)) if total < NEVER else NEVER
        undo(p, s, t, journal, mark)
        if cost < least:
            best, least = start, cost
    return best


@inner
def force(
    p: Ints, s: Ints, t: Ints, weight: Ints, tabu: Ints, journal: Ints, dice: Dice, block: int, step: int
) -> bool:
    """Place a block where the least weight is in its way, and take that off; False where nothing will do."""
    start = best_start(p, s, t, weight, tabu, journal, dice, block, step)
    if start >= 0 and place(p, s, t, weight, journal, dice, block, start, ANYTHING) < NEVER:
        return True
    undo(p, s, t, journal, EMPTY)
    return False


@inner
def looks_ahead(
    p: Ints, s: Ints, t: Ints, weight: Ints, own: Ints, journal: Ints, deep: Ints, dice: Dice, block: int
) -> bool:
    """Place one of the last few so that nobody waits in its stead; the fewer they are, the longer it looks.

    That takes as long as thirty steps without, so it is for where those bring nothing any more.
    """
    if own[LOOKS] == 0 or own[WAITING] > own[NEARLY]:
        return False
    return augment(p, s, t, weight, journal, dice, deep, block, max(own[LOOKS], MOST_LOOKS // own[WAITING]))


@inner
def hardest(waiting: Ints, count: int, weight: Ints, dice: Dice) -> int:
    """Return where in the queue the heaviest block waits, a random one of equals."""
    best, ties = 0, 1
    for i in range(1, count):
        if weight[waiting[i]] > weight[waiting[best]]:
            best, ties = i, 1
        elif weight[waiting[i]] == weight[waiting[best]]:
            ties += 1
            if below(dice, ties) == 0:
                best = i
    return best


@inner
def next_to_place(waiting: Ints, own: Ints, weight: Ints, dice: Dice) -> int:
    """Return where in the queue the next to place waits: the heaviest, and towards the end any.

    Few heavy ones that take each other's place would otherwise be served for ever, and a queue of light ones grow.
    """
    if own[FEWEST] <= own[NEARLY]:
        return below(dice, own[WAITING])
    return hardest(waiting, own[WAITING], weight, dice)


@inner
def queue_ejected(
    p: Ints, s: Ints, weight: Ints, tabu: Ints, waiting: Ints, own: Ints, journal: Ints, dice: Dice, block: int
) -> None:
    """Let those who were taken off wait, forbid them their old start for a while, and forget the journal."""
    end = journal[0]
    while end > 1:
        other, start = journal[end - 1], journal[end - 2]
        end -= 2 + needs_of(p, other)
        if other != block and s[p[START] + other] < 0:
            waiting[own[WAITING]] = other
            own[WAITING] += 1
            tabu[other * p[SLOTS] + start] = own[STEPS] + TENURE + below(dice, TENURE)
            weight[other] += 1
    journal[0] = 1


@compiled
def is_trapped(own: Ints) -> bool:
    """Tell whether too many steps brought nothing."""
    most: int = own[PATIENCE] if own[FEWEST] <= own[NEARLY] else own[HASTE]
    found: bool = own[SINCE] > most
    return found


@compiled
def chain(
    p: Ints,
    s: Ints,
    t: Ints,
    weight: Ints,
    tabu: Ints,
    waiting: Ints,
    own: Ints,
    journal: Ints,
    deep: Ints,
    dice: Dice,
    steps: int,
) -> None:
    """Make so many steps, or until nobody waits or too many steps brought nothing."""
    for _ in range(steps):
        if own[WAITING] == 0 or is_trapped(own):
            break
        own[STEPS] += 1
        own[SINCE] += 1
        at = next_to_place(waiting, own, weight, dice)
        block = waiting[at]
        if not (
            looks_ahead(p, s, t, weight, own, journal, deep, dice, block)
            or force(p, s, t, weight, tabu, journal, dice, block, own[STEPS])
        ):
            weight[block] += 1
            continue
        own[WAITING] -= 1
        waiting[at] = waiting[own[WAITING]]
        queue_ejected(p, s, weight, tabu, waiting, own, journal, dice, block)
        if own[WAITING] < own[FEWEST]:
            own[FEWEST], own[SINCE] = own[WAITING], 0


@compiled
def keep_what_fits(p: Ints, s: Ints, t: Ints, taken: Ints, waiting: Ints, own: Ints) -> None:
    """Place of an assignment what breaks nothing hard; the rest waits."""
    clear(p, s, t)
    own[WAITING] = 0
    for need in range(p[NEEDS]):
        s[p[ROOM_OF] + need] = own_room(p, need, taken[p[BLOCKS] + need])
    for block in range(p[BLOCKS]):
        start = taken[block]
        owed = t[HARD] - t[FORGIVEN]
        if 0 <= start < p[SLOTS] and p[p[START_COST] + block * p[SLOTS] + start] >= 0:
            put(p, s, t, block, start, CHOOSE)
            if t[HARD] - t[FORGIVEN] > owed:
                take(p, s, t, block)
        if s[p[START] + block] < 0:
            waiting[own[WAITING]] = block
            own[WAITING] += 1
    own[FEWEST], own[SINCE] = own[WAITING], 0
