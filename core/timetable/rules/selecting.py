"""Whom and what a rule is about."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

if TYPE_CHECKING:
    from core.timetable.model import Lesson, Problem

EVERY = ("*",)
"""Every one there is."""


class _Selection(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)


class People(_Selection):
    """Teachers and groups by id; ``*`` is every one of that kind."""

    teachers: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()

    def of(self, problem: Problem) -> Iterator[tuple[str, str]]:
        """Yield (``teacher`` or ``group``, id) of each."""
        for kind, chosen, there in (("teacher", self.teachers, problem.teacher), ("group", self.groups, problem.group)):
            yield from ((kind, one) for one in (there if chosen == EVERY else chosen))


class Lessons(_Selection):
    """The lessons that match every field that is given; with none given, all."""

    lessons: tuple[str, ...] = ()
    courses: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()
    teachers: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()

    def of(self, problem: Problem) -> Iterator[Lesson]:
        """Yield each lesson that matches, in the problem's order."""
        return (lesson for lesson in problem.lessons if self.matches(lesson))

    def matches(self, lesson: Lesson) -> bool:
        """Tell whether a lesson is meant."""
        return (
            (not self.lessons or lesson.id in self.lessons)
            and (not self.courses or lesson.course in self.courses)
            and (not self.subjects or lesson.subject in self.subjects)
            and (not self.teachers or not set(self.teachers).isdisjoint(lesson.teachers))
            and (not self.groups or not set(self.groups).isdisjoint(lesson.groups))
        )
