"""Finds cover for a teacher who is away: free staff, those who know the subject first, the load shared fairly."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

from core.errors import Fault, InvalidInput
from core.timetable.model import Lesson, Problem, Slot, Timetable
from core.timetable.rules.periods_a_day import PeriodsADay
from core.timetable.view import View, label
from core.timetable.wording import counted, listed


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverOption:
    """Somebody who could take a lesson."""

    teacher: str
    name: str
    qualified: bool
    """They teach the subject, or are named as able to."""
    day_load: int
    """Periods that they teach that day, covers of this plan among them."""
    week_load: int
    """Periods that they teach in an average week."""
    covers_given: int
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinOption:
    """A lesson of the same subject that the class could sit in on."""

    lesson: str
    teacher: str
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LessonCover:
    """What can be done about one lesson."""

    lesson: str
    name: str
    """What is taught to whom when, in words: ``JSS 1 Ruby Mathematics on Monday, period 4``."""
    slots: tuple[Slot, ...]
    """Of the lesson, those in which its teacher is away."""
    options: tuple[CoverOption, ...]
    """The best first."""
    chosen: CoverOption | None
    joined: tuple[JoinOption, ...]
    """The last resort."""
    reason: str | None
    """Why nobody can take it; None where somebody can."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Staffing:
    """Who else can't cover, and who covered before."""

    given: Mapping[str, int] = field(default_factory=dict)
    """Covers that teachers gave so far, for fairness."""
    also_away: Collection[str] = ()
    busy: Mapping[str, Collection[Slot]] = field(default_factory=dict)
    """Slots in which teachers have something else that day, such as another cover."""


def cover(
    problem: Problem,
    timetable: Timetable,
    teacher: str,
    slots: Collection[Slot],
    *,
    given: Mapping[str, int] | None = None,
    also_away: Collection[str] = (),
    busy: Mapping[str, Collection[Slot]] | None = None,
    most: int = 5,
) -> tuple[LessonCover, ...]:
    """Return what can be done about each lesson that a teacher has in slots of one date.

    Nobody is proposed who teaches then, is not available, or is away too. First come those who know the subject, then
    those who know the class, then anyone; among these whoever has least that day, then least that week with the covers
    they gave so far. Who would come straight from another building, or teach more than a law of the school lets them
    teach in a day, comes last and is said to. Raises ``InvalidInput`` for an unknown teacher.
    """
    if teacher not in problem.teacher:
        raise InvalidInput(
            f"There is no teacher “{teacher}”.", [Fault("/query/teacherId", "unknown teacher", "unknown")]
        )
    staffing = Staffing(given=given or {}, also_away=also_away, busy=busy or {})
    return _Covering(View(problem, timetable), teacher, frozenset(slots), staffing).plan(most)


