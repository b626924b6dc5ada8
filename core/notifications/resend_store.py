"""SQL of sending a message again, and of setting a dead one aside: each a whole set in one statement."""

from collections.abc import Sequence
from datetime import datetime

from core.ids import DeliveryId, EventId
from core.ports import Row, Transaction

# The address and what stands in the way are those of now: a number that was corrected gets it, an opt-out since holds.
# A message that waits for the night's end says so. Its log goes on; what follows is the new series of attempts.
# $1 now, $2 how often at most, $3.. which.
_RESEND = """
WITH asked AS (
    SELECT d.* FROM deliveries d
    WHERE d.school_id = app_school() AND {which}
    FOR UPDATE
), checked AS (
    SELECT d.id, d.state, d.reason, d.attempts, reach.address,
           CASE WHEN d.state = 'skipped' THEN 'was_skipped'
                WHEN d.state NOT IN ('sent', 'dead') THEN 'under_way'
                WHEN d.channel = 'push' AND d.state = 'sent' THEN 'in_the_bell'
                WHEN d.stripped_at IS NOT NULL THEN 'too_old'
                WHEN d.resends >= $2 THEN 'too_often'
                WHEN NOT u.active THEN 'inactive'
                WHEN NOT EXISTS (SELECT FROM guardianships k WHERE k.school_id = d.school_id AND k.receives_messages
                                 AND k.guardian_id = u.guardian_id AND k.student_id = d.student_id) THEN 'not_linked'
                WHEN NOT coalesce(p.enabled, true) THEN 'opted_out'
                WHEN d.channel = 'push' THEN NULL
                WHEN d.channel = 'device' THEN NULL
                WHEN NOT coalesce(c.granted, false) THEN 'no_consent'
                WHEN reach.address IS NULL THEN 'no_address'
                WHEN EXISTS (SELECT FROM bad_addresses b WHERE b.school_id = d.school_id
                             AND b.recipient_id = d.recipient_id AND b.channel = d.channel
                             AND b.address = reach.address) THEN 'bad_address' END AS obstacle
    FROM asked d
    JOIN users u ON u.school_id = d.school_id AND u.id = d.recipient_id
    LEFT JOIN guardians g ON g.school_id = d.school_id AND g.id = u.guardian_id
    CROSS JOIN LATERAL (
        SELECT nullif(CASE d.channel WHEN 'sms' THEN g.phone WHEN 'email' THEN g.email ELSE d.address END, '')
    ) reach (address)
    LEFT JOIN notification_preferences p
           ON p.school_id = d.school_id AND p.user_id = d.recipient_id AND p.event_type = d.event_type
              AND p.channel = CASE d.channel WHEN 'device' THEN 'push' ELSE d.channel END
    LEFT JOIN LATERAL (
        SELECT granted FROM consents k
        WHERE k.school_id = d.school_id AND k.guardian_id = u.guardian_id AND k.channel = d.channel
        ORDER BY recorded_at DESC, id DESC LIMIT 1
    ) c ON true
), again AS (
    UPDATE deliveries d
    SET state = 'queued', address = checked.address, failures = 0, resends = d.resends + 1,
        next_attempt_at = coalesce(night.ends_at, $1),
        reason = CASE WHEN night.ends_at IS NOT NULL THEN 'quiet_hours' END,
        provider_message_id = NULL, receipt_state = NULL, receipt_reason = NULL, delivered_at = NULL,
        finished_at = NULL, died_at = NULL, discarded_at = NULL
    FROM checked
    JOIN asked ON asked.id = checked.id
    CROSS JOIN LATERAL (
        SELECT quiet_until($1, asked.quiet_from, asked.quiet_to, asked.time_zone) AS ends_at
    ) night
    WHERE d.school_id = app_school() AND d.id = checked.id AND checked.obstacle IS NULL
), logged AS (
    INSERT INTO delivery_actions (school_id, delivery_id, action, after, was_state, was_reason, actor_id, at)
    SELECT app_school(), id, 'resent', attempts, state, reason, app_actor(), $1 FROM checked WHERE obstacle IS NULL
)
SELECT id, obstacle FROM checked ORDER BY id
"""

_THESE = _RESEND.format(which="d.id = ANY ($3::uuid[])")
_FITTING = _RESEND.format(
    which="""d.id IN (
        SELECT id FROM deliveries
        WHERE school_id = app_school() AND state = $3 AND discarded_at IS NULL AND resends < $2
          AND ($4::uuid IS NULL OR event_id = $4)
          AND ($5::text IS NULL OR channel = $5)
          AND ($6::text IS NULL OR reason = $6)
        ORDER BY created_at, id LIMIT $7)"""
)

_DISCARD = """
WITH aside AS (
    UPDATE deliveries SET discarded_at = $2
    WHERE school_id = app_school() AND id = $1 AND died_at IS NOT NULL AND discarded_at IS NULL
    RETURNING id, state, reason, attempts
)
INSERT INTO delivery_actions (school_id, delivery_id, action, after, was_state, was_reason, actor_id, at)
SELECT app_school(), id, 'discarded', attempts, state, reason, app_actor(), $2 FROM aside
"""


async def resend(tx: Transaction, ids: Sequence[DeliveryId], *, at_most: int, now: datetime) -> Sequence[Row]:
    """Queue these deliveries again; return each that is the school's with its obstacle, or None where it is queued."""
    return await tx.fetch(_THESE, now, at_most, list(ids))


async def resend_fitting(
    tx: Transaction,
    *,
    state: str,
    event_id: EventId | None,
    channel: str | None,
    reason: str | None,
    at_most: int,
    now: datetime,
    limit: int,
) -> Sequence[Row]:
    """Queue the deliveries that fit again, the oldest first; return them as ``resend`` does."""
    return await tx.fetch(_FITTING, now, at_most, state, event_id, channel, reason, limit)


async def discard(tx: Transaction, delivery_id: DeliveryId, *, now: datetime) -> bool:
    """Set a dead delivery aside; tell whether it was there to be."""
    return bool(await tx.execute(_DISCARD, delivery_id, now))
