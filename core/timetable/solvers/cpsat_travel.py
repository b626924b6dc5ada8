"""Time to walk between buildings, in CP-SAT."""

from collections import defaultdict
from collections.abc import Iterator
from itertools import product

from core.timetable.program import Program, Travel
from core.timetable.solvers.cpsat_logic import Linear, Literal, Logic, added
from core.timetable.solvers.cpsat_rooms import Rooms
from core.timetable.solvers.cpsat_starts import Guards, Starts, unguarded
from core.timetable.solvers.cpsat_tracks import Tracks

At = dict[tuple[int, int], list[Literal]]
"""By (building, slot) the literals of blocks that are there."""


class Journeys:
    """Who leaves which building when, and has to be in which one."""

    def __init__(self, logic: Logic, program: Program, starts: Starts, rooms: Rooms, tracks: Tracks) -> None:
        self._logic = logic
        self._program = program
        self._starts = starts
        self._rooms = rooms
        self._tracks = tracks

    def forbid(self, travel: Travel, guards: Guards = unguarded) -> None:
        """Forbid each journey for which there is no time."""
        guard = guards(travel.source, "")
        for _, one, other in self._journeys(travel):
            self._logic.not_both(one, other, guard)

    def cost(self, travel: Travel) -> Linear:
        """Return what journeys cost for which there is no time."""
        return added(
            self._logic.total([self._logic.all_of([one, other])], travel.weight * travel.function.of(missing))
            for missing, one, other in self._journeys(travel)
        )

    def _journeys(self, travel: Travel) -> Iterator[tuple[int, Literal, Literal]]:
        """Yield (time missing, literal of leaving, literal of arriving)."""
        leaving, arriving = self._moves(travel)
        for (origin, last), (target, first) in product(leaving, arriving):
            if first <= last or self._program.day_of[first] != self._program.day_of[last]:
                continue
            begins = travel.begins[first] if travel.begins else first
            ends = travel.ends[last] if travel.ends else last + 1
            missing = travel.slots_between.get((origin, target), 0) - (begins - ends)
            if missing > 0 and origin != target:
                for one, other in product(leaving[origin, last], arriving[target, first]):
                    yield missing, one, other

    def _moves(self, travel: Travel) -> tuple[At, At]:
        leaving: At = defaultdict(list)
        arriving: At = defaultdict(list)
        buildings = {building for pair in travel.slots_between for building in pair}
        for bundle in self._starts.bundles.among(self._program.tracks[travel.track]):
            duration = self._starts.duration(bundle)
            for building, at in self._whereabouts(travel, bundle, buildings):
                for start, literal in at.items():
                    arriving[building, start].append(literal)
                    leaving[building, start + duration - 1].append(literal)
        if self._tracks.is_exclusive(travel.track):
            return self._together(leaving), self._together(arriving)
        return leaving, arriving

    def _together(self, moves: At) -> At:
        return {where: [self._logic.one_of(literals)] for where, literals in moves.items()}

    def _whereabouts(self, travel: Travel, bundle: int, buildings: set[int]) -> Iterator[tuple[int, dict[int, Literal]]]:
        block = self._starts.bundles.members[bundle][0]
        if self._program.blocks[block].needs:
            yield from ((building, self._rooms.in_building((bundle, 0), building)) for building in buildings)
        elif travel.home >= 0:
            yield travel.home, self._starts.at[bundle]
