"""What an archive holds, read into plain values with every reference resolved."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn, TypeVar

from core.errors import Fault, InvalidInput
from core.timetable.cost_function import CostFunction
from core.timetable.formats.safe_xml import Element, read_xml

_T = TypeVar("_T")
COST_FUNCTIONS = {
    "Linear": CostFunction.LINEAR,
    "Quadratic": CostFunction.QUADRATIC,
    "Step": CostFunction.STEP,
    "Sum": CostFunction.LINEAR,
    "SumSquares": CostFunction.QUADRATIC,
    "SquareSum": CostFunction.QUADRATIC,
    "SumSteps": CostFunction.STEP,
    "StepSum": CostFunction.STEP,
}
"""The names of 2014, and the older ones as the format's own evaluator reads them."""
_NAMES, _NAME_LENGTH = 50, 60
"""How many ids a sentence lists, and how much of each: the largest public archive has about forty instances."""


@dataclass(frozen=True, slots=True)
class Resource:
    """Somebody or something that events need."""

    id: str
    name: str
    type: str


@dataclass(frozen=True, slots=True)
class EventResource:
    """One resource of an event: given, or to be chosen among those of a type."""

    reference: str | None
    role: str
    type: str
    workload: int | None


@dataclass(frozen=True, slots=True)
class Event:
    """What has to meet, in one part or several."""

    id: str
    name: str
    duration: int
    workload: int | None
    course: str | None
    time: int | None
    """The slot that is given, or None."""
    resources: tuple[EventResource, ...]


@dataclass(frozen=True, slots=True)
class Constraint:
    """One constraint, as it stands."""

    kind: str
    required: bool
    weight: int
    cost: CostFunction
    element: Element


@dataclass(frozen=True, slots=True)
class Time:
    """One time of the cycle."""

    id: str
    name: str
    day: str | None


@dataclass(frozen=True, slots=True)
class Instance:
    """One instance of an archive."""

    id: str
    name: str
    times: tuple[Time, ...]
    slot: Mapping[str, int]
    """The slot of each time, by id."""
    time_groups: Mapping[str, tuple[int, ...]]
    group_names: Mapping[str, str]
    """The names of groups of times and of events, by id."""
    types: Mapping[str, str]
    """The names of the types of resources, by id."""
    resources: Mapping[str, Resource]
    resource_groups: Mapping[str, tuple[str, ...]]
    events: Mapping[str, Event]
    event_groups: Mapping[str, tuple[str, ...]]
    constraints: tuple[Constraint, ...]


def read_archive(data: bytes) -> Element:
    """Return the root of an archive. Raises ``InvalidInput`` where it is none."""
    root = read_xml(data)
    if root.tag != "HighSchoolTimetableArchive":
        raise fault(root, f"This is no high school timetable archive, but a <{root.tag}>.")
    return root


def instance_of(root: Element, wanted: str | None = None) -> Instance:
    """Return the instance of that id; without one, the only one. Raises ``InvalidInput`` with lines."""
    there = list(root.all("Instances", "Instance"))
    meant = [element for element in there if wanted is None or element.get("Id") == wanted]
    if len(meant) != 1:
        what = f"Name one of the instances in the archive: {_named(there) or 'there is none'}."
        raise InvalidInput(what, [Fault("/query/instance", what, code="missing" if wanted is None else "unknown")])
    return _Reading(meant[0]).instance()


def _named(elements: Sequence[Element]) -> str:
    """Return the ids of elements as a sentence lists them: no more, and of each no more, than a person reads."""
    names = [element.get("Id") or "without an id" for element in elements]
    shown = [name if len(name) <= _NAME_LENGTH else f"{name[:_NAME_LENGTH]}…" for name in names[:_NAMES]]
    return ", ".join(shown) + (f" and {len(names) - _NAMES} more" if len(names) > _NAMES else "")


def fault(element: Element, what: str, code: str = "invalid") -> InvalidInput:
    """Return the error that says what is wrong on an element's line."""
    return InvalidInput(what, [Fault(f"line {element.line}", what, code=code)])


def number(element: Element, tag: str, default: int | None = None) -> int:
    """Return the whole number in a child. Raises ``InvalidInput`` where there is none, or it is out of range."""
    child = element.child(tag)
    if child is None and default is not None:
        return default
    text = "" if child is None else child.text
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise fault(child or element, f"<{tag}> of this <{element.tag}> is a whole number, and not “{text[:40]}”.")
    return int(text)


