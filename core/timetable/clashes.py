"""Who or what is in two places at once, or where they can't be."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from core.timetable.model import Group, Lesson, Room, Slot, Teacher
from core.timetable.rules.base import Violation
from core.timetable.view import View
from core.timetable.wording import listed


def clashes(view: View) -> Iterator[Violation]:
    """Yield each slot in which a teacher, a student or a room is in two lessons; one point for each lesson too many."""
    yield from _teachers(view)
    yield from _groups(view)
    yield from _rooms(view)


def _teachers(view: View) -> Iterator[Violation]:
    for teacher in view.problem.teachers:
        for slot, lessons in _crowded(view, view.problem.lessons_of["teacher", teacher.id]):
            yield Violation(
                rule="teacher_clash",
                hard=True,
                cost=len(lessons) - 1,
                lessons=tuple(lesson.id for lesson in lessons),
                teachers=(teacher.id,),
                groups=tuple(dict.fromkeys(group for lesson in lessons for group in lesson.groups)),
                slots=(slot,),
                sentence=f"{teacher.name} teaches {_named(view, lessons)} at the same time on "
                f"{view.calendar.label(slot)}.",
            )


def _groups(view: View) -> Iterator[Violation]:
    """Yield each two lessons at one time that some students have both, once however many groups these are in."""
    there: dict[Slot, list[Lesson]] = defaultdict(list)
    for lesson in view.placed(view.problem.lessons):
        for slot in view.span(lesson) if lesson.groups else ():
            there[slot].append(lesson)
    for slot, lessons in sorted(there.items()):
        for pair in _sharing(view, lessons):
            groups = _shared(view, *pair)
            names = listed([view.problem.group[group].name for group in groups])
            when = view.calendar.label(slot)
            yield Violation(
                rule="group_clash",
                hard=True,
                cost=1,
                lessons=tuple(lesson.id for lesson in pair),
                groups=groups,
                slots=(slot,),
                sentence=f"Students of {names} have {_named(view, pair)} at the same time on {when}.",
            )


def _sharing(view: View, lessons: list[Lesson]) -> Iterator[tuple[Lesson, Lesson]]:
    attending: dict[str, list[Lesson]] = defaultdict(list)
    for lesson in lessons:
        for group in set(lesson.groups):
            attending[group].append(lesson)
    found = {}
    for lesson in lessons:
        for near in {near for group in lesson.groups for near in view.problem.sharing.get(group, ())}:
            for other in attending.get(near, ()):
                if lesson.id < other.id:
                    found[lesson.id, other.id] = lesson, other
    return iter(found.values())


def _shared(view: View, one: Lesson, other: Lesson) -> tuple[str, ...]:
    sharing = view.problem.sharing
    found = [pair for pair in ((a, b) for a in one.groups for b in other.groups) if pair[1] in sharing[pair[0]]]
    return tuple(dict.fromkeys(group for pair in found for group in pair))


def _rooms(view: View) -> Iterator[Violation]:
    there: dict[tuple[str, Slot], list[Lesson]] = defaultdict(list)
    for lesson in view.placed(view.problem.lessons):
        for room in view.rooms(lesson):
            for slot in view.span(lesson) if room is not None else ():
                there[str(room), slot].append(lesson)
    for (room, slot), lessons in there.items():
        known = view.problem.room.get(room)
        if len(lessons) > 1 and known is not None:
            yield Violation(
                rule="room_clash",
                hard=True,
                cost=len(lessons) - 1,
                lessons=tuple(lesson.id for lesson in lessons),
                rooms=(room,),
                slots=(slot,),
                sentence=f"{known.name} is given to {_named(view, lessons)} at the same time on "
                f"{view.calendar.label(slot)}.",
            )


def absences(view: View) -> Iterator[Violation]:
    """Yield each lesson that has a teacher, a group or a room when these are not available; one point a slot."""
    problem = view.problem
    for lesson in view.placed(problem.lessons):
        rooms = [problem.room[room] for room in view.rooms(lesson) if room is not None and room in problem.room]
        yield from _away(view, lesson, "teacher", (problem.teacher[one] for one in dict.fromkeys(lesson.teachers)))
        yield from _away(view, lesson, "group", (problem.group[one] for one in dict.fromkeys(lesson.groups)))
        yield from _away(view, lesson, "room", rooms)


def _away(view: View, lesson: Lesson, kind: str, needed: Iterable[Teacher | Group | Room]) -> Iterator[Violation]:
    for one in needed:
        away = tuple(slot for slot in view.span(lesson) if slot in one.unavailable)
        if away:
            whom: Mapping[str, tuple[str, ...]] = {f"{kind}s": (one.id,)}
            yield Violation(
                rule=f"{kind}_unavailable",
                hard=True,
                cost=len(away),
                lessons=(lesson.id,),
                slots=away,
                sentence=f"{one.name} is not available on {view.calendar.label(away[0])} for {view.label(lesson)}.",
                **whom,
            )


def _crowded(view: View, lessons: Iterable[Lesson]) -> Iterator[tuple[Slot, list[Lesson]]]:
    there: dict[Slot, list[Lesson]] = defaultdict(list)
    for lesson in view.placed(lessons):
        for slot in view.span(lesson):
            there[slot].append(lesson)
    return ((slot, found) for slot, found in sorted(there.items()) if len(found) > 1)


def _named(view: View, lessons: Iterable[Lesson]) -> str:
    return listed([view.label(lesson) for lesson in lessons])
