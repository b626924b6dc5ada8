"""How much somebody has in the cycle."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from math import ceil
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from core.timetable.rules.base import Rule, Violation
from core.timetable.rules.points import Attendee, Attendees
from core.timetable.rules.selecting import Part
from core.timetable.wording import bounds

if TYPE_CHECKING:
    from core.timetable.lowering import Lowering
    from core.timetable.model import Lesson
    from core.timetable.view import View


class Load(Part):
    """What a course counts in the cycle, to everybody or to one of those who are at it, or for one need."""

    course: str
    load: int = Field(ge=0, le=100_000)
    who: str | None = None
    need: int | None = Field(default=None, ge=0)


class Workload(Rule):
    """Somebody's lessons amount to ``least`` to ``most``. A course counts its periods, unless ``loads`` says otherwise.

    A lesson counts its share of its course's load by its periods. The deviation is rounded up.
    """

    kind: Literal["workload"] = "workload"
    people: Attendees
    least: int = Field(default=0, ge=0, le=100_000)
    most: int = Field(default=100_000, ge=0, le=100_000)
    loads: tuple[Load, ...] = ()

    def check(self, view: View) -> Iterator[Violation]:
        """Yield each who has too much or too little."""
        loads = self._loads()
        for one in self.people.of(view.problem):
            given = [(lesson, need) for lesson, need in one.perhaps if view.rooms(lesson)[need] == one.id]
            total = sum(
                (
                    _share(one, loads, lesson, need)
                    for lesson, need in [*((held, None) for held in one.held(view)), *given]
                ),
                start=Fraction(0),
            )
            least = self.least if view.complete else 0
            deviation = _outside(total, least, self.most)
            if deviation:
                yield self.violation(
                    deviation,
                    f"{one.name} has a load of {float(total):g}; {bounds(self.least, self.most)}.",
                    **one.whom,
                )

    def _loads(self) -> dict[tuple[str, str | None, int | None], int]:
        return {(load.course, load.who, load.need): load.load for load in self.loads}

    def lower(self, lowering: Lowering) -> None:
        """Charge what is known already; who may be given to lessons is bounded by the checker alone."""
        loads = self._loads()
        for one in self.people.of(lowering.problem):
            total = sum((_share(one, loads, lesson, None) for lesson in one.always), start=Fraction(0))
            perhaps = sum((_share(one, loads, lesson, need) for lesson, need in one.perhaps), start=Fraction(0))
            if perhaps and (self.least > total or total + perhaps > self.most):
                lowering.leave_to_checker(self.kind)
            elif not perhaps:
                lowering.charge(self, lowering.problem.lessons[:1], _outside(total, self.least, self.most))


def _outside(total: Fraction, least: int, most: int) -> int:
    """Return the distance of a load to what it may be, rounded up."""
    return max(0, ceil(least - total), ceil(total - most))


def _share(
    one: Attendee, loads: dict[tuple[str, str | None, int | None], int], lesson: Lesson, need: int | None
) -> Fraction:
    """Return what a lesson counts to somebody."""
    course = lesson.course
    periods = sum(part.duration for part in one.problem.courses[course])
    known = (loads.get(key) for key in [(course, one.id, None), (course, None, need), (course, None, None)])
    load = next((load for load in known if load is not None), periods)
    return Fraction(load * lesson.duration, periods)
