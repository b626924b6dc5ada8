"""Writes a problem as a .fet file, with the places of a timetable locked, so that FET itself certifies it."""

from collections.abc import Iterable, Iterator

from core.errors import Fault, InvalidInput
from core.timetable.formats.fet.document import Activity, read_document
from core.timetable.formats.fet.own_problem import write_own
from core.timetable.formats.fet.reader import FetReader
from core.timetable.formats.fet.reading import Reading
from core.timetable.formats.fet.wishes import BrokenWishes, switched_off
from core.timetable.formats.fet.xml_writing import room_lock, time_lock
from core.timetable.formats.reading import Note, Written
from core.timetable.model import Placement, Problem, Timetable
from core.timetable.view import View

_SWITCHED_OFF = (
    "{} constraints below 100 % that this timetable does not keep are switched off in the file: FET would go on "
    "looking for one that keeps them"
)
_TIME_END, _SPACE_END = b"</Time_Constraints_List>", b"</Space_Constraints_List>"


def write_fet(problem: Problem, timetable: Timetable | None, source: bytes | None = None) -> Written:
    """Return the file that the problem came from with the locks added, or a new one.

    Raises ``InvalidInput`` where the source is of another problem.
    """
    if source is None:
        return write_own(problem, timetable)
    if timetable is None:
        return Written(data=source)
    reading = Reading(read_document(source))
    reader = FetReader(reading)
    read = reader.read().problem
    locks = _Locks(reading, timetable)
    broken = list(BrokenWishes(reader, View(read, timetable)).found())
    data = _inserted(switched_off(source, broken), _TIME_END, locks.of_time())
    notes = (Note(what=_SWITCHED_OFF.format(len(broken))),) if broken else ()
    return Written(data=_inserted(data, _SPACE_END, locks.of_space()), notes=notes)


def _inserted(source: bytes, end: bytes, constraints: Iterable[str]) -> bytes:
    head, found, tail = source.rpartition(end)
    if not found:
        what = f"the file has no {end.decode()} to put the locks before"
        raise InvalidInput(what, [Fault("", what)])
    return head + "".join(constraints).encode() + found + tail


class _Locks:
    """Where a timetable has the activities of a file, as FET's constraints."""

    def __init__(self, reading: Reading, timetable: Timetable) -> None:
        self._reading = reading
        strangers = timetable.by_lesson.keys() - reading.activity.keys()
        if strangers:
            what = f"the timetable is of another file: there is no activity {min(strangers)}"
            raise InvalidInput(what, [Fault("", what, "unknown")])
        self._placed = [(activity, timetable.by_lesson.get(activity.id)) for activity in reading.document.activities]
        self._said = {
            (constraint.tag, constraint.text_of("Activity_Id"))
            for constraint in reading.document.constraints
            if constraint.text_of("Weight_Percentage", "100").startswith("100")
        }

    def of_time(self) -> Iterator[str]:
        """Yield the lock of each activity that is placed and not locked already."""
        document, place_of = self._reading.document, self._reading.week.place_of
        for activity, placement in self._placed:
            if placement is None or ("ConstraintActivityPreferredStartingTime", activity.id) in self._said:
                continue
            day, hour = place_of[placement.slot]
            yield time_lock(activity.id, self._spelt(document.days[day]), self._spelt(document.hours[hour]))

    def of_space(self) -> Iterator[str]:
        """Yield the lock of each activity that has its rooms."""
        for activity, placement in self._placed:
            if placement is None or not placement.rooms or None in placement.rooms:
                continue
            if ("ConstraintActivityPreferredRoom", activity.id) not in self._said:
                yield self._in_rooms(activity, placement)

    def _in_rooms(self, activity: Activity, placement: Placement) -> str:
        rooms = [self._spelt(room) for room in placement.rooms if room is not None]
        if len(rooms) == 1:
            return room_lock(activity.id, rooms[0])
        return room_lock(activity.id, self._spelt(self._reading.virtual.get(activity.id, "")), rooms)

    def _spelt(self, name: str) -> str:
        """Return a name letter by letter as the file has it: FET knows it by that alone."""
        return self._reading.document.spelling.get(name, name)
