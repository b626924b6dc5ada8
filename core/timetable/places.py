"""Whether each lesson has a place that it can have: known, inside its day, where it is locked, in one of its rooms."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from core.timetable.model import Lesson, Placement
from core.timetable.rules.base import Violation
from core.timetable.view import View
from core.timetable.wording import counted


def misplaced(view: View, *, complete: bool) -> Iterator[Violation]:
    """Yield each placement that can't be and, where the timetable has to be complete, each that is missing."""
    for placed, times in Counter(placement.lesson for placement in view.timetable.placements).items():
        if times > 1:
            yield _law("placed_twice", f"The timetable places {_name(view, placed)} {times} times.", lessons=(placed,))
    for placement in view.timetable.by_lesson.values():
        yield from _placement(view, placement)
    for lesson in view.problem.lessons if complete else ():
        yield from _missing(view, lesson)


def _placement(view: View, placement: Placement) -> Iterator[Violation]:
    lesson = view.problem.lesson.get(placement.lesson)
    if lesson is None:
        what = f"The timetable places a lesson “{placement.lesson}” that there is not."
        yield _law("unknown_lesson", what, lessons=(placement.lesson,))
    elif not 0 <= placement.slot < view.calendar.slots:
        what = f"{view.label(lesson)} is in slot {placement.slot}; they are 0 to {view.calendar.slots - 1}."
        yield _law("unknown_slot", what, lessons=(lesson.id,), slots=(placement.slot,))
    else:
        yield from _start(view, lesson, placement)
        yield from _rooms(view, lesson, placement)


def _start(view: View, lesson: Lesson, placement: Placement) -> Iterator[Violation]:
    when = view.calendar.label(placement.slot)
    if view.problem.priced_by == "laws" and view.calendar.span(placement.slot, lesson.duration) is None:
        what = f"{view.label(lesson)} takes {lesson.duration} periods and runs past the end of the day from {when}."
        yield _law("end_of_day", what, lessons=(lesson.id,), groups=lesson.groups, slots=(placement.slot,))
    if lesson.locked_slot not in {None, placement.slot}:
        fixed = view.calendar.label(lesson.locked_slot or 0)
        what = f"{view.label(lesson)} is fixed to {fixed}, and is on {when}."
        yield _law("lock", what, lessons=(lesson.id,), groups=lesson.groups, slots=(placement.slot,))


def _rooms(view: View, lesson: Lesson, placement: Placement) -> Iterator[Violation]:
    when = view.calendar.label(placement.slot)
    if len(placement.rooms) > len(lesson.rooms):
        given, needed = counted(len(placement.rooms), "room"), len(lesson.rooms) or "none"
        what = f"{view.label(lesson)} on {when} has {given}; it needs {needed}."
        yield _law("room_choice", what, lessons=(lesson.id,), slots=(placement.slot,))
    locked = lesson.locked_rooms or (None,) * len(lesson.rooms)
    for need, room, fixed in zip(lesson.rooms, view.rooms(lesson), locked, strict=False):
        if room is None:
            continue
        if all(choice.room != room for choice in need.choices):
            what = f"{_room(view, room)} is no room for {view.label(lesson)} (on {when})."
            yield _law("room_choice", what, lessons=(lesson.id,), rooms=(room,), slots=(placement.slot,))
        if fixed is not None and fixed != room:
            what = f"{view.label(lesson)} on {when} is fixed to {_room(view, fixed)}, and is in {_room(view, room)}."
            yield _law("lock", what, lessons=(lesson.id,), rooms=(room,), slots=(placement.slot,))


def _missing(view: View, lesson: Lesson) -> Iterator[Violation]:
    if lesson.id not in view.spans:
        what = f"{view.label(lesson)} has no place yet."
        yield _law("not_placed", what, lessons=(lesson.id,), teachers=lesson.teachers, groups=lesson.groups)
        return
    missing = view.rooms(lesson).count(None)
    if missing:
        start = view.spans[lesson.id].start
        what = f"{view.label(lesson)} on {view.calendar.label(start)} has no room yet."
        yield _law("no_room", what, cost=missing, lessons=(lesson.id,), groups=lesson.groups, slots=(start,))


def _law(rule: str, sentence: str, cost: int = 1, **whom: tuple[Any, ...]) -> Violation:
    return Violation(rule=rule, hard=True, cost=cost, sentence=sentence, **whom)


def _name(view: View, lesson: str) -> str:
    known = view.problem.lesson.get(lesson)
    return view.label(known) if known else f"a lesson “{lesson}”"


def _room(view: View, room: str) -> str:
    known = view.problem.room.get(room)
    return known.name if known else f"“{room}”"
