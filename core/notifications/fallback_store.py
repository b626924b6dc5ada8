"""SQL that finds the next channel for what was lost on its way."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from core.ids import SchoolId
from core.notifications.model import Channel
from core.ports import Transaction

_LOST = """
fell_back_at IS NULL AND channel IN ('sms', 'email') AND (died_at IS NOT NULL OR receipt_state = 'undelivered')
"""

_SCHOOLS = f"SELECT DISTINCT school_id FROM deliveries WHERE {_LOST} LIMIT $1"

# The next channel of the guardian's order, by what holds now: consent and preferences may have changed since. Where
# that is the bell, which has the message already, nothing more is sent. A channel that was tried or ruled out for the
# same event is not tried again, and each loss is looked at once, whatever is found.
# $1 now, $2 how many at most, $3 channels with a provider, $4 reasons after which another channel is worth trying,
# $5 the oldest event that is still news, $6 when each kind of message leaves by each channel, $7 the time zone,
# $8 the rules for SMS of each kind, $9 what one is expected to cost, $10 kinds of messages for which SMS may be paid,
# $11 kinds that are promotional, $12 the lane of each kind.
_FALL_BACK = f"""
WITH lost AS (
    SELECT *, CASE WHEN died_at IS NULL THEN receipt_reason ELSE reason END AS cause FROM deliveries
    WHERE school_id = app_school() AND {_LOST}
    ORDER BY id LIMIT $2
    FOR UPDATE SKIP LOCKED
), options AS (
    SELECT l.id AS lost_id, way.channel, way.rank, reach.address
    FROM lost l
    JOIN users u ON u.school_id = l.school_id AND u.id = l.recipient_id AND u.active
    JOIN guardians g ON g.school_id = l.school_id AND g.id = u.guardian_id
    CROSS JOIN LATERAL (
        SELECT channel, min(rank) AS rank
        FROM unnest(g.channel_order || ARRAY['push']) WITH ORDINALITY AS listed (channel, rank)
        GROUP BY channel
    ) way
    CROSS JOIN LATERAL (
        SELECT nullif(CASE way.channel WHEN 'sms' THEN g.phone WHEN 'email' THEN g.email END, '') AS address
    ) reach
    LEFT JOIN notification_preferences p ON p.school_id = l.school_id AND p.user_id = l.recipient_id
                                        AND p.channel = way.channel AND p.event_type = l.event_type
    LEFT JOIN LATERAL (
        SELECT granted FROM consents
        WHERE school_id = l.school_id AND guardian_id = g.id AND channel = way.channel
        ORDER BY recorded_at DESC, id DESC LIMIT 1
    ) c ON true
    WHERE l.cause = ANY ($4::text[]) AND l.occurred_at >= $5
      AND way.rank > coalesce(array_position(g.channel_order, l.channel), 0)
      AND coalesce(p.enabled, true)
      AND (way.channel = 'push' OR (
          way.channel = ANY ($3::text[]) AND coalesce(c.granted, false) AND reach.address IS NOT NULL
          AND NOT EXISTS (SELECT FROM deliveries d WHERE d.school_id = l.school_id AND d.event_id = l.event_id
                          AND d.recipient_id = l.recipient_id AND d.student_id = l.student_id
                          AND d.channel = way.channel)
          AND NOT EXISTS (SELECT FROM bad_addresses b WHERE b.school_id = l.school_id
                          AND b.recipient_id = l.recipient_id AND b.channel = way.channel
                          AND b.address = reach.address)
          AND (way.channel <> 'sms' OR l.event_type = ANY ($10::text[]))
          AND NOT (way.channel = 'sms' AND l.event_type = ANY ($11::text[]) AND EXISTS (
              SELECT FROM deliveries b WHERE b.school_id = l.school_id AND b.address = reach.address
              AND (b.reason = 'do_not_disturb' OR b.receipt_reason = 'do_not_disturb')))))
), chosen AS (
    SELECT DISTINCT ON (lost_id) lost_id, channel, address FROM options ORDER BY lost_id, rank
), written AS (
    INSERT INTO deliveries (school_id, id, event_id, event_type, recipient_id, student_id, channel, state, reason,
                            address, language, content, traceparent, occurred_at, created_at, next_attempt_at,
                            sms_rules, reserved_kobo, time_zone, quiet_from, quiet_to, fell_back_from, lane)
    SELECT l.school_id, gen_random_uuid(), l.event_id, l.event_type, l.recipient_id, l.student_id, c.channel, 'queued',
           timing ->> 'reason', c.address, l.language, l.content, l.traceparent, l.occurred_at, $1,
           (timing ->> 'at')::timestamptz, CASE c.channel WHEN 'sms' THEN $8::jsonb -> l.event_type END,
           CASE c.channel WHEN 'sms' THEN $9::int END, $7, (timing ->> 'quiet_from')::time,
           (timing ->> 'quiet_to')::time, l.channel || ':' || l.cause, $12::jsonb ->> l.event_type
    FROM chosen c JOIN lost l ON l.id = c.lost_id
    CROSS JOIN LATERAL (SELECT $6::jsonb -> l.event_type -> c.channel AS timing) leaving
    WHERE c.channel <> 'push'
    ON CONFLICT (school_id, event_id, recipient_id, student_id, channel) DO NOTHING
    RETURNING id
), looked_at AS (
    UPDATE deliveries d SET fell_back_at = $1 FROM lost l WHERE d.school_id = l.school_id AND d.id = l.id
)
SELECT (SELECT count(*) FROM lost) AS lost, (SELECT count(*) FROM written) AS fell_back
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """What holds for the channels that remain."""

    channels: frozenset[Channel]
    reasons: Sequence[str]
    timings: Mapping[str, Any]
    """Kind of message -> channel -> when it leaves."""
    zone: str
    sms_rules: Mapping[str, Any]
    """Kind of message -> the rules it carries."""
    sms_cost_kobo: int | None
    sms_types: Sequence[str]
    promotional: Sequence[str]
    lanes: Mapping[str, str]
    """Kind of message -> lane."""


async def schools(tx: Transaction, *, limit: int) -> list[SchoolId]:
    """Return schools with losses that nobody has looked at."""
    return [row["school_id"] for row in await tx.fetch(_SCHOOLS, limit)]


async def fall_back(tx: Transaction, ways: Ways, *, now: datetime, news_for: timedelta, limit: int) -> tuple[int, int]:
    """Give what was lost to the next channel; return how many were looked at, and how many have one."""
    row = await tx.fetchrow(
        _FALL_BACK,
        now,
        limit,
        sorted(ways.channels),
        list(ways.reasons),
        now - news_for,
        dict(ways.timings),
        ways.zone,
        dict(ways.sms_rules),
        ways.sms_cost_kobo,
        list(ways.sms_types),
        list(ways.promotional),
        dict(ways.lanes),
    )
    return (row["lost"], row["fell_back"]) if row else (0, 0)