class _Covering:
    def __init__(self, view: View, teacher: str, slots: frozenset[Slot], staffing: Staffing) -> None:
        self._view = view
        self._problem = view.problem
        self._teacher = teacher
        self._slots = slots
        self._staffing = staffing
        self._away = {teacher, *staffing.also_away}
        self._lessons = {
            other.id: view.placed(self._problem.lessons_of["teacher", other.id]) for other in self._problem.teachers
        }
        self._teaches = {name: {slot: x for x in own for slot in view.span(x)} for name, own in self._lessons.items()}
        self._covers: dict[str, set[Slot]] = {name: set(staffing.busy.get(name, ())) for name in self._lessons}
        self._planned: Counter[str] = Counter(staffing.given)
        self._most = _most_a_day(self._problem)

    def plan(self, most: int) -> tuple[LessonCover, ...]:
        """Return a plan in which nobody covers two lessons at once."""
        own = [x for x in self._lessons[self._teacher] if not self._slots.isdisjoint(self._view.span(x))]
        return tuple(self._covered(lesson, most) for lesson in sorted(own, key=lambda x: self._view.span(x).start))

    def _covered(self, lesson: Lesson, most: int) -> LessonCover:
        needed = tuple(slot for slot in self._view.span(lesson) if slot in self._slots)
        free = [teacher for teacher in self._lessons if self._hindrance(teacher, lesson, needed) is None]
        options = [
            self._option(teacher, lesson, needed)
            for teacher in sorted(free, key=partial(self._standing, lesson, needed))
        ]
        chosen = options[0] if options else None
        if chosen is not None:
            self._covers[chosen.teacher].update(needed)
            self._planned[chosen.teacher] += 1
        return LessonCover(
            lesson=lesson.id,
            name=self._named(lesson, needed),
            slots=needed,
            options=tuple(options[:most]),
            chosen=chosen,
            joined=tuple(self._joined(lesson, needed)),
            reason=None if chosen else self._reason(lesson, needed),
        )

    def _hindrance(self, teacher: str, lesson: Lesson, needed: Iterable[Slot]) -> str | None:
        """Return why a teacher can't take a lesson in these slots; who teaches it with the absent one can."""
        if teacher in self._away:
            return "away"
        teaches, unavailable = self._teaches[teacher], self._problem.teacher[teacher].unavailable
        if teacher not in lesson.teachers and any(slot in teaches for slot in needed):
            return "teaching"
        if any(slot in unavailable for slot in needed):
            return "not available"
        return "covering another lesson" if not self._covers[teacher].isdisjoint(needed) else None

    def _standing(self, lesson: Lesson, needed: tuple[Slot, ...], teacher: str) -> tuple[int | bool | str, ...]:
        """Return what orders those who could cover, the best lowest."""
        return (
            teacher not in lesson.teachers,
            bool(self._drawbacks(teacher, lesson, needed)),
            not self._is_qualified(teacher, lesson),
            not self._knows_class(teacher, lesson),
            self._day_load(teacher, needed[0]),
            self._week_load(teacher) + self._planned[teacher],
            self._problem.teacher[teacher].name,
        )

    def _option(self, teacher: str, lesson: Lesson, needed: tuple[Slot, ...]) -> CoverOption:
        name, day = self._problem.teacher[teacher].name, self._day_load(teacher, needed[0])
        week, given = self._week_load(teacher), self._planned[teacher]
        qualified = self._is_qualified(teacher, lesson)
        load = f"has {counted(day, 'period')} that day and {week} a week, and gave {counted(given, 'cover')} so far"
        sentence = f"{name} {self._why(teacher, lesson, is_qualified=qualified)}, {load}"
        return CoverOption(
            teacher=teacher,
            name=name,
            qualified=qualified,
            day_load=day,
            week_load=week,
            covers_given=given,
            sentence="; ".join([sentence, *self._drawbacks(teacher, lesson, needed)]) + ".",
        )

    def _why(self, teacher: str, lesson: Lesson, *, is_qualified: bool) -> str:
        if teacher in lesson.teachers:
            return "teaches this lesson already"
        if is_qualified:
            return f"can teach {self._problem.subject[lesson.subject].name}"
        return "knows the class" if self._knows_class(teacher, lesson) else "is free"

    def _is_qualified(self, teacher: str, lesson: Lesson) -> bool:
        taught = {own.subject for own in self._problem.lessons_of["teacher", teacher]}
        return lesson.subject in taught | self._problem.teacher[teacher].subjects

    def _knows_class(self, teacher: str, lesson: Lesson) -> bool:
        taught = {group for own in self._problem.lessons_of["teacher", teacher] for group in own.groups}
        near = {near for group in lesson.groups for near in self._problem.sharing[group]}
        return not taught.isdisjoint(near)

    def _day_load(self, teacher: str, slot: Slot) -> int:
        window = self._view.calendar.windows[self._view.calendar.day_of[slot]]
        return len({*self._teaches[teacher], *self._covers[teacher]}.intersection(window))

    def _week_load(self, teacher: str) -> int:
        return -(-len(self._teaches[teacher]) // len(self._view.calendar.weeks))

    def _drawbacks(self, teacher: str, lesson: Lesson, needed: tuple[Slot, ...]) -> list[str]:
        found = []
        building = self._comes_from(teacher, lesson, needed)
        if building is not None:
            found.append(f"would have to hurry to or from {building}")
        most = self._most.get(teacher)
        more = 0 if teacher in lesson.teachers else len(needed)
        if most is not None and self._day_load(teacher, needed[0]) + more > most:
            found.append(f"would teach more than {counted(most, 'period')} that day")
        return found

    def _comes_from(self, teacher: str, lesson: Lesson, needed: tuple[Slot, ...]) -> str | None:
        """Return another building in which a teacher is right before or after, without a break between."""
        here, calendar = self._building(lesson), self._view.calendar
        beside = [(needed[0] - 1, needed[0] - 1), (needed[-1] + 1, needed[-1])]
        for slot, before_break in beside:
            near = self._teaches[teacher].get(slot)
            if near is None or calendar.day_of[slot] != calendar.day_of[needed[0]]:
                continue
            there = self._building(near)
            if here and there and here != there and not calendar.period(before_break).break_after:
                return there
        return None

    def _building(self, lesson: Lesson) -> str | None:
        rooms = [room for room in self._view.rooms(lesson) if room is not None]
        return self._problem.room[rooms[0]].building if rooms else None

    def _joined(self, lesson: Lesson, needed: tuple[Slot, ...]) -> Iterator[JoinOption]:
        """Yield lessons of the same subject at the same time that have room for another class."""
        if not lesson.groups:
            return
        for other in self._view.placed(self._problem.lessons):
            there = [teacher for teacher in other.teachers if teacher not in self._away]
            is_then = set(needed) <= set(self._view.span(other))
            if not is_then or not there or other.subject != lesson.subject or other.id == lesson.id:
                continue
            if self._have_room(lesson, other):
                name = listed([self._problem.teacher[teacher].name for teacher in there])
                yield JoinOption(
                    lesson=other.id,
                    teacher=there[0],
                    sentence=f"{label(self._problem, lesson)} could join {label(self._problem, other)} with {name}.",
                )

    def _have_room(self, lesson: Lesson, other: Lesson) -> bool:
        rooms = [self._problem.room[room] for room in self._view.rooms(other) if room is not None]
        sizes = [self._problem.group[group].size for group in (*lesson.groups, *other.groups)]
        capacity = min((room.capacity for room in rooms if room.capacity is not None), default=None)
        return capacity is None or None in sizes or sum(size or 0 for size in sizes) <= capacity

    def _named(self, lesson: Lesson, needed: tuple[Slot, ...]) -> str:
        return f"{label(self._problem, lesson)} on {self._view.calendar.label(needed[0])}"

    def _reason(self, lesson: Lesson, needed: tuple[Slot, ...]) -> str:
        why = Counter(self._hindrance(teacher, lesson, needed) for teacher in self._lessons)
        told = [f"{number} {'is' if number == 1 else 'are'} {what}" for what, number in why.most_common() if what]
        return f"Nobody can take {self._named(lesson, needed)}: of {len(self._lessons)}, {listed(told)}."


def _most_a_day(problem: Problem) -> dict[str, int]:
    """Return the most periods a day that the school's laws let each teacher teach."""
    found: dict[str, int] = {}
    for rule in problem.rules:
        if isinstance(rule, PeriodsADay) and rule.hard and rule.most is not None:
            for kind, one in rule.people.of(problem):
                if kind == "teacher":
                    found[one] = min(rule.most, found.get(one, rule.most))
    return found
