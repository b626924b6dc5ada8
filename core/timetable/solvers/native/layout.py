"""The names of the places in the flat arrays that the kernels work on.

A kernel takes ``p`` (the problem, never written), ``s`` (where everything is) and ``t`` (the tally of costs), all
``int64[:]``: few arrays of one type keep compilation short and calls cheap. ``p[FIELD]`` is a number, or where a table
begins: ``p[p[FIELD] + i]``; a state's table is ``s[p[FIELD] + i]``.
"""

from typing import Any, cast

import numpy as np

(
    BLOCKS,
    SLOTS,
    DAYS,
    ROOMS,
    EXCLUSIVES,
    TRACKS,
    TERMS,
    WINDOWS,
    NEEDS,
    PAIRS,
    STABILITIES,
    TRAVELS,
    BUILDINGS,
    LONGEST,
) = range(14)
"""Numbers of things; LONGEST is the longest duration."""

(
    DAY_OF,
    DAY_BEGIN,
    DURATION,
    START_FROM,
    START_LIST,
    START_COST,
    NEED_FROM,
    OPTION_FROM,
    OPTION_ROOM,
    OPTION_COST,
    BUILDING_OF,
    ROOM_CLOSED,
    EXCLUSIVE_OF_FROM,
    EXCLUSIVE_OF,
    MEMBER_FROM,
    MEMBER,
    TRACK_OF_FROM,
    TRACK_OF,
    ON_TRACK_FROM,
    ON_TRACK,
    WINDOW_AT_FROM,
    WINDOW_AT,
    WINDOW_TERM,
    WINDOW_SLOT_FROM,
    WINDOW_SLOT,
    TERM_TRACK,
    TERM_MEASURE,
    TERM_COMBINE,
    TERM_FUNCTION,
    TERM_LOW,
    TERM_HIGH,
    TERM_OR_ZERO,
    TERM_RUN,
    TERM_HARD,
    TERM_WEIGHT,
    TERM_FILLABLE,
    TERM_WINDOW_FROM,
    FILLABLE_FROM,
    FILLABLE,
    TRACK_TERM_FROM,
    TRACK_TERM,
    PAIR_OF_FROM,
    PAIR_OF,
    PAIR_FIRST,
    PAIR_SECOND,
    PAIR_RELATION,
    PAIR_AMOUNT,
    PAIR_FUNCTION,
    PAIR_HARD,
    PAIR_WEIGHT,
    STABLE_FROM,
    STABLE,
    STABILITY_NEED_FROM,
    STABILITY_NEED,
    STABILITY_MOST,
    STABILITY_FUNCTION,
    STABILITY_HARD,
    STABILITY_WEIGHT,
    TRAVEL_OF_FROM,
    TRAVEL_OF,
    STOP_FROM,
    STOP_BLOCK,
    STOP_NEED,
    TRAVEL_BEGINS,
    TRAVEL_ENDS,
    TRAVEL_FUNCTION,
    TRAVEL_HOME,
    TRAVEL_HARD,
    TRAVEL_WEIGHT,
    TRAVEL_SLOTS,
    TRAVEL_ROOMS_APART,
    ALIKE,
) = range(14, 86)
"""Tables of the problem. ``X_FROM`` has one number more than rows: where each row of ``X`` begins."""

(
    START,
    ROOM_OF,
    EXCLUSIVE_COUNT,
    EXCLUSIVE_XOR,
    ROOM_COUNT,
    ROOM_XOR,
    TRACK_COUNT,
    TRACK_SLOTS_LEFT,
    TRACK_BLOCKS_LEFT,
    WINDOW_VALUE,
    WINDOW_BUSY,
    TERM_SUM,
    TERM_DEBT,
    TERM_FORGIVEN,
    STABILITY_COUNT,
    STABILITY_ROOMS,
    STATE_SIZE,
) = range(86, 103)
"""Tables of the state. The XOR of (block + 1) over who is there names the one where there is only one."""

HEADER = 103

HARD, SOFT, FORGIVEN, UNPLACED = range(4)
"""The tally. FORGIVEN is the part of HARD that blocks not placed yet can still make good."""
TALLY = 4

STEP, LINEAR, QUADRATIC = range(3)
BUSY, STARTS, GAPS, LATE, EXCESS_RUN, ACTIVE, LONE, MORE_DAYS = range(8)
EACH, SUM_DEVIATION, SUM_VALUE = range(3)
SAME_START, NO_OVERLAP, BEFORE, DAYS_APART, NOT_NEXT, SAME_DAY, DIFFERENT_DAY, NEXT, OFFSET = range(9)
ORDERED_ON_DAY, ADJACENT_ON_DAY, APART_ON_DAY = range(9, 12)
"""As in ``program.Measure``, ``Combine`` and ``Relation``, which a test holds them to."""


def whole(number: int) -> int:
    """Return a number as kernels hand it to each other: of a plain literal numba would compile the callee anew."""
    word: Any = np.int64(number)
    return cast("int", word)


ON, OFF = whole(1), whole(-1)
AS_IT_WAS, CHOOSE, EMPTY = whole(0), whole(1), whole(1)
"""Arguments of kernels: which way a block goes, which rooms it takes, where an empty journal ends."""
