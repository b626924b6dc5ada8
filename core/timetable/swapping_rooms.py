"""Gives lessons that moved their rooms again: the same where it is free, else the best that is."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping

from core.timetable.model import Lesson, Placement, Problem

_Taken = dict[tuple[str, int], int]


def with_rooms(problem: Problem, places: Mapping[str, Placement], moved: Collection[str]) -> dict[str, Placement]:
    """Return the places with rooms chosen anew for the lessons that moved; all others keep theirs.

    A lesson keeps a room for which nothing better can be done: the checker then says who has it.
    """
    taken = _taken(problem, (place for place in places.values() if place.lesson not in moved))
    chosen = dict(places)
    kept: dict[str, list[str | None]] = {}
    for name in moved:
        kept[name] = [_kept(problem, taken, places[name], need) for need in range(len(problem.lesson[name].rooms))]
    for name in moved:
        lesson = problem.lesson[name]
        rooms = [
            room or _free(problem, taken, places[name], need) or _before(lesson, places[name], need)
            for need, room in enumerate(kept[name])
        ]
        chosen[name] = places[name].model_copy(update={"rooms": tuple(rooms)})
    return chosen


def _taken(problem: Problem, places: Iterator[Placement]) -> _Taken:
    taken: _Taken = defaultdict(int)
    for place in places:
        lesson = problem.lesson[place.lesson]
        for room in filter(None, place.rooms):
            for slot in range(place.slot, place.slot + lesson.duration):
                taken[room, slot] += 1
    return taken


def _kept(problem: Problem, taken: _Taken, place: Placement, need: int) -> str | None:
    """Return the room that a need had, taken again, where it can stay there."""
    lesson = problem.lesson[place.lesson]
    room = _before(lesson, place, need)
    if room is None or room not in problem.room or not _is_free(problem, taken, place, room):
        return None
    return _take(taken, lesson, place, room)


def _free(problem: Problem, taken: _Taken, place: Placement, need: int) -> str | None:
    """Return the best free room for a need, taken; None where there is none, or where another one is fixed."""
    lesson = problem.lesson[place.lesson]
    if lesson.locked_rooms is not None:
        return None
    choices = sorted(lesson.rooms[need].choices, key=lambda choice: choice.penalty)
    free = (choice.room for choice in choices if _is_free(problem, taken, place, choice.room))
    room = next(free, None)
    return None if room is None else _take(taken, lesson, place, room)


def _before(lesson: Lesson, place: Placement, need: int) -> str | None:
    if lesson.locked_rooms is not None:
        return lesson.locked_rooms[need]
    return place.rooms[need] if need < len(place.rooms) else None


def _is_free(problem: Problem, taken: _Taken, place: Placement, room: str) -> bool:
    span = range(place.slot, place.slot + problem.lesson[place.lesson].duration)
    away = problem.room[room].unavailable
    return not any(taken.get((room, slot)) or slot in away for slot in span)


def _take(taken: _Taken, lesson: Lesson, place: Placement, room: str) -> str:
    for slot in range(place.slot, place.slot + lesson.duration):
        taken[room, slot] += 1
    return room
