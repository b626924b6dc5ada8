"""Kernels that put blocks into a timetable and take them off, with all costs kept up to date."""

# ruff: noqa: PLR0917 - numba kernels take their arrays by position

from core.timetable.solvers.native.compiled import compiled, inner
from core.timetable.solvers.native.layout import (
    AS_IT_WAS,
    BLOCKS,
    CHOOSE,
    DURATION,
    EACH,
    EXCLUSIVE_COUNT,
    EXCLUSIVE_OF,
    EXCLUSIVE_OF_FROM,
    EXCLUSIVE_XOR,
    HARD,
    NEED_FROM,
    NEEDS,
    OFF,
    ON,
    ON_TRACK,
    ON_TRACK_FROM,
    OPTION_COST,
    OPTION_FROM,
    OPTION_ROOM,
    ROOM_CLOSED,
    ROOM_COUNT,
    ROOM_OF,
    ROOM_XOR,
    ROOMS,
    SLOTS,
    SOFT,
    START,
    START_COST,
    STATE_SIZE,
    SUM_DEVIATION,
    TALLY,
    TERM_COMBINE,
    TERM_DEBT,
    TERM_FORGIVEN,
    TERM_FUNCTION,
    TERM_HARD,
    TERM_SUM,
    TERM_WEIGHT,
    TERM_WINDOW_FROM,
    TERMS,
    TRACK_BLOCKS_LEFT,
    TRACK_OF,
    TRACK_OF_FROM,
    TRACK_SLOTS_LEFT,
    TRACKS,
    UNPLACED,
)
from core.timetable.solvers.native.pack import Ints
from core.timetable.solvers.native.terms import cost_of, deviation_of, fillable_of, forgive, shift_track
from core.timetable.solvers.native.ties import shift_pairs, shift_stabilities, shift_travels

ANY_ROOM = -2
"""Let ``put`` choose the room."""


@compiled
def clear(p: Ints, s: Ints, t: Ints) -> None:
    """Make the state that of an empty timetable."""
    for i in range(p[STATE_SIZE]):
        s[i] = 0
    for kind in range(TALLY):
        t[kind] = 0
    t[UNPLACED] = p[BLOCKS]
    for block in range(p[BLOCKS]):
        s[p[START] + block] = -1
    for need in range(p[NEEDS]):
        s[p[ROOM_OF] + need] = -1
    for at in range(p[ROOMS] * p[SLOTS]):
        s[p[ROOM_COUNT] + at] = p[p[ROOM_CLOSED] + at]
    for track in range(p[TRACKS]):
        for i in range(p[p[ON_TRACK_FROM] + track], p[p[ON_TRACK_FROM] + track + 1]):
            s[p[TRACK_SLOTS_LEFT] + track] += p[p[DURATION] + p[p[ON_TRACK] + i]]
            s[p[TRACK_BLOCKS_LEFT] + track] += 1
    for term in range(p[TERMS]):
        clear_term(p, s, t, term)
    for track in range(p[TRACKS]):
        forgive(p, s, t, track, ON)


@inner
def clear_term(p: Ints, s: Ints, t: Ints, term: int) -> None:
    """Give an empty timetable what its windows' values of 0 cost."""
    windows = p[p[TERM_WINDOW_FROM] + term + 1] - p[p[TERM_WINDOW_FROM] + term]
    function, weight = p[p[TERM_FUNCTION] + term], p[p[TERM_WEIGHT] + term]
    kind = HARD if p[p[TERM_HARD] + term] else SOFT
    deviation, fillable = deviation_of(p, term, 0), fillable_of(p, term, 0)
    if p[p[TERM_COMBINE] + term] == EACH:
        t[kind] += windows * weight * cost_of(function, deviation)
        s[p[TERM_DEBT] + term] = windows * fillable
        s[p[TERM_FORGIVEN] + term] = windows * weight * cost_of(function, fillable)
    elif p[p[TERM_COMBINE] + term] == SUM_DEVIATION:
        t[kind] += weight * cost_of(function, windows * deviation)
        s[p[TERM_SUM] + term] = windows * deviation
        s[p[TERM_DEBT] + term] = windows * fillable
    else:
        t[kind] += weight * cost_of(function, deviation)
        s[p[TERM_DEBT] + term] = fillable


