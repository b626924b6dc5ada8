"""Kernels of the moves of the annealing: each changes a complete timetable a little and notes what it changed."""

# ruff: noqa: PLR0917 - numba kernels take their arrays by position

from core.timetable.solvers.native.chance import Dice, below
from core.timetable.solvers.native.compiled import inner
from core.timetable.solvers.native.layout import (
    ALIKE,
    DAY_BEGIN,
    DAY_OF,
    DURATION,
    EXCLUSIVE_COUNT,
    EXCLUSIVE_OF,
    EXCLUSIVE_OF_FROM,
    EXCLUSIVE_XOR,
    NEED_FROM,
    OPTION_FROM,
    OPTION_ROOM,
    ROOM_COUNT,
    ROOM_OF,
    ROOM_XOR,
    SLOTS,
    START,
    START_COST,
    START_FROM,
    START_LIST,
    TERM_HARD,
    TRACK_OF,
    TRACK_OF_FROM,
    WINDOW_AT,
    WINDOW_AT_FROM,
    WINDOW_TERM,
    WINDOW_VALUE,
)
from core.timetable.solvers.native.pack import Ints
from core.timetable.solvers.native.rooming import settle
from core.timetable.solvers.native.state import note, overlaps_in_room, take
from core.timetable.solvers.native.terms import deviation_of

"""``way`` holds for each block the stamp of the move that it is part of, and then which way it goes in it."""


@inner
def is_allowed(p: Ints, block: int, start: int) -> bool:
    """Tell whether a block may start there."""
    found: bool = 0 <= start < p[SLOTS] and p[p[START_COST] + block * p[SLOTS] + start] >= 0
    return found


@inner
def join(queue: Ints, way: Ints, block: int, sign: int) -> None:
    """Let a block join the move, going that way, unless it is in it."""
    stamp = queue[1]
    if way[2 * block] != stamp:
        way[2 * block] = stamp
        way[2 * block + 1] = sign
        queue[2 + queue[0]] = block
        queue[0] += 1


@inner
def join_people(p: Ints, s: Ints, queue: Ints, way: Ints, block: int, start: int, sign: int) -> None:
    """Let those join, going the other way, who have the block's people where it goes."""
    duration = p[p[DURATION] + block]
    for i in range(p[p[EXCLUSIVE_OF_FROM] + block], p[p[EXCLUSIVE_OF_FROM] + block + 1]):
        row = p[p[EXCLUSIVE_OF] + i] * p[SLOTS]
        for at in range(row + start, row + start + duration):
            if s[p[EXCLUSIVE_COUNT] + at] == 1:
                join(queue, way, s[p[EXCLUSIVE_XOR] + at] - 1, -sign)


@inner
def has_free_room(p: Ints, s: Ints, need: int, start: int, duration: int) -> bool:
    """Tell whether one of the need's rooms is free."""
    for i in range(p[p[OPTION_FROM] + need], p[p[OPTION_FROM] + need + 1]):
        if overlaps_in_room(p, s, p[p[OPTION_ROOM] + i], start, duration) == 0:
            return True
    return False


@inner
def join_rooms(p: Ints, s: Ints, queue: Ints, way: Ints, block: int, start: int, sign: int) -> None:
    """Let those join who are in the block's rooms where it goes, if there is no other room."""
    duration = p[p[DURATION] + block]
    for need in range(p[p[NEED_FROM] + block], p[p[NEED_FROM] + block + 1]):
        room = s[p[ROOM_OF] + need]
        if room < 0 or has_free_room(p, s, need, start, duration):
            continue
        for at in range(room * p[SLOTS] + start, room * p[SLOTS] + start + duration):
            if s[p[ROOM_COUNT] + at] == 1 and s[p[ROOM_XOR] + at] > 0:
                join(queue, way, s[p[ROOM_XOR] + at] - 1, -sign)


@inner
def neighbour(p: Ints, s: Ints, block: int, slot: int) -> int:
    """Return the block alike that is on, alone with its people, in a slot of the block's day; else -1."""
    if not 0 <= slot < p[SLOTS] or p[p[DAY_OF] + slot] != p[p[DAY_OF] + s[p[START] + block]]:
        return -1
    at = p[p[EXCLUSIVE_OF] + p[p[EXCLUSIVE_OF_FROM] + block]] * p[SLOTS] + slot
    if s[p[EXCLUSIVE_COUNT] + at] != 1:
        return -1
    other = s[p[EXCLUSIVE_XOR] + at] - 1
    return other if p[p[ALIKE] + other] == p[p[ALIKE] + block] else -1


@inner
def join_run(p: Ints, s: Ints, queue: Ints, way: Ints, block: int, sign: int) -> None:
    """Let the blocks alike join that lie right before and after a block, and right before and after those."""
    if p[p[ALIKE] + block] < 0:
        return
    duration = p[p[DURATION] + block]
    other = neighbour(p, s, block, s[p[START] + block] + duration)
    while other >= 0:
        join(queue, way, other, sign)
        other = neighbour(p, s, other, s[p[START] + other] + duration)
    other = neighbour(p, s, block, s[p[START] + block] - 1)
    while other >= 0:
        join(queue, way, other, sign)
        other = neighbour(p, s, other, s[p[START] + other] - 1)


