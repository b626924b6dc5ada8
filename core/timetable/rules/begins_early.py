"""No late mornings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from core.timetable.bounds import MOST_DAYS
from core.timetable.program import Combine, Measure
from core.timetable.rules.base import Rule, Violation
from core.timetable.rules.measuring import late
from core.timetable.rules.selecting import EVERY, People
from core.timetable.wording import counted, whom

if TYPE_CHECKING:
    from core.timetable.lowering import Lowering
    from core.timetable.model import Lesson, Problem
    from core.timetable.view import View

Windows = tuple[tuple[int, ...], ...]


class BeginsEarly(Rule):
    """Somebody's days begin with the first period, but for ``most`` days of a week, which begin with the second.

    Periods in which somebody is not available don't count. Each busy period of a day that begins later than allowed is
    one deviation, and so is each day too many that begins with its second period. With ``gapless``, where another rule
    forbids gaps, a day's idle periods before its last lesson are counted instead: searches find their way by that far
    better. It is judged once all lessons of the person are placed.
    """

    kind: Literal["begins_early"] = "begins_early"
    people: People = People(groups=EVERY)
    most: int = Field(default=0, ge=0, le=MOST_DAYS)
    days: tuple[Annotated[int, Field(ge=0, le=27)], ...] = ()
    """Only these, by their index; all where none is named."""
    gapless: bool = False

    def check(self, view: View) -> Iterator[Violation]:
        """Yield each busy period of a day that begins too late, and each week with too many late days."""
        for who, lessons in view.people(self.people):
            busy = view.busy(lessons) if view.all_placed(lessons) else frozenset()
            for week in self._weeks(view.problem, who):
                if self.gapless:
                    yield from self._idle(view, who, busy, week)
                    continue
                for window in self._too_late(week):
                    if window[-1] in busy and busy.isdisjoint(window[:-1]):
                        when = view.calendar.label(window[-1])
                        yield self.violation(
                            1, f"{view.name(who)} begins too late before {when}.", slots=(window[-1],), **whom(who)
                        )
                second = [days[1] for days in self._seconds(week) if days[1] in busy and days[0] not in busy]
                if len(second) > self.most:
                    yield self.violation(
                        len(second) - self.most,
                        f"{view.name(who)} begins {counted(len(second), 'day')} of a week with the second period; "
                        f"at most {self.most} may be.",
                        slots=tuple(second),
                        **whom(who),
                    )

    def _idle(self, view: View, who: tuple[str, str], busy: frozenset[int], week: Windows) -> Iterator[Violation]:
        idle = [late(busy, window) for window in week]
        for slots in idle:
            if len(slots) > min(1, self.most):
                when = view.day_name(view.calendar.day_of[slots[0]])
                yield self.violation(
                    len(slots) - min(1, self.most),
                    f"{view.name(who)} has {counted(len(slots), 'free period')} before the last lesson on {when}.",
                    slots=tuple(slots),
                    **whom(who),
                )
        every = tuple(slot for slots in idle for slot in slots)
        if self.most and len(every) > self.most:
            yield self.violation(
                len(every) - self.most,
                f"{view.name(who)} has {counted(len(every), 'free period')} before the last lessons of the days of a "
                f"week; at most {self.most} may be.",
                slots=every,
                **whom(who),
            )

    def lower(self, lowering: Lowering) -> None:
        """Let nothing be busy while what comes first in its day is idle, but for so many second periods."""
        for who in self.people.of(lowering.problem):
            lessons = lowering.problem.lessons_of[who]
            for week in self._weeks(lowering.problem, who) if lessons else ():
                if self.gapless:
                    self._bound_idle(lowering, lessons, tuple(window for window in week if window))
                    continue
                if late := tuple(self._too_late(week)):
                    lowering.bound(self, lessons, Measure.LATE, late, high=1 if self.most else 0)
                if second := tuple(self._seconds(week)):
                    lowering.bound(self, lessons, Measure.LATE, second, high=self.most, combine=Combine.SUM_VALUE)

    def _bound_idle(self, lowering: Lowering, lessons: tuple[Lesson, ...], week: Windows) -> None:
        lowering.bound(self, lessons, Measure.LATE, week, high=min(1, self.most))
        if self.most:
            lowering.bound(self, lessons, Measure.LATE, week, high=self.most, combine=Combine.SUM_VALUE)

    def _too_late(self, week: Windows) -> Iterator[tuple[int, ...]]:
        """Yield each period with those of its day one of which has to be busy before it."""
        first = 2 if self.most else 1
        yield from ((*window[:first], slot) for window in week for slot in window[first:])

    def _seconds(self, week: Windows) -> Iterator[tuple[int, ...]]:
        return (window[:2] for window in week if self.most and len(window) > 1)

    def _weeks(self, problem: Problem, who: tuple[str, str]) -> Iterator[Windows]:
        kind, one = who
        away = problem.teacher[one].unavailable if kind == "teacher" else problem.group[one].unavailable
        for week in problem.calendar.weeks:
            kept = (window for window in week if not self.days or problem.calendar.day_of[window[0]] in self.days)
            yield tuple(tuple(slot for slot in window if slot not in away) for window in kept)
