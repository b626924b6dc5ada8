"""FET's constraints below 100 % that a timetable does not keep.

FET keeps each of them with its percentage's chance at every try, so that it would move locked activities in vain.
"""

from collections.abc import Iterator, Sequence

from core.timetable.formats.fet.reader import FetReader, worth_of
from core.timetable.formats.fet.rooms import wished_rooms
from core.timetable.formats.safe_xml import Element
from core.timetable.view import View

_ON, _OFF = b"<Active>true</Active>", b"<Active>false</Active>"


class BrokenWishes:
    """The wishes of one file that a timetable does not keep."""

    def __init__(self, reader: FetReader, view: View) -> None:
        self._reader = reader
        self._view = view

    def found(self) -> Iterator[Element]:
        """Yield each constraint that is not kept."""
        for constraint in self._reader.document.constraints:
            worth = worth_of(constraint)
            if not worth.hard and worth.percentage > 0 and self._is_broken(constraint):
                yield constraint

    def _is_broken(self, constraint: Element) -> bool:
        problem, view = self._view.problem, self._view
        for activity in self._reader.wishes.meant(constraint.tag.removeprefix("Constraint"), constraint):
            rooms = view.rooms(problem.lesson[activity.id])
            if rooms and rooms[0] not in wished_rooms(constraint):
                return True
        return any(True for rule in self._reader.rules_of(constraint) for _ in rule.check(view))


def switched_off(data: bytes, constraints: Sequence[Element]) -> bytes:
    """Return the file that these constraints were read from with them switched off."""
    starts = [0]
    while (end := data.find(b"\n", starts[-1])) >= 0:
        starts.append(end + 1)
    pieces, done = [], 0
    for constraint in sorted(constraints, key=lambda each: each.line):
        begin = max(done, starts[constraint.line - 1])
        end = data.find(f"</{constraint.tag}>".encode(), begin)
        on = data.find(_ON, begin, end)
        pieces += [data[done : on if on >= 0 else end], _OFF]
        done = on + len(_ON) if on >= 0 else end
    return b"".join(pieces) + data[done:]
