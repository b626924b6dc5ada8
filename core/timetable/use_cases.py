"""Everything that is done with timetables, in one hand."""

from dataclasses import dataclass
from typing import Self

from core.clock import Clock
from core.ports import Database
from core.timetable.calendar_tokens import CalendarTokens
from core.timetable.calendars import TimetableCalendars
from core.timetable.exchange import TimetableExchange
from core.timetable.judging import TimetableJudge
from core.timetable.outputs import TimetableOutputs
from core.timetable.race_jobs import RaceJobs
from core.timetable.requesting import TimetableRequests
from core.timetable.sheets import SheetsBy, TimetableSheets
from core.timetable.versions import TimetableVersions


@dataclass(frozen=True, slots=True)
class Timetables:
    """The use cases of timetables."""

    requests: TimetableRequests
    races: RaceJobs
    versions: TimetableVersions
    judge: TimetableJudge
    outputs: TimetableOutputs
    calendars: TimetableCalendars
    sheets: TimetableSheets
    exchange: TimetableExchange

    @classmethod
    def over(
        cls,
        db: Database,
        clock: Clock,
        *,
        calendar_tokens: CalendarTokens | None = None,
        sheets: SheetsBy | None = None,
    ) -> Self:
        """Return them over their ports; without tokens nobody follows a calendar, without ``sheets`` nobody prints."""
        requests, versions = TimetableRequests(db, clock), TimetableVersions(db, clock)
        outputs = TimetableOutputs(db, versions)
        return cls(
            requests,
            RaceJobs(db, versions),
            versions,
            TimetableJudge(requests, versions),
            outputs,
            TimetableCalendars(db, clock, versions, calendar_tokens),
            TimetableSheets(outputs, sheets),
            TimetableExchange(versions),
        )
