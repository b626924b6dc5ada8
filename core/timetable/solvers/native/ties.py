"""Kernels for what blocks are to each other: pairs, few rooms, ways between buildings."""

from core.timetable.solvers.native.compiled import inner
from core.timetable.solvers.native.layout import (
    BEFORE,
    BUILDING_OF,
    BUILDINGS,
    DAY_BEGIN,
    DAY_OF,
    DAYS,
    DAYS_APART,
    DIFFERENT_DAY,
    DURATION,
    HARD,
    NEED_FROM,
    NEXT,
    NO_OVERLAP,
    NOT_NEXT,
    OFFSET,
    ON_TRACK,
    ON_TRACK_FROM,
    PAIR_AMOUNT,
    PAIR_FIRST,
    PAIR_HARD,
    PAIR_OF,
    PAIR_OF_FROM,
    PAIR_RELATION,
    PAIR_SECOND,
    PAIR_WEIGHT,
    ROOM_OF,
    ROOMS,
    SAME_DAY,
    SAME_START,
    SOFT,
    STABILITY_COUNT,
    STABILITY_FUNCTION,
    STABILITY_HARD,
    STABILITY_MOST,
    STABILITY_ROOMS,
    STABILITY_WEIGHT,
    STABLE,
    STABLE_FROM,
    START,
    TRAVEL_DEVIATION,
    TRAVEL_HARD,
    TRAVEL_HOME,
    TRAVEL_OF,
    TRAVEL_OF_FROM,
    TRAVEL_SLOTS,
    TRAVEL_TRACK,
    TRAVEL_WEIGHT,
)
from core.timetable.solvers.native.pack import Ints
from core.timetable.solvers.native.terms import cost_of


@inner
def day_relation(p: Ints, relation: int, amount: int, first: int, second: int, end: int) -> int:
    """Return the deviation of a relation that looks at days."""
    one, other = p[p[DAY_OF] + first], p[p[DAY_OF] + second]
    if relation == SAME_DAY:
        return 1 if one != other else 0
    if relation == DIFFERENT_DAY:
        return 1 if one == other else 0
    if relation == DAYS_APART:
        return max(0, amount - abs(one - other))
    follows = one == other and second == end
    return (1 if follows else 0) if relation == NOT_NEXT else (0 if follows else 1)


@inner
def pair_deviation(p: Ints, pair: int, first: int, second: int) -> int:
    """Return the deviation of a pair whose blocks start there."""
    relation = p[p[PAIR_RELATION] + pair]
    amount = p[p[PAIR_AMOUNT] + pair]
    end = first + p[p[DURATION] + p[p[PAIR_FIRST] + pair]]
    if relation == SAME_START:
        return 1 if first != second else 0
    if relation == NO_OVERLAP:
        other_end = second + p[p[DURATION] + p[p[PAIR_SECOND] + pair]]
        return max(0, min(end, other_end) - max(first, second))
    if relation == BEFORE:
        return 1 if second < end + amount else 0
    if relation == OFFSET:
        return 1 if second != first + amount else 0
    return day_relation(p, relation, amount, first, second, end)


@inner
def shift_pairs(p: Ints, s: Ints, t: Ints, block: int, sign: int) -> None:
    """Add or take off what a placed block's pairs with placed ones cost."""
    for i in range(p[p[PAIR_OF_FROM] + block], p[p[PAIR_OF_FROM] + block + 1]):
        pair = p[p[PAIR_OF] + i]
        first = s[p[START] + p[p[PAIR_FIRST] + pair]]
        second = s[p[START] + p[p[PAIR_SECOND] + pair]]
        if first >= 0 and second >= 0:
            kind = HARD if p[p[PAIR_HARD] + pair] else SOFT
            t[kind] += sign * p[p[PAIR_WEIGHT] + pair] * pair_deviation(p, pair, first, second)


@inner
def shift_stabilities(p: Ints, s: Ints, t: Ints, need: int, room: int, sign: int) -> None:
    """Let a need take a room, or give it back, in each stability that it is in."""
    for i in range(p[p[STABLE_FROM] + need], p[p[STABLE_FROM] + need + 1]):
        stability = p[p[STABLE] + i]
        at = p[STABILITY_COUNT] + stability * p[ROOMS] + room
        count = s[at]
        s[at] = count + sign
        if (count == 0) if sign > 0 else (count == 1):
            rooms = s[p[STABILITY_ROOMS] + stability]
            s[p[STABILITY_ROOMS] + stability] = rooms + sign
            most, function = p[p[STABILITY_MOST] + stability], p[p[STABILITY_FUNCTION] + stability]
            more = cost_of(function, max(0, rooms + sign - most)) - cost_of(function, max(0, rooms - most))
            kind = HARD if p[p[STABILITY_HARD] + stability] else SOFT
            t[kind] += more * p[p[STABILITY_WEIGHT] + stability]


@inner
def place_of(p: Ints, s: Ints, travel: int, block: int) -> int:
    """Return the building in which a block is for a travel, -1 where that doesn't count."""
    need = p[p[NEED_FROM] + block]
    if need == p[p[NEED_FROM] + block + 1]:
        return p[p[TRAVEL_HOME] + travel]
    room = s[p[ROOM_OF] + need]
    return p[p[BUILDING_OF] + room] if room >= 0 else -1


@inner
def next_on_track(p: Ints, s: Ints, track: int, start: int, block: int, end: int) -> int:
    """Return the track's block that comes next after (start, block) and starts before ``end``; -1 for none."""
    found, found_start = -1, end
    for i in range(p[p[ON_TRACK_FROM] + track], p[p[ON_TRACK_FROM] + track + 1]):
        other = p[p[ON_TRACK] + i]
        at = s[p[START] + other]
        later = at > start or (at == start and other > block)
        if later and (at < found_start or (at == found_start and found >= 0 and other < found)):
            found, found_start = other, at
    return found


@inner
def travel_deviation(p: Ints, s: Ints, travel: int, day: int) -> int:
    """Return the slots that are missing between the blocks of one day."""
    track, missing = p[p[TRAVEL_TRACK] + travel], 0
    end = p[p[DAY_BEGIN] + day + 1]
    one = next_on_track(p, s, track, p[p[DAY_BEGIN] + day] - 1, -1, end)
    while one >= 0:
        start = s[p[START] + one]
        other = next_on_track(p, s, track, start, one, end)
        if other >= 0:
            here, there = place_of(p, s, travel, one), place_of(p, s, travel, other)
            if here >= 0 and there >= 0 and here != there:
                wanted = p[p[TRAVEL_SLOTS] + (travel * p[BUILDINGS] + here) * p[BUILDINGS] + there]
                missing += max(0, wanted - (s[p[START] + other] - start - p[p[DURATION] + one]))
        one = other
    return missing


@inner
def renew_travels(p: Ints, s: Ints, t: Ints, block: int, start: int) -> None:
    """Reckon anew the ways of the day on which a block was put or taken off, or changed its room."""
    day = p[p[DAY_OF] + start]
    for i in range(p[p[TRAVEL_OF_FROM] + block], p[p[TRAVEL_OF_FROM] + block + 1]):
        travel = p[p[TRAVEL_OF] + i]
        at = p[TRAVEL_DEVIATION] + travel * p[DAYS] + day
        missing = travel_deviation(p, s, travel, day)
        kind = HARD if p[p[TRAVEL_HARD] + travel] else SOFT
        t[kind] += (missing - s[at]) * p[p[TRAVEL_WEIGHT] + travel]
        s[at] = missing
