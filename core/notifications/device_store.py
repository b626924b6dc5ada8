"""SQL of the devices that get push."""

from collections.abc import Sequence
from datetime import datetime

from core.ids import PushDeviceId, UserId
from core.notifications.devices import MOST_DEVICES, Registration
from core.ports import Row, Transaction

# The same browser or app again is the same device; who registers it last owns it, so that a phone that changes
# hands no longer shows its former owner's messages.
_SAVE = """
INSERT INTO push_devices (school_id, id, user_id, kind, endpoint, p256dh, auth, name, created_at, seen_at)
VALUES (app_school(), $1, $2, $3, $4, $5, $6, $7, $8, $8)
ON CONFLICT (school_id, endpoint) DO UPDATE
SET user_id = excluded.user_id, kind = excluded.kind, p256dh = excluded.p256dh, auth = excluded.auth,
    name = excluded.name, seen_at = excluded.seen_at,
    id = CASE push_devices.user_id WHEN excluded.user_id THEN push_devices.id ELSE excluded.id END,
    created_at = CASE push_devices.user_id WHEN excluded.user_id THEN push_devices.created_at
                 ELSE excluded.created_at END
RETURNING id, kind, name, created_at, seen_at
"""

_TRIM = """
DELETE FROM push_devices WHERE school_id = app_school() AND user_id = $1 AND id IN (
    SELECT id FROM push_devices WHERE school_id = app_school() AND user_id = $1
    ORDER BY seen_at DESC, id DESC OFFSET $2
)
"""

_OWN = """
SELECT id, kind, name, created_at, seen_at FROM push_devices
WHERE school_id = app_school() AND user_id = $1 ORDER BY created_at DESC, id DESC
"""

_DELETE = "DELETE FROM push_devices WHERE school_id = app_school() AND user_id = $1 AND id = $2"

_ADDRESSES = "SELECT school_id, id, kind, endpoint, p256dh, auth FROM push_devices WHERE user_id = $1"

_REMOVE = "DELETE FROM push_devices WHERE user_id = $1 AND id = ANY ($2::uuid[])"


async def save(
    tx: Transaction, device_id: PushDeviceId, user_id: UserId, registration: Registration, now: datetime
) -> Row:
    """Write a device, or renew it, and return it; the longest unseen past the most go."""
    row = await tx.fetchrow(
        _SAVE,
        device_id,
        user_id,
        registration.kind,
        registration.endpoint,
        registration.p256dh,
        registration.auth,
        registration.name,
        now,
    )
    await tx.execute(_TRIM, user_id, MOST_DEVICES)
    return row or {}


async def own(tx: Transaction, user_id: UserId) -> Sequence[Row]:
    """Return a person's devices, newest first."""
    return await tx.fetch(_OWN, user_id)


async def delete(tx: Transaction, user_id: UserId, device_id: PushDeviceId) -> int:
    """Remove one of a person's devices; return how many that were."""
    return await tx.execute(_DELETE, user_id, device_id)


async def addresses(tx: Transaction, user_id: UserId) -> Sequence[Row]:
    """Return where a person's devices are reached; across schools, for the workers."""
    return await tx.fetch(_ADDRESSES, user_id)


async def remove(tx: Transaction, user_id: UserId, gone: Sequence[PushDeviceId]) -> int:
    """Remove devices that push services no longer know; across schools, for the workers."""
    return await tx.execute(_REMOVE, user_id, list(gone))
