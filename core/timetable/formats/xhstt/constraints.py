"""Each kind of constraint as a rule of the model."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

from core.errors import Fault, InvalidInput
from core.timetable.bounds import MOST_SLOTS
from core.timetable.formats.xhstt.archive import Constraint, Event, EventResource, Instance, fault, number, referred
from core.timetable.rules.base import Rule
from core.timetable.rules.in_windows import InWindows
from core.timetable.rules.one_at_a_time import OneAtATime
from core.timetable.rules.one_room import OneRoom
from core.timetable.rules.parts import Parts
from core.timetable.rules.placed import Placed
from core.timetable.rules.points import Attendees, CourseNeed, Courses, CourseSets, Needs, NeedSets, Window
from core.timetable.rules.room_among import RoomAmong
from core.timetable.rules.room_given import RoomGiven
from core.timetable.rules.run_together import RunTogether
from core.timetable.rules.separation import CoursePair, Separation
from core.timetable.rules.start_among import StartAmong
from core.timetable.rules.starts_in_windows import StartsInWindows
from core.timetable.rules.workload import Load, Workload

MOST = MOST_SLOTS
"""What rules count to; “999” and the like in archives mean any number."""
MOST_LOAD = 100_000


class Needing(Protocol):
    """Tells the needs of events."""

    def needs(self, event: Event) -> list[EventResource]:
        """Return an event's needs, in its order."""


