"""Makes a problem of the portals' request, as a school would expect it (P8-02 to P8-08).

What the request leaves open is settled so: a course has one block a day, or as few more as its periods need. A double
is not parted by a break. Classes have no holes in their days and teachers few, as wishes. In weeks A and B what is
taught in both is at the same hours. Which of the request's constraints are laws follows from what they are (C-55):
loads, rooms and daily maxima are, preferences and pairs are wishes; each may say otherwise (``hard``, ``weight``).
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from pydantic.alias_generators import to_camel

from core.errors import Fault, InvalidInput
from core.timetable.faults import require_sound
from core.timetable.formats.school_loads import SchoolLoads
from core.timetable.formats.school_request import PreferredSlot, SchoolRequest
from core.timetable.formats.school_week import SchoolWeek
from core.timetable.model import Group, Lesson, Problem, Room, Slot, Subject, Teacher
from core.timetable.rules.base import Rule
from core.timetable.rules.blocks_within_breaks import BlocksWithinBreaks
from core.timetable.rules.compact_day import CompactDay
from core.timetable.rules.gaps import Gaps
from core.timetable.rules.not_right_after import NotRightAfter
from core.timetable.rules.one_block_a_day import OneBlockADay
from core.timetable.rules.periods_a_day import PeriodsADay
from core.timetable.rules.preferred_slots import PreferredSlots
from core.timetable.rules.selecting import EVERY, Lessons, People

_HOLE_WEIGHT = 5
"""A hole in a class's day counts as much as so many of a teacher's: children can't be left alone."""
_FIELDS = {"teacher_id": "teacher", "subject_id": "subject", "class_arm_id": "class",
           "before": "subject", "after": "subject"}  # fmt: skip
"""The fields of constraints that name somebody or something, and what they name."""


def problem_of(request: SchoolRequest, names: Mapping[str, str]) -> Problem:
    """Return the request as a problem. ``names`` gives the words for ids; an id without any keeps itself.

    Raises ``InvalidInput`` with the place of each mistake.
    """
    problem = _Reading(request, names).problem()
    require_sound(problem)
    return problem


