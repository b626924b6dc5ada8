"""Whom, what and when a rule is about."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from core.errors import Fault

if TYPE_CHECKING:
    from core.timetable.model import Group, Lesson, Problem, Subject, Teacher

EVERY = ("*",)
"""Every one there is."""
MOST_PAIRS = 1_000_000
"""All of PE before all laboratories of 200 classes are half as many."""


@dataclass(frozen=True, slots=True)
class InCycle:
    """Marks a field that holds slots of the cycle."""


Slots = Annotated[tuple[int, ...], InCycle()]


class Part(BaseModel):
    """Part of a rule's parameters."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)


class Selection(Part):
    """Part of what a problem holds."""

    def faults(self, problem: Problem, where: str) -> Iterator[Fault]:
        """Yield each id that the problem doesn't know."""
        raise NotImplementedError

    def told(self, problem: Problem) -> str:
        """Return who or what is chosen, by name; nothing where the whole school is."""
        there: dict[str, Mapping[str, Teacher | Group | Subject]] = {
            "teachers": problem.teacher,
            "groups": problem.group,
            "subjects": problem.subject,
        }
        chosen: list[str] = []
        for field in type(self).model_fields:
            ids = getattr(self, field)
            if isinstance(ids, tuple) and ids and ids != EVERY:
                named = there.get(field, {})
                chosen += [named[one].name if one in named else one for one in dict.fromkeys(_ids(ids))]
        return ", ".join(chosen)


def _ids(chosen: object) -> Iterator[str]:
    """Yield the ids that a field of a selection holds, however deep they stand in sets."""
    if isinstance(chosen, str):
        yield chosen
    elif isinstance(chosen, tuple):
        for one in chosen:
            yield from _ids(one)
    elif isinstance(chosen, Part):
        for field in type(chosen).model_fields:
            yield from _ids(getattr(chosen, field))


class People(Selection):
    """Teachers and groups by id; ``*`` is every one of that kind."""

    teachers: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()

    def of(self, problem: Problem) -> Iterator[tuple[str, str]]:
        """Yield (``teacher`` or ``group``, id) of each."""
        for kind, chosen, there in (("teacher", self.teachers, problem.teacher), ("group", self.groups, problem.group)):
            yield from ((kind, one) for one in (there if chosen == EVERY else dict.fromkeys(chosen)))

    def faults(self, problem: Problem, where: str) -> Iterator[Fault]:
        """Yield each teacher and group that the problem doesn't know."""
        if self.teachers != EVERY:
            yield from unknown("teacher", self.teachers, problem.teacher, f"{where}/teachers")
        if self.groups != EVERY:
            yield from unknown("group", self.groups, problem.group, f"{where}/groups")


class Lessons(Selection):
    """The lessons that match every field that is given; with none given, all."""

    lessons: tuple[str, ...] = ()
    courses: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()
    teachers: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()

    def of(self, problem: Problem) -> Iterator[Lesson]:
        """Yield each lesson that matches, in the problem's order."""
        lessons, courses, subjects = frozenset(self.lessons), frozenset(self.courses), frozenset(self.subjects)
        teachers, groups = frozenset(self.teachers), frozenset(self.groups)
        return (
            lesson
            for lesson in problem.lessons
            if (not lessons or lesson.id in lessons)
            and (not courses or lesson.course in courses)
            and (not subjects or lesson.subject in subjects)
            and (not teachers or not teachers.isdisjoint(lesson.teachers))
            and (not groups or not groups.isdisjoint(lesson.groups))
        )

    def faults(self, problem: Problem, where: str) -> Iterator[Fault]:
        """Yield each lesson, course, subject, teacher and group that the problem doesn't know."""
        yield from unknown("lesson", self.lessons, problem.lesson, f"{where}/lessons")
        yield from unknown("course", self.courses, {lesson.course for lesson in problem.lessons}, f"{where}/courses")
        yield from unknown("subject", self.subjects, problem.subject, f"{where}/subjects")
        yield from unknown("teacher", self.teachers, problem.teacher, f"{where}/teachers")
        yield from unknown("group", self.groups, problem.group, f"{where}/groups")


def unknown(what: str, ids: Iterable[str], there: Collection[str], where: str) -> Iterator[Fault]:
    """Yield a fault for each id that isn't there; ``where`` points to the list of ids."""
    for i, one in enumerate(ids):
        if one not in there:
            yield Fault(f"{where}/{i}", f"There is no {what} “{one}”.", code="unknown")


def slot_faults(slots: Iterable[int], problem: Problem, where: str) -> Iterator[Fault]:
    """Yield a fault for each slot outside the cycle; ``where`` points to the list of slots."""
    last = problem.calendar.slots - 1
    for i, slot in enumerate(slots):
        if not 0 <= slot <= last:
            yield Fault(f"{where}/{i}", f"There is no slot {slot}: they are 0 to {last}.", code="out_of_range")


def by_course(lessons: Iterable[Lesson]) -> Iterator[list[Lesson]]:
    """Yield the lessons of each course, in their order."""
    found: dict[str, list[Lesson]] = {}
    for lesson in lessons:
        found.setdefault(lesson.course, []).append(lesson)
    yield from found.values()


def too_many(pairs: Iterable[object], where: str) -> Iterator[Fault]:
    """Yield a fault where a rule is about more pairs of lessons than a machine can hold."""
    if next(islice(pairs, MOST_PAIRS, None), None) is not None:
        what = f"This is about more than {MOST_PAIRS:,} pairs of lessons: narrow it to classes, subjects or courses."
        yield Fault(where, what, code="too_large")