class Translation:
    """The constraints of an instance as rules."""

    def __init__(self, instance: Instance, casting: Needing, whom: Callable[[Instance, Constraint], list[str]]) -> None:
        self._instance = instance
        self._casting = casting
        self._whom = whom
        self._kinds: dict[str, Callable[[Constraint], Rule | None]] = {
            "AssignTimeConstraint": self._assign_time,
            "AssignResourceConstraint": self._assign_resource,
            "SplitEventsConstraint": self._split_events,
            "DistributeSplitEventsConstraint": self._distribute_split_events,
            "PreferTimesConstraint": self._prefer_times,
            "PreferResourcesConstraint": self._prefer_resources,
            "AvoidSplitAssignmentsConstraint": self._avoid_split_assignments,
            "SpreadEventsConstraint": self._spread_events,
            "LinkEventsConstraint": self._link_events,
            "OrderEventsConstraint": self._order_events,
            "AvoidClashesConstraint": self._avoid_clashes,
            "AvoidUnavailableTimesConstraint": self._avoid_unavailable_times,
            "LimitIdleTimesConstraint": self._limit_idle_times,
            "ClusterBusyTimesConstraint": self._cluster_busy_times,
            "LimitBusyTimesConstraint": self._limit_busy_times,
            "LimitWorkloadConstraint": self._limit_workload,
        }

    def rules(self) -> list[Rule]:
        """Return the rules, in the order of the constraints. Raises ``InvalidInput`` with each kind it doesn't know."""
        unknown: dict[str, int] = {}
        for constraint in self._instance.constraints:
            if constraint.kind not in self._kinds:
                unknown[constraint.kind] = unknown.get(constraint.kind, 0) + 1
        if unknown:
            faults = [Fault("", f"{kind} is not known ({n} times).", "unsupported") for kind, n in unknown.items()]
            raise InvalidInput(" ".join(one.what for one in faults), faults)
        made = (self._kinds[constraint.kind](constraint) for constraint in self._instance.constraints)
        weights = (constraint.weight for constraint in self._instance.constraints)
        return [rule for rule, weight in zip(made, weights, strict=True) if rule is not None and weight > 0]

    def linked(self) -> list[tuple[str, ...]]:
        """Return the sets of events that should run together."""
        links = [c for c in self._instance.constraints if c.kind == "LinkEventsConstraint"]
        return [events for constraint in links for events in self._groups(constraint)]

    def _assign_time(self, constraint: Constraint) -> Rule:
        return Placed(courses=self._courses(constraint), **_common(constraint))

    def _assign_resource(self, constraint: Constraint) -> Rule:
        return RoomGiven(needs=Needs(needs=tuple(self._needs(constraint))), **_common(constraint))

    def _split_events(self, constraint: Constraint) -> Rule:
        element = constraint.element
        return Parts(
            courses=Courses(courses=tuple(self._events(constraint))),
            shortest=_at_most(number(element, "MinimumDuration", 1)),
            longest=_at_most(number(element, "MaximumDuration", MOST)),
            least=_at_most(number(element, "MinimumAmount", 1)),
            most=_at_most(number(element, "MaximumAmount", MOST)),
            **_common(constraint),
        )

    def _distribute_split_events(self, constraint: Constraint) -> Rule:
        duration = _at_most(number(constraint.element, "Duration"))
        return Parts(
            courses=Courses(courses=tuple(self._events(constraint))),
            shortest=duration,
            longest=duration,
            others=True,
            **_bounds(constraint),
            **_common(constraint),
        )

    def _prefer_times(self, constraint: Constraint) -> Rule:
        element = constraint.element
        return StartAmong(
            courses=self._courses(constraint),
            slots=tuple(self._times(constraint)),
            duration=_at_most(number(element, "Duration")) if element.child("Duration") else None,
            **_common(constraint),
        )

    def _prefer_resources(self, constraint: Constraint) -> Rule:
        element, there = constraint.element, self._instance.resource_groups
        groups = referred(element.child("ResourceGroups"), "ResourceGroup", there)
        single = referred(element.child("Resources"), "Resource", self._instance.resources)
        liked = dict.fromkeys([*(member for group in groups for member in there[group]), *single])
        return RoomAmong(needs=Needs(needs=tuple(self._needs(constraint))), rooms=tuple(liked), **_common(constraint))

    def _avoid_split_assignments(self, constraint: Constraint) -> Rule:
        sets = tuple(
            tuple(need for event in events for need in self._needs_of(event, constraint))
            for events in self._groups(constraint)
        )
        return OneRoom(needs=NeedSets(sets=sets), **_common(constraint))

    def _spread_events(self, constraint: Constraint) -> Rule:
        groups = constraint.element.child("TimeGroups")
        windows = [
            Window(
                slots=self._instance.time_groups[name],
                least=_at_most(number(one, "Minimum", 0)),
                most=_at_most(number(one, "Maximum", MOST)),
            )
            for one, name in zip(
                groups.all("TimeGroup") if groups else (),
                referred(groups, "TimeGroup", self._instance.time_groups),
                strict=True,
            )
        ]
        sets = CourseSets(sets=tuple(self._groups(constraint)))
        return StartsInWindows(courses=sets, windows=tuple(windows), **_common(constraint))

    def _link_events(self, constraint: Constraint) -> Rule:
        return RunTogether(courses=CourseSets(sets=tuple(self._groups(constraint))), **_common(constraint))

    def _order_events(self, constraint: Constraint) -> Rule:
        applies = constraint.element.child("AppliesTo") or constraint.element
        pairs = []
        for pair in applies.all("EventPairs", "EventPair"):
            first = referred(pair, "FirstEvent", self._instance.events)
            second = referred(pair, "SecondEvent", self._instance.events)
            if len(first) != 1 or len(second) != 1:
                raise fault(pair, "A pair names a <FirstEvent> and a <SecondEvent>.", "missing")
            most = number(pair, "MaxSeparation") if pair.child("MaxSeparation") else None
            least = _at_most(number(pair, "MinSeparation", 0))
            pairs.append(
                CoursePair(first=first[0], second=second[0], least=least, most=None if most is None else _at_most(most))
            )
        return Separation(pairs=tuple(pairs), **_common(constraint))

    def _avoid_clashes(self, constraint: Constraint) -> Rule:
        return OneAtATime(people=self._people(constraint), **_common(constraint))

    def _avoid_unavailable_times(self, constraint: Constraint) -> Rule | None:
        times = tuple(sorted(set(self._times(constraint))))
        return InWindows(people=self._people(constraint), windows=(times,), most=0, **_common(constraint))

    def _limit_idle_times(self, constraint: Constraint) -> Rule:
        return self._in_windows(constraint, "idle")

    def _cluster_busy_times(self, constraint: Constraint) -> Rule:
        return self._in_windows(constraint, "active")

    def _limit_busy_times(self, constraint: Constraint) -> Rule:
        return self._in_windows(constraint, "busy")

    def _in_windows(self, constraint: Constraint, what: Any) -> Rule:
        groups = constraint.element.child("TimeGroups")
        names = referred(groups, "TimeGroup", self._instance.time_groups)
        windows = tuple(self._instance.time_groups[name] for name in names)
        people = self._people(constraint)
        return InWindows(people=people, what=what, windows=windows, **_bounds(constraint), **_common(constraint))

    def _limit_workload(self, constraint: Constraint) -> Rule:
        return Workload(
            people=self._people(constraint),
            loads=tuple(self._loads()),
            least=min(number(constraint.element, "Minimum", 0), MOST_LOAD),
            most=min(number(constraint.element, "Maximum", MOST_LOAD), MOST_LOAD),
            **_common(constraint),
        )

    def _loads(self) -> Iterator[Load]:
        """Yield what counts otherwise than by its duration."""
        for event in self._instance.events.values():
            if event.workload is not None:
                yield Load(course=event.id, load=event.workload)
            needs = [need for need in self._casting.needs(event) if need.reference is None]
            for resource in event.resources:
                if resource.workload is None:
                    continue
                if resource.reference is not None:
                    yield Load(course=event.id, load=resource.workload, who=resource.reference)
                else:
                    index = [n for n, need in enumerate(self._casting.needs(event)) if need is resource]
                    yield Load(course=event.id, load=resource.workload, need=index[0] if needs else None)

    def _people(self, constraint: Constraint) -> Attendees:
        return Attendees(who=tuple(self._whom(self._instance, constraint)))

    def _times(self, constraint: Constraint) -> list[int]:
        element, instance = constraint.element, self._instance
        groups = referred(element.child("TimeGroups"), "TimeGroup", instance.time_groups)
        single = referred(element.child("Times"), "Time", instance.slot)
        slots = [slot for group in groups for slot in instance.time_groups[group]]
        return list(dict.fromkeys([*slots, *(instance.slot[time] for time in single)]))

    def _groups(self, constraint: Constraint) -> Iterator[tuple[str, ...]]:
        """Yield the events of each group that a constraint applies to."""
        applies = constraint.element.child("AppliesTo")
        groups = applies.child("EventGroups") if applies else None
        for group in referred(groups, "EventGroup", self._instance.event_groups):
            yield self._instance.event_groups[group]

    def _events(self, constraint: Constraint) -> list[str]:
        applies = constraint.element.child("AppliesTo")
        single = referred(applies.child("Events") if applies else None, "Event", self._instance.events)
        return list(dict.fromkeys([*(event for events in self._groups(constraint) for event in events), *single]))

    def _courses(self, constraint: Constraint) -> Courses:
        """Return the events whose time is not given: what concerns times applies to these alone."""
        events = self._events(constraint)
        return Courses(courses=tuple(event for event in events if self._instance.events[event].time is None))

    def _needs(self, constraint: Constraint) -> Iterator[CourseNeed]:
        for event in self._events(constraint):
            for need in self._needs_of(event, constraint):
                if self._casting.needs(self._instance.events[event])[need.need].reference is None:
                    yield need

    def _needs_of(self, event: str, constraint: Constraint) -> Iterator[CourseNeed]:
        role = constraint.element.child("Role")
        for n, need in enumerate(self._casting.needs(self._instance.events[event])):
            if role is None or need.role == role.text:
                yield CourseNeed(course=event, need=n)


def _common(constraint: Constraint) -> dict[str, Any]:
    """Return what every rule has; a weight of 0 costs nothing, and the rule is left out later."""
    if constraint.weight > 1_000_000:
        raise fault(constraint.element, "Weights are 1,000,000 at most.", "out_of_range")
    return {"hard": constraint.required, "weight": max(1, constraint.weight), "cost": constraint.cost}


def _bounds(constraint: Constraint) -> dict[str, Any]:
    element: Sequence[str] = ("Minimum", "Maximum")
    least, most = (number(constraint.element, tag, default) for tag, default in zip(element, (0, MOST), strict=True))
    return {"least": _at_most(least), "most": _at_most(most)}


def _at_most(value: int) -> int:
    return min(value, MOST)
