"""That somebody is in one lesson at a time, where clashes have a price of their own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from core.timetable.program import Combine, Measure
from core.timetable.rules.base import Rule, Violation
from core.timetable.rules.points import Attendee, Attendees
from core.timetable.wording import counted

if TYPE_CHECKING:
    from core.timetable.lowering import Lowering
    from core.timetable.view import View


class OneAtATime(Rule):
    """A teacher, a group or a room is in one lesson at a time. The deviation is the lessons too many, slot by slot."""

    kind: Literal["one_at_a_time"] = "one_at_a_time"
    people: Attendees

    def check(self, view: View) -> Iterator[Violation]:
        """Yield each who is in several lessons at some time."""
        for one in self.people.of(view.problem):
            lessons = one.there(view)
            there = Counter(slot for lesson in lessons for slot in view.span(lesson))
            crowded = sorted(slot for slot, count in there.items() if count > 1)
            if crowded:
                too_many = sum(there[slot] - 1 for slot in crowded)
                yield self.violation(
                    too_many,
                    f"{one.name} has {counted(too_many, 'lesson')} too many at the same time, first on "
                    f"{view.calendar.label(crowded[0])}.",
                    lessons=tuple(
                        dict.fromkeys(
                            lesson.id for lesson in lessons if any(slot in crowded for slot in view.span(lesson))
                        )
                    ),
                    slots=tuple(crowded),
                    **one.whom,
                )

    def lower(self, lowering: Lowering) -> None:
        """Make lessons exclude each other, or price the slots by which they overlap.

        A room serves one need at a time to solvers anyhow; who may be given to some lessons and is at others in any
        case is more than they know.
        """
        for one in self.people.of(lowering.problem):
            if one.perhaps and not _is_room_alone(one):
                lowering.leave_to_checker(self.kind)
            elif self.hard:
                lowering.add_exclusive((lesson.id for lesson in one.always), ("lessons", self.kind))
            elif one.always and not one.perhaps:
                self._price(lowering, one)

    def _price(self, lowering: Lowering, one: Attendee) -> None:
        """Price what the slots in which they are on fall short of their periods by."""
        periods = sum(lesson.duration for lesson in one.always)
        every = (tuple(range(lowering.calendar.slots)),)
        lowering.bound(self, one.always, Measure.BUSY, every, low=periods, high=periods, combine=Combine.SUM_VALUE)


def _is_room_alone(one: Attendee) -> bool:
    return one.id not in one.problem.teacher and one.id not in one.problem.group
