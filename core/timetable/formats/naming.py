"""A problem whose ids are what people call things, for programs that know things by their names."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from core.timetable.model import Group, Problem, Room, Subject, Teacher, Timetable

_KIND_OF = {
    "teachers": "teacher",
    "groups": "group",
    "within": "group",
    "sharesWith": "group",
    "subjects": "subject",
    "subject": "subject",
    "room": "room",
    "rooms": "room",
    "lockedRooms": "room",
}
"""Under which key of a problem's JSON ids of which kind stand."""
_LISTS = {"subjects": "subject", "teachers": "teacher", "groups": "group", "rooms": "room"}


def with_names(problem: Problem, timetable: Timetable | None) -> tuple[Problem, Timetable | None]:
    """Return a problem and a timetable of it with names for ids, those that several things have with a number."""
    names = {kind: _names(getattr(problem, there)) for there, kind in _LISTS.items()}
    content = problem.model_dump(by_alias=True, mode="json")
    renamed = {key: _renamed(value, key, names) for key, value in content.items()}
    for there, kind in _LISTS.items():
        for each, old in zip(renamed[there], content[there], strict=True):
            each["id"] = names[kind][old["id"]]
    placed = None
    if timetable is not None:
        rooms = names["room"]
        placed = Timetable(
            placements=tuple(
                each.model_copy(update={"rooms": tuple(rooms.get(room or "", room) for room in each.rooms)})
                for each in timetable.placements
            )
        )
    return Problem.model_validate(renamed), placed


def _names(things: Sequence[Subject | Teacher | Group | Room]) -> dict[str, str]:
    count: Counter[str] = Counter()
    names: dict[str, str] = {}
    taken = {thing.name for thing in things}
    for thing in things:
        count[thing.name] += 1
        name = thing.name
        while count[thing.name] > 1 and name in taken:
            name = f"{thing.name[:190]} ({count[thing.name]})"
            count[thing.name] += name in taken
        taken.add(name)
        names[thing.id] = name
    return names


def _renamed(value: Any, key: str, names: Mapping[str, Mapping[str, str]]) -> Any:
    if isinstance(value, dict):
        return {name: _renamed(each, name, names) for name, each in value.items()}
    if isinstance(value, list):
        return [_renamed(each, key, names) for each in value]
    if isinstance(value, str) and key in _KIND_OF:
        return names[_KIND_OF[key]].get(value, value)
    return value
