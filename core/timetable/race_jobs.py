"""A search as whoever asked for it sees it: how it stands, and what it came to."""

from dataclasses import dataclass

from core.access.principal import Principal, Scope
from core.errors import Conflict, NotFound
from core.ids import JobId, TimetableId
from core.jobs import store as job_store
from core.jobs.model import Job, JobState
from core.ports import Database
from core.timetable import race_store
from core.timetable.records import Race, RaceEnd
from core.timetable.versions import Shown, TimetableVersions

_WHY_NONE = {
    RaceEnd.INFEASIBLE: "there is no such timetable",
    RaceEnd.TIMED_OUT: "no timetable was found in time",
    RaceEnd.CANCELLED: "the search was stopped before it found a timetable",
    RaceEnd.FAILED: "the search failed",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RaceJob:
    """A search with its job."""

    job: Job
    race: Race

    @property
    def status(self) -> str:
        """The portals' word: ``solving``, or how it ended (P8-14)."""
        if self.race.outcome is not None:
            return self.race.outcome.value
        ended = {JobState.CANCELLED: RaceEnd.CANCELLED, JobState.FAILED: RaceEnd.FAILED}.get(self.job.state)
        return ended.value if ended is not None else "solving"

    @property
    def elapsed_s(self) -> float:
        """How long it has worked, or did."""
        if self.job.started_at is None or self.job.finished_at is None:
            return self.race.progress.elapsed_s
        return (self.job.finished_at - self.job.started_at).total_seconds()


class RaceJobs:
    """Looks at searches."""

    def __init__(self, db: Database, versions: TimetableVersions) -> None:
        self._db = db
        self._versions = versions

    async def get(self, principal: Principal, *, job: JobId) -> RaceJob:
        """Return a search of the school. Raises ``NotFound``."""
        principal.require(Scope.TIMETABLES_MANAGE)
        async with self._db.tenant(principal.school, read_only=True) as tx:
            race, found = await race_store.read(tx, job), await job_store.read(tx, job)
        if race is None or found is None:
            raise NotFound("there is no such search for a timetable")
        return RaceJob(job=found, race=race)

    async def result(self, principal: Principal, *, job: JobId) -> Shown:
        """Return the timetable that a search came to. Raises ``Conflict`` where there is none, or none yet."""
        found = await self.get(principal, job=job)
        result = found.job.result or {}
        if "version" in result and found.race.timetable_id is not None:
            timetable = TimetableId(found.race.timetable_id)
            return await self._versions.get(principal, timetable=timetable, number=result["version"])
        if found.race.outcome is RaceEnd.DONE:
            raise Conflict("this search was for an explanation, which the job's result holds")
        if found.status == "solving":
            raise Conflict("the search goes on; ask again when its status is done")
        why = str((found.job.error or {}).get("detail", ""))
        raise Conflict(": ".join(filter(None, [_WHY_NONE[RaceEnd(found.status)], why])))
