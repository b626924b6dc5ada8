"""Reads a timetable as FET writes it: a list of activities with their places, or the file with each of them locked."""

from collections.abc import Iterator
from dataclasses import dataclass

from core.timetable.formats.fet.document import Document, read_document, refusal
from core.timetable.formats.fet.reader import FetReader
from core.timetable.formats.fet.reading import Reading
from core.timetable.formats.native import read_timetable
from core.timetable.formats.safe_xml import Element, read_xml
from core.timetable.model import Lesson, Placement, Problem, Timetable

_TIME, _SPACE = "ConstraintActivityPreferredStartingTime", "ConstraintActivityPreferredRoom"


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a file puts an activity."""

    at: Element
    day: str
    hour: str
    rooms: tuple[str, ...] = ()


def read_solved(data: bytes, solution: bytes) -> tuple[Problem, Timetable]:
    """Return the problem in a file of FET and a timetable of it, from a file of FET's or of our own.

    Raises ``InvalidInput`` with the line of what is wrong in either.
    """
    reading = Reading(read_document(data))
    problem = FetReader(reading).read().problem
    if solution.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        return problem, read_timetable(solution, problem)
    root = read_xml(solution)
    places = dict(_places(root))
    for activity, place in places.items():
        if activity not in reading.activity:
            raise refusal(f"The problem has no activity “{activity[:80]}” that is switched on", place.at, "unknown")
    lessons = {lesson.id: lesson for lesson in problem.lessons}
    placed = (_placement(reading, lessons[activity], place) for activity, place in places.items())
    return problem, Timetable(placements=tuple(placed))


def _places(root: Element) -> Iterator[tuple[str, _Place]]:
    """Yield where each activity is that has a place. Raises ``InvalidInput`` where the file is no timetable."""
    if root.tag == "Activities_Timetable":
        yield from _listed(root)
    elif root.tag.lower() == "fet":
        yield from _locked(Document(root))
    else:
        raise refusal(
            "This is no timetable of FET: its outermost element is neither <Activities_Timetable> nor <fet>", root
        )


def _listed(root: Element) -> Iterator[tuple[str, _Place]]:
    for each in root.all("Activity"):
        day, hour = each.text_of("Day"), each.text_of("Hour")
        if day and hour:
            yield each.text_of("Id"), _Place(each, day, hour, _rooms(each))


def _locked(document: Document) -> Iterator[tuple[str, _Place]]:
    """Yield what the last constraint of 100 % on each activity says: FET writes its locks after all others."""
    last = {
        (each.tag, each.text_of("Activity_Id")): each
        for each in document.constraints
        if each.tag in {_TIME, _SPACE} and each.text_of("Weight_Percentage", "100").startswith("100")
    }
    for (tag, activity), each in last.items():
        day, hour = each.text_of("Preferred_Day"), each.text_of("Preferred_Hour")
        if tag == _TIME and day and hour:
            within = last.get((_SPACE, activity))
            yield activity, _Place(each, day, hour, _rooms(within) if within else ())


def _rooms(at: Element) -> tuple[str, ...]:
    """Return the room, or the real ones for which a virtual room stands."""
    real = tuple(each.text for each in at.all("Real_Room"))
    return real or tuple(filter(None, [at.text_of("Room")]))


def _placement(reading: Reading, lesson: Lesson, place: _Place) -> Placement:
    document, week = reading.document, reading.week
    where = document.day(place.day, place.at), document.hour(place.hour, place.at)
    if where not in week.slot_of:
        raise refusal(f"{place.day[:80]}, {place.hour[:80]} is a break", place.at)
    for room in place.rooms:
        if room not in document.rooms:
            raise refusal(f"There is no room “{room[:80]}”", place.at, "unknown")
    rooms = [room for room in place.rooms if not document.rooms[room].sets]
    return Placement(lesson=lesson.id, slot=week.slot_of[where], rooms=_for_needs(lesson, rooms))


def _for_needs(lesson: Lesson, rooms: list[str]) -> tuple[str | None, ...]:
    """Return a room for each need, those first that it may have, in the file's order; None where there are too few."""
    left, found = list(rooms), list[str | None]()
    for need in lesson.rooms:
        fitting = [room for room in left if room in {choice.room for choice in need.choices}]
        chosen = next(iter(fitting or left), None)
        found.append(chosen)
        if chosen is not None:
            left.remove(chosen)
    return tuple(found)
