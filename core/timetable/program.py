"""The problem in the few primitives that every solver knows.

``lowering.py`` writes it from a ``Problem``; a new rule is written in these and needs no change in any solver. The
things to place are blocks: one lesson each, or several that are tied to one start. Blocks, rooms and tracks are
indices. Each piece carries the index of the rule it came from (``source``; below 0 for what always holds), so that an
explanation can name the rule.

A piece is hard or soft. The cost of an assignment is the pair (hard, soft), each the sum of ``weight * f(deviation)``;
a feasible assignment places every block, gives every need a room, and costs 0 hard.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

from core.timetable.cost_function import CostFunction

CLASH, UNAVAILABLE, LOCKED, OVER_END = -1, -2, -3, -4
"""Sources that are no rule of the school's list."""


@dataclass(frozen=True, slots=True)
class RoomOption:
    """A room that a need of a block may be given, at a soft cost."""

    room: int
    cost: int


@dataclass(frozen=True, slots=True)
class Block:
    """One thing to place."""

    lessons: tuple[int, ...]
    """The problem's lessons that start here together."""
    duration: int
    """Of the longest; lessons that are tied have one duration."""
    starts: tuple[int, ...]
    """The starts that nothing hard forbids to this block alone, ascending. Empty where there is none: infeasible."""
    start_cost: Mapping[int, int]
    """The soft cost of a start, where it is not 0."""
    needs: tuple[tuple[RoomOption, ...], ...]
    """The rooms to choose from for each need: those of its lessons one after the other. Cheapest first."""


@dataclass(frozen=True, slots=True)
class Cut:
    """That a source forbids starts to a block; ``Block.starts`` is what all cuts leave."""

    source: int
    block: int
    starts: frozenset[int]


@dataclass(frozen=True, slots=True)
class RoomCut:
    """That a source forbids rooms to a need of a block; ``Block.needs`` is what all of these leave."""

    source: int
    block: int
    need: int
    rooms: frozenset[int]


@dataclass(frozen=True, slots=True)
class Exclusive:
    """Blocks no two of which may overlap in time: those of one teacher, or of groups that share students."""

    source: int
    blocks: tuple[int, ...]
    subject: tuple[str, str]
    """Whose: ``("teacher", id)`` or ``("group", id)``; ``("lessons", kind)`` where a rule says so."""


class Measure(IntEnum):
    """What a term measures of a track in one window of slots."""

    BUSY = 0
    """Slots in which a block of the track is on."""
    STARTS = 1
    """Blocks of the track that start there."""
    GAPS = 2
    """Idle slots between the first and the last busy one."""
    LATE = 3
    """Idle slots before the last busy one: gaps, and what is idle before the first."""
    EXCESS_RUN = 4
    """Slots by which runs of neighbouring busy slots are longer than ``run``, summed over runs."""
    ACTIVE = 5
    """1 where any slot is busy."""
    LONE = 6
    """Busy slots neither of whose neighbours in the window is busy."""
    MORE_DAYS = 7
    """Days of the window with a busy slot, beyond the first: 1 where both a morning and its afternoon have one."""


