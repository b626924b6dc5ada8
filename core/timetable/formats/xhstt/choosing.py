"""Who is given to events before the search, where that is somebody and not a room.

Solvers give rooms while they search; a teacher or a class that is to be chosen is chosen here, one for all parts of an
event: among those that the constraints want, whoever has most left of the load that they may have, and who is not
needed by what runs at the same time.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from core.timetable.formats.xhstt.archive import Event, EventResource, Instance
from core.timetable.rules.base import Rule
from core.timetable.rules.room_among import RoomAmong
from core.timetable.rules.workload import Workload

Needs = Mapping[str, Sequence[EventResource]]
"""The needs of each event, by its id."""


def choose(
    instance: Instance, needs: Needs, rooms: frozenset[str], rules: Iterable[Rule], linked: Sequence[Sequence[str]]
) -> dict[tuple[str, int], str]:
    """Return whom each need of an event, by (event, index), is met with, but for needs of the types of rooms."""
    return _Choosing(instance, needs, rules, linked).choose(rooms)


class _Choosing:
    def __init__(
        self, instance: Instance, needs: Needs, rules: Iterable[Rule], linked: Sequence[Sequence[str]]
    ) -> None:
        self._instance = instance
        self._needs = needs
        self._liked: dict[tuple[str, int], frozenset[str]] = {}
        self._left: dict[str, float] = defaultdict(lambda: float(len(instance.times)))
        self._beside: dict[str, set[str]] = defaultdict(set)
        for rule in rules:
            self._learn(rule)
        for together in linked:
            for name in together:
                self._beside[name] |= set(together)
        self._there = {event.id: {one.reference for one in event.resources} for event in instance.events.values()}
        for event in instance.events.values():
            for one in event.resources:
                if one.reference is not None:
                    self._left[one.reference] -= _load(event, one)

    def _learn(self, rule: Rule) -> None:
        if isinstance(rule, Workload):
            for one in rule.people.who:
                self._left[one] = min(self._left[one], rule.most)
        if isinstance(rule, RoomAmong) and rule.hard:
            for need in rule.needs.needs:
                before = self._liked.get((need.course, need.need))
                liked = frozenset(rule.rooms)
                self._liked[need.course, need.need] = liked if before is None else before & liked

    def choose(self, rooms: frozenset[str]) -> dict[tuple[str, int], str]:
        open_ones = [
            (event, n, resource)
            for event in self._instance.events.values()
            for n, resource in enumerate(self._needs[event.id])
            if resource.reference is None and resource.type not in rooms
        ]
        candidates = {(event.id, n): self._candidates(event.id, n, resource) for event, n, resource in open_ones}
        chosen = {}
        for event, n, resource in sorted(open_ones, key=lambda one: len(candidates[one[0].id, one[1]])):
            there = candidates[event.id, n]
            if there:
                best = max(there, key=lambda one: (not self._is_beside(one, event), self._left[one]))
                self._left[best] -= _load(event, resource)
                self._there[event.id].add(best)
                chosen[event.id, n] = best
        return chosen

    def _candidates(self, event: str, n: int, resource: EventResource) -> list[str]:
        every = [one.id for one in self._instance.resources.values() if one.type == resource.type]
        liked = self._liked.get((event, n))
        return [one for one in every if liked is None or one in liked] or every

    def _is_beside(self, one: str, event: Event) -> bool:
        """Tell whether somebody is needed by the event already, or by one that runs with it."""
        return any(one in self._there[other] for other in {event.id, *self._beside[event.id]})


def _load(event: Event, resource: EventResource) -> int:
    if resource.workload is not None:
        return resource.workload
    return event.duration if event.workload is None else event.workload
