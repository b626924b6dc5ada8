"""What the pieces of a program cost in a timetable, one by one, so that a change is weighed by what it touches.

Slots are bits of an integer. What a window of a term costs depends on its busy slots alone and is remembered.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import permutations
from typing import Protocol

from core.timetable.program import Combine, Measure, Pair, Program, Relation, Stability, Term, Travel

Rooms = Sequence[tuple[int, ...]]


class Piece(Protocol):
    """One thing that costs."""

    hard: bool
    blocks: frozenset[int]
    """Those whose times or rooms it depends on."""

    def cost(self, starts: Sequence[int], rooms: Rooms) -> int:
        """Return its cost where the blocks start there; -1 is no place."""


def pieces_of(program: Program) -> list[Piece]:
    """Return everything in a program that costs, but for what a start or a room costs by itself."""
    return [
        *(TermPiece(program, term) for term in program.terms),
        *(_PairPiece(program, pair) for pair in program.pairs),
        *(_StabilityPiece(stability) for stability in program.stabilities),
        *(_TravelPiece(program, travel) for travel in program.travels),
    ]


class TermPiece:
    """A bound on what a track does."""

    def __init__(self, program: Program, term: Term) -> None:
        self.hard = term.hard
        self.track = program.tracks[term.track]
        self.blocks = frozenset(self.track)
        self._term = term
        self._windows = [(mask_of(window), window) for window in term.windows]
        self._on = [frozenset(program.tracks[track]) for track in term.window_tracks]
        self._day_of = program.day_of
        self._masks = [(1 << program.blocks[block].duration) - 1 for block in self.track]
        self._known: dict[tuple[int, int], int] = {}

    def cost(self, starts: Sequence[int], rooms: Rooms) -> int:  # noqa: ARG002 - as every piece
        """Return its cost."""
        return self.cost_within(starts, -1)

    def cost_within(self, starts: Sequence[int], slots: int) -> int:
        """Return the cost of the windows that touch these slots, by bits."""
        values = self._values(starts, slots)
        term, function = self._term, self._term.function.of
        match term.combine:
            case Combine.EACH:
                total = sum(function(self._deviation(value)) for value in values)
            case Combine.SUM_DEVIATION:
                total = function(sum(self._deviation(value) for value in values))
            case Combine.SUM_VALUE:
                total = function(self._deviation(sum(values)))
        return term.weight * total

    def _values(self, starts: Sequence[int], slots: int) -> Iterator[int]:
        there = [starts[block] for block in self.track]
        if self._term.measure is Measure.STARTS:
            for mask, _ in self._windows:
                if mask & slots:
                    yield sum(mask >> start & 1 for start in there if start >= 0)
            return
        busy = 0
        for start, mask in zip(there, self._masks, strict=True):
            if start >= 0:
                busy |= mask << start
        for w, (mask, _) in enumerate(self._windows):
            if mask & slots:
                yield self._value(w, (self._busy_of(self._on[w], starts) if self._on else busy) & mask)

    def _busy_of(self, blocks: frozenset[int], starts: Sequence[int]) -> int:
        busy = 0
        for block, mask in zip(self.track, self._masks, strict=True):
            if block in blocks and starts[block] >= 0:
                busy |= mask << starts[block]
        return busy

    def _value(self, w: int, busy: int) -> int:
        known = self._known.get((w, busy))
        if known is None:
            known = self._known[w, busy] = self._of_window(self._windows[w][1], busy)
        return known

    def _of_window(self, window: Sequence[int], busy: int) -> int:
        if self._term.measure is Measure.MORE_DAYS:
            return self._more_days(window, busy)
        return self._measured([busy >> slot & 1 for slot in window])

    def _more_days(self, window: Sequence[int], busy: int) -> int:
        return max(0, len({self._day_of[slot] for slot in window if busy >> slot & 1}) - 1)

    def _measured(self, on: list[int]) -> int:
        last = max((i for i, busy in enumerate(on) if busy), default=-1)
        match self._term.measure:
            case Measure.GAPS:
                return on[on.index(1) : last].count(0) if last >= 0 else 0
            case Measure.LATE:
                return on[: last + 1].count(0)
            case Measure.EXCESS_RUN:
                runs = "".join("x" if busy else " " for busy in on).split()
                return sum(max(0, len(run) - self._term.run) for run in runs)
            case Measure.LONE:
                return "".join("x" if busy else " " for busy in on).split().count("x")
            case Measure.ACTIVE:
                return int(last >= 0)
            case _:
                return sum(on)

    def _deviation(self, value: int) -> int:
        if self._term.or_zero and value == 0:
            return 0
        return max(0, self._term.low - value, value - self._term.high)


class _PairPiece:
    def __init__(self, program: Program, pair: Pair) -> None:
        self.hard = pair.hard
        self.blocks = frozenset((pair.first, pair.second))
        self._pair = pair
        self._day_of, self._slots = program.day_of, program.slots
        self._durations = program.blocks[pair.first].duration, program.blocks[pair.second].duration

    def cost(self, starts: Sequence[int], rooms: Rooms) -> int:  # noqa: ARG002 - as every piece
        first, second = starts[self._pair.first], starts[self._pair.second]
        if first < 0 or second < 0:
            return 0
        return self._pair.weight * self._pair.function.of(self._deviation(first, second))

    def _deviation(self, first: int, second: int) -> int:
        relation, amount = self._pair.relation, self._pair.amount
        between = second - first - self._durations[0]
        backward = first - second - self._durations[1]
        days = self._day_of[second] - self._day_of[first]
        if relation is Relation.NO_OVERLAP:
            ends = first + self._durations[0], second + self._durations[1], self._slots
            return max(0, min(ends) - max(first, second))
        if relation is Relation.DAYS_APART:
            return max(0, amount - abs(days))
        follows = between == 0 and days == 0
        return int(
            {
                Relation.SAME_START: first != second,
                Relation.BEFORE: between < amount,
                Relation.OFFSET: second - first != amount,
                Relation.SAME_DAY: days != 0,
                Relation.DIFFERENT_DAY: days == 0,
                Relation.NEXT: not follows,
                Relation.NOT_NEXT: follows,
                Relation.ORDERED_ON_DAY: days == 0 and between < 0,
                Relation.ADJACENT_ON_DAY: days == 0 and 0 not in {between, backward},
                Relation.APART_ON_DAY: days == 0 and max(between, backward) < amount,
            }[relation]
        )


class _StabilityPiece:
    def __init__(self, stability: Stability) -> None:
        self.hard = stability.hard
        self.blocks = frozenset(block for block, _ in stability.needs)
        self._stability = stability

    def cost(self, starts: Sequence[int], rooms: Rooms) -> int:  # noqa: ARG002 - as every piece
        taken = {rooms[block][need] for block, need in self._stability.needs} - {-1}
        return self._stability.weight * self._stability.function.of(max(0, len(taken) - self._stability.most))


class _TravelPiece:
    def __init__(self, program: Program, travel: Travel) -> None:
        self.hard = travel.hard
        self.blocks = frozenset(block for block, _ in travel.stops)
        self._travel = travel
        self._program = program
        self._begins = travel.begins or tuple(range(program.slots))
        self._ends = travel.ends or tuple(slot + 1 for slot in range(program.slots))

    def cost(self, starts: Sequence[int], rooms: Rooms) -> int:
        days: dict[int, list[tuple[int, int, int]]] = defaultdict(list)
        for block, need in self._travel.stops:
            building = self._building(rooms[block], need)
            if starts[block] >= 0 and building >= 0:
                last = starts[block] + self._program.blocks[block].duration - 1
                days[self._program.day_of[starts[block]]].append((starts[block], last, building))
        of = self._travel.function.of
        missing = (gap for there in days.values() for gap in self._missing(there))
        return self._travel.weight * sum(of(gap) for gap in missing)

    def _missing(self, there: list[tuple[int, int, int]]) -> Iterator[int]:
        for (_, last, home), (first, _, away) in permutations(there, 2):
            if first > last and home != away:
                needed = self._travel.time_between(home, away)
                yield max(0, needed - (self._begins[first] - self._ends[last]))

    def _building(self, rooms: tuple[int, ...], need: int) -> int:
        if need < 0:
            return self._travel.home
        return self._travel.place_of(rooms[need], self._program.building_of)


def mask_of(slots: Sequence[int]) -> int:
    """Return slots as bits."""
    return sum(1 << slot for slot in set(slots))
