"""Events that can't be handled, kept with the reason until someone replays or discards them (P2-13, P2-27)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from core.errors import Conflict, NotFound
from core.events.envelope import id_in
from core.events.outbox import WAKE_CHANNEL
from core.events.stream import Entry
from core.ids import EventId, SchoolId, new_id
from core.ports import Database

_RECORD = """
INSERT INTO dead_events (id, school_id, event_id, stream_id, reason, fields, tries)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (stream_id) DO NOTHING
"""

_PAGE = """
SELECT id, event_id, stream_id, reason, fields, tries, at
FROM dead_events
WHERE $2::timestamptz IS NULL OR (at, id) < ($2, $3)
ORDER BY at DESC, id DESC
LIMIT $1
"""

# Only the outbox may bring an event to life again: it knows what was said in whose name.
_REPLAY = """
WITH dead AS (
    DELETE FROM dead_events d WHERE d.id = $1 AND d.school_id = $2
    AND EXISTS (SELECT FROM outbox o WHERE o.id = d.event_id AND o.school_id = d.school_id)
    RETURNING d.event_id
), revived AS (
    UPDATE outbox SET relayed_at = NULL FROM dead WHERE outbox.id = dead.event_id AND handled_at IS NULL
)
SELECT pg_notify($3, '') FROM dead
"""

# A discarded event counts as handled, so that it is not taken for one that the stream has lost.
_DISCARD = """
WITH dead AS (
    DELETE FROM dead_events WHERE id = $1 AND school_id = $2 RETURNING event_id
), settled AS (
    UPDATE outbox SET handled_at = now() FROM dead WHERE outbox.id = dead.event_id AND handled_at IS NULL
)
SELECT 1 FROM dead
"""


@dataclass(frozen=True, slots=True)
class DeadEvent:
    """An event that could not be handled."""

    id: UUID
    event_id: EventId | None
    stream_id: str
    reason: str
    fields: dict[str, str]
    """The entry as it was; may hold personal data."""
    tries: int
    at: datetime


class DeadLetters:
    """The dead letters of all schools; a caller names the school whose letters it may touch."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def record(self, entry: Entry, reason: str) -> None:
        """Keep an entry, once."""
        school, event = id_in(entry.fields, "school"), id_in(entry.fields, "id")
        async with self._db.dispatch() as tx:
            await tx.execute(_RECORD, new_id(), school, event, entry.id, reason, dict(entry.fields), entry.deliveries)

    async def page(
        self, school: SchoolId, limit: int, after: tuple[datetime, UUID] | None = None
    ) -> Sequence[DeadEvent]:
        """Return a school's dead events, newest first."""
        async with self._db.tenant(school, read_only=True) as tx:
            rows = await tx.fetch(_PAGE, limit, *(after or (None, None)))
        return [DeadEvent(**row) for row in rows]

    async def replay(self, school: SchoolId, dead_id: UUID) -> None:
        """Send a dead event through the stream again. Raises ``NotFound``, ``Conflict`` where no outbox had it."""
        async with self._db.dispatch() as tx:
            if await tx.execute(_REPLAY, dead_id, school, WAKE_CHANNEL):
                return
            known = await tx.fetchval("SELECT 1 FROM dead_events WHERE id = $1 AND school_id = $2", dead_id, school)
        if known is None:
            raise NotFound("there is no such dead event")
        raise Conflict("this entry did not come from the outbox, so it can only be discarded")

    async def discard(self, school: SchoolId, dead_id: UUID) -> None:
        """Give a dead event up. Raises ``NotFound``."""
        async with self._db.dispatch() as tx:
            if not await tx.execute(_DISCARD, dead_id, school):
                raise NotFound("there is no such dead event")

    async def count(self) -> int:
        """Return how many dead events there are, over all schools."""
        async with self._db.dispatch() as tx:
            return int(await tx.fetchval("SELECT count(*) FROM dead_events"))
