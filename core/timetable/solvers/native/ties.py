"""Kernels for what blocks are to each other: pairs, few rooms, ways between buildings."""

# ruff: noqa: PLR0917 - numba kernels take their arrays by position

from core.timetable.solvers.native.compiled import inner
from core.timetable.solvers.native.layout import (
    ADJACENT_ON_DAY,
    BEFORE,
    BUILDING_OF,
    BUILDINGS,
    DAY_OF,
    DAYS_APART,
    DIFFERENT_DAY,
    DURATION,
    HARD,
    NO_OVERLAP,
    NOT_NEXT,
    OFFSET,
    ORDERED_ON_DAY,
    PAIR_AMOUNT,
    PAIR_FIRST,
    PAIR_FUNCTION,
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
    SLOTS,
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
    STOP_BLOCK,
    STOP_FROM,
    STOP_NEED,
    TRAVEL_BEGINS,
    TRAVEL_ENDS,
    TRAVEL_FUNCTION,
    TRAVEL_HARD,
    TRAVEL_HOME,
    TRAVEL_OF,
    TRAVEL_OF_FROM,
    TRAVEL_ROOMS_APART,
    TRAVEL_SLOTS,
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
        found: int = max(0, amount - abs(one - other))
        return found
    follows = one == other and second == end
    return (1 if follows else 0) if relation == NOT_NEXT else (0 if follows else 1)


@inner
def distance_on_day(relation: int, amount: int, forward: int, backward: int) -> int:
    """Return the deviation of two blocks of one day, by the slots from each one's end to the other's start."""
    if relation == ORDERED_ON_DAY:
        return 1 if forward < 0 else 0
    if relation == ADJACENT_ON_DAY:
        return 1 if forward != 0 and backward != 0 else 0
    return 1 if forward < amount and backward < amount else 0


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
        found: int = max(0, min(end, other_end) - max(first, second))
        return found
    if relation in (BEFORE, OFFSET):
        missed = second < end + amount if relation == BEFORE else second != first + amount
        return 1 if missed else 0
    if relation >= ORDERED_ON_DAY:
        backward = first - second - p[p[DURATION] + p[p[PAIR_SECOND] + pair]]
        apart: int = distance_on_day(relation, amount, second - end, backward)
        return apart if p[p[DAY_OF] + first] == p[p[DAY_OF] + second] else 0
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
            cost = cost_of(p[p[PAIR_FUNCTION] + pair], pair_deviation(p, pair, first, second))
            t[kind] += sign * p[p[PAIR_WEIGHT] + pair] * cost


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
def building_of(p: Ints, s: Ints, travel: int, stop: int) -> int:
    """Return the building in which a stop is, or the room where these are apart; -1 where that doesn't count."""
    need = p[p[STOP_NEED] + stop]
    if need < 0:
        found: int = p[p[TRAVEL_HOME] + travel]
        return found
    room: int = s[p[ROOM_OF] + need]
    if p[p[TRAVEL_ROOMS_APART] + travel] > 0:
        return room
    return p[p[BUILDING_OF] + room] if room >= 0 else -1


@inner
def hurry(p: Ints, s: Ints, travel: int, one: int, other: int) -> int:
    """Return how much time is missing between two stops on one day, whichever comes first."""
    if s[p[START] + p[p[STOP_BLOCK] + one]] > s[p[START] + p[p[STOP_BLOCK] + other]]:
        one, other = other, one
    block = p[p[STOP_BLOCK] + one]
    last = s[p[START] + block] + p[p[DURATION] + block] - 1
    after = s[p[START] + p[p[STOP_BLOCK] + other]]
    here, there = building_of(p, s, travel, one), building_of(p, s, travel, other)
    if after <= last or here < 0 or there < 0 or here == there:
        return 0
    wanted = p[p[TRAVEL_ROOMS_APART] + travel]
    if wanted == 0:
        wanted = p[p[TRAVEL_SLOTS] + (travel * p[BUILDINGS] + here) * p[BUILDINGS] + there]
    row = travel * p[SLOTS]
    found: int = max(0, wanted - (p[p[TRAVEL_BEGINS] + row + after] - p[p[TRAVEL_ENDS] + row + last]))
    return found


@inner
def hurries(p: Ints, s: Ints, travel: int, block: int, stop: int) -> int:
    """Return the cost, before the weight, of the ways between a block's stop and those of others on its day."""
    total, function = 0, p[p[TRAVEL_FUNCTION] + travel]
    day = p[p[DAY_OF] + s[p[START] + block]]
    for other in range(p[p[STOP_FROM] + travel], p[p[STOP_FROM] + travel + 1]):
        start = s[p[START] + p[p[STOP_BLOCK] + other]]
        if p[p[STOP_BLOCK] + other] != block and start >= 0 and p[p[DAY_OF] + start] == day:
            total += cost_of(function, hurry(p, s, travel, stop, other))
    return total


@inner
def shift_travels(p: Ints, s: Ints, t: Ints, block: int, sign: int) -> None:
    """Add or take off what a placed block's ways cost, to and from those that are placed."""
    for i in range(p[p[TRAVEL_OF_FROM] + block], p[p[TRAVEL_OF_FROM] + block + 1]):
        travel = p[p[TRAVEL_OF] + i]
        kind = HARD if p[p[TRAVEL_HARD] + travel] else SOFT
        for stop in range(p[p[STOP_FROM] + travel], p[p[STOP_FROM] + travel + 1]):
            if p[p[STOP_BLOCK] + stop] == block:
                t[kind] += sign * p[p[TRAVEL_WEIGHT] + travel] * hurries(p, s, travel, block, stop)