class _Reading:
    def __init__(self, request: SchoolRequest, names: Mapping[str, str]) -> None:
        self._request = request
        self._wanted = request.constraints
        self._names = names
        self._faults: list[Fault] = []
        self._known: dict[str, dict[str, None]] = {"teacher": {}, "subject": {}, "class": {}}
        for _, kind, one in request.named():
            self._known[kind][one] = None
        self._week = SchoolWeek(request, self._faults)
        self._loads = SchoolLoads(request, self._week, names, self._faults)

    def problem(self) -> Problem:
        self._faults += self._strangers()
        self._week.check_shifts(self._known["class"])
        for i, one in enumerate(self._wanted.unavailable):
            self._week.require_week(f"/constraints/unavailable/{i}/week", one.week)
        problem = Problem(
            calendar=self._week.calendar,
            subjects=tuple(Subject(id=one, name=self._name(one)) for one in self._known["subject"]),
            teachers=tuple(self._teacher(one) for one in self._known["teacher"]),
            groups=tuple(self._groups()),
            rooms=tuple(self._room(one) for one in self._room_names()),
            lessons=self._loads.lessons,
            rules=tuple(self._rules(self._loads.lessons)),
        )
        if self._faults:
            raise InvalidInput(self._faults[0].what, self._faults)
        return problem

    def _name(self, one: str) -> str:
        return self._names.get(one, one)

    def _strangers(self) -> Iterator[Fault]:
        """Yield each id in a constraint that no load has: a misspelt one would otherwise change nothing, in silence."""
        for teacher in self._wanted.max_periods_per_day:
            yield from self._stranger("teacher", teacher, f"/constraints/maxPeriodsPerDay/{teacher}")
        for name in ("preferred_slots", "double_periods", "room_constraints", "unavailable", "avoid_consecutive"):
            for i, one in enumerate(getattr(self._wanted, name)):
                for field, kind in _FIELDS.items():
                    where = f"/constraints/{to_camel(name)}/{i}/{to_camel(field)}"
                    yield from self._stranger(kind, getattr(one, field, None), where)

    def _stranger(self, kind: str, one: str | None, where: str) -> Iterator[Fault]:
        if one is not None and one not in self._known[kind]:
            yield Fault(where, f"No load in teacherAssignments has the {kind} “{one}”.", code="unknown")

    def _teacher(self, one: str) -> Teacher:
        taught = frozenset(load.taught.subject_id for load in self._loads.loads if one in load.taught.teachers)
        return Teacher(id=one, name=self._name(one), unavailable=self._away(teacher_id=one), subjects=taught)

    def _groups(self) -> Iterator[Group]:
        """Yield each class and each part of one, which is there whenever its class is."""
        away = {one: self._away(class_arm_id=one) | self._week.off_shift(one) for one in self._known["class"]}
        yield from (Group(id=one, name=self._name(one), unavailable=slots) for one, slots in away.items())
        for part in self._loads.parts():
            yield part.model_copy(update={"unavailable": away.get(part.within or "", frozenset())})

    def _room(self, name: str) -> Room:
        return Room(id=name, name=name, unavailable=self._away(room=name))

    def _room_names(self) -> Iterable[str]:
        return dict.fromkeys(room for one in self._wanted.room_constraints for room in one.rooms)

    def _away(self, **whose: str) -> frozenset[Slot]:
        ((field, whom),) = whose.items()
        return frozenset().union(
            *(
                self._week.slots(f"/constraints/unavailable/{i}", (one.day,), one.periods, one.week)
                for i, one in enumerate(self._wanted.unavailable)
                if getattr(one, field) == whom
            )
        )

    def _rules(self, lessons: Iterable[Lesson]) -> Iterator[Rule]:
        yield from self._blocks_a_day(lessons)
        yield BlocksWithinBreaks()
        yield CompactDay(people=People(groups=self._whole()), hard=False, weight=_HOLE_WEIGHT)
        yield Gaps(people=People(teachers=EVERY), hard=False)
        for teacher, most in self._wanted.max_periods_per_day.items():
            yield PeriodsADay(people=People(teachers=(teacher,)), most=most)
        for i, wish in enumerate(self._wanted.preferred_slots):
            slots = self._week.slots(f"/constraints/preferredSlots/{i}", wish.days, wish.periods)
            chosen = self._meant(wish)
            yield PreferredSlots(lessons=chosen, slots=tuple(sorted(slots)), hard=wish.hard, weight=wish.weight)
        for pair in self._wanted.avoid_consecutive:
            first, second = Lessons(subjects=(pair.before,)), Lessons(subjects=(pair.after,))
            yield NotRightAfter(first=first, second=second, hard=pair.hard, weight=pair.weight)
        yield from self._loads.rules()

    def _whole(self) -> tuple[str, ...]:
        """Return whose days are to have no holes: classes, and parts that are given; options are side by side."""
        if not self._wanted.option_blocks:
            return EVERY
        return (*self._known["class"], *(part.id for part in self._wanted.groups))

    def _meant(self, wish: PreferredSlot) -> Lessons:
        chosen = {"subjects": wish.subject_id, "teachers": wish.teacher_id}
        groups = self._loads.meant(wish.class_arm_id) if wish.class_arm_id is not None else ()
        return Lessons(groups=groups, **{field: (one,) for field, one in chosen.items() if one is not None})

    def _blocks_a_day(self, lessons: Iterable[Lesson]) -> Iterator[Rule]:
        courses: dict[int, list[str]] = {}
        for course, blocks in Counter(lesson.course for lesson in lessons).items():
            courses.setdefault(-(-blocks // self._request.days_per_week), []).append(course)
        for most, those in courses.items():
            yield OneBlockADay(lessons=Lessons(courses=tuple(those)), most=most)