@inner
def shift_exclusives(p: Ints, s: Ints, t: Ints, block: int, start: int, sign: int) -> None:
    """Let a block take its people's time, or give it back."""
    duration = p[p[DURATION] + block]
    for i in range(p[p[EXCLUSIVE_OF_FROM] + block], p[p[EXCLUSIVE_OF_FROM] + block + 1]):
        row = p[p[EXCLUSIVE_OF] + i] * p[SLOTS]
        for at in range(row + start, row + start + duration):
            count = s[p[EXCLUSIVE_COUNT] + at]
            if count > (0 if sign > 0 else 1):
                t[HARD] += sign
            s[p[EXCLUSIVE_COUNT] + at] = count + sign
            s[p[EXCLUSIVE_XOR] + at] ^= block + 1


@inner
def shift_room(p: Ints, s: Ints, t: Ints, block: int, need: int, start: int, room: int, sign: int) -> None:
    """Let a need of a placed block take a room's time, or give it back; a need without a room is one fault."""
    if room < 0:
        t[HARD] += sign
        return
    row = room * p[SLOTS]
    for at in range(row + start, row + start + p[p[DURATION] + block]):
        count = s[p[ROOM_COUNT] + at]
        if count > (0 if sign > 0 else 1):
            t[HARD] += sign
        s[p[ROOM_COUNT] + at] = count + sign
        s[p[ROOM_XOR] + at] ^= block + 1
    for i in range(p[p[OPTION_FROM] + need], p[p[OPTION_FROM] + need + 1]):
        if p[p[OPTION_ROOM] + i] == room:
            t[SOFT] += sign * p[p[OPTION_COST] + i]
            break
    shift_stabilities(p, s, t, need, room, sign)


@inner
def overlaps_in_room(p: Ints, s: Ints, room: int, start: int, duration: int) -> int:
    """Return in how many of the slots the room is taken or closed."""
    taken = 0
    row = p[ROOM_COUNT] + room * p[SLOTS]
    for at in range(row + start, row + start + duration):
        if s[at] > 0:
            taken += 1
    return taken


@inner
def best_room(p: Ints, s: Ints, block: int, need: int, start: int) -> int:
    """Return the room that the need had where it is free, else the cheapest of those that clash least."""
    wish = s[p[ROOM_OF] + need]
    best, least = -1, 1 << 30
    duration = p[p[DURATION] + block]
    for i in range(p[p[OPTION_FROM] + need], p[p[OPTION_FROM] + need + 1]):
        room = p[p[OPTION_ROOM] + i]
        taken = overlaps_in_room(p, s, room, start, duration)
        if taken < least:
            best, least = room, taken
        if taken == 0 and (wish < 0 or room == wish):
            found: int = room
            return found
    return best


@inner
def shift_block(p: Ints, s: Ints, t: Ints, block: int, start: int, sign: int, choose: int) -> None:
    """Put a block on the timetable or take it off, with everything that it is part of."""
    if sign < 0:
        shift_travels(p, s, t, block, sign)
    s[p[START] + block] = start
    shift_pairs(p, s, t, block, sign)
    t[UNPLACED] -= sign
    t[SOFT] += sign * max(0, p[p[START_COST] + block * p[SLOTS] + start])
    shift_exclusives(p, s, t, block, start, sign)
    for i in range(p[p[TRACK_OF_FROM] + block], p[p[TRACK_OF_FROM] + block + 1]):
        shift_track(p, s, t, p[p[TRACK_OF] + i], start, p[p[DURATION] + block], sign)
    for need in range(p[p[NEED_FROM] + block], p[p[NEED_FROM] + block + 1]):
        if choose:
            s[p[ROOM_OF] + need] = best_room(p, s, block, need, start)
        shift_room(p, s, t, block, need, start, s[p[ROOM_OF] + need], sign)
    if sign > 0:
        shift_travels(p, s, t, block, sign)
    else:
        s[p[START] + block] = -1


