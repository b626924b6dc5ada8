"""SchoolOS's own form of a problem and of a timetable: their fields as JSON, in camel case.

A slot may be written as its index in the cycle, or as ``{"day": "Monday", "period": 3}``, with ``"week": "A"`` where
the cycle has two; the period is its name, or its number in the day where none is named so.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from core.errors import Fault, InvalidInput
from core.timetable.faults import require_sound
from core.timetable.model import Calendar, Day, Lesson, Placement, Problem, Slot, Timetable
from core.timetable.rules.registry import RULES
from core.timetable.wording import listed

LIMIT_BYTES = 10_000_000
"""A school of 200 classes takes some 4 MB."""

MOST_FAULTS = 200
"""More are not told: the first say what is wrong."""
TOO_DEEP = "This is nested too deeply."
_Read = TypeVar("_Read", bound=BaseModel)
_WORDS = {
    "missing": "This is missing.",
    "json_invalid": "This is nested too deeply, or holds half a character.",
    "extra_forbidden": "This is not known here; see whether it is spelt right.",
    "union_tag_not_found": 'A rule says of which kind it is, as in {"kind": "gaps"}.',
    "union_tag_invalid": f"There is no such kind of rule. There are: {listed(sorted(RULES))}.",
}


def read_problem(data: bytes, *, limit_bytes: int = LIMIT_BYTES) -> Problem:
    """Return the problem. Raises ``InvalidInput`` with the place of each mistake, also of names that nobody has."""
    content = _object(data, limit_bytes)
    calendar = _validated(Calendar, content.get("calendar", {}), "/calendar")
    problem = _validated(Problem, _with_slots(content, calendar))
    require_sound(problem)
    return problem


def write_problem(problem: Problem) -> bytes:
    """Return the JSON of a problem, always the same for the same problem."""
    return _written(problem)


def read_timetable(data: bytes, problem: Problem, *, limit_bytes: int = LIMIT_BYTES) -> Timetable:
    """Return a timetable of a problem. Raises ``InvalidInput`` where it has no such form; the rest is the checker's."""
    return _validated(Timetable, _with_slots(_object(data, limit_bytes), problem.calendar))


def write_timetable(timetable: Timetable) -> bytes:
    """Return the JSON of a timetable."""
    return _written(timetable)


def export(problem: Problem, timetable: Timetable | None, source: bytes | None = None) -> bytes:  # noqa: ARG001
    """Return the JSON of a problem, with the places of a timetable as its locks."""
    return write_problem(problem if timetable is None else locked(problem, timetable))


def locked(problem: Problem, timetable: Timetable) -> Problem:
    """Return a problem whose lessons stay where a timetable has them."""
    placed = timetable.by_lesson
    lessons = [_locked(lesson, placed[lesson.id]) if lesson.id in placed else lesson for lesson in problem.lessons]
    return problem.model_copy(update={"lessons": tuple(lessons)})


def _locked(lesson: Lesson, placement: Placement) -> Lesson:
    rooms = placement.rooms if None not in placement.rooms else lesson.locked_rooms
    return lesson.model_copy(update={"locked_slot": placement.slot, "locked_rooms": rooms})


def read_object(data: bytes, *, limit_bytes: int = LIMIT_BYTES) -> dict[str, Any]:
    """Return the JSON object in some bytes. Raises ``InvalidInput`` where there is none."""
    return _object(data, limit_bytes)


def read_part(
    form: type[_Read], content: Mapping[str, Any], calendar: Calendar | None = None, *, strict: bool = True
) -> _Read:
    """Return what was read as JSON already, in its form; with a calendar, slots may be written by day and period.

    Raises ``InvalidInput`` with the place of each mistake.
    """
    return _validated(form, content if calendar is None else _with_slots(content, calendar), strict=strict)


def _written(value: BaseModel) -> bytes:
    return value.model_dump_json(by_alias=True, indent=1).encode() + b"\n"


