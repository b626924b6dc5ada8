"""SQL of the bell: one person's in-app notifications."""

from collections.abc import Sequence
from datetime import datetime

from core.ids import NotificationId, UserId
from core.ports import Row, Transaction

_COLUMNS = "id, event_type, student_id, title, body, created_at, read_at"

_PAGE = f"""
SELECT {_COLUMNS} FROM notifications
WHERE school_id = app_school() AND user_id = $1
ORDER BY created_at DESC, id DESC LIMIT $2 OFFSET $3
"""

_COUNTS = """
SELECT count(*) AS total, count(*) FILTER (WHERE read_at IS NULL) AS unread
FROM notifications WHERE school_id = app_school() AND user_id = $1
"""

_UNREAD = """
SELECT count(*) FROM notifications WHERE school_id = app_school() AND user_id = $1 AND read_at IS NULL
"""

_READ = f"""
UPDATE notifications SET read_at = coalesce(read_at, $3)
WHERE school_id = app_school() AND user_id = $1 AND id = $2
RETURNING {_COLUMNS}
"""

_READ_ALL = """
UPDATE notifications SET read_at = $2 WHERE school_id = app_school() AND user_id = $1 AND read_at IS NULL
"""


async def newest(tx: Transaction, user_id: UserId, *, limit: int, offset: int = 0) -> Sequence[Row]:
    """Return a person's notifications, newest first."""
    return await tx.fetch(_PAGE, user_id, limit, offset)


async def counts(tx: Transaction, user_id: UserId) -> tuple[int, int]:
    """Return how many notifications a person has, and how many of them are unread."""
    row = await tx.fetchrow(_COUNTS, user_id)
    return (row["total"], row["unread"]) if row else (0, 0)


async def unread(tx: Transaction, user_id: UserId) -> int:
    """Return how many notifications a person has not read."""
    return int(await tx.fetchval(_UNREAD, user_id))


async def mark_read(tx: Transaction, user_id: UserId, notification_id: NotificationId, now: datetime) -> Row | None:
    """Mark a person's notification as read, once, and return it; None where it is not the person's."""
    return await tx.fetchrow(_READ, user_id, notification_id, now)


async def mark_all_read(tx: Transaction, user_id: UserId, now: datetime) -> int:
    """Mark everything as read; return how many were not."""
    return await tx.execute(_READ_ALL, user_id, now)
