"""What was taught when and where before stays there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from core.errors import Fault
from core.timetable.rules.base import Rule, Violation
from core.timetable.rules.selecting import Part, slot_faults

if TYPE_CHECKING:
    from core.timetable.lowering import Lowering
    from core.timetable.model import Lesson, Problem
    from core.timetable.view import View


class Stay(Part):
    """Where a lesson was."""

    lesson: str
    slot: int = Field(ge=0)
    rooms: tuple[str | None, ...] = ()

    def moved(self, span: range) -> int:
        """Return 1 where the lesson starts elsewhere."""
        return int(span.start != self.slot)

    def faults(self, problem: Problem, where: str) -> Iterator[Fault]:
        """Yield a slot that the cycle doesn't have."""
        yield from (
            Fault(f"{where}/slot", fault.what, fault.code) for fault in slot_faults([self.slot], problem, where)
        )


class Stays(Rule):
    """Lessons stay where the previous timetable has them (P8-22); where ``rooms`` says so, in their rooms too.

    Each lesson that starts elsewhere is one deviation, and so is each of its rooms that is another. Lessons that are
    new, and those of the previous timetable that are gone, don't count.
    """

    kind: Literal["stays"] = "stays"
    previous: tuple[Stay, ...]
    rooms: bool = False

    def check(self, view: View) -> Iterator[Violation]:
        """Yield each lesson that moved, and each room."""
        for lesson, stay in self._staying(view.problem):
            if not view.all_placed([lesson]):
                continue
            if view.span(lesson).start != stay.slot:
                yield self._moved(view, lesson, stay)
            for was, is_now in self._rooms(stay, view.rooms(lesson)):
                if was is not None and is_now is not None and was != is_now:
                    yield self._in_another_room(view, lesson, was, is_now)

    def _moved(self, view: View, lesson: Lesson, stay: Stay) -> Violation:
        start = view.span(lesson).start
        return self.violation(
            1,
            f"{view.label(lesson)} moved from {view.calendar.label(stay.slot)} to {view.calendar.label(start)}.",
            lessons=(lesson.id,),
            groups=lesson.groups,
            slots=(stay.slot, start),
        )

    def _in_another_room(self, view: View, lesson: Lesson, was: str, is_now: str) -> Violation:
        names = [view.problem.room[room].name if room in view.problem.room else room for room in (was, is_now)]
        when = view.calendar.label(view.span(lesson).start)
        return self.violation(
            1,
            f"{view.label(lesson)} on {when} moved from {names[0]} to {names[1]}.",
            lessons=(lesson.id,),
            groups=lesson.groups,
            rooms=(was, is_now),
        )

    def _rooms(self, stay: Stay, now: tuple[str | None, ...]) -> Iterator[tuple[str | None, str | None]]:
        return zip(stay.rooms if self.rooms else (), now, strict=False)

    def lower(self, lowering: Lowering) -> None:
        """Price or forbid each other start and each other room."""
        for lesson, stay in self._staying(lowering.problem):
            lowering.price_starts(self, [lesson], stay.moved)
            for n, need in enumerate(lesson.rooms):
                was = stay.rooms[n] if self.rooms and n < len(stay.rooms) else None
                for choice in need.choices:
                    lowering.price_room(self, lesson, n, choice.room, int(was is not None and choice.room != was))

    def faults(self, problem: Problem) -> Iterator[Fault]:
        """Yield each slot that is not there. Lessons and rooms that are gone are no mistake."""
        for i, stay in enumerate(self.previous):
            yield from stay.faults(problem, f"/previous/{i}")

    def _staying(self, problem: Problem) -> Iterator[tuple[Lesson, Stay]]:
        return ((problem.lesson[stay.lesson], stay) for stay in self.previous if stay.lesson in problem.lesson)
