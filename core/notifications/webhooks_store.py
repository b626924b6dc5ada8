"""SQL of a school's webhook endpoints and their messages, as the school sees them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from core.ids import WebhookEndpointId, WebhookMessageId
from core.notifications.webhooks_model import Endpoint, Message, MessageAttempt
from core.ports import Row, Transaction

_ENDPOINT = """
    id, url, description, event_types, active, generation, previous_until, failing_since, disabled_at, disabled_reason,
    created_by, created_at, version
"""

_LIST = f"""
SELECT {_ENDPOINT} FROM webhook_endpoints
WHERE school_id = app_school() AND ($1::timestamptz IS NULL OR (created_at, id) < ($1, $2::uuid))
ORDER BY created_at DESC, id DESC LIMIT $3
"""

_ONE = f"SELECT {_ENDPOINT} FROM webhook_endpoints WHERE school_id = app_school() AND id = $1"

# One after the other, so that two at once don't pass the limit together.
_ADD = f"""
WITH turn AS (SELECT pg_advisory_xact_lock(hashtextextended('webhook_endpoints ' || app_school(), 0)))
INSERT INTO webhook_endpoints (school_id, id, url, description, event_types, created_by, created_at)
SELECT app_school(), $1, $2, $3, $4, app_actor(), $5 FROM turn
WHERE (SELECT count(*) FROM webhook_endpoints WHERE school_id = app_school()) < $6
RETURNING {_ENDPOINT}
"""

# Switched on again, it begins with a clean slate. $1 id, $2 version, $3 url, $4 description, $5 event types, $6 active.
_CHANGE = f"""
UPDATE webhook_endpoints
SET url = coalesce($3, url), description = coalesce($4, description), event_types = coalesce($5::text[], event_types),
    active = coalesce($6, active), version = version + 1,
    failing_since = CASE WHEN $6 OR $3 <> url THEN NULL ELSE failing_since END,
    disabled_at = CASE WHEN $6 THEN NULL ELSE disabled_at END,
    disabled_reason = CASE WHEN $6 THEN NULL ELSE disabled_reason END
WHERE school_id = app_school() AND id = $1 AND version = $2
RETURNING {_ENDPOINT}
"""

_ROTATE = f"""
UPDATE webhook_endpoints SET generation = generation + 1, previous_until = $2, version = version + 1
WHERE school_id = app_school() AND id = $1
RETURNING {_ENDPOINT}
"""

_END_WAITING = """
UPDATE webhook_messages
SET state = 'dead', reason = $2, next_attempt_at = NULL, finished_at = $3
WHERE school_id = app_school() AND endpoint_id = $1 AND next_attempt_at IS NOT NULL
"""

_TEST = """
INSERT INTO webhook_messages (school_id, id, endpoint_id, source_id, event_type, data, next_attempt_at, occurred_at,
                              created_at)
SELECT app_school(), $2, id, gen_random_uuid(), $3, '{"test": true}', $4, $4, $4 FROM webhook_endpoints
WHERE school_id = app_school() AND id = $1 AND active
"""

_MESSAGE = """
    id, endpoint_id, event_type, data, state, reason, attempts, next_attempt_at, occurred_at, created_at, finished_at
"""

_MESSAGES = f"""
SELECT {_MESSAGE} FROM webhook_messages
WHERE school_id = app_school() AND endpoint_id = $1 AND ($2::text IS NULL OR state = $2)
  AND ($3::timestamptz IS NULL OR (created_at, id) < ($3, $4::uuid))
ORDER BY created_at DESC, id DESC LIMIT $5
"""

_MESSAGE_OF = f"""
SELECT {_MESSAGE} FROM webhook_messages WHERE school_id = app_school() AND endpoint_id = $1 AND id = $2
"""

_ATTEMPTS = """
SELECT number, worker, started_at, finished_at, outcome, status, detail
FROM webhook_attempts WHERE school_id = app_school() AND message_id = $1 ORDER BY number
"""

# What has ended is sent once more under its old id; of an endpoint that is switched off nothing is.
# $1 endpoint, $2 one message or null, $3 or all that died since, $4 now.
_REPLAY = """
UPDATE webhook_messages m
SET state = 'queued', reason = NULL, failures = 0, next_attempt_at = $4, finished_at = NULL
FROM webhook_endpoints e
WHERE m.school_id = app_school() AND m.endpoint_id = $1 AND e.school_id = m.school_id AND e.id = m.endpoint_id
  AND e.active AND (m.id = $2 AND m.state IN ('sent', 'dead')
                    OR $2::uuid IS NULL AND m.state = 'dead' AND m.created_at >= $3)
