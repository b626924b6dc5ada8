"""SQL of webhooks on their way: queued by an event, claimed under a lease across schools, judged within one."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from core.ids import EventId, WebhookEndpointId
from core.notifications.webhooks_lifecycle import Verdict
from core.notifications.webhooks_model import DueMessage
from core.ports import Transaction

_WINDOW = 500
_MOST_ATTEMPTS = 100
"""Lost ones cost no retry; past this many of any kind the message itself is what kills workers."""

# The payload comes from the outbox and from nowhere else. Again for the same event, it does nothing.
_ENQUEUE = """
INSERT INTO webhook_messages (school_id, id, endpoint_id, source_id, event_type, data, next_attempt_at, traceparent,
                              occurred_at, created_at)
SELECT app_school(), gen_random_uuid(), e.id, o.id, o.type, o.payload, $2, coalesce($3, o.traceparent),
       o.occurred_at, $2
FROM outbox o
JOIN webhook_endpoints e ON e.school_id = o.school_id AND e.active AND o.type = ANY (e.event_types)
WHERE o.school_id = app_school() AND o.id = $1
ON CONFLICT (school_id, endpoint_id, source_id, event_type) DO NOTHING
"""

# Of each endpoint a few at once, so that a slow one can't take all the room.
# $1 now, $2 endpoints that are busy, $3 how many of one, $4 how many in all, $5 worker, $6 end of the lease.
_CLAIM = f"""
WITH waiting AS (
    SELECT school_id, id, row_number() OVER (PARTITION BY endpoint_id ORDER BY next_attempt_at) AS place
    FROM (SELECT school_id, id, endpoint_id, next_attempt_at FROM webhook_messages
          WHERE next_attempt_at <= $1 AND endpoint_id <> ALL ($2::uuid[])
          ORDER BY next_attempt_at LIMIT {_WINDOW}) soonest
), due AS (
    SELECT m.school_id, m.id FROM webhook_messages m JOIN waiting w USING (school_id, id)
    WHERE w.place <= $3 AND m.next_attempt_at <= $1
    LIMIT $4
    FOR UPDATE OF m SKIP LOCKED
)
UPDATE webhook_messages m
SET state = 'sending', attempts = m.attempts + 1, next_attempt_at = NULL, lease_owner = $5, lease_until = $6,
    sending_at = $1
FROM due, webhook_endpoints e
WHERE m.school_id = due.school_id AND m.id = due.id AND e.school_id = m.school_id AND e.id = m.endpoint_id
RETURNING m.school_id, m.id, m.endpoint_id, e.url, e.generation, e.previous_until, m.event_type, m.data,
          m.attempts AS number, m.failures, m.traceparent, m.occurred_at
