"""The solutions of an archive, each with the problem as that solution cuts its events."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from core.errors import Fault, InvalidInput
from core.timetable.formats.reading import Read
from core.timetable.formats.safe_xml import Element
from core.timetable.formats.xhstt.archive import Event, Instance, fault, instance_of, number, read_archive
from core.timetable.formats.xhstt.problem import Casting, problem_of
from core.timetable.model import Lesson, Placement, Problem, Timetable
from core.timetable.rules.one_run_a_day import OneRunADay


@dataclass(frozen=True, slots=True)
class Part:
    """One part of an event, as a solution has it."""

    event: str
    duration: int
    slot: int | None
    resources: tuple[tuple[str, str], ...] = ()
    """(role, resource) of what was chosen."""


@dataclass(frozen=True, slots=True)
class Solution:
    """One solution of an archive."""

    group: str
    description: str
    problem: Problem
    timetable: Timetable
    reported: tuple[int, int] | None = field(default=None)
    """The (hard, soft) cost that the file itself says, where it does."""


def read_problem(data: bytes, instance: str | None = None) -> Problem:
    """Return the problem of an instance, or of the archive's only one. Raises ``InvalidInput`` with lines."""
    return problem_of(instance_of(read_archive(data), instance))


def read_solutions(data: bytes, instance: str | None = None) -> list[Solution]:
    """Return every solution of an instance in the archive, in the file's order. Raises ``InvalidInput`` with lines."""
    root = read_archive(data)
    return list(_solutions(root, instance_of(root, instance)))


def read_solved(data: bytes, solution: bytes, instance: str | None = None) -> tuple[Problem, Timetable]:
    """Return the last solution in the second archive of an instance in the first, with the problem as it cuts it."""
    wanted = instance_of(read_archive(data), instance)
    found = list(_solutions(read_archive(solution), wanted))
    if not found:
        what = f"There is no solution of “{wanted.id}” in this archive."
        raise InvalidInput(what, [Fault("", what, code="missing")])
    return found[-1].problem, found[-1].timetable


def read_all(data: bytes, instance: str | None = None) -> Read:
    """Return the problem of an instance, with the last solution in the archive that fits how it cuts events.

    Raises ``InvalidInput`` with lines.
    """
    root = read_archive(data)
    wanted = instance_of(root, instance)
    problem = problem_of(wanted)
    found = list(_solutions(root, wanted))
    return Read(problem=problem, timetable=_fitted(found[-1], problem)[0] if found else None)


def read_solution(data: bytes, problem: Problem) -> Timetable:
    """Return the last solution of an archive as a timetable of a problem.

    Raises ``InvalidInput`` where it cuts an event otherwise: then read both with ``read_solved``.
    """
    root = read_archive(data)
    found = read_solutions(data) if list(root.all("Instances", "Instance")) else []
    if not found:
        what = "There is no solution in this archive beside its instance."
        raise InvalidInput(what, [Fault("", what, code="missing")])
    timetable, otherwise = _fitted(found[-1], problem)
    if timetable is None:
        what = f"The solution cuts “{otherwise}” in another way than the problem does, or gives it to others."
        raise InvalidInput(what, [Fault("", what, code="conflict")])
    return timetable


def _fitted(solution: Solution, problem: Problem) -> tuple[Timetable | None, str]:
    """Return a solution as a timetable of a problem, or None and the event that the two cut differently."""
    joining = {c for rule in problem.rules if isinstance(rule, OneRunADay) for c in rule.courses.courses}
    placements: list[Placement] = []
    for course, lessons in problem.courses.items():
        parts = sorted(solution.problem.courses.get(course, ()), key=lambda lesson: -lesson.duration)
        if course in joining:
            parts = [part.model_copy(update={"duration": 1}) for part in parts for _ in range(part.duration)]
        wanted = sorted(lessons, key=lambda lesson: -lesson.duration)
        if [part.duration for part in parts] != [lesson.duration for lesson in wanted]:
            return None, course
        met: Counter[str] = Counter()
        for part, lesson in zip(parts, wanted, strict=True):
            placement = solution.timetable.by_lesson.get(part.id)
            if placement is not None:
                if not _may_have(lesson, placement):
                    return None, course
                slot = placement.slot + met[part.id]
                placements.append(placement.model_copy(update={"lesson": lesson.id, "slot": slot}))
            met[part.id] += 1
    return Timetable(placements=tuple(placements)), ""


