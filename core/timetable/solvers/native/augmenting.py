"""The kernel that looks ahead: a chain of moves at whose end a block is placed and nobody waits for it."""

# ruff: noqa: PLR0917 - numba kernels take their arrays by position

from core.timetable.solvers.native.chance import Dice, below
from core.timetable.solvers.native.clearing import ANYTHING, NEVER, needs_of, place, weight_in_the_way
from core.timetable.solvers.native.compiled import inner
from core.timetable.solvers.native.layout import EMPTY, START, START_FROM, START_LIST, whole
from core.timetable.solvers.native.pack import Ints
from core.timetable.solvers.native.state import undo

DEEPEST, WIDEST = 14, 3
"""How long a chain gets, as in FET, and how many starts of each of its blocks are tried."""
OF_BLOCK, NEXT, COUNT, MARK, LEFT, FIRST = range(6)
"""A frame: whose it is, which start is next, how many there are, where the journal ended, how many had to be placed
besides; then the starts, and after them their weights."""
NOTHING = whole(0)
FRAME = FIRST + 2 * WIDEST
PENDING = DEEPEST * FRAME
"""Where the list of those begins that are yet to be placed, after the frames."""
PLACES = PENDING + 4 * DEEPEST


@inner
def keeps_chain(p: Ints, s: Ints, deep: Ints, depth: int) -> bool:
    """Tell whether all earlier blocks of the chain are still where it put them."""
    lost = 0
    for earlier in range(depth):
        lost += s[p[START] + deep[earlier * FRAME + OF_BLOCK]] < 0
    return lost == 0


@inner
def rank(deep: Ints, frame: int, start: int, total: int) -> None:
    """Take a start among the frame's, in order of their weights; the heaviest falls out where they are too many."""
    count = deep[frame + COUNT]
    at = count if count < WIDEST else count - 1
    while at > 0 and deep[frame + FIRST + WIDEST + at - 1] > total:
        deep[frame + FIRST + at] = deep[frame + FIRST + at - 1]
        deep[frame + FIRST + WIDEST + at] = deep[frame + FIRST + WIDEST + at - 1]
        at -= 1
    deep[frame + FIRST + at] = start
    deep[frame + FIRST + WIDEST + at] = total
    deep[frame + COUNT] = min(WIDEST, count + 1)


@inner
def finds_free(
    p: Ints, s: Ints, t: Ints, weight: Ints, journal: Ints, dice: Dice, deep: Ints, depth: int, turn: int
) -> bool:
    """Write down a start at which nobody is in the way, if there is one: then no other is looked at."""
    frame = depth * FRAME
    block = deep[frame + OF_BLOCK]
    first = p[p[START_FROM] + block]
    starts = p[p[START_FROM] + block + 1] - first
    for i in range(starts):
        start = p[p[START_LIST] + first + (turn + i) % starts]
        if weight_in_the_way(p, s, weight, block, start) > 0:
            continue
        mark = journal[0]
        total = place(p, s, t, weight, journal, dice, block, start, NOTHING)
        undo(p, s, t, journal, mark)
        if total == 0:
            rank(deep, frame, start, NOTHING)
            return True
    return False


@inner
def find_starts(p: Ints, s: Ints, t: Ints, weight: Ints, journal: Ints, dice: Dice, deep: Ints, depth: int) -> None:
    """Write down the lightest starts of the block of a frame that move no earlier block of the chain."""
    frame = depth * FRAME
    block = deep[frame + OF_BLOCK]
    first = p[p[START_FROM] + block]
    starts = p[p[START_FROM] + block + 1] - first
    deep[frame + NEXT] = deep[frame + COUNT] = 0
    turn = below(dice, max(1, starts))
    if finds_free(p, s, t, weight, journal, dice, deep, depth, turn):
        return
    for i in range(starts):
        start = p[p[START_LIST] + first + (turn + i) % starts]
        most = deep[frame + FIRST + 2 * WIDEST - 1] if deep[frame + COUNT] == WIDEST else NEVER
        if weight_in_the_way(p, s, weight, block, start) >= most:
            continue
        mark = journal[0]
        total = place(p, s, t, weight, journal, dice, block, start, most - 1)
        if total < most and keeps_chain(p, s, deep, depth):
            rank(deep, frame, start, total)
        undo(p, s, t, journal, mark)


@inner
def next_start(p: Ints, s: Ints, t: Ints, weight: Ints, journal: Ints, dice: Dice, deep: Ints, depth: int) -> int:
    """Place the block of a frame at its next start; return how many are to be placed then, PLACES where that fails."""
    frame = depth * FRAME
    block = deep[frame + OF_BLOCK]
    left: int = deep[frame + LEFT]
    start = deep[frame + FIRST + deep[frame + NEXT]]
    deep[frame + NEXT] += 1
    mark = deep[frame + MARK]
    if place(p, s, t, weight, journal, dice, block, start, ANYTHING) >= NEVER or not keeps_chain(p, s, deep, depth):
        undo(p, s, t, journal, mark)
        return PLACES
    end = journal[0]
    while end > mark and left <= DEEPEST:
        other = journal[end - 1]
        end -= 2 + needs_of(p, other)
        if other != block and s[p[START] + other] < 0:
            deep[PENDING + left] = other
            left += 1
    if left + depth >= DEEPEST and left > 0:
        undo(p, s, t, journal, mark)
        return PLACES
    return left


@inner
def augment(
    p: Ints, s: Ints, t: Ints, weight: Ints, journal: Ints, dice: Dice, deep: Ints, block: int, looks: int
) -> bool:
    """Place a block, and all who have to make way for it elsewhere; False, and nothing is changed, where none is found.

    Depth first, the lightest way first, over at most so many blocks.
    """
    depth, left = 0, 1
    deep[PENDING] = block
    is_new = True
    while looks > 0:
        frame = depth * FRAME
        if is_new:
            looks -= 1
            left -= 1
            deep[frame + OF_BLOCK], deep[frame + LEFT] = deep[PENDING + left], left
            deep[frame + MARK] = journal[0]
            find_starts(p, s, t, weight, journal, dice, deep, depth)
            is_new = False
        if deep[frame + NEXT] < deep[frame + COUNT]:
            left = next_start(p, s, t, weight, journal, dice, deep, depth)
            if left == 0:
                return True
            if left < PLACES:
                depth += 1
                is_new = True
            continue
        if depth == 0:
            break
        deep[PENDING + deep[frame + LEFT]] = deep[frame + OF_BLOCK]
        depth -= 1
        undo(p, s, t, journal, deep[depth * FRAME + MARK])
    undo(p, s, t, journal, EMPTY)
    return False
