"""Domains that shrink as blocks are placed, and grow back along a trail when they are taken out again."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import reduce
from itertools import product
from operator import or_
from typing import TypeVar

from core.timetable.program import Pair, Program, Relation, RoomOption, Travel
from core.timetable.solvers.mrv_terms import TermBounds, span, touching

_DOMAIN, _ROOM, _PLACED = 0, 1, 2
_Undo = tuple[int, int, int]
_Need = tuple[RoomOption, ...]
_Piece = TypeVar("_Piece")


class State:
    """A partial assignment, and for each block the starts that it still leaves."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.duration = [block.duration for block in program.blocks]
        self.domain = [sum(1 << start for start in block.starts) for block in program.blocks]
        self.start = [-1] * len(program.blocks)
        self.rooms: list[tuple[int, ...]] = [(-1,) * len(block.needs) for block in program.blocks]
        self.unplaced = set(range(len(program.blocks)))
        self.weight = [1.0] * len(program.blocks)
        """How often a block was left without a start (dom/wdeg, Boussemart et al. 2004)."""
        self.neighbours = _neighbours(program)
        self._busy_room = [sum(1 << slot for slot in closed) for closed in program.rooms]
        self._users = _users(program)
        self._kind = _room_kinds(program)
        self._pairs = _pairs(program)
        self._allowed: dict[tuple[Relation, int, int, int, bool, int], int] = {}
        self._terms = [TermBounds(term, program.day_of) for term in program.terms if term.hard]
        self._terms_of = _by_block((program.tracks[term.track], i) for i, term in enumerate(self._terms))
        hard_stabilities = [stability for stability in program.stabilities if stability.hard]
        self._stabilities = _by_block(([b for b, _ in s.needs], s) for s in hard_stabilities)
        self._travels = _by_block(([b for b, _ in t.stops], t) for t in program.travels if t.hard)
        self._trail: list[_Undo] = []

    def begin(self) -> bool:
        """Shrink the domains to what rooms and terms allow before anything is placed; False where one is empty."""
        every = range(len(self._terms))
        return self._shrink_to_rooms(self.unplaced) and all(self._hold(i) for i in every) and all(self.domain)

    def mark(self) -> int:
        """Return the point to come back to."""
        return len(self._trail)

    def undo(self, mark: int) -> None:
        """Come back to a point."""
        while len(self._trail) > mark:
            kind, index, old = self._trail.pop()
            if kind == _DOMAIN:
                self.domain[index] = old
            elif kind == _ROOM:
                self._busy_room[index] = old
            else:
                self.start[index] = -1
                self.rooms[index] = (-1,) * len(self.rooms[index])
                self.unplaced.add(index)

    def forbid(self, block: int, starts: int) -> bool:
        """Take starts from a block; False where none is left."""
        old = self.domain[block]
        new = old & ~starts
        if new != old:
            self._trail.append((_DOMAIN, block, old))
            self.domain[block] = new
            if not new:
                self.weight[block] += 1
        return new != 0

    def room_choices(self, block: int, start: int) -> Iterator[tuple[int, ...]]:
        """Yield the rooms that the needs of a block may be given at a start, of interchangeable ones only one."""
        needs = self.program.blocks[block].needs
        slots = span(start, self.duration[block])
        seen: set[tuple[object, ...]] = set()
        free = [[o.room for o in need if not self._busy_room[o.room] & slots] for need in needs]
        for rooms in product(*free):
            if len(set(rooms)) < len(rooms):
                continue
            alike = tuple(self._likeness(block, room) for room in rooms)
            if alike not in seen:
                seen.add(alike)
                yield rooms

    def _likeness(self, block: int, room: int) -> object:
        return room if block in self._stabilities else (self._kind[room], self._busy_room[room])

    def place(self, block: int, start: int, rooms: tuple[int, ...]) -> bool:
        """Place a block and draw the consequences; False where a rule breaks or another block has no start left."""
        self._trail.append((_PLACED, block, 0))
        self.unplaced.discard(block)
        self.start[block], self.rooms[block] = start, rooms
        slots = span(start, self.duration[block])
        for room in rooms:
            self._trail.append((_ROOM, room, self._busy_room[room]))
            self._busy_room[room] |= slots
        return (
            self._rooms_are_right(block)
            and self._keep_clear(block, start)
            and self._keep_pairs(block, start)
            and self._shrink_to_rooms({b for room in rooms for b in self._users[room]} & self.unplaced)
            and all(self._hold(i) for i in self._terms_of.get(block, ()))
        )

    def _keep_clear(self, block: int, start: int) -> bool:
        duration = self.duration[block]
        for other in self.neighbours[block] & self.unplaced:
            length = self.duration[other]
            first = start - length + 1
            clash = (1 << (duration + length - 1)) - 1
            if not self.forbid(other, clash << first if first >= 0 else clash >> -first):
                return False
        return True

    def _keep_pairs(self, block: int, start: int) -> bool:
        for pair in self._pairs.get(block, ()):
            other = pair.second if pair.first == block else pair.first
            if other == block:
                continue
            allowed = self._partners(pair, start, is_first=pair.first == block)
            if other in self.unplaced:
                if not self.forbid(other, ~allowed):
                    return False
            elif not allowed >> self.start[other] & 1:
                self.weight[other] += 1
                return False
        return True

    def _partners(self, pair: Pair, start: int, *, is_first: bool) -> int:
        lengths = self.duration[pair.first], self.duration[pair.second]
        key = (pair.relation, pair.amount, *lengths, is_first, start)
        if key not in self._allowed:
            day_of = self.program.day_of
            self._allowed[key] = sum(
                1 << other
                for other in range(len(day_of))
                if _is_kept(pair, lengths, (start, other) if is_first else (other, start), day_of)
            )
        return self._allowed[key]

    def _shrink_to_rooms(self, blocks: set[int]) -> bool:
        free: dict[tuple[_Need, int], int] = {}
        for block in blocks:
            duration = self.duration[block]
            for need in self.program.blocks[block].needs:
                key = (need, duration)
                if key not in free:
                    free[key] = self._starts_with_room(need, duration)
                if not self.forbid(block, ~free[key]):
                    return False
        return True

    def _starts_with_room(self, need: _Need, duration: int) -> int:
        starts, every = 0, (1 << self.program.slots) - 1
        for option in need:
            starts |= every & ~touching(self._busy_room[option.room], duration)
        return starts

    def _rooms_are_right(self, block: int) -> bool:
        for stability in self._stabilities.get(block, ()):
            used = {self.rooms[b][need] for b, need in stability.needs if b not in self.unplaced}
            if len(used - {-1}) > stability.most:
                return False
        return all(self._is_in_time(travel, block) for travel in self._travels.get(block, ()))

    def _is_in_time(self, travel: Travel, block: int) -> bool:
        here = [stop for stop in travel.stops if stop[0] == block]
        placed = [stop for stop in travel.stops if stop[0] not in self.unplaced and stop[0] != block]
        return all(
            self._has_time(travel, one, other) and self._has_time(travel, other, one)
            for one in here
            for other in placed
        )

    def _has_time(self, travel: Travel, one: tuple[int, int], other: tuple[int, int]) -> bool:
        last, first = self.start[one[0]] + self.duration[one[0]] - 1, self.start[other[0]]
        if first <= last or self.program.day_of[first] != self.program.day_of[last]:
            return True
        way = self._building(travel, one), self._building(travel, other)
        if way[0] == way[1] or -1 in way:
            return True
        begins = travel.begins[first] if travel.begins else first
        ends = travel.ends[last] if travel.ends else last + 1
        return begins - ends >= travel.time_between(*way)

    def _building(self, travel: Travel, stop: tuple[int, int]) -> int:
        block, need = stop
        room = self.rooms[block][need] if need >= 0 else -1
        return travel.home if need < 0 else travel.place_of(room, self.program.building_of)

    def _hold(self, i: int) -> bool:
        """Draw a term's consequences."""
        term = self._terms[i]
        track = self.program.tracks[term.track]
        if term.window_tracks:
            return self._hold_kinds(term, track)
        starts, busy, waiting = [], 0, []
        for block in track:
            if block in self.unplaced:
                waiting.append(block)
            else:
                starts.append(self.start[block])
                busy |= span(self.start[block], self.duration[block])
        left = sum(self.duration[block] for block in waiting)
        if not term.holds(busy, starts, left, [(self.domain[block], self.duration[block]) for block in waiting]):
            for block in track:
                self.weight[block] += 1 / len(track)
            return False
        forbidden: dict[int, int] = {}
        for block in waiting:
            length = self.duration[block]
            if length not in forbidden:
                among = (1 << self.program.slots) - 1
                forbidden[length] = term.forbidden(busy, starts, left, length, among)
            if forbidden[length] and not self.forbid(block, forbidden[length]):
                return False
        return True

    def _hold_kinds(self, term: TermBounds, track: tuple[int, ...]) -> bool:
        """Draw the consequences of a term whose windows have tracks of their own."""
        busy, waiting = [], []
        for on in term.window_tracks:
            placed = [block for block in self.program.tracks[on] if block not in self.unplaced]
            waiting.append([block for block in self.program.tracks[on] if block in self.unplaced])
            busy.append(reduce(or_, (span(self.start[block], self.duration[block]) for block in placed), 0))
        closed = term.closed(busy)
        if closed is None:
            for block in track:
                self.weight[block] += 1 / len(track)
            return False
        return all(
            self.forbid(block, touching(slots, self.duration[block]))
            for blocks, slots in zip(waiting, closed, strict=True)
            for block in (blocks if slots else ())
        )


