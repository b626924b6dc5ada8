"""The versions of a timetable: who sees which, how two differ, which is published, how one returns to an earlier."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from core.access.principal import Principal, Scope
from core.clock import Clock
from core.errors import Conflict, NotFound, Stale
from core.events.outbox import emit
from core.events.types import TimetablePublished
from core.ids import SessionId, TimetableId
from core.ports import Database, Transaction
from core.telemetry import get_logger
from core.timetable import store
from core.timetable.comparing import Comparison, compare
from core.timetable.formats.native import read_problem, read_timetable
from core.timetable.records import PROBLEM_LIMIT_BYTES, NewVersion, TimetableRecord, Version, VersionRecord

log = get_logger("timetable")

NO_TIMETABLE = "there is no such timetable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A timetable as somebody may see it."""

    record: TimetableRecord
    version: Version
    only_classes: frozenset[str] | None
    """Whose week is shown; None: everybody's."""


class TimetableVersions:
    """Reads, publishes and rolls back."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def page(
        self,
        principal: Principal,
        *,
        session: SessionId | None,
        after: tuple[datetime, TimetableId] | None,
        limit: int,
    ) -> Sequence[TimetableRecord]:
        """Return the school's timetables, the newest first; those who can't make any see the published."""
        principal.require(Scope.TIMETABLES_MANAGE, Scope.TIMETABLES_READ, Scope.OWN_READ)
        published = not principal.may(Scope.TIMETABLES_MANAGE)
        async with self._db.tenant(principal.school, read_only=True) as tx:
            return await store.page(tx, session=session, published=published, after=after, limit=limit)

    async def get(self, principal: Principal, *, timetable: TimetableId, number: int | None = None) -> Shown:
        """Return a timetable: a version of it, else the latest, or the published to those who can't make any."""
        principal.require(Scope.TIMETABLES_MANAGE, Scope.TIMETABLES_READ, Scope.OWN_READ)
        async with self._db.tenant(principal.school, read_only=True) as tx:
            record = await store.read(tx, timetable)
            if record is None:
                raise NotFound(NO_TIMETABLE)
            seen, only = await _seen(tx, principal, record)
            found = await store.version(tx, timetable, number or seen or 0)
        if found is None or (number not in {None, seen} and not principal.may(Scope.TIMETABLES_MANAGE)):
            raise NotFound(NO_TIMETABLE)
        return Shown(record=record, version=await asyncio.to_thread(opened, *found), only_classes=only)

    async def versions(
        self, principal: Principal, *, timetable: TimetableId, below: int | None, limit: int
    ) -> Sequence[VersionRecord]:
        """Return the versions of a timetable, the newest first."""
        principal.require(Scope.TIMETABLES_MANAGE)
        async with self._db.tenant(principal.school, read_only=True) as tx:
            if await store.read(tx, timetable) is None:
                raise NotFound(NO_TIMETABLE)
            return await store.versions(tx, timetable, below=below, limit=limit)

    async def compare(self, principal: Principal, *, timetable: TimetableId, one: int, other: int) -> Comparison:
        """Return how two versions differ, in words too."""
        principal.require(Scope.TIMETABLES_MANAGE)
        before = await self.get(principal, timetable=timetable, number=one)
        after = await self.get(principal, timetable=timetable, number=other)
        return await asyncio.to_thread(compare, before.version, after.version)

    async def publish(self, principal: Principal, *, timetable: TimetableId, number: int) -> TimetableRecord:
        """Make a version the one that holds in its session, and tell other systems.

        Raises ``NotFound``, ``Conflict``.
        """
        principal.require(Scope.TIMETABLES_MANAGE)
        now = self._clock.now()
        async with self._db.tenant(principal.school, actor=principal.user_id) as tx:
            record = await store.read(tx, timetable, lock=True)
            if record is None or await store.version(tx, timetable, number) is None:
                raise NotFound(NO_TIMETABLE)
            if record.session_id is None:
                raise Conflict("this timetable belongs to no session; generate it for one")
            if record.published_version == number:
                return record
            published = await store.publish(tx, timetable, number, by=principal.user_id, now=now)
            payload = TimetablePublished(
                timetable_id=timetable,
                name=record.name,
                session_id=record.session_id,
                session_name=await store.session_name(tx, record.session_id) or "",
                version=number,
                timestamp=now,
            )
            await emit(tx, school_id=principal.school, payload=payload, occurred_at=now)
        log.info("timetable_published", timetable_id=str(timetable), version=number)
        return published

    async def withdraw(self, principal: Principal, *, timetable: TimetableId) -> TimetableRecord:
        """Let no version be published any more."""
        principal.require(Scope.TIMETABLES_MANAGE)
        async with self._db.tenant(principal.school, actor=principal.user_id) as tx:
            if await store.read(tx, timetable, lock=True) is None:
                raise NotFound(NO_TIMETABLE)
            return await store.publish(tx, timetable, None, by=principal.user_id, now=self._clock.now())

    async def roll_back(
        self, principal: Principal, *, timetable: TimetableId, number: int, latest_seen: int
    ) -> VersionRecord:
        """Add a version that equals an earlier one. Raises ``NotFound``, ``Stale``."""
        principal.require(Scope.TIMETABLES_MANAGE)
        async with self._db.tenant(principal.school, actor=principal.user_id) as tx:
            await locked(tx, timetable, latest_seen)
            found = await store.version(tx, timetable, number)
            if found is None:
                raise NotFound("there is no such version")
            old, _, placements = found
            new = NewVersion(
                problem_digest=old.problem_digest,
                hard=old.hard,
                soft=old.soft,
                bound=old.bound,
                solver=old.solver,
                note=f"As version {number} was.",
                based_on=number,
            )
            return await store.add_version(
                tx, timetable, new, placements, created_by=principal.user_id, now=self._clock.now()
            )

    async def add(
        self, principal: Principal, *, timetable: TimetableId, latest_seen: int, new: NewVersion, content: str
    ) -> VersionRecord:
        """Add a version that was made from the latest. Raises ``NotFound``, ``Stale``."""
        async with self._db.tenant(principal.school, actor=principal.user_id) as tx:
            await locked(tx, timetable, latest_seen)
            return await store.add_version(
                tx, timetable, new, content, created_by=principal.user_id, now=self._clock.now()
            )


