"""Kernels that reckon what terms cost while blocks come and go."""

# ruff: noqa: PLR0917 - numba kernels take their arrays by position

from core.timetable.solvers.native.compiled import inner
from core.timetable.solvers.native.layout import (
    ACTIVE,
    BUSY,
    DAY_OF,
    EACH,
    EXCESS_RUN,
    FILLABLE,
    FILLABLE_FROM,
    FORGIVEN,
    GAPS,
    HARD,
    LATE,
    LINEAR,
    LONE,
    MORE_DAYS,
    OFF,
    ON,
    QUADRATIC,
    SLOTS,
    SOFT,
    STARTS,
    SUM_DEVIATION,
    TERM_COMBINE,
    TERM_DEBT,
    TERM_FILLABLE,
    TERM_FORGIVEN,
    TERM_FUNCTION,
    TERM_HARD,
    TERM_HIGH,
    TERM_LOW,
    TERM_MEASURE,
    TERM_OR_ZERO,
    TERM_RUN,
    TERM_SUM,
    TERM_TRACK,
    TERM_WEIGHT,
    TRACK_BLOCKS_LEFT,
    TRACK_COUNT,
    TRACK_SLOTS_LEFT,
    WINDOW_AT,
    WINDOW_AT_FROM,
    WINDOW_BUSY,
    WINDOW_SLOT,
    WINDOW_SLOT_FROM,
    WINDOW_TERM,
    WINDOW_VALUE,
)
from core.timetable.solvers.native.pack import Ints


@inner
def cost_of(function: int, deviation: int) -> int:
    """Return f(deviation)."""
    if function == LINEAR:
        return deviation
    if function == QUADRATIC:
        return deviation * deviation
    return min(deviation, 1)


@inner
def deviation_of(p: Ints, term: int, value: int) -> int:
    """Return the distance of a value to the term's bounds."""
    low = p[p[TERM_LOW] + term]
    if value < low:
        return 0 if value == 0 and p[p[TERM_OR_ZERO] + term] else low - value
    found: int = max(0, value - p[p[TERM_HIGH] + term])
    return found


@inner
def fillable_of(p: Ints, term: int, value: int) -> int:
    """Return the part of a deviation that more blocks can make good: what is too few, or idle between."""
    measure = p[p[TERM_MEASURE] + term]
    low = p[p[TERM_LOW] + term]
    if value < low:
        idle = measure in (GAPS, LATE, LONE)
        return 0 if idle or (value == 0 and p[p[TERM_OR_ZERO] + term]) else low - value
    return max(0, value - p[p[TERM_HIGH] + term]) if measure in (GAPS, LATE, LONE) else 0


@inner
def idle_in(p: Ints, s: Ints, window: int, row: int, from_first: int) -> int:
    """Return the idle slots before the last busy one, from the window's begin or from its first busy slot."""
    first = last = -1
    busy = 0
    begin = p[p[WINDOW_SLOT_FROM] + window]
    for i in range(begin, p[p[WINDOW_SLOT_FROM] + window + 1]):
        if s[row + p[p[WINDOW_SLOT] + i]] > 0:
            if first < 0:
                first = i
            last = i
            busy += 1
    if last < 0:
        return 0
    return last + 1 - (first if from_first else begin) - busy


@inner
def excess_run_in(p: Ints, s: Ints, window: int, row: int, run: int) -> int:
    """Return by how many slots runs of busy slots are too long."""
    length = excess = 0
    for i in range(p[p[WINDOW_SLOT_FROM] + window], p[p[WINDOW_SLOT_FROM] + window + 1]):
        if s[row + p[p[WINDOW_SLOT] + i]] > 0:
            length += 1
            if length > run:
                excess += 1
        else:
            length = 0
    return excess


@inner
def lone_in(p: Ints, s: Ints, window: int, row: int) -> int:
    """Return the busy slots without a busy neighbour."""
    length = lone = 0
    for i in range(p[p[WINDOW_SLOT_FROM] + window], p[p[WINDOW_SLOT_FROM] + window + 1]):
        if s[row + p[p[WINDOW_SLOT] + i]] > 0:
            length += 1
        else:
            lone += 1 if length == 1 else 0
            length = 0
    return lone + (1 if length == 1 else 0)


@inner
def more_days_in(p: Ints, s: Ints, window: int, row: int) -> int:
    """Return the days with a busy slot, beyond the first."""
    days = 0
    last = -1
    for i in range(p[p[WINDOW_SLOT_FROM] + window], p[p[WINDOW_SLOT_FROM] + window + 1]):
        slot = p[p[WINDOW_SLOT] + i]
        if s[row + slot] > 0 and p[p[DAY_OF] + slot] != last:
            last = p[p[DAY_OF] + slot]
            days += 1
    return max(0, days - 1)


@inner
def pattern_in(p: Ints, s: Ints, window: int, row: int, measure: int) -> int:
    """Return the value of a measure that looks at the order of busy slots."""
    if measure == EXCESS_RUN:
        return excess_run_in(p, s, window, row, p[p[TERM_RUN] + p[p[WINDOW_TERM] + window]])
    if measure == LONE:
        return lone_in(p, s, window, row)
    if measure == MORE_DAYS:
        return more_days_in(p, s, window, row)
    return idle_in(p, s, window, row, 1 if measure == GAPS else 0)


