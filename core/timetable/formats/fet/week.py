"""FET's grid of days and hours as a calendar whose breaks are no periods."""

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property

from core.timetable.formats.fet.document import Document, Place
from core.timetable.model import Calendar, Day, Period

Windows = tuple[tuple[int, ...], ...]


class Week:
    """The calendar of a file, and where its days and hours lie in it."""

    def __init__(self, document: Document) -> None:
        self._document = document
        hours = range(len(document.hours))
        self._kept = [[h for h in hours if (d, h) not in document.breaks] for d in range(len(document.days))]
        self.slot_of: Mapping[Place, int] = {
            place: slot for slot, place in enumerate((d, h) for d, kept in enumerate(self._kept) for h in kept or [0])
        }
        self.place_of = tuple(self.slot_of)

    @cached_property
    def calendar(self) -> Calendar:
        """The calendar."""
        days = zip(self._document.days, self._kept, strict=True)
        return Calendar(days=tuple(Day(name=name, periods=tuple(self._periods(kept))) for name, kept in days))

    def _periods(self, kept: list[int]) -> Iterator[Period]:
        for i, hour in enumerate(kept or [0]):
            before_break = i + 1 < len(kept) and kept[i + 1] > hour + 1
            yield Period(name=self._document.hours[hour], break_after=before_break)

    @cached_property
    def closed(self) -> tuple[int, ...]:
        """The slots in which nothing may be: of days that are all break."""
        return tuple(self.slot_of[d, 0] for d, kept in enumerate(self._kept) if not kept)

    def slots(self, places: Iterable[Place]) -> tuple[int, ...]:
        """Return the slots of some places; breaks are none."""
        return tuple(sorted({self.slot_of[place] for place in places if place in self.slot_of}))

    def hours_apart(self, one: int, other: int) -> int:
        """Return by how many hours of FET's grid the second slot of a day is later."""
        return self.place_of[other][1] - self.place_of[one][1]

    @cached_property
    def real_days(self) -> Windows:
        """The slots of each day, or of each morning with its afternoon."""
        windows = self.calendar.windows
        if not self._document.has_half_days:
            return windows
        return tuple(tuple(s for window in windows[d : d + 2] for s in window) for d in range(0, len(windows), 2))

    @cached_property
    def columns(self) -> Windows:
        """The slots of each hour over all days."""
        hours = range(len(self._document.hours))
        columns = (tuple(s for s, (_, h) in enumerate(self.place_of) if h == hour) for hour in hours)
        return tuple(column for column in columns if column)

    def half_days(self, which: int) -> tuple[int, ...]:
        """Return the indices of the mornings (0) or of the afternoons (1)."""
        return tuple(range(which, len(self._document.days), 2))
