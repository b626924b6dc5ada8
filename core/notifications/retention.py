"""Old messages lose address and words, and older ones go, with what else grows beside them, by each school's policy."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from uuid import UUID

from core.clock import Clock
from core.errors import SchoolOSError
from core.events.looping import Stoppable
from core.ids import SchoolId
from core.notifications import retention_store
from core.ports import Database, Transaction
from core.school import policy_store
from core.school.model import PolicyKind
from core.school.policies import MessageRetentionPolicy, parse_policy
from core.telemetry import get_logger

log = get_logger("notifications")

EVERY = timedelta(hours=24)

Place = tuple[datetime, UUID]
Step = Callable[[Transaction, Place, datetime], Awaitable[tuple[int, Place | None]]]
"""Handles the next batch after a place and before a moment; returns how many, and where it ended or None."""
Removal = Callable[[Transaction, datetime], Awaitable[bool]]
"""Deletes a batch of what is older than a moment; tells whether there may be more."""


class Retention:
    """Looks at every school once a day, in batches, so that nobody waits for it."""

    def __init__(self, db: Database, clock: Clock, every: timedelta = EVERY) -> None:
        self._db = db
        self._clock = clock
        self._every = every
        self._loops = Stoppable("retention")
        self.stripped = 0
        self.deleted = 0

    async def run(self) -> None:
        """Look again and again, until stopped."""
        await self._loops.loop(self._turn)

    def stop(self) -> None:
        """Let ``run`` end after the batch under way."""
        self._loops.stop()

    async def apply(self) -> None:
        """Strip and delete what is too old in every school. One school's fault stays its own."""
        async with self._db.dispatch() as tx:
            schools = await retention_store.schools(tx)
        for school_id in schools:
            try:
                await self._apply_in(school_id)
            except SchoolOSError as error:
                log.warning("retention_failed", school_id=str(school_id), error=type(error).__name__)

    async def _turn(self) -> None:
        await self.apply()
        await self._loops.pause(self._every)

    async def _apply_in(self, school_id: SchoolId) -> None:
        now = self._clock.now()
        async with self._db.tenant(school_id, read_only=True) as tx:
            policy = await _policy(tx)
        deleted = await self._repeat(school_id, retention_store.delete, now - timedelta(days=policy.delete_after_days))

        async def strip(tx: Transaction, after: Place, before: datetime) -> tuple[int, Place | None]:
            return await retention_store.strip(tx, after, before, now)

        stripped = await self._repeat(school_id, strip, now - timedelta(days=policy.strip_after_days))
        self.deleted += deleted
        self.stripped += stripped
        for remove, days in (
            (retention_store.delete_webhooks, policy.webhooks_after_days),
            (retention_store.delete_absence_reasons, policy.absence_reasons_after_days),
            (retention_store.delete_events, policy.events_after_days),
        ):
            await self._remove(school_id, remove, now - timedelta(days=days))
        if deleted or stripped:
            log.info("old_messages_removed", school_id=str(school_id), deleted=deleted, stripped=stripped)

    async def _remove(self, school_id: SchoolId, remove: Removal, before: datetime) -> None:
        more = True
        while more and not self._loops.stopped:
            async with self._db.tenant(school_id) as tx:
                more = await remove(tx, before)

    async def _repeat(self, school_id: SchoolId, step: Step, before: datetime) -> int:
        done, place = 0, retention_store.BEGINNING
        while not self._loops.stopped:
            async with self._db.tenant(school_id) as tx:
                count, reached = await step(tx, place, before)
            done += count
            if reached is None:
                break
            place = reached
        return done


async def _policy(tx: Transaction) -> MessageRetentionPolicy:
    found = await policy_store.in_force(tx, PolicyKind.MESSAGE_RETENTION)
    body = parse_policy(PolicyKind.MESSAGE_RETENTION, found.body if found else {})
    assert isinstance(body, MessageRetentionPolicy)  # noqa: S101 - of this kind
    return body
