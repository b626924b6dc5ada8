"""Time to walk between buildings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import combinations, permutations
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from core.errors import Fault
from core.timetable.rules.base import Rule, Violation
from core.timetable.rules.selecting import Part, People
from core.timetable.wording import counted, listed, whom

if TYPE_CHECKING:
    from core.timetable.lowering import Lowering
    from core.timetable.model import Calendar, Lesson, Problem
    from core.timetable.view import View


class Way(Part):
    """How long it takes from one building to another, and back."""

    one: str
    other: str
    time: int = Field(ge=0, le=1_440)

    def faults(self, known: list[str], where: str) -> Iterator[Fault]:
        """Yield each building in which nothing is, and that the way leads nowhere."""
        for name, building in (("one", self.one), ("other", self.other)):
            if building not in known:
                what = f"Nothing is in a building “{building}”. There are {listed(known)}."
                yield Fault(f"{where}/{name}", what, code="unknown")
        if self.one == self.other:
            yield Fault(f"{where}/other", f"A way leads from one building to another; both are {self.one}.")


class Travel(Rule):
    """Who has lessons in two buildings in a day has time to walk between them.

    ``time`` is what lies at least between the end of the one lesson and the start of the other, in periods or in
    minutes by the day's hours; ``between`` names the ways that take longer or shorter. In periods, a break counts as
    one. A lesson without a room is at ``home``, in which no room need be listed, or anywhere where that is not given; a
    room without a building is anywhere. Of a lesson with several rooms the first one counts. The deviation of each two
    lessons is the time that is missing.
    """

    kind: Literal["travel"] = "travel"
    people: People
    time: int = Field(default=1, ge=0, le=1_440)
    unit: Literal["periods", "minutes"] = "periods"
    between: tuple[Way, ...] = ()
    home: str | None = None

    def check(self, view: View) -> Iterator[Violation]:
        """Yield each two lessons between which the time is too short."""
        ways = self._ways(view.problem)
        begins, ends = self._clock(view.calendar)
        for who, lessons in view.people(self.people):
            for one, other in in_a_day(view, lessons):
                way = self._building(view, one), self._building(view, other)
                time = begins[view.span(other).start] - ends[view.span(one)[-1]]
                if ways.get(way, 0) > time:
                    yield self._hurried(view, who, (one, other), way, ways[way] - time)

    def _hurried(
        self,
        view: View,
        who: tuple[str, str],
        lessons: tuple[Lesson, Lesson],
        way: tuple[str | None, str | None],
        missing: int,
    ) -> Violation:
        one, other = lessons
        return self.violation(
            missing,
            f"{view.name(who)} has {view.label(one)} in {way[0]} and then {view.label(other)} in {way[1]} on "
            f"{view.calendar.label(view.span(other).start)}, {counted(missing, self.unit[:-1])} too soon for the way.",
            lessons=(one.id, other.id),
            slots=(*view.span(one), *view.span(other)),
            **whom(who),
        )

    def _building(self, view: View, lesson: Lesson) -> str | None:
        room = view.problem.room.get(view.rooms(lesson)[0] or "") if lesson.rooms else None
        if lesson.rooms:
            return room.building if room else None
        return self.home

    def lower(self, lowering: Lowering) -> None:
        """Give each person the time for their ways."""
        begins, ends = self._clock(lowering.calendar)
        for lessons in lowering.people(self.people):
            lowering.add_travel(
                [lesson.id for lesson in lessons],
                slots_between=self._ways(lowering.problem),
                home=self.home,
                begins=begins,
                ends=ends,
                function=self.cost,
                hard=self.hard,
                weight=self.weight,
            )

    def _ways(self, problem: Problem) -> dict[tuple[str | None, str | None], int]:
        ways: dict[tuple[str | None, str | None], int] = dict.fromkeys(
            permutations(self._buildings(problem), 2), self.time
        )
        for way in self.between:
            ways[way.one, way.other] = ways[way.other, way.one] = way.time
        return ways

    def _buildings(self, problem: Problem) -> list[str]:
        there = {room.building for room in problem.rooms} | {self.home}
        return sorted(building for building in there if building is not None)

    def _clock(self, calendar: Calendar) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Return when each slot begins and ends, in the rule's unit."""
        if self.unit == "minutes":
            periods = [calendar.period(slot) for slot in range(calendar.slots)]
            return tuple(p.starts_at or 0 for p in periods), tuple(p.ends_at or 0 for p in periods)
        return clock_of_periods(calendar)

    def faults(self, problem: Problem) -> Iterator[Fault]:
        """Yield also unknown buildings, and hours that are not known."""
        known = self._buildings(problem)
        yield from super().faults(problem)
        for i, way in enumerate(self.between):
            yield from way.faults(known, f"/between/{i}")
        periods = (problem.calendar.period(slot) for slot in range(problem.calendar.slots))
        if self.unit == "minutes" and any(period.starts_at is None or period.ends_at is None for period in periods):
            yield Fault("/unit", "The way can't be counted in minutes: not every period has its hours.", code="missing")


def clock_of_periods(calendar: Calendar) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return when each slot begins and ends, in periods; a break counts as one."""
    begins, now = [], 0
    for slot in range(calendar.slots):
        begins.append(now)
        now += 2 if calendar.period(slot).break_after else 1
    return tuple(begins), tuple(time + 1 for time in begins)


def in_a_day(view: View, lessons: Iterable[Lesson]) -> Iterator[tuple[Lesson, Lesson]]:
    """Yield each two lessons of one day of which the first ends before the second starts."""
    by_day: dict[int, list[Lesson]] = defaultdict(list)
    for lesson in view.placed(lessons):
        by_day[view.day(lesson)].append(lesson)
    for there in by_day.values():
        for one, other in combinations(sorted(there, key=lambda lesson: view.span(lesson).start), 2):
            if view.span(one).stop <= view.span(other).start:
                yield one, other