class Combine(IntEnum):
    """How the windows' values become one term's cost; ``dev`` is the distance to ``[low, high]``."""

    EACH = 0
    """sum over windows of f(dev(value))."""
    SUM_DEVIATION = 1
    """f(sum over windows of dev(value))."""
    SUM_VALUE = 2
    """f(dev(sum over windows of value))."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """A bound on what a track does in its windows."""

    source: int
    track: int
    measure: Measure
    windows: tuple[tuple[int, ...], ...]
    """Slots of each window, ascending; neighbours in a window are neighbours in time."""
    window_tracks: tuple[int, ...] = ()
    """Of each window the track that is measured there, all of whose blocks are on ``track``; empty: ``track`` itself.

    Only where the values of ACTIVE are added up, with a ``high`` alone.
    """
    low: int = 0
    high: int
    or_zero: bool = False
    """A value of 0 is no deviation, whatever ``low`` says."""
    run: int = 0
    """Only for EXCESS_RUN: how long a run may be."""
    combine: Combine = Combine.EACH
    function: CostFunction = CostFunction.LINEAR
    hard: bool
    weight: int

    @property
    def track_of(self) -> tuple[int, ...]:
        """The track of each window."""
        return self.window_tracks or (self.track,) * len(self.windows)


class Relation(IntEnum):
    """What a pair of blocks must be to each other; the deviation is 1 where it isn't, unless said."""

    SAME_START = 0
    """Deviation: 1 where their starts differ."""
    NO_OVERLAP = 1
    """Deviation: slots in which both are on."""
    BEFORE = 2
    """The first ends before the second starts, with at least ``amount`` slots between, anywhere in the cycle."""
    DAYS_APART = 3
    """Their days differ by at least ``amount``; deviation: days that are missing."""
    NOT_NEXT = 4
    """The second does not start right where the first ends, on the same day. A break between makes no difference."""
    SAME_DAY = 5
    DIFFERENT_DAY = 6
    NEXT = 7
    """The second starts right where the first ends, on the same day."""
    OFFSET = 8
    """The second starts exactly ``amount`` slots after the first, as the same lesson in weeks A and B."""
    ORDERED_ON_DAY = 9
    """Where both are on one day, the first ends before the second starts."""
    ADJACENT_ON_DAY = 10
    """Where both are on one day, one starts right where the other ends."""
    APART_ON_DAY = 11
    """Where both are on one day, ``amount`` slots or more lie between the one and the other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A bound on two blocks."""

    source: int
    first: int
    second: int
    relation: Relation
    amount: int = 0
    function: CostFunction = CostFunction.LINEAR
    """Of the deviation; makes a difference only for those that may exceed 1 (NO_OVERLAP, DAYS_APART)."""
    hard: bool
    weight: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Stability:
    """That blocks use few rooms; deviation: distinct rooms of these needs above ``most``."""

    source: int
    needs: tuple[tuple[int, int], ...]
    """(block, index of its need)."""
    most: int
    function: CostFunction
    hard: bool
    weight: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Travel:
    """That who is in two buildings in a day has time between.

    For every two ``stops`` on one day of which the one's block ends before the other's starts (not only neighbours),
    and whose needs' rooms lie in different buildings, the deviation is what the time between, ``begins`` of the later
    one's first slot minus ``ends`` of the earlier one's last slot, falls short of ``slots_between``. The cost is the
    sum over these pairs of ``weight * function(deviation)``.
    """

    source: int
    track: int
    slots_between: Mapping[tuple[int, int], int]
    """By (building, building), in the direction walked; what is not there is 0."""
    home: int
    """The building of stops without a need; -1 where that doesn't count."""
    stops: tuple[tuple[int, int], ...]
    """Where the track's people are: (block, index of the need in it, or -1 for none). A block of tied lessons may have
    several."""
    begins: tuple[int, ...] = ()
    """When each slot begins, in the unit of ``slots_between``; empty: slot ``s`` begins at ``s``."""
    ends: tuple[int, ...] = ()
    """When each slot ends; empty: slot ``s`` ends at ``s + 1``."""
    rooms_apart: int = 0
    """Above 0, each room is a building of its own, and the way between any two takes so long; ``home`` is -1 then."""
    function: CostFunction = CostFunction.LINEAR
    hard: bool
    weight: int

    def place_of(self, room: int, building_of: Sequence[int]) -> int:
        """Return where a room is, of the places that ``time_between`` knows; -1 where that doesn't count."""
        return room if self.rooms_apart or room < 0 else building_of[room]

    def time_between(self, one: int, other: int) -> int:
        """Return how long the way from one place to another takes."""
        return self.rooms_apart or self.slots_between.get((one, other), 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A lowered problem."""

    day_of: tuple[int, ...]
    """The day of each slot."""
    blocks: tuple[Block, ...]
    rooms: tuple[frozenset[int], ...]
    """The slots in which each room can't be used. In one slot a room serves one need, also among those of one block."""
    building_of: tuple[int, ...]
    """Each room's building, -1 for none."""
    exclusives: tuple[Exclusive, ...]
    """Hard. A set that lies within another is left out."""
    tracks: tuple[tuple[int, ...], ...]
    """Sets of blocks whose doings the terms measure."""
    terms: tuple[Term, ...]
    pairs: tuple[Pair, ...]
    stabilities: tuple[Stability, ...]
    travels: tuple[Travel, ...]
    cuts: tuple[Cut, ...]
    """Where ``Block.starts`` came from."""
    room_cuts: tuple[RoomCut, ...] = ()
    """Where ``Block.needs`` came from."""

    @property
    def slots(self) -> int:
        """How many slots the cycle has."""
        return len(self.day_of)


@dataclass(frozen=True, slots=True)
class Assignment:
    """Where a solver put the blocks."""

    starts: tuple[int, ...]
    """A start a block; -1 where it is not placed."""
    rooms: tuple[tuple[int, ...], ...]
    """A room a need of each block; -1 where it has none."""
