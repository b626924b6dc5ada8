"""Kernels that place a block and take off what is in its way: people, rooms, pairs, what a law counts."""

# ruff: noqa: PLR0917 - numba kernels take their arrays by position

from core.timetable.solvers.native.chance import Dice, below
from core.timetable.solvers.native.compiled import inner
from core.timetable.solvers.native.layout import (
    AS_IT_WAS,
    DURATION,
    EXCLUSIVE_COUNT,
    EXCLUSIVE_OF,
    EXCLUSIVE_OF_FROM,
    EXCLUSIVE_XOR,
    FORGIVEN,
    HARD,
    NEED_FROM,
    ON_TRACK,
    ON_TRACK_FROM,
    OPTION_FROM,
    OPTION_ROOM,
    PAIR_FIRST,
    PAIR_HARD,
    PAIR_OF,
    PAIR_OF_FROM,
    PAIR_SECOND,
    ROOM_COUNT,
    ROOM_OF,
    ROOM_XOR,
    SLOTS,
    START,
    TERM_HARD,
    TRACK_OF,
    TRACK_OF_FROM,
    TRACK_TERM,
    TRACK_TERM_FROM,
    whole,
)
from core.timetable.solvers.native.pack import Ints
from core.timetable.solvers.native.state import note, put, take, undo

NEVER = whole(1 << 60)
ANYTHING = whole((1 << 60) - 1)
TWO = whole(2)


@inner
def eject(p: Ints, s: Ints, t: Ints, journal: Ints, block: int) -> None:
    """Take a block off and note it."""
    note(p, s, journal, block)
    take(p, s, t, block)


@inner
def weight_in_the_way(p: Ints, s: Ints, weight: Ints, block: int, start: int) -> int:
    """Return the weight of those whose people the block needs, at least."""
    total = 0
    duration = p[p[DURATION] + block]
    last = -1
    for i in range(p[p[EXCLUSIVE_OF_FROM] + block], p[p[EXCLUSIVE_OF_FROM] + block + 1]):
        row = p[p[EXCLUSIVE_OF] + i] * p[SLOTS]
        most = 0
        for at in range(row + start, row + start + duration):
            if s[p[EXCLUSIVE_COUNT] + at] > 0:
                other = s[p[EXCLUSIVE_XOR] + at] - 1
                if other != last:
                    most = max(most, weight[other])
                    last = other
        total = max(total, most)
    return total


@inner
def clear_people(p: Ints, s: Ints, t: Ints, weight: Ints, journal: Ints, block: int, start: int) -> int:
    """Take off all whose people the block needs; return their weight."""
    total = 0
    duration = p[p[DURATION] + block]
    for i in range(p[p[EXCLUSIVE_OF_FROM] + block], p[p[EXCLUSIVE_OF_FROM] + block + 1]):
        row = p[p[EXCLUSIVE_OF] + i] * p[SLOTS]
        for at in range(row + start, row + start + duration):
            if s[p[EXCLUSIVE_COUNT] + at] > 0:
                other = s[p[EXCLUSIVE_XOR] + at] - 1
                total += weight[other]
                eject(p, s, t, journal, other)
    return total


@inner
def weight_in_room(p: Ints, s: Ints, weight: Ints, room: int, start: int, duration: int) -> int:
    """Return the weight of those who are in a room; NEVER where it is closed."""
    total = 0
    last = -1
    for at in range(room * p[SLOTS] + start, room * p[SLOTS] + start + duration):
        if s[p[ROOM_COUNT] + at] > 0:
            other = s[p[ROOM_XOR] + at] - 1
            if other < 0 or s[p[ROOM_COUNT] + at] > 1:
                return NEVER
            if other != last:
                total += weight[other]
                last = other
    return total


@inner
def is_own(p: Ints, s: Ints, block: int, need: int, room: int) -> bool:
    """Tell whether an earlier need of the block has the room."""
    own = 0
    for earlier in range(p[p[NEED_FROM] + block], need):
        own += s[p[ROOM_OF] + earlier] == room
    return own > 0


