"""How much of some time lessons take."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from core.errors import Fault
from core.timetable.bounds import MOST_SLOTS
from core.timetable.program import Combine, Measure
from core.timetable.rules.base import Rule, Violation
from core.timetable.rules.measuring import outside, runs
from core.timetable.rules.selecting import Lessons, People, slot_faults
from core.timetable.wording import bounds, counted

if TYPE_CHECKING:
    from core.timetable.lowering import Lowering
    from core.timetable.model import Lesson, Problem
    from core.timetable.view import View

_NOUNS = {"periods": "period", "parts": "part", "starts": "lesson", "run": "period"}
_MEASURES = {
    "periods": Measure.BUSY,
    "parts": Measure.ACTIVE,
    "starts": Measure.STARTS,
    "run": Measure.EXCESS_RUN,
}


class Occupancy(Rule):
    """Lessons take from ``least`` to ``most`` of given parts of the cycle.

    Each of ``windows`` is a part: any slots. What is counted is, of each part, the ``periods`` in which a lesson is,
    the lessons that start there (``starts``), or how long its runs are (``run``, with a ``most`` only); or else the
    ``parts`` in which there is any lesson. With ``people`` the lessons of each of them count by themselves.
    Where ``or_zero`` says so, none at all is fine too. The deviation is what is too few or too many; too few is judged
    once all the lessons are placed.
    """

    kind: Literal["occupancy"] = "occupancy"
    lessons: Lessons = Lessons()
    people: People | None = None
    windows: tuple[tuple[int, ...], ...] = Field(min_length=1)
    what: Literal["periods", "parts", "starts", "run"] = "periods"
    least: Annotated[int, Field(ge=0, le=MOST_SLOTS)] = 0
    most: int | None = Field(default=None, ge=0, le=MOST_SLOTS)
    or_zero: bool = False

    @property
    def _parts(self) -> tuple[tuple[int, ...], ...]:
        return tuple(tuple(sorted(set(window))) for window in self.windows)

    def check(self, view: View) -> Iterator[Violation]:
        """Yield each part, or sum of parts, in which there is too little or too much."""
        for lessons in self._alike(view.problem):
            least = self.least if view.all_placed(lessons) else 0
            for value, window in self._measured(view, lessons):
                deviation = self._deviation(value, least)
                if deviation:
                    yield self._astray(view, lessons, window, value, deviation)

    def _deviation(self, value: int, least: int) -> int:
        if self.what == "run":
            return value
        return outside(value, least, value if self.most is None else self.most, or_zero=self.or_zero)

    def _measured(self, view: View, lessons: list[Lesson]) -> Iterator[tuple[int, tuple[int, ...]]]:
        busy = view.busy(lessons)
        if self.what == "parts":
            active = [window for window in self._parts if not busy.isdisjoint(window)]
            yield len(active), tuple(slot for window in active for slot in window if slot in busy)
            return
        starts = view.starts(lessons) if self.what == "starts" else {}
        for window in self._parts:
            if self.what == "starts":
                yield sum(len(starts.get(slot, ())) for slot in window), window
            elif self.what == "periods":
                yield sum(slot in busy for slot in window), window
            else:
                yield sum(max(0, len(run) - (self.most or 0)) for run in runs(busy, window)), window

    def _astray(
        self, view: View, lessons: list[Lesson], window: tuple[int, ...], value: int, deviation: int
    ) -> Violation:
        there = [lesson for lesson in view.placed(lessons) if not set(window).isdisjoint(view.span(lesson))]
        whose = view.label(there[0]) if there else "What is meant"
        more = f" and {counted(len(there) - 1, 'other lesson')}" if len(there) > 1 else ""
        when = f" from {view.calendar.label(window[0])}" if window else ""
        count = f"{counted(value, _NOUNS[self.what])}{' too many in a row' if self.what == 'run' else ''}"
        return self.violation(
            deviation,
            f"{whose}{more} take {count}{when}; {bounds(self.least, self.most)}.",
            lessons=tuple(lesson.id for lesson in there),
            slots=window,
        )

    def lower(self, lowering: Lowering) -> None:
        """Bound what each part holds, or how many parts are touched."""
        high = lowering.calendar.slots * max(1, len(lowering.problem.lessons)) if self.most is None else self.most
        for lessons in self._alike(lowering.problem):
            lowering.bound(
                self,
                lessons,
                _MEASURES[self.what],
                self._parts,
                low=self.least,
                high=0 if self.what == "run" else high,
                or_zero=self.or_zero,
                run=(self.most or 0) if self.what == "run" else 0,
                combine=Combine.SUM_VALUE if self.what == "parts" else Combine.EACH,
            )

    def faults(self, problem: Problem) -> Iterator[Fault]:
        """Yield also slots outside the cycle."""
        yield from super().faults(problem)
        for i, window in enumerate(self.windows):
            yield from slot_faults(window, problem, f"/windows/{i}")
        if self.what == "run" and (not self.most or self.least):
            yield Fault("/most", "How long a run may be is from 1; it has no least.", "out_of_range")

    def _alike(self, problem: Problem) -> Iterator[list[Lesson]]:
        chosen = list(self.lessons.of(problem))
        if self.people is None:
            yield from [chosen] if chosen else ()
            return
        meant = {lesson.id for lesson in chosen}
        for who in self.people.of(problem):
            if own := [lesson for lesson in problem.lessons_of[who] if lesson.id in meant]:
                yield own