async def locked(tx: Transaction, timetable: TimetableId, latest_seen: int) -> TimetableRecord:
    """Return a timetable that nobody changes meanwhile. Raises ``NotFound``; ``Stale`` where somebody has."""
    record = await store.read(tx, timetable, lock=True)
    if record is None:
        raise NotFound(NO_TIMETABLE)
    if record.latest_version != latest_seen:
        raise Stale(f"the timetable is at version {record.latest_version} now; read it again")
    return record


async def latest(tx: Transaction, timetable: TimetableId) -> Version:
    """Return the latest version. Raises ``NotFound``."""
    record = await store.read(tx, timetable)
    found = await store.version(tx, timetable, record.latest_version) if record is not None else None
    if found is None:
        raise NotFound(NO_TIMETABLE)
    return await asyncio.to_thread(opened, *found)


async def _seen(
    tx: Transaction, principal: Principal, record: TimetableRecord
) -> tuple[int | None, frozenset[str] | None]:
    """Return the version that somebody sees, and of which classes. Raises ``NotFound``."""
    if principal.may(Scope.TIMETABLES_MANAGE):
        return record.latest_version, None
    if principal.may(Scope.TIMETABLES_READ):
        return record.published_version, None
    if record.session_id is None:
        raise NotFound(NO_TIMETABLE)
    arms = await store.own_arms(tx, record.session_id, principal.student_id, principal.guardian_id)
    if not arms:
        raise NotFound(NO_TIMETABLE)
    return record.published_version, arms


def opened(record: VersionRecord, content: str, placements: str) -> Version:
    """Return a version with its lessons, read from JSON."""
    problem = read_problem(content.encode(), limit_bytes=PROBLEM_LIMIT_BYTES)
    timetable = read_timetable(placements.encode(), problem, limit_bytes=PROBLEM_LIMIT_BYTES)
    return Version(record=record, problem=problem, timetable=timetable)