@inner
def clear_room(p: Ints, s: Ints, t: Ints, weight: Ints, journal: Ints, block: int, need: int, start: int) -> int:
    """Give a need a free room, or else take off the lightest that keep it from one; return their weight."""
    best, least = -1, NEVER
    duration = p[p[DURATION] + block]
    for i in range(p[p[OPTION_FROM] + need], p[p[OPTION_FROM] + need + 1]):
        room = p[p[OPTION_ROOM] + i]
        if is_own(p, s, block, need, room):
            continue
        inside = weight_in_room(p, s, weight, room, start, duration)
        if inside < least:
            best, least = room, inside
        if least == 0:
            break
    s[p[ROOM_OF] + need] = best
    if best >= 0 and least > 0:
        for at in range(best * p[SLOTS] + start, best * p[SLOTS] + start + duration):
            if s[p[ROOM_COUNT] + at] > 0:
                eject(p, s, t, journal, s[p[ROOM_XOR] + at] - 1)
    return least


@inner
def clear_pairs(p: Ints, s: Ints, t: Ints, weight: Ints, journal: Ints, block: int) -> int:
    """Take off those whose hard pair with the block does not hold; return their weight."""
    total = 0
    for i in range(p[p[PAIR_OF_FROM] + block], p[p[PAIR_OF_FROM] + block + 1]):
        pair = p[p[PAIR_OF] + i]
        other = p[p[PAIR_FIRST] + pair] + p[p[PAIR_SECOND] + pair] - block
        if p[p[PAIR_HARD] + pair] and other != block and s[p[START] + other] >= 0:
            owed = t[HARD] - t[FORGIVEN]
            mark = journal[0]
            eject(p, s, t, journal, other)
            if t[HARD] - t[FORGIVEN] < owed:
                total += weight[other]
            else:
                undo(p, s, t, journal, mark)
    return total


@inner
def has_hard_term(p: Ints, track: int) -> bool:
    """Tell whether a hard term measures the track."""
    for i in range(p[p[TRACK_TERM_FROM] + track], p[p[TRACK_TERM_FROM] + track + 1]):
        if p[p[TERM_HARD] + p[p[TRACK_TERM] + i]]:
            return True
    return False


@inner
def lightest_relief(p: Ints, s: Ints, t: Ints, weight: Ints, journal: Ints, dice: Dice, block: int) -> int:
    """Return the lightest block on one of the block's tracks without which less is owed; -1 for none."""
    best, least = -1, NEVER
    for i in range(p[p[TRACK_OF_FROM] + block], p[p[TRACK_OF_FROM] + block + 1]):
        track = p[p[TRACK_OF] + i]
        if not has_hard_term(p, track):
            continue
        for k in range(p[p[ON_TRACK_FROM] + track], p[p[ON_TRACK_FROM] + track + 1]):
            other = p[p[ON_TRACK] + k]
            if other == block or s[p[START] + other] < 0 or weight[other] > least:
                continue
            if weight[other] == least and below(dice, TWO):
                continue
            owed, mark = t[HARD] - t[FORGIVEN], journal[0]
            eject(p, s, t, journal, other)
            if t[HARD] - t[FORGIVEN] < owed:
                best, least = other, weight[other]
            undo(p, s, t, journal, mark)
    return best


@inner
def place(
    p: Ints, s: Ints, t: Ints, weight: Ints, journal: Ints, dice: Dice, block: int, start: int, bound: int
) -> int:
    """Place a block and take off what is in its way; return the weight of that, or stop above ``bound``."""
    owed = t[HARD] - t[FORGIVEN]
    note(p, s, journal, block)
    total = clear_people(p, s, t, weight, journal, block, start)
    for need in range(p[p[NEED_FROM] + block], p[p[NEED_FROM] + block + 1]):
        total += clear_room(p, s, t, weight, journal, block, need, start)
    if total > bound:
        return total
    put(p, s, t, block, start, AS_IT_WAS)
    if t[HARD] - t[FORGIVEN] > owed:
        total += clear_pairs(p, s, t, weight, journal, block)
    while t[HARD] - t[FORGIVEN] > owed and total <= bound:
        other = lightest_relief(p, s, t, weight, journal, dice, block)
        if other < 0:
            return NEVER
        total += weight[other]
        eject(p, s, t, journal, other)
    return total


@inner
def needs_of(p: Ints, block: int) -> int:
    """Return how many rooms a block needs."""
    found: int = p[p[NEED_FROM] + block + 1] - p[p[NEED_FROM] + block]
    return found
