"""The conductor: takes the searches that wait, has them run, and writes down what they come to.

A search is its conductor's by a lease. One that is lost leaves its searches to the next when the lease runs out; what
is written down is written by whoever still holds the lease, so each search ends once.
"""

import asyncio
import threading
from dataclasses import dataclass, field
from datetime import timedelta
from time import monotonic
from typing import Protocol

from core.clock import Clock
from core.errors import SchoolOSError, Unavailable
from core.events.looping import Stoppable
from core.ids import JobId, TimetableId
from core.jobs import store as job_store
from core.jobs.model import JobState
from core.ports import Database, Transaction
from core.telemetry import TIMETABLE_RACE_DURATION, TIMETABLE_RACES, get_logger, span
from core.timetable import ending, race_store, store
from core.timetable.formats.native import write_timetable
from core.timetable.records import Claimed, NewVersion, Race, RaceEnd, RaceProgress, RaceResult
from core.timetable.searching import Assignment, Search
from core.timetable.stage import Stage

log = get_logger("timetable")

WAKE_CHANNEL = "schoolos_timetables"
"""Postgres tells on it of new searches and of those that are to stop."""
_STATES = {
    RaceEnd.DONE: JobState.SUCCEEDED,
    RaceEnd.CANCELLED: JobState.CANCELLED,
}


class Signal(Protocol):
    """Wakes the conductor when there is something to look at."""

    async def wait(self, at_most: timedelta) -> None:
        """Return when woken, at the latest after a while."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConductorPolicy:
    """How a conductor paces itself."""

    concurrency: int = 1
    """Searches at a time; one has all the solvers' places on one machine."""
    lease: timedelta = timedelta(seconds=10)
    tell_every: timedelta = timedelta(seconds=0.5)
    look_every: timedelta = timedelta(seconds=0.25)
    """While searches run, where no signal comes: a cancelled one stops within this and the racers' grace."""
    idle: timedelta = timedelta(seconds=2)
    most_starts: int = 3
    """A search that was lost so often with its conductor is not begun again: it may be what kills them."""
    patience: timedelta = timedelta(seconds=20)
    """So long after its time a search is stopped that does not end: explaining may take half of it."""


@dataclass(eq=False)
class _Held:
    claimed: Claimed
    stop: threading.Event = field(default_factory=threading.Event)
    search: Search | None = None
    lost: bool = False
    until: float = float("inf")


