"""SQL of the trail: what became of a school's messages, attempt by attempt."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from core.ids import DeliveryId, EventId, StudentId
from core.ports import Row, Transaction

_COLUMNS = """
    d.id, d.event_id, d.event_type, d.recipient_id, u.display_name AS recipient_name, d.student_id, d.channel, d.state,
    d.reason, d.address, d.language, d.attempts, d.next_attempt_at, d.provider, d.provider_message_id, d.traceparent,
    d.occurred_at, d.created_at, d.finished_at
"""

_LIST = f"""
SELECT {_COLUMNS}
FROM deliveries d JOIN users u ON u.school_id = d.school_id AND u.id = d.recipient_id
WHERE d.school_id = app_school()
  AND ($1::uuid IS NULL OR d.student_id = $1)
  AND ($2::uuid IS NULL OR d.event_id = $2)
  AND ($3::text IS NULL OR d.state = $3)
  AND ($4::timestamptz IS NULL OR (d.created_at, d.id) < ($4, $5::uuid))
ORDER BY d.created_at DESC, d.id DESC LIMIT $6
"""

_ONE = f"""
SELECT {_COLUMNS}
FROM deliveries d JOIN users u ON u.school_id = d.school_id AND u.id = d.recipient_id
WHERE d.school_id = app_school() AND d.id = $1
"""

_ATTEMPTS = """
SELECT number, worker, started_at, finished_at, outcome, provider, provider_message_id, detail
FROM delivery_attempts WHERE school_id = app_school() AND delivery_id = $1 ORDER BY number
"""


async def deliveries(
    tx: Transaction,
    *,
    student_id: StudentId | None,
    event_id: EventId | None,
    state: str | None,
    after: tuple[datetime, UUID] | None,
    limit: int,
) -> Sequence[Row]:
    """Return a school's deliveries that fit, newest first, after a place in that order."""
    at, last = after or (None, None)
    return await tx.fetch(_LIST, student_id, event_id, state, at, last, limit)


async def delivery(tx: Transaction, delivery_id: DeliveryId) -> Row | None:
    """Return one delivery, or None."""
    return await tx.fetchrow(_ONE, delivery_id)


async def attempts(tx: Transaction, delivery_id: DeliveryId) -> Sequence[Row]:
    """Return the log of a delivery, in order."""
    return await tx.fetch(_ATTEMPTS, delivery_id)
