"""How busy somebody is, and when."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from core.errors import Fault
from core.timetable.bounds import MOST_SLOTS
from core.timetable.cost_function import CostFunction
from core.timetable.program import Combine, Measure
from core.timetable.rules.base import Rule, Violation
from core.timetable.rules.measuring import gaps, outside
from core.timetable.rules.one_at_a_time import OneAtATime
from core.timetable.rules.points import Attendee, Attendees, window_faults
from core.timetable.rules.selecting import Slots
from core.timetable.wording import bounds, counted

if TYPE_CHECKING:
    from core.timetable.lowering import Lowering
    from core.timetable.model import Problem
    from core.timetable.view import View

_MEASURES = {"busy": Measure.BUSY, "idle": Measure.GAPS, "active": Measure.ACTIVE}
_WORDS = {"busy": "busy period", "idle": "free period", "active": "busy part of the week"}


class InWindows(Rule):
    """A teacher, a group or a room has so much to do in windows of slots.

    ``busy``: the busy slots of each window that has any; the deviation is what all windows have too few or too many.
    ``idle``: the free slots between busy ones of a window, of all windows together. ``active``: the windows with a busy
    slot. Too few, and idle slots, are judged once all lessons are placed.
    """

    kind: Literal["in_windows"] = "in_windows"
    people: Attendees
    what: Literal["busy", "idle", "active"] = "busy"
    windows: tuple[Slots, ...]
    least: int = Field(default=0, ge=0, le=MOST_SLOTS)
    most: int = Field(default=MOST_SLOTS, ge=0, le=MOST_SLOTS)

    def check(self, view: View) -> Iterator[Violation]:
        """Yield each who has too much or too little to do."""
        for one in self.people.of(view.problem):
            busy = view.busy(one.there(view))
            settled = one.settled(view)
            if self.what == "idle" and not settled:
                continue
            deviation = self._deviation(busy, self.least if settled else 0)
            if deviation:
                there = [slot for window in self.windows for slot in window if slot in busy]
                yield self.violation(
                    deviation,
                    f"{one.name} has {counted(deviation, _WORDS[self.what])} too many or too few; "
                    f"{bounds(self.least, self.most)}.",
                    slots=tuple(sorted(set(there))),
                    **one.whom,
                )

    def _deviation(self, busy: frozenset[int], least: int) -> int:
        match self.what:
            case "busy":
                counts = (sum(slot in busy for slot in window) for window in self.windows)
                return sum(outside(count, least, self.most, or_zero=True) for count in counts)
            case "idle":
                return outside(sum(len(gaps(busy, window)) for window in self.windows), least, self.most)
            case "active":
                return outside(sum(not busy.isdisjoint(window) for window in self.windows), least, self.most)

    def lower(self, lowering: Lowering) -> None:
        """Bound the windows, or price and forbid starts where somebody had better not be there at all."""
        away = frozenset(slot for window in self.windows for slot in window)
        for one in self.people.of(lowering.problem):
            if one.perhaps:
                self._close(lowering, one, away)
            elif not one.always:
                lowering.charge(self, lowering.problem.lessons[:1], self._deviation(frozenset(), self.least))
            if not one.always:
                continue
            if self.what != "busy" or self.most > 0:
                self._bound(lowering, one)
            elif self.hard or self._may_price_starts(lowering, one):
                for lesson in one.always:
                    lowering.price_starts(self, (lesson,), lambda span: sum(slot in away for slot in span))
            else:
                self._bound(lowering, one)

    def _close(self, lowering: Lowering, one: Attendee, away: frozenset[int]) -> None:
        """Close a room; what else bounds one that may be given to lessons is more than the primitives say."""
        if self.hard and self.what == "busy" and self.most == 0:
            lowering.close_room(one.id, away)
        else:
            lowering.leave_to_checker(self.kind)

    def _may_price_starts(self, lowering: Lowering, one: Attendee) -> bool:
        """Tell whether each lesson may be priced by itself: nobody is in two at a time, and costs add up."""
        rules = lowering.problem.rules
        alone = any(isinstance(rule, OneAtATime) and rule.hard and one.id in rule.people.who for rule in rules)
        return self.cost is CostFunction.LINEAR and alone

    def _bound(self, lowering: Lowering, one: Attendee) -> None:
        busy = self.what == "busy"
        apart = Combine.EACH if self.cost is CostFunction.LINEAR else Combine.SUM_DEVIATION
        lowering.bound(
            self,
            one.always,
            _MEASURES[self.what],
            self.windows,
            low=self.least,
            high=self.most,
            or_zero=busy,
            combine=apart if busy else Combine.SUM_VALUE,
        )

    def faults(self, problem: Problem) -> Iterator[Fault]:
        """Yield also what is wrong with the windows."""
        yield from super().faults(problem)
        yield from window_faults(self.windows, problem, "/windows")