class Conductor:
    """Conducts until stopped. Any number run side by side."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        stage: Stage,
        signal: Signal,
        *,
        worker: str,
        policy: ConductorPolicy | None = None,
    ) -> None:
        self._db = db
        self._clock = clock
        self._stage = stage
        self._signal = signal
        self._worker = worker
        self._policy = policy or ConductorPolicy()
        self._loops = Stoppable("timetables")
        self._held: dict[JobId, _Held] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._renew_at = 0.0
        self.ended = 0

    async def run(self) -> None:
        """Conduct, until stopped."""
        await self._loops.loop(self._turn)

    async def stop(self, deadline_s: float) -> None:
        """Take no more, let what runs finish within the deadline, and give back the rest for others to begin anew."""
        self._loops.stop()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=max(0.0, deadline_s - 1))
        for held in self._held.values():
            held.lost = True
            held.stop.set()
        try:
            async with self._db.dispatch() as tx:
                await race_store.release(tx, self._worker)
        except SchoolOSError as error:  # the leases run out by themselves
            log.warning("races_not_given_back", error=error.message)
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=1)

    def gauges(self) -> dict[str, float]:
        """Return what is under way and has ended."""
        return {"races_under_way": float(len(self._held)), "races_ended": float(self.ended)}

    async def _turn(self) -> None:
        await self._claim()
        await self._look()
        wait = self._policy.look_every if self._held else self._policy.idle
        await self._loops.unless_stopped(self._signal.wait(wait), None)

    async def _claim(self) -> None:
        room = self._policy.concurrency - len(self._held)
        if room <= 0:
            return
        now = self._clock.now()
        async with self._db.dispatch() as tx:
            found = await race_store.claim(tx, self._worker, now=now, until=now + self._policy.lease, room=room)
        for claimed in found:
            self._held[claimed.job_id] = held = _Held(claimed)
            task = asyncio.create_task(self._perform(held))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _look(self) -> None:
        """Stop what is to stop, and hold on to the rest."""
        if not self._held:
            return
        async with self._db.dispatch() as tx:
            for job in await race_store.cancelled(tx, list(self._held)):
                if held := self._held.get(job):  # it may have ended while Postgres answered
                    held.stop.set()
            if monotonic() >= self._renew_at:
                mine = await race_store.renew(
                    tx, self._worker, list(self._held), self._clock.now() + self._policy.lease
                )
                self._renew_at = monotonic() + self._policy.lease.total_seconds() / 4
                for job in self._held.keys() - mine:
                    self._let_go(self._held[job])
        for held in self._held.values():
            if monotonic() > held.until:
                held.stop.set()

    def _let_go(self, held: _Held) -> None:
        held.lost = True
        held.stop.set()
        log.warning("race_lost_to_another", job_id=str(held.claimed.job_id))

    async def _perform(self, held: _Held) -> None:
        began, job = monotonic(), held.claimed.job_id
        try:
            assignment = await self._read(held.claimed)
            if assignment is None:
                return
            result = await self._search(held, assignment)
            if not held.lost:
                await self._write(held.claimed, assignment.race, result)
                TIMETABLE_RACE_DURATION.labels(assignment.race.kind.value).observe(monotonic() - began)
        except SchoolOSError as error:  # the lease runs out, and it is begun again
            log.warning("race_interrupted", job_id=str(job), error=error.message)
        except Exception:  # the edge of the loop: one search must not stop the others
            log.exception("race_broke", job_id=str(job))
        finally:
            self._held.pop(job, None)

    async def _read(self, claimed: Claimed) -> Assignment | None:
        """Return what a race is about; None where it is over already, or was begun too often."""
        async with self._db.tenant(claimed.school) as tx:
            race = await race_store.read(tx, claimed.job_id)
            goes_on = await job_store.heartbeat(tx, claimed.job_id, self._clock.now())
            if race is None:
                return None
            if not goes_on:
                await self._end(tx, claimed, race, RaceResult(end=RaceEnd.CANCELLED))
                return None
            if claimed.starts > self._policy.most_starts:
                await self._end(tx, claimed, race, ending.failed("Its machine was lost each time it was tried."))
                return None
            return await _assignment(tx, race)

    async def _search(self, held: _Held, assignment: Assignment) -> RaceResult:
        race = assignment.race
        held.search = Search(self._stage, assignment, held.stop.is_set)
        held.until = monotonic() + race.request.seconds + self._policy.patience.total_seconds()
        telling = asyncio.create_task(self._tell(held, race))
        try:
            with span("solve-timetable", race.traceparent, job_id=str(race.job_id), race=race.kind.value) as under_way:
                result = await asyncio.to_thread(held.search.run)
                under_way.set_attribute("outcome", result.end.value)
        except Unavailable:
            raise
        except SchoolOSError as error:
            log.warning("race_failed", job_id=str(race.job_id), error=error.message)
            result = ending.failed(error.message)
        finally:
            telling.cancel()
            await asyncio.gather(telling, return_exceptions=True)
        return result

    async def _tell(self, held: _Held, race: Race) -> None:
        """Write down how the search stands, again and again."""
        told, school, seconds = RaceProgress(), held.claimed.school, round(race.request.seconds)
        while True:
            await asyncio.sleep(self._policy.tell_every.total_seconds())
            if held.search is None or held.search.progress == told:
                continue
            told = held.search.progress
            try:
                async with self._db.tenant(school) as tx:
                    await race_store.note_progress(tx, race.job_id, told)
                    done = min(seconds, int(told.elapsed_s))
                    await job_store.mark_progress(
                        tx, race.job_id, done=done, failed=0, total=seconds, now=self._clock.now()
                    )
            except SchoolOSError as error:
                log.warning("progress_not_told", job_id=str(race.job_id), error=error.message)

    async def _write(self, claimed: Claimed, race: Race, result: RaceResult) -> None:
        async with self._db.tenant(claimed.school) as tx:
            if not await self._end(tx, claimed, race, result):
                log.warning("race_lost_to_another", job_id=str(race.job_id))

    async def _end(self, tx: Transaction, claimed: Claimed, race: Race, result: RaceResult) -> bool:
        """End a race and its job, with the version it came to; False where another conductor has it."""
        if not await race_store.end(tx, claimed.job_id, self._worker, result.end):
            return False
        now, told = self._clock.now(), dict(result.summary)
        if result.version is not None and result.timetable is not None and race.timetable_id is not None:
            placements = write_timetable(result.timetable).decode()
            number = await self._keep(tx, race, race.timetable_id, result.version, placements)
            told |= {"timetableId": str(race.timetable_id), "version": number, "soft": result.version.soft}
            told |= {"hard": result.version.hard, "bound": result.version.bound, "solver": result.version.solver}
        await job_store.finish(
            tx,
            claimed.job_id,
            state=_STATES.get(result.end, JobState.FAILED),
            error=dict(result.problem) if result.problem is not None else None,
            result=told or None,
            now=now,
        )
        self.ended += 1
        TIMETABLE_RACES.labels(race.kind.value, result.end.value).inc()
        log.info("race_ended", job_id=str(claimed.job_id), kind=race.kind.value, outcome=result.end.value)
        return True

    async def _keep(
        self, tx: Transaction, race: Race, timetable: TimetableId, version: NewVersion, placements: str
    ) -> int:
        by, now = race.created_by, self._clock.now()
        if await store.read(tx, timetable, lock=True) is None:
            await store.add(tx, timetable, race.request.name, race.request.session, created_by=by, now=now)
        return (await store.add_version(tx, timetable, version, placements, created_by=by, now=now)).number


async def _assignment(tx: Transaction, race: Race) -> Assignment:
    previous = None
    if race.request.based_on is not None and race.timetable_id is not None:
        found = await store.version(tx, race.timetable_id, race.request.based_on)
        previous = (found[1], found[2]) if found is not None else None
    return Assignment(race=race, problem=await store.problem(tx, race.problem_digest), previous=previous)
