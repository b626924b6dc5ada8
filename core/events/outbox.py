"""The transactional outbox: an event is written with the change it tells of, so that both are there or neither."""

from datetime import datetime

from core.errors import InvalidInput
from core.events.types import Payload
from core.ids import EventId, SchoolId, new_id
from core.ports import Transaction
from core.telemetry import current_traceparent

WAKE_CHANNEL = "schoolos_outbox"
"""Postgres tells listeners on it, at commit, that there is something to relay."""

_EMIT = """
WITH written AS (
    INSERT INTO outbox (id, school_id, type, version, occurred_at, traceparent, payload)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
    RETURNING id
)
SELECT pg_notify($8, '') FROM written
"""

_CLAIM = """
WITH claimed AS (
    UPDATE outbox SET handled_at = now() WHERE id = $1 AND handled_at IS NULL RETURNING id
)
SELECT EXISTS (SELECT FROM claimed) AS first, EXISTS (SELECT FROM outbox WHERE id = $1) AS known
"""


async def emit(
    tx: Transaction, *, school_id: SchoolId, payload: Payload, occurred_at: datetime, traceparent: str | None = None
) -> EventId:
    """Write an event in the caller's transaction and return its id; it leaves once that transaction commits."""
    event_id = EventId(new_id())
    await tx.execute(
        _EMIT,
        event_id,
        school_id,
        payload.event_type,
        payload.event_version,
        occurred_at,
        traceparent or current_traceparent(),
        payload.model_dump(mode="json", by_alias=True),
        WAKE_CHANNEL,
    )
    return event_id


async def claim_handling(tx: Transaction, event_id: EventId) -> bool:
    """Tell whether this transaction is the one that handles the event; a second one waits and is then told no.

    Call it first in the transaction that writes the event's effects. Raises ``InvalidInput`` for an event that never
    was in this school's outbox: nothing but the outbox speaks for a school.
    """
    row = await tx.fetchrow(_CLAIM, event_id)
    if row is None or not row["known"]:
        raise InvalidInput("the outbox has no such event")
    return bool(row["first"])
