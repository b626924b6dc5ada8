"""SQL of the bell: what is due is locked, and its entries are written, in one transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from core.notifications.model import Channel, Delivery, Lane
from core.ports import Row, Transaction

# The lock is the lease: a worker that dies lets go of it, and nothing has been done.
# $1 lanes, $2 how many of each at most, $3 now.
_DUE = """
SELECT d.school_id, d.id, d.event_type, d.recipient_id, d.student_id, d.language, d.content, d.attempts, d.failures,
       d.created_at, d.occurred_at, d.resends, quiet_until($3, d.quiet_from, d.quiet_to, d.time_zone) AS morning
FROM unnest($1::text[]) AS want (lane)
CROSS JOIN LATERAL (
    SELECT * FROM deliveries
    WHERE channel = 'push' AND lane = want.lane AND next_attempt_at <= $3
    ORDER BY next_attempt_at
    LIMIT $2
    FOR UPDATE SKIP LOCKED
) d
"""

_POSTPONE = """
UPDATE deliveries d SET next_attempt_at = quiet.until, reason = 'quiet_hours'
FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) AS quiet (school_id, id, until)
WHERE d.school_id = quiet.school_id AND d.id = quiet.id
"""

# One without a title could not be rendered. $1 worker, $2 now, $3.. the columns of `said`.
_RING = """
WITH said AS (
    SELECT * FROM unnest($3::uuid[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::text[])
         AS said (school_id, id, title, body, reason, detail)
), rung AS (
    UPDATE deliveries d
    SET state = CASE WHEN said.title IS NULL THEN 'dead' ELSE 'sent' END, reason = said.reason,
        attempts = d.attempts + 1, next_attempt_at = NULL, sending_at = $2::timestamptz, finished_at = $2::timestamptz,
        died_at = CASE WHEN said.title IS NULL THEN $2::timestamptz END, provider = 'bell',
        provider_message_id = d.id::text
    FROM said WHERE d.school_id = said.school_id AND d.id = said.id
    RETURNING d.recipient_id, d.event_type, d.student_id, d.attempts, said.*
), entered AS (
    INSERT INTO notifications (school_id, id, user_id, delivery_id, event_type, student_id, title, body, created_at)
    SELECT school_id, gen_random_uuid(), recipient_id, id, event_type, student_id, title, body, $2::timestamptz
    FROM rung WHERE title IS NOT NULL
    ON CONFLICT (school_id, delivery_id) DO NOTHING
)
INSERT INTO delivery_attempts (school_id, delivery_id, number, worker, started_at, finished_at, outcome, provider,
                               provider_message_id, detail)
SELECT school_id, id, attempts, $1, $2::timestamptz, $2::timestamptz,
       CASE WHEN title IS NULL THEN 'rejected' ELSE 'sent' END, 'bell', id::text, detail
FROM rung
ON CONFLICT (school_id, delivery_id, number) DO NOTHING
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """What becomes of a delivery to the bell: its text, or why there is none."""

    delivery: Delivery
    title: str | None
    body: str | None
    reason: str | None = None
    detail: str = ""


async def due(
    tx: Transaction, *, at_most: int, now: datetime
) -> tuple[list[Delivery], list[tuple[Delivery, datetime]]]:
    """Lock and return what is due, of each lane up to so many, and what must wait for the night to end."""
    rows = await tx.fetch(_DUE, list(Lane), at_most, now)
    ready = [_delivery(row) for row in rows if row["morning"] is None]
    return ready, [(_delivery(row), row["morning"]) for row in rows if row["morning"] is not None]


async def postpone(tx: Transaction, quiet: Sequence[tuple[Delivery, datetime]]) -> None:
    """Put off what would ring at night."""
    schools, ids, mornings = zip(*((each.school_id, each.id, morning) for each, morning in quiet), strict=True)
    await tx.execute(_POSTPONE, schools, ids, mornings)


async def ring(tx: Transaction, entries: Sequence[Entry], *, worker: str, now: datetime) -> None:
    """Write the bell's entries, and with them the end of their deliveries and the log."""
    columns = zip(*(_said(each) for each in entries), strict=True)
    await tx.execute(_RING, worker, now, *columns)


def _said(entry: Entry) -> tuple[Any, ...]:
    return (entry.delivery.school_id, entry.delivery.id, entry.title, entry.body, entry.reason, entry.detail)


def _delivery(row: Row) -> Delivery:
    return Delivery(
        school_id=row["school_id"],
        id=row["id"],
        event_type=row["event_type"],
        recipient_id=row["recipient_id"],
        student_id=row["student_id"],
        channel=Channel.PUSH,
        address=None,
        language=row["language"],
        content=row["content"],
        attempts=row["attempts"],
        failures=row["failures"],
        traceparent=None,
        created_at=row["created_at"],
        occurred_at=row["occurred_at"],
        resends=row["resends"],
    )