def _is_kept(pair: Pair, lengths: tuple[int, int], starts: tuple[int, int], day_of: tuple[int, ...]) -> bool:
    first, second = starts
    end = first + lengths[0]
    day, other_day = day_of[first], day_of[second]
    follows = second == end and day == other_day
    forward, backward = second - end, first - second - lengths[1]
    return {
        Relation.SAME_START: first == second,
        Relation.NO_OVERLAP: end <= second or second + lengths[1] <= first,
        Relation.BEFORE: end + pair.amount <= second,
        Relation.DAYS_APART: abs(day - other_day) >= pair.amount,
        Relation.NOT_NEXT: not follows,
        Relation.SAME_DAY: day == other_day,
        Relation.DIFFERENT_DAY: day != other_day,
        Relation.NEXT: follows,
        Relation.OFFSET: second == first + pair.amount,
        Relation.ORDERED_ON_DAY: day != other_day or forward >= 0,
        Relation.ADJACENT_ON_DAY: day != other_day or 0 in {forward, backward},
        Relation.APART_ON_DAY: day != other_day or max(forward, backward) >= pair.amount,
    }[pair.relation]


def _neighbours(program: Program) -> list[set[int]]:
    near: list[set[int]] = [set() for _ in program.blocks]
    for exclusive in program.exclusives:
        for block in exclusive.blocks:
            near[block].update(exclusive.blocks)
    for block, others in enumerate(near):
        others.discard(block)
    return near