@inner
def are_turned(p: Ints, way: Ints, one: int, other: int) -> bool:
    """Tell whether two blocks alike merely take each other's place."""
    found: bool = 0 <= p[p[ALIKE] + one] == p[p[ALIKE] + other] and way[2 * one + 1] != way[2 * other + 1]
    return found


@inner
def gather(p: Ints, s: Ints, queue: Ints, way: Ints, block: int, shift: int, reach: int, runs: int, most: int) -> bool:
    """Write into the queue who moves with a block; tell whether all of them may.

    The first ``reach`` of the chain ask others to join, the first ``runs`` bring the blocks alike next to them; a chain
    of more than ``most`` is not made.
    """
    queue[0] = 0
    queue[1] += 1
    join(queue, way, block, 1)
    i = 0
    while i < queue[0]:
        one = queue[2 + i]
        sign = way[2 * one + 1]
        to = s[p[START] + one] + sign * shift
        if queue[0] > most or not is_allowed(p, one, to):
            return False
        if i < runs:
            join_run(p, s, queue, way, one, sign)
        if i < reach:
            join_people(p, s, queue, way, one, to, sign)
            join_rooms(p, s, queue, way, one, to, sign)
        i += 1
    return queue[0] != 2 or not are_turned(p, way, block, queue[3])


@inner
def exchange(
    p: Ints,
    s: Ints,
    t: Ints,
    journal: Ints,
    queue: Ints,
    way: Ints,
    dice: Dice,
    block: int,
    start: int,
    reach: int,
    runs: int,
    most: int,
) -> bool:
    """Move a block, and to where it was those in its way, and so on (a Kempe chain)."""
    shift = start - s[p[START] + block]
    if not gather(p, s, queue, way, block, shift, reach, runs, most):
        return False
    for i in range(queue[0]):
        one = queue[2 + i]
        note(p, s, journal, one)
        way[2 * one + 1] = s[p[START] + one] + way[2 * one + 1] * shift
        take(p, s, t, one)
    for i in range(queue[0]):
        one = queue[2 + i]
        settle(p, s, t, dice, one, way[2 * one + 1])
    return True


@inner
def turn_round(p: Ints, s: Ints, t: Ints, journal: Ints, dice: Dice, block: int) -> bool:
    """Let a block and the one right after it, of one of its people, change their order."""
    first = p[p[EXCLUSIVE_OF_FROM] + block]
    count = p[p[EXCLUSIVE_OF_FROM] + block + 1] - first
    start = s[p[START] + block]
    after = start + p[p[DURATION] + block]
    if count == 0 or after >= p[SLOTS] or p[p[DAY_OF] + after] != p[p[DAY_OF] + start]:
        return False
    at = p[p[EXCLUSIVE_OF] + first + below(dice, count)] * p[SLOTS] + after
    other = s[p[EXCLUSIVE_XOR] + at] - 1
    if s[p[EXCLUSIVE_COUNT] + at] != 1 or other == block or s[p[START] + other] != after:
        return False
    to = start + p[p[DURATION] + other]
    if 0 <= p[p[ALIKE] + block] == p[p[ALIKE] + other]:
        return False
    if not (is_allowed(p, other, start) and is_allowed(p, block, to)):
        return False
    note(p, s, journal, block)
    note(p, s, journal, other)
    take(p, s, t, block)
    take(p, s, t, other)
    settle(p, s, t, dice, other, start)
    settle(p, s, t, dice, block, to)
    return True


@inner
def random_start(p: Ints, dice: Dice, block: int) -> int:
    """Return one of the block's starts."""
    first = p[p[START_FROM] + block]
    found: int = p[p[START_LIST] + first + below(dice, p[p[START_FROM] + block + 1] - first)]
    return found


@inner
def start_on_its_day(p: Ints, s: Ints, dice: Dice, block: int) -> int:
    """Return a slot of the day on which a block is: within a day no bound on days is broken."""
    day = p[p[DAY_OF] + s[p[START] + block]]
    begin = p[p[DAY_BEGIN] + day]
    found: int = begin + below(dice, p[p[DAY_BEGIN] + day + 1] - begin)
    return found


@inner
def hurts(p: Ints, s: Ints, block: int) -> bool:
    """Tell whether something soft is not as wished where a block starts."""
    start = s[p[START] + block]
    if p[p[START_COST] + block * p[SLOTS] + start] > 0:
        return True
    for i in range(p[p[TRACK_OF_FROM] + block], p[p[TRACK_OF_FROM] + block + 1]):
        at = p[WINDOW_AT_FROM] + p[p[TRACK_OF] + i] * p[SLOTS] + start
        for k in range(p[at], p[at + 1]):
            window = p[p[WINDOW_AT] + k]
            term = p[p[WINDOW_TERM] + window]
            if p[p[TERM_HARD] + term] == 0 and deviation_of(p, term, s[p[WINDOW_VALUE] + window]) > 0:
                return True
    return False
