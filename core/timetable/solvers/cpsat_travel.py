"""Time to walk between buildings, in CP-SAT."""

from collections import defaultdict
from collections.abc import Iterator, Mapping

from core.timetable.program import Program, Travel
from core.timetable.solvers.cpsat_logic import Linear, Literal, Logic, added
from core.timetable.solvers.cpsat_rooms import Rooms
from core.timetable.solvers.cpsat_starts import Guards, Starts, unguarded
from core.timetable.solvers.cpsat_tracks import Tracks

Visit = tuple[int, int, Literal]
"""(building, or class of rooms that is one room; slot; literal that a stop is there then)."""


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
        leaving, arriving = self._visits(travel)
        later: dict[int, list[Visit]] = defaultdict(list)
        for visit in arriving:
            later[self._program.day_of[visit[1]]].append(visit)
        for origin, last, one in leaving:
            for target, first, other in later[self._program.day_of[last]]:
                if first <= last or origin == target:
                    continue
                begins = travel.begins[first] if travel.begins else first
                ends = travel.ends[last] if travel.ends else last + 1
                missing = travel.time_between(origin, target) - (begins - ends)
                if missing > 0:
                    yield missing, one, other

    def _visits(self, travel: Travel) -> tuple[list[Visit], list[Visit]]:
        arriving: dict[tuple[int, int], list[Literal]] = defaultdict(list)
        leaving: dict[tuple[int, int], list[Literal]] = defaultdict(list)
        stops = self._stops(travel)
        for bundle, need in stops:
            for building, start, literal in self._whereabouts(travel, bundle, need):
                arriving[building, start].append(literal)
                leaving[building, start + self._starts.duration(bundle) - 1].append(literal)
        one_at_a_time = self._tracks.is_exclusive(travel.track) and len(stops) == len({bundle for bundle, _ in stops})
        return self._told(leaving, one_at_a_time), self._told(arriving, one_at_a_time)

    def _told(self, visits: Mapping[tuple[int, int], list[Literal]], one_at_a_time: bool) -> list[Visit]:
        return [
            (building, slot, literal)
            for (building, slot), literals in visits.items()
            for literal in ([self._logic.one_of(literals)] if one_at_a_time else literals)
        ]

    def _stops(self, travel: Travel) -> list[tuple[int, int]]:
        of = self._starts.bundles.of
        return list(dict.fromkeys((of[block], need) for block, need in travel.stops))

    def _whereabouts(self, travel: Travel, bundle: int, need: int) -> Iterator[Visit]:
        if need >= 0 and travel.rooms_apart:
            for room, literals in self._rooms.taken[bundle, need].items():
                yield from ((room, start, literal) for start, literal in literals.items())
        elif need >= 0:
            for building in {building for pair in travel.slots_between for building in pair}:
                for start, literal in self._rooms.in_building((bundle, need), building).items():
                    yield building, start, literal
        elif travel.home >= 0:
            yield from ((travel.home, start, literal) for start, literal in self._starts.at[bundle].items())
