"""On which days of a session there is school: in its terms, but for what is closed in between."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from core.timetable.grid_dates import TermDates


@dataclass(frozen=True, slots=True)
class Days:
    """Days in a row with a name, the last one included."""

    name: str
    starts_on: date
    ends_on: date

    def __contains__(self, on: date) -> bool:
        return self.starts_on <= on <= self.ends_on


@dataclass(frozen=True, slots=True, kw_only=True)
class SchoolDays:
    """A session with its terms and closures."""

    session: Days
    time_zone: str
    terms: Sequence[Days]
    """None where the school has not laid them down: then it is all one."""
    closures: Sequence[Days]

    @property
    def dates(self) -> TermDates:
        """When a timetable of the session holds."""
        closed = frozenset(on for on in self._each() if self.why_closed(on) is not None)
        return TermDates(
            starts_on=self.session.starts_on, ends_on=self.session.ends_on, time_zone=self.time_zone, holidays=closed
        )

    def why_closed(self, on: date) -> str | None:
        """Return why there is no school on a date, as a clause; None where there is, weekends apart."""
        if on not in self.session:
            return f"it is not in the session {self.session.name}"
        closure = next((each for each in self.closures if on in each), None)
        if closure is not None:
            return f"the school is closed: {closure.name}"
        if self.terms and not any(on in term for term in self.terms):
            return "it is between terms"
        return None

    def _each(self) -> Iterator[date]:
        length = (self.session.ends_on - self.session.starts_on).days
        return (self.session.starts_on + timedelta(days=days) for days in range(length + 1))
