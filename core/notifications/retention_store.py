"""SQL that strips and deletes old messages, batch by batch in the order they were made."""

from datetime import UTC, datetime
from uuid import UUID

from core.ids import SchoolId
from core.ports import Row, Transaction

BEGINNING = (datetime(1970, 1, 1, tzinfo=UTC), UUID(int=0))
_BATCH = 2_000

_SCHOOLS = "SELECT id FROM schools ORDER BY id"

# What is still to be sent is never touched, however old.
_BATCH_OF_OLD = """
WITH old AS (
    SELECT id, created_at, finished_at IS NOT NULL AS ended, stripped_at FROM deliveries
    WHERE school_id = app_school() AND created_at < $1 AND (created_at, id) > ($2, $3)
    ORDER BY created_at, id LIMIT $4
)"""

_STRIP = f"""
{_BATCH_OF_OLD}, stripped AS (
    UPDATE deliveries SET address = NULL, content = '{{}}', stripped_at = $5
    WHERE school_id = app_school() AND id IN (SELECT id FROM old WHERE ended AND stripped_at IS NULL)
    RETURNING id
), logs AS (
    UPDATE delivery_attempts SET detail = ''
    WHERE school_id = app_school() AND delivery_id IN (SELECT id FROM stripped) AND detail <> ''
), bells AS (
    DELETE FROM notifications WHERE school_id = app_school() AND delivery_id IN (SELECT id FROM stripped)
)
SELECT (SELECT count(*) FROM stripped) AS done, created_at, id FROM old ORDER BY created_at DESC, id DESC LIMIT 1
"""

# The log of attempts goes with its delivery.
_DELETE = f"""
{_BATCH_OF_OLD}, bells AS (
    DELETE FROM notifications WHERE school_id = app_school() AND delivery_id IN (SELECT id FROM old WHERE ended)
), deleted AS (
    DELETE FROM deliveries WHERE school_id = app_school() AND id IN (SELECT id FROM old WHERE ended) RETURNING id
)
SELECT (SELECT count(*) FROM deleted) AS done, created_at, id FROM old ORDER BY created_at DESC, id DESC LIMIT 1
"""


# The log of attempts goes with its message. What is still on its way is never touched.
_WEBHOOKS = f"""
DELETE FROM webhook_messages WHERE school_id = app_school() AND id IN (
    SELECT id FROM webhook_messages WHERE school_id = app_school() AND finished_at < $1 LIMIT {_BATCH})
"""
_ABSENCE_REASONS = f"""
DELETE FROM absence_reasons WHERE school_id = app_school() AND id IN (
    SELECT id FROM absence_reasons WHERE school_id = app_school() AND given_at < $1 LIMIT {_BATCH})
"""
_EVENTS = f"""
DELETE FROM outbox WHERE school_id = app_school() AND id IN (
    SELECT id FROM outbox WHERE school_id = app_school() AND handled_at < $1 LIMIT {_BATCH})
"""


async def schools(tx: Transaction) -> list[SchoolId]:
    """Return every school."""
    return [SchoolId(row["id"]) for row in await tx.fetch(_SCHOOLS)]


async def strip(
    tx: Transaction, after: tuple[datetime, UUID], before: datetime, now: datetime
) -> tuple[int, tuple[datetime, UUID] | None]:
    """Remove address, words and bell entry of a batch; return how many, and where it ended or None at the end."""
    return _reached(await tx.fetchrow(_STRIP, before, *after, _BATCH, now))


async def delete(
    tx: Transaction, after: tuple[datetime, UUID], before: datetime
) -> tuple[int, tuple[datetime, UUID] | None]:
    """Delete a batch with its log; return how many, and where it ended or None at the end."""
    return _reached(await tx.fetchrow(_DELETE, before, *after, _BATCH))


def _reached(row: Row | None) -> tuple[int, tuple[datetime, UUID] | None]:
    return (row["done"], (row["created_at"], row["id"])) if row else (0, None)


async def delete_webhooks(tx: Transaction, before: datetime) -> bool:
    """Delete a batch of webhook messages that ended before a moment; tell whether there may be more."""
    return await tx.execute(_WEBHOOKS, before) == _BATCH


async def delete_absence_reasons(tx: Transaction, before: datetime) -> bool:
    """Delete a batch of reasons that were given before a moment; tell whether there may be more."""
    return await tx.execute(_ABSENCE_REASONS, before) == _BATCH


async def delete_events(tx: Transaction, before: datetime) -> bool:
    """Delete a batch of events that were handled before a moment; tell whether there may be more."""
    return await tx.execute(_EVENTS, before) == _BATCH
