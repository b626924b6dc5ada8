"""How two versions of a timetable differ, in the school's words."""

from dataclasses import dataclass

from core.timetable.model import Placement, Problem
from core.timetable.records import Version, VersionRecord
from core.timetable.view import label
from core.timetable.wording import counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """A lesson that is elsewhere than it was."""

    lesson: str
    name: str
    before: int | None
    """Its slot; None where it had no place, or was not there."""
    after: int | None
    rooms_changed: bool
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """How two versions differ."""

    one: VersionRecord
    other: VersionRecord
    moved: tuple[Moved, ...]
    words: str


def compare(one: Version, other: Version) -> Comparison:
    """Return what changed from one version to the other."""
    before, after = one.timetable.by_lesson, other.timetable.by_lesson
    names = [*one.problem.lesson, *(name for name in other.problem.lesson if name not in one.problem.lesson)]
    moved = tuple(
        _moved(one.problem, other.problem, name, before.get(name), after.get(name))
        for name in names
        if before.get(name) != after.get(name)
    )
    return Comparison(one=one.record, other=other.record, moved=moved, words=_words(one.record, other.record, moved))


def _moved(old: Problem, new: Problem, name: str, before: Placement | None, after: Placement | None) -> Moved:
    problem = new if name in new.lesson else old
    lesson = label(problem, problem.lesson[name])
    at = _place(old, before) if before is not None else None
    to = _place(new, after) if after is not None else None
    if at is None:
        sentence = f"{lesson} is new on {to}."
    elif to is None:
        sentence = f"{lesson} on {at} is gone."
    else:
        sentence = f"{lesson} moves from {at} to {to}."
    return Moved(
        lesson=name,
        name=lesson,
        before=before.slot if before is not None else None,
        after=after.slot if after is not None else None,
        rooms_changed=before is not None and after is not None and before.rooms != after.rooms,
        sentence=sentence,
    )


def _place(problem: Problem, placement: Placement) -> str:
    rooms = [problem.room[room].name for room in placement.rooms if room is not None and room in problem.room]
    return " in ".join([problem.calendar.label(placement.slot), *([", ".join(rooms)] if rooms else [])])


def _words(one: VersionRecord, other: VersionRecord, moved: tuple[Moved, ...]) -> str:
    if not moved:
        return f"Versions {one.number} and {other.number} are the same."
    gain = one.soft - other.soft
    cost = "the cost stays" if gain == 0 else f"the cost {'falls' if gain > 0 else 'rises'} by {abs(gain)}"
    return f"{counted(len(moved), 'lesson')} {'differs' if len(moved) == 1 else 'differ'}; {cost} to {other.soft}."