def _users(program: Program) -> list[set[int]]:
    users: list[set[int]] = [set() for _ in program.rooms]
    for block, placed in enumerate(program.blocks):
        for option in (option for need in placed.needs for option in need):
            users[option.room].add(block)
    return users


def _room_kinds(program: Program) -> list[object]:
    """Return for each room what tells it from others: where it may be used and at what cost."""
    uses: list[list[tuple[_Need, int]]] = [[] for _ in program.rooms]
    for need in sorted({need for block in program.blocks for need in block.needs}, key=repr):
        for option in need:
            uses[option.room].append((need, option.cost))
    apart = any(travel.rooms_apart for travel in program.travels)
    return [(program.building_of[room], room if apart else -1, tuple(used)) for room, used in enumerate(uses)]


def _pairs(program: Program) -> dict[int, list[Pair]]:
    pairs: dict[int, list[Pair]] = defaultdict(list)
    for pair in program.pairs:
        if pair.hard:
            for block in {pair.first, pair.second}:
                pairs[block].append(pair)
    return pairs


def _by_block(pieces: Iterable[tuple[Iterable[int], _Piece]]) -> dict[int, list[_Piece]]:
    found: dict[int, list[_Piece]] = defaultdict(list)
    for blocks, piece in pieces:
        for block in set(blocks):
            found[block].append(piece)
    return found