def _may_have(lesson: Lesson, placement: Placement) -> bool:
    pairs = zip(placement.rooms, lesson.rooms, strict=False)
    return all(room is None or any(choice.room == room for choice in need.choices) for room, need in pairs)


def _solutions(root: Element, instance: Instance) -> Iterator[Solution]:
    for group in root.all("SolutionGroups", "SolutionGroup"):
        described = next((meta.text_of("Description") for meta in group.all("MetaData")), "")
        for element in group.all("Solution"):
            if element.get("Reference") == instance.id:
                parts = _completed(instance, list(_parts(element, instance)), element)
                problem, timetable = _made(instance, parts)
                described = element.text_of("Description") or described
                yield Solution(group.get("Id") or "", described, problem, timetable, _reported(element))


def _reported(solution: Element) -> tuple[int, int] | None:
    report = solution.child("Report")
    if report is None:
        return None
    return number(report, "InfeasibilityValue"), number(report, "ObjectiveValue")


def _parts(solution: Element, instance: Instance) -> Iterator[Part]:
    for element in solution.all("Events", "Event"):
        event = instance.events.get(element.get("Reference") or "")
        if event is None:
            raise fault(element, f"There is no event “{element.get('Reference')}”.", "unknown")
        duration = number(element, "Duration", event.duration)
        time = element.child("Time")
        slot = instance.slot.get(time.get("Reference") or "") if time else event.time
        if time and slot is None:
            raise fault(time, f"There is no time “{time.get('Reference')}”.", "unknown")
        if duration < 1 or (slot is not None and slot + duration > len(instance.times)):
            raise fault(element, f"A part of “{event.id}” runs past the last time, or takes none.", "out_of_range")
        yield Part(event.id, duration, slot, tuple(_given(element, instance)))


def _given(element: Element, instance: Instance) -> Iterator[tuple[str, str]]:
    for resource in element.all("Resources", "Resource"):
        name = resource.get("Reference")
        if name is None:
            continue
        if name not in instance.resources:
            raise fault(resource, f"There is no resource “{name}”.", "unknown")
        yield resource.text_of("Role"), name


def _completed(instance: Instance, parts: list[Part], element: Element) -> dict[str, list[Part]]:
    """Return the parts of every event; what a solution leaves out is one part without a time."""
    found: dict[str, list[Part]] = {event: [] for event in instance.events}
    for part in parts:
        found[part.event].append(part)
    for event, there in found.items():
        left = instance.events[event].duration - sum(part.duration for part in there)
        if left < 0:
            raise fault(element, f"The parts of “{event}” take more than the event.", "out_of_range")
        if left:
            there.append(Part(event, left, instance.events[event].time))
    return found


def _made(instance: Instance, parts: dict[str, list[Part]]) -> tuple[Problem, Timetable]:
    problem = problem_of(instance, {event: [part.duration for part in there] for event, there in parts.items()})
    casting = Casting(instance)
    placements = []
    for event, there in parts.items():
        for lesson, part in zip(problem.courses[event], there, strict=True):
            if part.slot is not None:
                rooms = _rooms(casting, instance.events[event], part)
                placements.append(Placement(lesson=lesson.id, slot=part.slot, rooms=rooms))
    return problem, Timetable(placements=tuple(placements))


def _rooms(casting: Casting, event: Event, part: Part) -> tuple[str | None, ...]:
    """Return what each need was given: by its role, the first that is left."""
    left = list(part.resources)
    given: list[str | None] = []
    for n, need in enumerate(casting.needs(event)):
        choices = casting.choices(event.id, n, need)
        fitting = [pair for pair in left if pair[0] in {need.role, ""} and pair[1] in choices]
        if need.reference is not None or not fitting:
            given.append(need.reference)
        else:
            left.remove(fitting[0])
            given.append(fitting[0][1])
    return tuple(given)