class _Reading:
    def __init__(self, element: Element) -> None:
        self._element = element
        self._times = tuple(
            Time(_id(time), time.text_of("Name") or _id(time), _reference(time.child("Day")))
            for time in element.all("Times", "Time")
        )
        self._slot = _numbered(element.all("Times", "Time"))
        kinds = ("TimeGroup", "Day", "Week")
        self._group_elements = [one for kind in kinds for one in element.all("Times", "TimeGroups", kind)]
        self._event_group_elements = [
            one for kind in ("EventGroup", "Course") for one in element.all("Events", "EventGroups", kind)
        ]
        self._types = {
            _id(one): one.text_of("Name") for one in element.all("Resources", "ResourceTypes", "ResourceType")
        }
        self._resources = {one.id: one for one in map(self._resource, element.all("Resources", "Resource"))}
        self._resource_groups = self._members_of_resource_groups()

    def instance(self) -> Instance:
        events = {event.id: event for event in map(self._event, self._element.all("Events", "Event"))}
        if not self._times or not events:
            raise fault(self._element, "This instance has no times, or no events.", "missing")
        named = [*self._group_elements, *self._event_group_elements]
        name = self._element.text_of("Name") or next((m.text_of("Name") for m in self._element.all("MetaData")), "")
        return Instance(
            id=_id(self._element),
            name=name or _id(self._element),
            times=self._times,
            slot=self._slot,
            time_groups=self._members_of_time_groups(),
            group_names={_id(one): one.text_of("Name") or _id(one) for one in named},
            types=self._types,
            resources=self._resources,
            resource_groups=self._resource_groups,
            events=events,
            event_groups=self._members_of_event_groups(),
            constraints=tuple(self._constraints()),
        )

    def _members_of_time_groups(self) -> dict[str, tuple[int, ...]]:
        found: dict[str, list[int]] = {_id(group): [] for group in self._group_elements}
        for slot, time in enumerate(self._element.all("Times", "Time")):
            for group in [*time.all("Day"), *time.all("Week"), *time.all("TimeGroups", "TimeGroup")]:
                _known(group, found).append(slot)
        return {group: tuple(sorted(set(slots))) for group, slots in found.items()}

    def _members_of_resource_groups(self) -> dict[str, tuple[str, ...]]:
        groups = self._element.all("Resources", "ResourceGroups", "ResourceGroup")
        found: dict[str, list[str]] = {_id(group): [] for group in groups}
        for resource in self._element.all("Resources", "Resource"):
            for group in resource.all("ResourceGroups", "ResourceGroup"):
                _known(group, found).append(_id(resource))
        return {group: tuple(dict.fromkeys(members)) for group, members in found.items()}

    def _members_of_event_groups(self) -> dict[str, tuple[str, ...]]:
        found: dict[str, list[str]] = {_id(group): [] for group in self._event_group_elements}
        for event in self._element.all("Events", "Event"):
            for group in [*event.all("Course"), *event.all("EventGroups", "EventGroup")]:
                _known(group, found).append(_id(event))
        return {group: tuple(dict.fromkeys(members)) for group, members in found.items()}

    def _resource(self, element: Element) -> Resource:
        kind = element.child("ResourceType")
        if kind is None:
            raise fault(element, f"Resource “{_id(element)}” has no type.", "missing")
        _known(kind, self._types)
        return Resource(_id(element), element.text_of("Name") or _id(element), kind.attributes["Reference"])

    def _event(self, element: Element) -> Event:
        time = element.child("Time")
        duration = number(element, "Duration")
        if not 1 <= duration <= len(self._times):
            raise fault(element, f"Event “{_id(element)}” takes 1 to {len(self._times)} times, and not {duration}.")
        return Event(
            id=_id(element),
            name=element.text_of("Name") or _id(element),
            duration=duration,
            workload=number(element, "Workload") if element.child("Workload") else None,
            course=_reference(element.child("Course")),
            time=None if time is None else _known(time, self._slot),
            resources=tuple(self._event_resources(element)),
        )

    def _event_resources(self, event: Element) -> Iterator[EventResource]:
        for element in event.all("Resources", "Resource"):
            workload = number(element, "Workload") if element.child("Workload") else None
            reference, kind = element.get("Reference"), element.child("ResourceType")
            if reference is not None:
                yield EventResource(reference, element.text_of("Role"), _known(element, self._resources).type, workload)
            elif kind is not None:
                _known(kind, self._types)
                yield EventResource(None, element.text_of("Role"), kind.attributes["Reference"], workload)
            else:
                raise fault(element, "A resource that is to be chosen needs its <ResourceType>.", "missing")
        for group in [*event.all("Resources", "ResourceGroup"), *event.all("ResourceGroups", "ResourceGroup")]:
            for one in _known(group, self._resource_groups):
                yield EventResource(one, "", self._resources[one].type, None)

    def _constraints(self) -> Iterator[Constraint]:
        for element in next(iter(self._element.all("Constraints")), self._element).children:
            if not element.tag.endswith("Constraint"):
                continue
            function = COST_FUNCTIONS.get(element.text_of("CostFunction", "Linear"))
            required = element.text_of("Required").lower()
            if function is None or required not in {"true", "false"}:
                raise fault(element, f"This <{element.tag}> has a <CostFunction> or <Required> that is not known.")
            yield Constraint(element.tag, required == "true", number(element, "Weight"), function, element)


def referred(element: Element | None, tag: str, known: Mapping[str, object]) -> list[str]:
    """Return the ids that the children of that name refer to. Raises ``InvalidInput`` for one that isn't there."""
    found = [] if element is None else list(element.all(tag))
    for child in found:
        _known(child, known)
    return [child.attributes["Reference"] for child in found]


def _known(element: Element, there: Mapping[str, _T]) -> _T:
    reference = element.get("Reference")
    if reference is None or reference not in there:
        raise fault(element, f"There is no “{reference}” to which this <{element.tag}> refers.", "unknown")
    return there[reference]


def _reference(element: Element | None) -> str | None:
    return None if element is None else element.get("Reference")


def _id(element: Element) -> str:
    name = element.get("Id")
    if not name or len(name) > 150:
        _refuse(element, f"This <{element.tag}> has no id, or one of more than 150 letters.")
    return name


def _numbered(elements: Iterable[Element]) -> dict[str, int]:
    found: dict[str, int] = defaultdict(int)
    for i, element in enumerate(elements):
        if _id(element) in found:
            _refuse(element, f"The id “{_id(element)}” is taken already.")
        found[_id(element)] = i
    return dict(found)


def _refuse(element: Element, what: str) -> NoReturn:
    raise fault(element, what)
