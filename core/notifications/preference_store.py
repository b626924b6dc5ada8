"""SQL of preferences: which kinds of messages a person wants by which channel."""

from collections.abc import Sequence
from datetime import datetime

from core.ids import UserId
from core.ports import Row, Transaction

_OF = """
SELECT channel, event_type, enabled FROM notification_preferences WHERE school_id = app_school() AND user_id = $1
"""

_SAVE = """
INSERT INTO notification_preferences (id, school_id, user_id, channel, event_type, enabled, created_at, updated_at)
SELECT gen_random_uuid(), app_school(), $1, channel, event_type, enabled, $5, $5
FROM unnest($2::text[], $3::text[], $4::boolean[]) AS wanted (channel, event_type, enabled)
ON CONFLICT (user_id, channel, event_type)
DO UPDATE SET enabled = excluded.enabled, updated_at = excluded.updated_at
WHERE notification_preferences.enabled <> excluded.enabled
"""


async def of(tx: Transaction, user_id: UserId) -> Sequence[Row]:
    """Return what a person has said; what is not said is on."""
    return await tx.fetch(_OF, user_id)


async def save(
    tx: Transaction,
    user_id: UserId,
    *,
    channels: Sequence[str],
    event_types: Sequence[str],
    enabled: Sequence[bool],
    now: datetime,
) -> int:
    """Write what a person says; return how many changed."""
    return await tx.execute(_SAVE, user_id, list(channels), list(event_types), list(enabled), now)
