"""Time to eat."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from core.timetable.bounds import MOST_SLOTS
from core.timetable.program import Measure
from core.timetable.rules.base import Rule, Violation
from core.timetable.rules.selecting import People, Slots
from core.timetable.wording import counted, whom

if TYPE_CHECKING:
    from core.timetable.lowering import Lowering
    from core.timetable.model import Calendar
    from core.timetable.view import View


class Lunch(Rule):
    """Of the ``slots`` in which lunch may be, each day leaves somebody at least ``least_free`` free.

    A day none of whose periods is among ``slots`` has no lunch. The free ones need not be neighbours. The deviation is
    the free periods that a day lacks.
    """

    kind: Literal["lunch"] = "lunch"
    people: People
    slots: Slots = Field(min_length=1)
    least_free: int = Field(default=1, ge=1, le=MOST_SLOTS)

    def check(self, view: View) -> Iterator[Violation]:
        """Yield each day without time to eat."""
        for who, lessons in view.people(self.people):
            busy = view.busy(lessons)
            for most, windows in self._windows(view.calendar).items():
                for window in windows:
                    there = tuple(slot for slot in window if slot in busy)
                    if len(there) > most:
                        day = view.day_name(view.calendar.day_of[window[0]])
                        free = counted(len(window) - len(there), "free period")
                        yield self.violation(
                            len(there) - most,
                            f"{view.name(who)} has {free} for lunch on {day}; {self.least_free} should be.",
                            slots=there,
                            **whom(who),
                        )

    def lower(self, lowering: Lowering) -> None:
        """Bound the busy slots at lunch time."""
        for lessons in lowering.people(self.people):
            for most, windows in self._windows(lowering.calendar).items():
                lowering.bound(self, lessons, Measure.BUSY, tuple(windows), high=most)

    def _windows(self, calendar: Calendar) -> dict[int, list[tuple[int, ...]]]:
        """Return each day's slots of lunch, by how many of them may be busy."""
        found: dict[int, list[tuple[int, ...]]] = defaultdict(list)
        for day in calendar.windows:
            window = tuple(slot for slot in day if slot in self.slots)
            if window:
                found[max(0, len(window) - self.least_free)].append(window)
        return found