@inner
def put(p: Ints, s: Ints, t: Ints, block: int, start: int, choose: int) -> None:
    """Put a block that is off the timetable at a start, in the rooms that it had or in chosen ones."""
    shift_block(p, s, t, block, start, ON, choose)


@inner
def take(p: Ints, s: Ints, t: Ints, block: int) -> None:
    """Take a placed block off the timetable. Its needs remember their rooms."""
    shift_block(p, s, t, block, s[p[START] + block], OFF, AS_IT_WAS)


@inner
def own_room(p: Ints, need: int, room: int) -> int:
    """Return the room if it is one of the need's, else -1."""
    for i in range(p[p[OPTION_FROM] + need], p[p[OPTION_FROM] + need + 1]):
        if p[p[OPTION_ROOM] + i] == room:
            return room
    return -1


@compiled
def load(p: Ints, s: Ints, t: Ints, taken: Ints) -> None:
    """Make the state that of an assignment: starts, then rooms. What has no room of its own gets one."""
    clear(p, s, t)
    for need in range(p[NEEDS]):
        s[p[ROOM_OF] + need] = own_room(p, need, taken[p[BLOCKS] + need])
    for block in range(p[BLOCKS]):
        start = taken[block]
        if 0 <= start < p[SLOTS] and p[p[START_COST] + block * p[SLOTS] + start] >= 0:
            put(p, s, t, block, start, CHOOSE if lacks_room(p, s, block) else AS_IT_WAS)


@inner
def lacks_room(p: Ints, s: Ints, block: int) -> bool:
    """Tell whether a need of a block has no room."""
    lacking = 0
    for need in range(p[p[NEED_FROM] + block], p[p[NEED_FROM] + block + 1]):
        lacking += s[p[ROOM_OF] + need] < 0
    return lacking > 0


@compiled
def save(p: Ints, s: Ints, taken: Ints) -> None:
    """Write where everything is: starts, then rooms; -1 for the rooms of what is not placed."""
    for block in range(p[BLOCKS]):
        start = s[p[START] + block]
        taken[block] = start
        for need in range(p[p[NEED_FROM] + block], p[p[NEED_FROM] + block + 1]):
            taken[p[BLOCKS] + need] = s[p[ROOM_OF] + need] if start >= 0 else -1


@inner
def note(p: Ints, s: Ints, journal: Ints, block: int) -> None:
    """Write down where a block is before it moves; the journal's first number is where it ends."""
    end = journal[0]
    for need in range(p[p[NEED_FROM] + block], p[p[NEED_FROM] + block + 1]):
        journal[end] = s[p[ROOM_OF] + need]
        end += 1
    journal[end], journal[end + 1] = s[p[START] + block], block
    journal[0] = end + 2


@inner
def undo(p: Ints, s: Ints, t: Ints, journal: Ints, mark: int) -> None:
    """Put everything back to where it was when the journal ended at ``mark``."""
    while journal[0] > mark:
        block, start = journal[journal[0] - 1], journal[journal[0] - 2]
        if s[p[START] + block] >= 0:
            take(p, s, t, block)
        first = p[p[NEED_FROM] + block]
        end = journal[0] - 2 - (p[p[NEED_FROM] + block + 1] - first)
        for need in range(first, p[p[NEED_FROM] + block + 1]):
            s[p[ROOM_OF] + need] = journal[end + need - first]
        if start >= 0:
            put(p, s, t, block, start, AS_IT_WAS)
        journal[0] = end