@inner
def set_window(p: Ints, s: Ints, t: Ints, window: int, value: int) -> None:
    """Give a window its new value, and the term and the tally what that costs."""
    old = s[p[WINDOW_VALUE] + window]
    if old == value:
        return
    s[p[WINDOW_VALUE] + window] = value
    term = p[p[WINDOW_TERM] + window]
    function = p[p[TERM_FUNCTION] + term]
    combine = p[p[TERM_COMBINE] + term]
    weight = p[p[TERM_WEIGHT] + term]
    kind = HARD if p[p[TERM_HARD] + term] else SOFT
    if combine == EACH:
        before, after = deviation_of(p, term, old), deviation_of(p, term, value)
        t[kind] += weight * (cost_of(function, after) - cost_of(function, before))
        if p[p[TERM_FILLABLE] + term]:
            before, after = fillable_of(p, term, old), fillable_of(p, term, value)
            s[p[TERM_DEBT] + term] += after - before
            s[p[TERM_FORGIVEN] + term] += weight * (cost_of(function, after) - cost_of(function, before))
        return
    total = s[p[TERM_SUM] + term]
    if combine == SUM_DEVIATION:
        changed = total + deviation_of(p, term, value) - deviation_of(p, term, old)
        s[p[TERM_DEBT] + term] += fillable_of(p, term, value) - fillable_of(p, term, old)
        t[kind] += weight * (cost_of(function, changed) - cost_of(function, total))
    else:
        changed = total + value - old
        s[p[TERM_DEBT] + term] = fillable_of(p, term, changed)
        before, after = deviation_of(p, term, total), deviation_of(p, term, changed)
        t[kind] += weight * (cost_of(function, after) - cost_of(function, before))
    s[p[TERM_SUM] + term] = changed


@inner
def forgiven(p: Ints, s: Ints, term: int) -> int:
    """Return the part of a term's cost that the blocks not placed yet can make good."""
    debt = s[p[TERM_DEBT] + term]
    track = p[p[TERM_TRACK] + term]
    measure = p[p[TERM_MEASURE] + term]
    in_blocks = measure in (STARTS, ACTIVE)
    left = s[(p[TRACK_BLOCKS_LEFT] if in_blocks else p[TRACK_SLOTS_LEFT]) + track]
    if debt == 0 or left == 0:
        return 0
    most = s[p[TERM_FORGIVEN] + term]
    if p[p[TERM_COMBINE] + term] != EACH:
        function, total = p[p[TERM_FUNCTION] + term], s[p[TERM_SUM] + term]
        whole = total if p[p[TERM_COMBINE] + term] == SUM_DEVIATION else debt
        most = p[p[TERM_WEIGHT] + term] * (cost_of(function, whole) - cost_of(function, whole - debt))
    found: int = most if left >= debt else most * left // debt
    return found


@inner
def forgive(p: Ints, s: Ints, t: Ints, track: int, sign: int) -> None:
    """Add to the tally, or take off it, what is forgiven to the track's terms."""
    for i in range(p[p[FILLABLE_FROM] + track], p[p[FILLABLE_FROM] + track + 1]):
        t[FORGIVEN] += sign * forgiven(p, s, p[p[FILLABLE] + i])


@inner
def shift_slot(p: Ints, s: Ints, t: Ints, track: int, slot: int, sign: int, is_start: int) -> None:
    """Let one slot of a track be busy once more, or once less."""
    row = p[TRACK_COUNT] + track * p[SLOTS]
    count = s[row + slot]
    s[row + slot] = count + sign
    turned = count == 0 if sign > 0 else count == 1
    if not (turned or is_start):
        return
    at = p[WINDOW_AT_FROM] + track * p[SLOTS] + slot
    for i in range(p[at], p[at + 1]):
        window = p[p[WINDOW_AT] + i]
        measure = p[p[TERM_MEASURE] + p[p[WINDOW_TERM] + window]]
        if measure == STARTS:
            if is_start:
                set_window(p, s, t, window, s[p[WINDOW_VALUE] + window] + sign)
        elif turned:
            if measure == BUSY:
                set_window(p, s, t, window, s[p[WINDOW_VALUE] + window] + sign)
            elif measure == ACTIVE:
                s[p[WINDOW_BUSY] + window] += sign
                set_window(p, s, t, window, min(1, s[p[WINDOW_BUSY] + window]))
            else:
                set_window(p, s, t, window, pattern_in(p, s, window, row, measure))


@inner
def shift_track(p: Ints, s: Ints, t: Ints, track: int, start: int, duration: int, sign: int) -> None:
    """Put a block of a track at a start, or take it off."""
    forgive(p, s, t, track, OFF)
    s[p[TRACK_SLOTS_LEFT] + track] -= sign * duration
    s[p[TRACK_BLOCKS_LEFT] + track] -= sign
    for slot in range(start, start + duration):
        shift_slot(p, s, t, track, slot, sign, 1 if slot == start else 0)
    forgive(p, s, t, track, ON)
