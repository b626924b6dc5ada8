"""A timetable seen by who is where and when, as rules and the checker look at it."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property

from core.timetable.model import Calendar, Lesson, Placement, Problem, Slot, Timetable
from core.timetable.rules.selecting import People


class View:
    """An index over a timetable of a problem. Placements that can't be are left out: the checker tells of them."""

    def __init__(self, problem: Problem, timetable: Timetable, *, complete: bool = False) -> None:
        self.problem = problem
        self.timetable = timetable
        self.complete = complete
        """Nothing will be added: what is missing now is missing."""

    @property
    def calendar(self) -> Calendar:
        """The problem's cycle."""
        return self.problem.calendar

    @cached_property
    def spans(self) -> Mapping[str, range]:
        """The slots of each placed lesson; a block that runs past the end of its day is cut off there.

        Where rules alone price a problem, one day runs on into the next.
        """
        return {
            placement.lesson: self._span(placement)
            for placement in self.timetable.placements
            if placement.lesson in self.problem.lesson and 0 <= placement.slot < self.calendar.slots
        }

    def _span(self, placement: Placement) -> range:
        last = self.calendar.slots - 1
        if self.problem.priced_by == "laws":
            last = self.calendar.windows[self.calendar.day_of[placement.slot]][-1]
        duration = self.problem.lesson[placement.lesson].duration
        return range(placement.slot, min(placement.slot + duration - 1, last) + 1)

    def span(self, lesson: Lesson) -> range:
        """Return the slots in which a lesson is; none where it is not placed."""
        return self.spans.get(lesson.id, range(0))

    def day(self, lesson: Lesson) -> int:
        """Return the day of a placed lesson."""
        return self.calendar.day_of[self.spans[lesson.id].start]

    def placed(self, lessons: Iterable[Lesson]) -> list[Lesson]:
        """Return those that are placed."""
        return [lesson for lesson in lessons if lesson.id in self.spans]

    def all_placed(self, lessons: Iterable[Lesson]) -> bool:
        """Tell whether every one of these is placed."""
        return all(lesson.id in self.spans for lesson in lessons)

    def settled(self, lessons: Iterable[Lesson]) -> bool:
        """Tell whether too little of these is too little for good: all are placed, or none will be added."""
        return self.complete or self.all_placed(lessons)

    def busy(self, lessons: Iterable[Lesson]) -> frozenset[Slot]:
        """Return the slots in which any of these is."""
        return frozenset(slot for lesson in lessons for slot in self.span(lesson))

    def rooms(self, lesson: Lesson) -> tuple[str | None, ...]:
        """Return the room of each of a lesson's needs; None where it has none."""
        placement = self.timetable.by_lesson.get(lesson.id)
        given = placement.rooms if placement else ()
        return (*given[: len(lesson.rooms)], *(None,) * (len(lesson.rooms) - len(given)))

    def people(self, chosen: People) -> Iterator[tuple[tuple[str, str], tuple[Lesson, ...]]]:
        """Yield each chosen (kind, id) who has lessons, with these."""
        for who in chosen.of(self.problem):
            lessons = self.problem.lessons_of[who]
            if lessons:
                yield who, lessons

    def starts(self, lessons: Iterable[Lesson]) -> Mapping[Slot, list[Lesson]]:
        """Return the first lesson of each block that starts in a slot, by slot."""
        found: dict[Slot, list[Lesson]] = defaultdict(list)
        for lesson in {self.problem.block_of[lesson.id]: lesson for lesson in self.placed(lessons)}.values():
            found[self.spans[lesson.id].start].append(lesson)
        return found

    def name(self, who: tuple[str, str]) -> str:
        """Return the name of a (``teacher`` or ``group``, id)."""
        kind, one = who
        return self.problem.teacher[one].name if kind == "teacher" else self.problem.group[one].name

    def label(self, lesson: Lesson) -> str:
        """Return a lesson in words: ``JSS 1 Ruby Mathematics``."""
        return label(self.problem, lesson)

    def day_name(self, day: int) -> str:
        """Return a day in words: ``Monday``, or ``Monday (week B)``."""
        return self.calendar.days[day].label


def label(problem: Problem, lesson: Lesson) -> str:
    """Return a lesson in words: ``JSS 1 Ruby Mathematics``."""
    groups = " and ".join(problem.group[group].name for group in lesson.groups)
    return f"{groups} {problem.subject[lesson.subject].name}".strip()