"""

_COUNT_DUE = "SELECT count(*) FROM (SELECT FROM webhook_messages WHERE next_attempt_at <= $1 LIMIT 10000) counted"

# Of a worker that is gone, or of one's own at a drain: whether it arrived is not known, so it goes out again.
_RELEASE = f"""
WITH lost AS (
    SELECT school_id, id, lease_owner FROM webhook_messages
    WHERE lease_until IS NOT NULL AND (lease_until < $1 OR lease_owner = $2)
    FOR UPDATE SKIP LOCKED
), released AS (
    UPDATE webhook_messages m
    SET state = CASE WHEN m.attempts >= {_MOST_ATTEMPTS} THEN 'dead' ELSE 'retry' END,
        reason = CASE WHEN m.attempts >= {_MOST_ATTEMPTS} THEN 'gave_up' END,
        next_attempt_at = CASE WHEN m.attempts < {_MOST_ATTEMPTS} THEN $1::timestamptz END,
        finished_at = CASE WHEN m.attempts >= {_MOST_ATTEMPTS} THEN $1::timestamptz END,
        lease_owner = NULL, lease_until = NULL
    FROM lost WHERE m.school_id = lost.school_id AND m.id = lost.id
    RETURNING m.school_id, m.id, m.attempts, lost.lease_owner, m.sending_at
)
INSERT INTO webhook_attempts (school_id, message_id, number, worker, started_at, finished_at, outcome)
SELECT school_id, id, attempts, lease_owner, sending_at, $1, 'lost' FROM released
ON CONFLICT (school_id, message_id, number) DO NOTHING
"""

# A verdict counts only while the message is still this worker's and at this attempt.
# $1 message, $2 worker, $3 attempt, $4 state, $5 reason, $6 failures, $7 next attempt, $8 begun, $9 now, $10 outcome,
# $11 status, $12 detail, $13 whether it was taken.
_RECORD = """
WITH counted AS (
    UPDATE webhook_messages
    SET state = $4, reason = $5, failures = $6, next_attempt_at = $7, lease_owner = NULL, lease_until = NULL,
        finished_at = CASE WHEN $7::timestamptz IS NULL THEN $9::timestamptz END
    WHERE school_id = app_school() AND id = $1 AND lease_owner = $2 AND attempts = $3
    RETURNING school_id, id, endpoint_id
), logged AS (
    INSERT INTO webhook_attempts (school_id, message_id, number, worker, started_at, finished_at, outcome, status,
                                  detail)
    SELECT school_id, id, $3, $2, $8, $9, $10, $11, $12 FROM counted
)
UPDATE webhook_endpoints e
SET failing_since = CASE WHEN NOT $13::boolean THEN coalesce(e.failing_since, $9) END
FROM counted c
WHERE e.school_id = c.school_id AND e.id = c.endpoint_id AND NOT ($13 AND e.failing_since IS NULL)
RETURNING e.failing_since
"""

_DISABLE = """
WITH ended AS (
    UPDATE webhook_endpoints SET active = false, disabled_at = $2, disabled_reason = $3, version = version + 1
    WHERE school_id = app_school() AND id = $1 AND active
    RETURNING school_id, id
), given_up AS (
    UPDATE webhook_messages m SET state = 'dead', reason = 'switched_off', next_attempt_at = NULL, finished_at = $2
    FROM ended WHERE m.school_id = ended.school_id AND m.endpoint_id = ended.id AND m.next_attempt_at IS NOT NULL
)
INSERT INTO notifications (school_id, id, user_id, delivery_id, event_type, title, body, created_at)
SELECT u.school_id, gen_random_uuid(), u.id, gen_random_uuid(), 'webhook.disabled', $4, $5, $2
FROM ended JOIN users u ON u.school_id = ended.school_id
WHERE u.active AND u.roles && ARRAY['school_admin', 'principal']
"""


async def enqueue(tx: Transaction, event_id: EventId, now: datetime, traceparent: str | None) -> int:
    """Queue an event of this school for every endpoint that asked for it, once; return for how many."""
    return await tx.execute(_ENQUEUE, event_id, now, traceparent)


async def count_due(tx: Transaction, now: datetime) -> int:
    """Return how many messages are due and nobody's, up to ten thousand."""
    return int(await tx.fetchval(_COUNT_DUE, now))


async def claim_due(
    tx: Transaction,
    *,
    busy: Sequence[WebhookEndpointId],
    of_one: int,
    room: int,
    worker: str,
    now: datetime,
    lease: timedelta,
) -> list[DueMessage]:
    """Take due messages under a lease, the earliest first and a few of each endpoint."""
    rows = await tx.fetch(_CLAIM, now, list(busy), of_one, room, worker, now + lease)
    return [DueMessage(**row) for row in rows]


async def release(tx: Transaction, now: datetime, worker: str | None = None) -> int:
    """Make messages due again whose lease ran out, or all that a worker holds; return how many."""
    return await tx.execute(_RELEASE, now, worker)


async def record(
    tx: Transaction, message: DueMessage, verdict: Verdict, *, worker: str, began: datetime, now: datetime
) -> datetime | None:
    """Write an attempt's end and return since when the endpoint fails, where it does."""
    since: datetime | None = await tx.fetchval(
        _RECORD,
        message.id,
        worker,
        message.number,
        verdict.state,
        verdict.reason,
        verdict.failures,
        verdict.next_attempt_at,
        began,
        now,
        verdict.outcome,
        verdict.status,
        verdict.detail[:500],
        verdict.good,
    )
    return since


async def disable(
    tx: Transaction, endpoint_id: WebhookEndpointId, *, reason: str, title: str, body: str, now: datetime
) -> int:
    """Switch an endpoint off, once, and put it into the bells of the school's leaders; return how many."""
    return await tx.execute(_DISABLE, endpoint_id, now, reason, title, body)
