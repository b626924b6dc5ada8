"""SQL that turns an event into deliveries."""

from datetime import datetime

from core.events.envelope import Event
from core.notifications.announcement import Announcement
from core.notifications.model import Channel
from core.ports import Transaction

# $1 school, $2 event, $3 students, $4 their own words, $5 facts, $6 event type, $7 channels with a provider,
# $8 traceparent, $9 the event's time, $10 now.
#
# The bell always gets the message unless it is switched off. Beside it the first channel of the guardian's order that
# can be used gets it; where that is the bell itself, nothing else is sent. A channel that can't be used is written down
# with its obstacle, so that the trail can say why (P2-18); one that merely comes later in the order is not.
# What goes to the bell goes to the person's devices too, where there are any.
_FAN_OUT = """
WITH audience AS (
    SELECT u.id AS recipient_id, u.active, g.id AS guardian_id, g.language, g.phone, g.email, g.channel_order,
           s.id AS student_id,
           $5::jsonb || jsonb_build_object('school', school.name, 'student', s.given_names)
                     || jsonb_strip_nulls(jsonb_build_object('status', told.status)) AS content
    FROM unnest($3::uuid[], $4::text[]) AS told (student_id, status)
    JOIN schools school ON school.id = $1
    JOIN students s ON s.school_id = $1 AND s.id = told.student_id
    JOIN guardianships k ON k.school_id = $1 AND k.student_id = s.id AND k.receives_messages
    JOIN guardians g ON g.school_id = $1 AND g.id = k.guardian_id
    JOIN users u ON u.school_id = $1 AND u.guardian_id = g.id
), options AS (
    SELECT a.*, way.channel, way.rank, reach.address,
           CASE WHEN NOT a.active THEN 'inactive'
                WHEN NOT coalesce(p.enabled, true) THEN 'opted_out'
                WHEN way.channel = 'push' THEN NULL
                WHEN NOT coalesce(c.granted, false) THEN 'no_consent'
                WHEN reach.address IS NULL THEN 'no_address'
                WHEN way.channel <> ALL ($7::text[]) THEN 'no_provider' END AS obstacle
    FROM audience a
    CROSS JOIN LATERAL (
        SELECT channel, min(rank) AS rank
        FROM unnest(a.channel_order || ARRAY['push']) WITH ORDINALITY AS listed (channel, rank)
        GROUP BY channel
    ) way
    CROSS JOIN LATERAL (
        SELECT nullif(CASE way.channel WHEN 'sms' THEN a.phone WHEN 'email' THEN a.email END, '') AS address
    ) reach
    LEFT JOIN notification_preferences p
           ON p.school_id = $1 AND p.user_id = a.recipient_id AND p.channel = way.channel AND p.event_type = $6
    LEFT JOIN LATERAL (
        SELECT granted FROM consents
        WHERE school_id = $1 AND guardian_id = a.guardian_id AND channel = way.channel
        ORDER BY recorded_at DESC, id DESC LIMIT 1
    ) c ON true
), ranked AS (
    SELECT *, min(rank) FILTER (WHERE obstacle IS NULL) OVER (PARTITION BY recipient_id, student_id) AS chosen
    FROM options
), ways AS (
    SELECT recipient_id, student_id, channel, obstacle, address, language, content FROM ranked
    WHERE obstacle IS NOT NULL OR channel = 'push' OR rank = chosen
    UNION ALL
    SELECT recipient_id, student_id, 'device', NULL, recipient_id::text, language, content FROM ranked r
    WHERE channel = 'push' AND obstacle IS NULL AND 'device' = ANY ($7::text[])
      AND EXISTS (SELECT FROM push_devices v WHERE v.school_id = $1 AND v.user_id = r.recipient_id)
), written AS (
    INSERT INTO deliveries (school_id, id, event_id, event_type, recipient_id, student_id, channel, state, reason,
                            address, language, content, traceparent, occurred_at, created_at, next_attempt_at,
                            finished_at)
    SELECT $1, gen_random_uuid(), $2, $6::text, recipient_id, student_id, channel,
           CASE WHEN obstacle IS NULL THEN 'queued' ELSE 'skipped' END, obstacle,
           address, language, content, $8, $9, $10, CASE WHEN obstacle IS NULL THEN $10::timestamptz END,
           CASE WHEN obstacle IS NOT NULL THEN $10::timestamptz END
    FROM ways
    ON CONFLICT (school_id, event_id, recipient_id, student_id, channel) DO NOTHING
    RETURNING state
)
SELECT count(*) FILTER (WHERE state = 'queued') AS queued, count(*) FILTER (WHERE state = 'skipped') AS skipped
FROM written
"""


async def fan_out(
    tx: Transaction, event: Event, announcement: Announcement, channels: frozenset[Channel], now: datetime
) -> tuple[int, int]:
    """Write the deliveries of an event; return how many are queued and how many are skipped."""
    row = await tx.fetchrow(
        _FAN_OUT,
        event.school_id,
        event.id,
        list(announcement.students),
        list(announcement.students.values()),
        dict(announcement.facts),
        event.type,
        sorted(channels),
        event.traceparent,
        event.occurred_at,
        now,
    )
    return (row["queued"], row["skipped"]) if row else (0, 0)