"""


async def endpoints(tx: Transaction, *, after: tuple[datetime, UUID] | None, limit: int) -> list[Endpoint]:
    """Return a school's endpoints, newest first."""
    return [Endpoint(**row) for row in await tx.fetch(_LIST, *(after or (None, None)), limit)]


async def endpoint(tx: Transaction, endpoint_id: WebhookEndpointId) -> Endpoint | None:
    """Return one endpoint, or None."""
    return _endpoint(await tx.fetchrow(_ONE, endpoint_id))


async def add(
    tx: Transaction,
    endpoint_id: WebhookEndpointId,
    *,
    url: str,
    description: str,
    event_types: Sequence[str],
    now: datetime,
    at_most: int,
) -> Endpoint | None:
    """Add an endpoint; None where the school has as many as it may."""
    return _endpoint(await tx.fetchrow(_ADD, endpoint_id, url, description, list(event_types), now, at_most))


async def change(
    tx: Transaction, endpoint_id: WebhookEndpointId, version: int, changes: Mapping[str, Any]
) -> Endpoint | None:
    """Change an endpoint that is at this version; None where it is not."""
    values = [changes.get(name) for name in ("url", "description", "event_types", "active")]
    return _endpoint(await tx.fetchrow(_CHANGE, endpoint_id, version, *values))


async def remove(tx: Transaction, endpoint_id: WebhookEndpointId) -> bool:
    """Remove an endpoint with its messages; tell whether it was there."""
    removed = await tx.execute("DELETE FROM webhook_endpoints WHERE school_id = app_school() AND id = $1", endpoint_id)
    return bool(removed)


async def rotate(tx: Transaction, endpoint_id: WebhookEndpointId, previous_until: datetime) -> Endpoint | None:
    """Begin the next generation of an endpoint's secret; None where there is no such endpoint."""
    return _endpoint(await tx.fetchrow(_ROTATE, endpoint_id, previous_until))


async def end_waiting(tx: Transaction, endpoint_id: WebhookEndpointId, reason: str, now: datetime) -> int:
    """Give up what waits for an endpoint; return how many."""
    return await tx.execute(_END_WAITING, endpoint_id, reason, now)


async def add_test(
    tx: Transaction, endpoint_id: WebhookEndpointId, message_id: WebhookMessageId, event_type: str, now: datetime
) -> bool:
    """Queue a test message; tell whether the endpoint is switched on."""
    return bool(await tx.execute(_TEST, endpoint_id, message_id, event_type, now))


async def messages(
    tx: Transaction,
    endpoint_id: WebhookEndpointId,
    *,
    state: str | None,
    after: tuple[datetime, UUID] | None,
    limit: int,
) -> list[Message]:
    """Return an endpoint's messages, newest first."""
    rows = await tx.fetch(_MESSAGES, endpoint_id, state, *(after or (None, None)), limit)
    return [Message(**row) for row in rows]


async def message(tx: Transaction, endpoint_id: WebhookEndpointId, message_id: WebhookMessageId) -> Message | None:
    """Return one message of an endpoint, or None."""
    row = await tx.fetchrow(_MESSAGE_OF, endpoint_id, message_id)
    return Message(**row) if row else None


async def attempts(tx: Transaction, message_id: WebhookMessageId) -> list[MessageAttempt]:
    """Return a message's log, in order."""
    return [MessageAttempt(**row) for row in await tx.fetch(_ATTEMPTS, message_id)]


async def replay(
    tx: Transaction,
    endpoint_id: WebhookEndpointId,
    *,
    message_id: WebhookMessageId | None = None,
    since: datetime | None = None,
    now: datetime,
) -> int:
    """Queue one ended message again, or all that died since a moment; return how many."""
    return await tx.execute(_REPLAY, endpoint_id, message_id, since, now)


def _endpoint(row: Row | None) -> Endpoint | None:
    return Endpoint(**row) if row else None