def _object(data: bytes, limit_bytes: int) -> dict[str, Any]:
    if len(data) > limit_bytes:
        what = f"The file has {len(data):,} bytes; at most {limit_bytes:,} are read."
        raise InvalidInput(what, [Fault("", what, code="too_large")])
    try:
        content = json.loads(data.decode("utf-8-sig"))
    except json.JSONDecodeError as error:
        raise _no_json(f"This is not JSON: {error.msg} in line {error.lineno}, column {error.colno}.") from error
    except RecursionError as error:
        raise _no_json(TOO_DEEP) from error
    except ValueError as error:
        raise _no_json("This is not JSON: it is not UTF-8 text, or has a number of thousands of digits.") from error
    if not isinstance(content, dict):
        raise _no_json("A JSON object is expected here: { ... }.")
    return content


def _no_json(what: str) -> InvalidInput:
    return InvalidInput(what, [Fault("", what)])


def _validated(form: type[_Read], content: Any, where: str = "", *, strict: bool = True) -> _Read:
    try:
        return form.model_validate_json(json.dumps(content), strict=strict)
    except RecursionError as error:
        raise _no_json(TOO_DEEP) from error
    except ValidationError as error:
        faults = [*_told(islice(_faults(error, where), MOST_FAULTS))]
        more = f" (and {len(faults) - 1} more mistakes)" if len(faults) > 1 else ""
        raise InvalidInput(f"{faults[0].where or '/'}: {faults[0].what}{more}", faults) from error


def _faults(error: ValidationError, where: str) -> Iterator[Fault]:
    for found in error.errors(include_url=False, include_context=False):
        parts = [part for part in found["loc"] if part != "[key]"]  # a field's name that is wrong is its own place
        if len(parts) > 2 and parts[0] == "rules" and parts[2] in RULES:
            del parts[2]
        pointer = "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)
        yield Fault(f"{where}{pointer}", _WORDS.get(found["type"], f"{found['msg']}."), found["type"])


def _told(faults: Iterable[Fault]) -> Iterator[Fault]:
    """Leave out that a list is too short where that is only because something in it is wrong."""
    every = list(faults)
    for one in every:
        if one.code != "too_short" or not any(other.where.startswith(f"{one.where}/") for other in every):
            yield one


def _with_slots(content: Any, calendar: Calendar) -> Any:
    """Return the content with each slot that is written by day and period as its index."""
    faults: list[Fault] = []
    try:
        named = _resolved(content, calendar, "", faults)
    except RecursionError as error:
        raise _no_json(TOO_DEEP) from error
    if faults:
        raise InvalidInput(f"{faults[0].where}: {faults[0].what}", faults)
    return named


def _resolved(value: Any, calendar: Calendar, where: str, faults: list[Fault]) -> Any:
    if isinstance(value, list):
        return [_resolved(one, calendar, f"{where}/{i}", faults) for i, one in enumerate(value)]
    if not isinstance(value, dict):
        return value
    if {"day", "period"} <= value.keys() <= {"day", "period", "week"}:
        found = slot_named(calendar, value)
        if isinstance(found, str):
            faults.append(Fault(where, found, code="unknown"))
        return found
    return {key: _resolved(one, calendar, f"{where}/{key}", faults) for key, one in value.items()}


def slot_named(calendar: Calendar, name: Mapping[str, Any]) -> Slot | str:
    """Return the slot that is named by its day and period, or what is wrong with the name."""
    days = [d for d, day in enumerate(calendar.days) if _is_day(day, name)]
    if not days:
        known = listed([day.label for day in calendar.days])
        return f"There is no day “{name['day']}”. There are {known}."
    if len(days) > 1:
        return f'{name["day"]} is in two weeks: name one, as in {{"day": ..., "period": ..., "week": "A"}}.'
    names = [period.name.casefold() for period in calendar.days[days[0]].periods]
    period = str(name["period"]).casefold()
    if period in names:
        return calendar.windows[days[0]][names.index(period)]
    if isinstance(name["period"], int) and 1 <= name["period"] <= len(names):
        return calendar.windows[days[0]][name["period"] - 1]
    known = listed([period.name for period in calendar.days[days[0]].periods])
    return f"There is no period “{name['period']}” on {name['day']}. There are {known}."


def _is_day(day: Day, name: Mapping[str, Any]) -> bool:
    return day.name.casefold() == str(name["day"]).casefold() and name.get("week") in {None, day.week}
