"""SQL of the addresses that were refused for good. The database notes them itself; see migration 0008."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from core.ports import Row, Transaction

_LIST = """
SELECT b.id, u.guardian_id, b.recipient_id, u.display_name AS recipient_name, b.channel, b.address, b.reason,
       b.delivery_id, b.since
FROM bad_addresses b JOIN users u ON u.school_id = b.school_id AND u.id = b.recipient_id
WHERE b.school_id = app_school()
  AND ($1::text IS NULL OR b.channel = $1)
  AND ($2::timestamptz IS NULL OR (b.since, b.id) < ($2, $3::uuid))
ORDER BY b.since DESC, b.id DESC LIMIT $4
"""


async def listed(
    tx: Transaction, *, channel: str | None, after: tuple[datetime, UUID] | None, limit: int
) -> Sequence[Row]:
    """Return a school's bad addresses, the newest first, after a place in that order."""
    return await tx.fetch(_LIST, channel, *(after or (None, None)), limit)


async def clear(tx: Transaction, bad_id: UUID) -> bool:
    """Forget one; tell whether it was there."""
    return bool(await tx.execute("DELETE FROM bad_addresses WHERE school_id = app_school() AND id = $1", bad_id))
