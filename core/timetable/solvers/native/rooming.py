"""Kernels of the moves of the annealing that choose rooms."""

# ruff: noqa: PLR0917 - numba kernels take their arrays by position

from core.timetable.solvers.native.chance import Dice, below
from core.timetable.solvers.native.compiled import inner
from core.timetable.solvers.native.layout import (
    AS_IT_WAS,
    DURATION,
    NEED_FROM,
    OPTION_COST,
    OPTION_FROM,
    OPTION_ROOM,
    ROOM_COUNT,
    ROOM_OF,
    ROOM_XOR,
    ROOMS,
    SLOTS,
    STABILITY_COUNT,
    STABILITY_HARD,
    STABILITY_MOST,
    STABILITY_ROOMS,
    STABILITY_WEIGHT,
    STABLE,
    STABLE_FROM,
    START,
    whole,
)
from core.timetable.solvers.native.pack import Ints
from core.timetable.solvers.native.state import note, overlaps_in_room, own_room, put, take

TAKEN = whole(1 << 40)
"""What a slot of a room that somebody else has weighs when one is chosen: more than any price."""
HARD_PRICE = whole(1 << 20)


@inner
def price_of_room(p: Ints, s: Ints, need: int, room: int) -> int:
    """Return what one more room costs those who should have few."""
    price = 0
    for i in range(p[p[STABLE_FROM] + need], p[p[STABLE_FROM] + need + 1]):
        stability = p[p[STABLE] + i]
        known = s[p[STABILITY_COUNT] + stability * p[ROOMS] + room]
        if known == 0 and s[p[STABILITY_ROOMS] + stability] >= p[p[STABILITY_MOST] + stability]:
            price += p[p[STABILITY_WEIGHT] + stability] * (HARD_PRICE if p[p[STABILITY_HARD] + stability] else 1)
    return price


@inner
def cheapest_room(p: Ints, s: Ints, dice: Dice, need: int, start: int, duration: int) -> int:
    """Return the cheapest free room for a need, of equals the one that it had, else any; the least taken if none is."""
    first = p[p[OPTION_FROM] + need]
    options = p[p[OPTION_FROM] + need + 1] - first
    wish = s[p[ROOM_OF] + need]
    best, least = -1, -1
    turn = below(dice, options) if options > 1 else 0
    for i in range(turn, turn + options):
        option = first + (i if i < options else i - options)
        room = p[p[OPTION_ROOM] + option]
        price = overlaps_in_room(p, s, room, start, duration) * TAKEN
        if best >= 0 and price > least:
            continue
        price += 2 * (p[p[OPTION_COST] + option] + price_of_room(p, s, need, room)) + (0 if room == wish else 1)
        if best < 0 or price < least:
            best, least = room, price
    return best


@inner
def settle(p: Ints, s: Ints, t: Ints, dice: Dice, block: int, start: int) -> None:
    """Put a block that is off the timetable at a start, in the cheapest rooms that are free."""
    duration = p[p[DURATION] + block]
    for need in range(p[p[NEED_FROM] + block], p[p[NEED_FROM] + block + 1]):
        s[p[ROOM_OF] + need] = cheapest_room(p, s, dice, need, start, duration)
    put(p, s, t, block, start, AS_IT_WAS)


@inner
def need_in(p: Ints, s: Ints, block: int, room: int) -> int:
    """Return the block's need that has the room, else -1."""
    for need in range(p[p[NEED_FROM] + block], p[p[NEED_FROM] + block + 1]):
        if s[p[ROOM_OF] + need] == room:
            return need
    return -1


@inner
def sitter(p: Ints, s: Ints, block: int, room: int) -> int:
    """Return the one other block that has the room all the time that a block takes; -1 where there is none such."""
    start = s[p[START] + block]
    row = room * p[SLOTS]
    found = -1
    for at in range(row + start, row + start + p[p[DURATION] + block]):
        if s[p[ROOM_COUNT] + at] != 1 or s[p[ROOM_XOR] + at] == 0:
            return -1
        one = s[p[ROOM_XOR] + at] - 1
        if one == block or found not in (-1, one):
            return -1
        found = one
    return found


@inner
def change_room(p: Ints, s: Ints, t: Ints, journal: Ints, dice: Dice, block: int) -> bool:
    """Give one need of a block any other of its rooms; who is there meanwhile gets the block's, if it will do."""
    first = p[p[NEED_FROM] + block]
    needs = p[p[NEED_FROM] + block + 1] - first
    if needs == 0:
        return False
    need = first + (below(dice, needs) if needs > 1 else 0)
    options = p[p[OPTION_FROM] + need + 1] - p[p[OPTION_FROM] + need]
    if options < 2:
        return False
    room, was = p[p[OPTION_ROOM] + p[p[OPTION_FROM] + need] + below(dice, options)], s[p[ROOM_OF] + need]
    if room == was:
        return False
    other = sitter(p, s, block, room)
    start = s[p[START] + block]
    note(p, s, journal, block)
    if other >= 0:
        its = need_in(p, s, other, room)
        if own_room(p, its, was) >= 0:
            there = s[p[START] + other]
            note(p, s, journal, other)
            take(p, s, t, other)
            take(p, s, t, block)
            s[p[ROOM_OF] + its] = was
            s[p[ROOM_OF] + need] = room
            put(p, s, t, other, there, AS_IT_WAS)
            put(p, s, t, block, start, AS_IT_WAS)
            return True
    take(p, s, t, block)
    s[p[ROOM_OF] + need] = room
    put(p, s, t, block, start, AS_IT_WAS)
    return True
