"""Which rooms needs are given, in CP-SAT.

Rooms that no need, cost, absence or rule tells apart are one class with a capacity: a block takes one of the class, and
which one is settled afterwards, as intervals with never more than ``capacity`` at once can always be given that many
rooms. So the search sees no symmetry among rooms, and where all of a need's rooms are alike it sees no choice either.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from core.timetable.program import CLASH, UNAVAILABLE, Program, RoomOption, Stability
from core.timetable.solvers.cpsat_logic import Linear, Literal, Logic, Values
from core.timetable.solvers.cpsat_starts import Guards, Starts, unguarded

Need = tuple[int, int]
"""(bundle, index of its blocks' need)."""


def room_classes(program: Program) -> list[tuple[int, ...]]:
    """Return the rooms in sets that nothing tells apart."""
    seen_by: list[list[object]] = [[] for _ in program.rooms]
    steady = {need for stability in program.stabilities for need in stability.needs}
    steady.update(stop for travel in program.travels if travel.rooms_apart for stop in travel.stops)
    for b, block in enumerate(program.blocks):
        for n, need in enumerate(block.needs):
            for option in need:
                seen_by[option.room].append((b, n, option.cost, option.room if (b, n) in steady else -1))
    alike: dict[object, list[int]] = defaultdict(list)
    for room, seen in enumerate(seen_by):
        building = program.building_of[room] if program.travels else -1
        alike[tuple(seen), program.rooms[room], building].append(room)
    return [tuple(rooms) for rooms in alike.values()]


class Rooms:
    """The rooms of the needs."""

    def __init__(self, logic: Logic, program: Program, starts: Starts, guards: Guards = unguarded) -> None:
        self._logic = logic
        self._program = program
        self._starts = starts
        self._guards = guards
        self.classes = room_classes(program)
        self._class_of = {room: c for c, rooms in enumerate(self.classes) for room in rooms}
        self.taken: dict[Need, dict[int, dict[int, Literal]]] = {}
        """By need and class of rooms, the literal of each start of the block in such a room."""
        self.costs: list[tuple[Need, Linear]] = []
        for bundle, blocks in enumerate(starts.bundles.members):
            for n, options in enumerate(program.blocks[blocks[0]].needs):
                self._add_need((bundle, n), options)
        self._add_capacities()

    def _add_need(self, need: Need, options: Sequence[RoomOption]) -> None:
        cost_of = {self._class_of[option.room]: option.cost for option in options}
        at = self._starts.at[need[0]]
        self.taken[need] = {c: {} for c in cost_of}
        guard = self._guards(UNAVAILABLE, f"rooms:{need[0]}")
        for start, literal in at.items():
            usable = [c for c in cost_of if self._is_usable(c, need[0], start)]
            if len(usable) == len(cost_of) == 1:
                self.taken[need][usable[0]][start] = literal
            else:
                self._add_choice(need, start, literal, usable, guard)
        for c, cost in cost_of.items():
            if cost:
                self.costs.append((need, self._logic.total(self.taken[need][c].values(), cost)))

    def _add_choice(self, need: Need, start: int, literal: Literal, usable: list[int], guard: Literal | None) -> None:
        if not usable:
            self._logic.forbid(literal, guard)
            return
        chosen = {c: self._logic.choice() for c in usable}
        for c, one in chosen.items():
            self.taken[need][c][start] = one
        self._logic.model.add(sum(chosen.values()) == literal)

    def _is_usable(self, c: int, bundle: int, start: int) -> bool:
        closed = self._program.rooms[self.classes[c][0]]
        return closed.isdisjoint(range(start, start + self._starts.duration(bundle)))

    def _add_capacities(self) -> None:
        in_use: dict[tuple[int, int], list[Literal]] = defaultdict(list)
        for (bundle, _), by_class in self.taken.items():
            for c, literals in by_class.items():
                for start, literal in literals.items():
                    for slot in range(start, start + self._starts.duration(bundle)):
                        in_use[c, slot].append(literal)
        for (c, _), in_slot in in_use.items():
            guard = self._guards(CLASH, f"rooms:{c}")
            self._logic.at_most(in_slot, len(self.classes[c]), guard)
        if self._guards is unguarded:
            self._fill(in_use)

    def _fill(self, in_use: Mapping[tuple[int, int], list[Literal]]) -> None:
        """Demand that a class of rooms which is needed in every slot is never idle."""
        demand: dict[int, int] = defaultdict(int)
        for (bundle, _), by_class in self.taken.items():
            if len(by_class) == 1:
                of_bundle = len(self._starts.bundles.members[bundle]) * self._starts.duration(bundle)
                demand[next(iter(by_class))] += of_bundle
        for c, needed in demand.items():
            slots = [in_slot for (of, _), in_slot in in_use.items() if of == c]
            if needed >= len(self.classes[c]) * len(slots):
                for in_slot in slots:
                    self._logic.at_least(in_slot, len(self.classes[c]))

    def used(self, stability: Stability) -> Linear:
        """Return how many rooms these needs use."""
        by_class: dict[int, list[Literal]] = defaultdict(list)
        of = self._starts.bundles.of
        for need in dict.fromkeys((of[block], n) for block, n in stability.needs):
            for c, literals in self.taken[need].items():
                by_class[c] += literals.values()
        return self._logic.total(self._logic.any_of(literals) for literals in by_class.values())

    def in_building(self, need: Need, building: int) -> dict[int, Literal]:
        """Return by start the literal that a need is in a building."""
        at: dict[int, list[Literal]] = defaultdict(list)
        for c, literals in self.taken[need].items():
            if self._program.building_of[self.classes[c][0]] == building:
                for start, literal in literals.items():
                    at[start].append(literal)
        return {start: self._logic.one_of(literals) for start, literals in at.items()}

    def chosen(self, need: Need, start: int, room: int) -> Iterator[tuple[int, int]]:
        """Yield (index, value) of each choice of a need that is given this room, or any that fits where it is not."""
        there = {c: literals[start] for c, literals in self.taken[need].items() if start in literals}
        wanted = self._class_of.get(room)
        for c, literal in there.items():
            yield literal.index, int(c == (wanted if wanted in there else next(iter(there))))

    def class_at(self, need: Need, start: int, values: Values) -> int:
        """Return the class of rooms that a need is given in a solution."""
        by_class = self.taken[need].items()
        return next(c for c, literals in by_class if start in literals and values[literals[start].index])

    def given(self, starts: Sequence[int], values: Values) -> list[list[int]]:
        """Return the room of each need of the blocks, given where these start."""
        rooms = [[-1] * len(block.needs) for block in self._program.blocks]
        free_at: list[dict[int, int]] = [dict.fromkeys(alike, 0) for alike in self.classes]
        for block in sorted(range(len(starts)), key=lambda b: starts[b]):
            for n in range(len(rooms[block])):
                of_class = free_at[self.class_at((self._starts.bundles.of[block], n), starts[block], values)]
                room = next(room for room, free in of_class.items() if free <= starts[block])
                of_class[room] = starts[block] + self._program.blocks[block].duration
                rooms[block][n] = room
        return rooms
