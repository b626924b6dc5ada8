"""The bell: what a person sees of the messages inside the portals (P2-19..21). Everyone has only their own (C-17)."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from core.access.principal import Principal, Scope
from core.clock import Clock
from core.errors import NotFound
from core.ids import NotificationId, StudentId, UserId
from core.notifications import bell_store
from core.ports import Database, Row

_WATCH_EVERY = timedelta(seconds=2)
"""One small indexed query a watcher: a school's hundred open portals ask fifty a second together."""
_WATCHED = 20


@dataclass(frozen=True, slots=True)
class Notification:
    """One entry of the bell."""

    id: NotificationId
    event_type: str
    student_id: StudentId | None
    title: str
    body: str
    created_at: datetime
    read_at: datetime | None

    @property
    def read(self) -> bool:
        """Tell whether it has been read."""
        return self.read_at is not None


@dataclass(frozen=True, slots=True)
class BellPage:
    """One page of the bell, with the counts its badge shows."""

    items: Sequence[Notification]
    total: int
    unread: int


@dataclass(frozen=True, slots=True)
class BellChange:
    """What a watcher is told: the count, and what came in since the last word, oldest first."""

    unread: int
    arrived: Sequence[Notification]


class Bell:
    """The use cases of the bell."""

    def __init__(self, db: Database, clock: Clock, *, watch_every: timedelta = _WATCH_EVERY) -> None:
        self._db = db
        self._clock = clock
        self._watch_every_s = watch_every.total_seconds()

    async def page(self, principal: Principal, *, page: int, limit: int, user_id: UserId | None = None) -> BellPage:
        """Return a page, newest first. Raises ``NotFound`` where ``user_id`` is not the caller."""
        caller = _own(principal, user_id)
        async with self._db.tenant(principal.school, read_only=True) as tx:
            rows = await bell_store.newest(tx, caller, limit=limit, offset=(page - 1) * limit)
            total, unread = await bell_store.counts(tx, caller)
        return BellPage([_notification(row) for row in rows], total, unread)

    async def unread(self, principal: Principal, *, user_id: UserId | None = None) -> int:
        """Return how many are unread. Raises ``NotFound`` where ``user_id`` is not the caller."""
        caller = _own(principal, user_id)
        async with self._db.tenant(principal.school, read_only=True) as tx:
            return await bell_store.unread(tx, caller)

    async def read(self, principal: Principal, *, notification_id: NotificationId) -> Notification:
        """Mark one as read; again changes nothing. Raises ``NotFound`` for one that is not the caller's."""
        caller = _own(principal)
        async with self._db.tenant(principal.school, actor=caller) as tx:
            row = await bell_store.mark_read(tx, caller, notification_id, self._clock.now())
        if row is None:
            raise NotFound("there is no such notification")
        return _notification(row)

    async def read_all(self, principal: Principal) -> int:
        """Mark all as read; return how many were not."""
        caller = _own(principal)
        async with self._db.tenant(principal.school, actor=caller) as tx:
            return await bell_store.mark_all_read(tx, caller, self._clock.now())

    async def watch(self, principal: Principal) -> AsyncIterator[BellChange]:
        """Yield the unread count now, and again with what arrived whenever something changes."""
        caller = _own(principal)
        told: int | None = None
        seen: set[NotificationId] = set()
        while True:
            async with self._db.tenant(principal.school, read_only=True) as tx:
                rows = await bell_store.newest(tx, caller, limit=_WATCHED)
                unread = await bell_store.unread(tx, caller)
            items = [_notification(row) for row in rows]
            # By id and not by time: one that was written late can be older than the newest.
            arrived = [item for item in reversed(items) if item.id not in seen] if told is not None else []
            seen = {item.id for item in items}
            if arrived or unread != told:
                told = unread
                yield BellChange(unread, arrived)
            await asyncio.sleep(self._watch_every_s)


def _own(principal: Principal, user_id: UserId | None = None) -> UserId:
    principal.require(Scope.NOTIFICATIONS_READ)
    if user_id not in {None, principal.user_id}:
        raise NotFound("there is no such inbox")
    return principal.user_id


def _notification(row: Row) -> Notification:
    return Notification(**row)
