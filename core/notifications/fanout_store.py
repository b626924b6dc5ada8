"""SQL that turns an event into deliveries."""

from dataclasses import dataclass
from datetime import datetime

from core.events.envelope import Event
from core.notifications.announcement import Announcement
from core.notifications.fanout_plan import FanOutPlan
from core.ports import Transaction

# Every message of these recipients that may still be joined is joined by one event after the other.
# $1 school, $2 students, $3 event type, $4 topic.
_TAKE_TURNS = """
INSERT INTO digests (school_id, recipient_id, event_type, topic)
SELECT DISTINCT $1::uuid, u.id, $3::text, $4::text
FROM guardianships k JOIN users u ON u.school_id = $1 AND u.guardian_id = k.guardian_id
WHERE k.school_id = $1 AND k.student_id = ANY ($2::uuid[]) AND k.receives_messages
ORDER BY u.id  -- the same for every event, so that none waits for another in a circle
ON CONFLICT (school_id, recipient_id, event_type, topic) DO UPDATE SET topic = excluded.topic WHERE false  -- locks
"""

# $1 school, $2 event, $3 students, $4 their own facts, $5 facts, $6 event type, $7 channels with a provider,
# $8 traceparent, $9 the event's time, $10 now, $11 the school's rules for SMS, $12 what one is expected to cost by
# language, $13 what all of them may cost together or null, $14 whether that holds also where no email is usable,
# $15 whether it waits for others, $16 the topic it may join, $17 and $18 key and facts of what it adds, $19 when it
# leaves by each channel, $20 the school's time zone, $21 whether it is promotional, $22 the school's own words,
# $23 its lane.
#
# The bell always gets the message unless it is switched off. Beside it the first channel of the guardian's order that
# can be used gets it; where that is the bell itself, nothing else is sent. A channel that can't be used is written down
# with its obstacle, so that the trail can say why (P2-18); one that merely comes later in the order is not.
# What goes to the bell goes to the person's devices too, where there are any.
# An SMS past the budget is such an obstacle, so that the next channel is chosen instead.
# What waits joins the recipient's message that waits already: SMS and email one for all children, the bell one a child.
# A child told in the message about a sibling has a row that says so: one row a recipient, child and channel (C-15).
# A message that a worker has claimed meanwhile is no longer joined, and another is begun.
_FAN_OUT = """
WITH audience AS (
    SELECT u.id AS recipient_id, u.active, g.id AS guardian_id, g.language, g.phone, g.email, g.channel_order,
           s.id AS student_id,
           $5::jsonb || told.own || jsonb_build_object('school', school.name, 'student', s.given_names)
               || jsonb_strip_nulls(jsonb_build_object('templates', $22::jsonb -> g.language)) AS content
    FROM unnest($3::uuid[], $4::jsonb[]) AS told (student_id, own)
    JOIN schools school ON school.id = $1
    JOIN students s ON s.school_id = $1 AND s.id = told.student_id
    JOIN guardianships k ON k.school_id = $1 AND k.student_id = s.id AND k.receives_messages
    JOIN guardians g ON g.school_id = $1 AND g.id = k.guardian_id
    JOIN users u ON u.school_id = $1 AND u.guardian_id = g.id
), open AS MATERIALIZED (
    SELECT DISTINCT ON (d.recipient_id, d.channel, apart) d.id, d.recipient_id, d.channel, apart
    FROM digests dg CROSS JOIN LATERAL unnest(dg.deliveries) AS known (id)
    JOIN deliveries d ON d.school_id = $1 AND d.id = known.id AND d.state = 'queued'
    CROSS JOIN LATERAL (SELECT CASE WHEN d.channel IN ('push', 'device') THEN d.student_id END AS apart) told
    WHERE $15::boolean AND dg.school_id = $1 AND dg.event_type = $6 AND dg.topic = $16::text
      AND dg.recipient_id IN (SELECT recipient_id FROM audience)
), options AS (
    SELECT a.*, way.channel, way.rank, reach.address,
           CASE WHEN NOT a.active THEN 'inactive'
                WHEN NOT coalesce(p.enabled, true) THEN 'opted_out'
                WHEN way.channel = 'push' THEN NULL
                WHEN NOT coalesce(c.granted, false) THEN 'no_consent'
                WHEN reach.address IS NULL THEN 'no_address'
                WHEN EXISTS (SELECT FROM bad_addresses b WHERE b.school_id = $1 AND b.recipient_id = a.recipient_id
                             AND b.channel = way.channel AND b.address = reach.address) THEN 'bad_address'
                WHEN way.channel <> ALL ($7::text[]) THEN 'no_provider'
                WHEN $21::boolean AND way.channel = 'sms' AND EXISTS (
                    SELECT FROM deliveries b WHERE b.school_id = $1 AND b.address = a.phone
                    AND (b.reason = 'do_not_disturb' OR b.receipt_reason = 'do_not_disturb')) THEN 'do_not_disturb'
                END AS obstacle,
           CASE WHEN way.channel = 'sms'
                     AND NOT EXISTS (SELECT FROM open o WHERE o.channel = 'sms' AND o.recipient_id = a.recipient_id)
                THEN ($12::jsonb ->> a.language)::int END AS cost_kobo
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
), wished AS (
    SELECT *, min(rank) FILTER (WHERE obstacle IS NULL) OVER pair = rank AS first_choice,
           bool_or(channel = 'email' AND obstacle IS NULL) OVER pair AS mailable
    FROM options WINDOW pair AS (PARTITION BY recipient_id, student_id)
), afforded AS (
    SELECT recipient_id, student_id, channel, rank, address, language, content, cost_kobo,
           CASE WHEN cost_kobo IS NOT NULL AND first_choice AND ($14 OR mailable)
                     AND sum(cost_kobo) FILTER (WHERE first_choice) OVER turn > $13::bigint
                THEN 'over_budget' ELSE obstacle END AS obstacle
    FROM wished WINDOW turn AS (ORDER BY student_id, recipient_id)
), ranked AS (
    SELECT *, min(rank) FILTER (WHERE obstacle IS NULL) OVER (PARTITION BY recipient_id, student_id) AS chosen
    FROM afforded
), ways AS (
    SELECT recipient_id, student_id, channel, obstacle, address, language, content, cost_kobo FROM ranked
    WHERE obstacle IS NOT NULL OR channel = 'push' OR rank = chosen
    UNION ALL
    SELECT recipient_id, student_id, 'device', NULL, recipient_id::text, language, content, NULL FROM ranked r
    WHERE channel = 'push' AND obstacle IS NULL AND 'device' = ANY ($7::text[])
      AND EXISTS (SELECT FROM push_devices v WHERE v.school_id = $1 AND v.user_id = r.recipient_id)
), usable AS (
    SELECT w.*, CASE WHEN w.channel IN ('sms', 'email') AND $15 THEN NULL ELSE w.student_id END AS apart,
           o.id AS joins, w.student_id || ':' || $17::text AS entry_key,
           $18::jsonb || jsonb_build_object('student', w.content -> 'student') AS entry
    FROM ways w LEFT JOIN open o ON o.recipient_id = w.recipient_id AND o.channel = w.channel
                                AND coalesce(o.apart, w.student_id) = w.student_id
    WHERE w.obstacle IS NULL
), joined AS (
    UPDATE deliveries d
    SET content = d.content || jsonb_build_object('results', joined_results(d.content -> 'results', more.results))
    FROM (SELECT joins, jsonb_object_agg(entry_key, entry) AS results FROM usable WHERE joins IS NOT NULL GROUP BY 1)
         AS more
    WHERE d.school_id = $1 AND d.id = more.joins AND d.state = 'queued'
    RETURNING d.id, d.event_id, d.student_id
), fresh AS (
    SELECT *, first_value(student_id) OVER (mates ORDER BY student_id) AS told_with,
           jsonb_object_agg(entry_key, entry) FILTER (WHERE $15) OVER mates AS results
    FROM usable
    WHERE joins IS NULL OR joins NOT IN (SELECT id FROM joined)
    WINDOW mates AS (PARTITION BY recipient_id, channel, apart)
), rows AS (
    SELECT $2::uuid AS event_id, recipient_id, student_id, channel, 'queued' AS state,
           $19::jsonb -> channel ->> 'reason' AS reason, address, language,
           content || jsonb_strip_nulls(jsonb_build_object('results', results)) AS content, cost_kobo,
           ($19::jsonb -> channel ->> 'at')::timestamptz AS leaves_at,
           ($19::jsonb -> channel ->> 'quiet_from')::time AS quiet_from,
           ($19::jsonb -> channel ->> 'quiet_to')::time AS quiet_to
    FROM fresh WHERE student_id = told_with
    UNION ALL
    SELECT $2, recipient_id, student_id, channel, 'skipped', 'with_sibling', address, language, content, NULL, NULL,
           NULL, NULL
    FROM fresh WHERE student_id <> told_with
    UNION ALL
    SELECT j.event_id, u.recipient_id, u.student_id, u.channel, 'skipped', 'with_sibling', u.address, u.language,
           u.content, NULL, NULL, NULL, NULL
    FROM usable u JOIN joined j ON j.id = u.joins WHERE u.student_id <> j.student_id
    UNION ALL
    SELECT $2, recipient_id, student_id, channel, 'skipped', obstacle, address, language, content, NULL, NULL, NULL,
           NULL
    FROM ways WHERE obstacle IS NOT NULL
), written AS (
    INSERT INTO deliveries (school_id, id, event_id, event_type, recipient_id, student_id, channel, state, reason,
                            address, language, content, traceparent, occurred_at, created_at, next_attempt_at,
                            finished_at, sms_rules, reserved_kobo, time_zone, quiet_from, quiet_to, lane)
    SELECT $1, gen_random_uuid(), event_id, $6::text, recipient_id, student_id, channel, state, reason,
           address, language, content, $8, $9, $10, leaves_at, CASE WHEN state = 'skipped' THEN $10::timestamptz END,
           CASE WHEN state = 'queued' AND channel = 'sms' THEN $11::jsonb END, cost_kobo,
           CASE WHEN state = 'queued' THEN $20::text END, quiet_from, quiet_to, $23::text
    FROM rows
    ON CONFLICT (school_id, event_id, recipient_id, student_id, channel) DO NOTHING
    RETURNING id, recipient_id, state
), noted AS (
    UPDATE digests dg
    SET deliveries = begun.ids || ARRAY(SELECT o.id FROM open o WHERE o.recipient_id = dg.recipient_id)
    FROM (SELECT recipient_id, array_agg(id) AS ids FROM written WHERE state = 'queued' GROUP BY 1) AS begun
    WHERE $15 AND dg.school_id = $1 AND dg.recipient_id = begun.recipient_id AND dg.event_type = $6 AND dg.topic = $16
)
SELECT count(*) FILTER (WHERE state = 'queued') AS queued, count(*) FILTER (WHERE state = 'skipped') AS skipped,
       (SELECT count(*) FROM joined) AS joined
FROM written
"""


@dataclass(frozen=True, slots=True)
class FannedOut:
    """What became of an event."""

    queued: int = 0
    skipped: int = 0
    joined: int = 0
    """Messages that waited already and tell of this event too."""


async def fan_out(
    tx: Transaction, event: Event, announcement: Announcement, plan: FanOutPlan, now: datetime
) -> FannedOut:
    """Write the deliveries of an event, or let it join those that wait."""
    students, entry = list(announcement.students), announcement.entry if plan.held else None
    if entry:
        await tx.execute(_TAKE_TURNS, event.school_id, students, event.type, plan.topic)
    row = await tx.fetchrow(
        _FAN_OUT,
        event.school_id,
        event.id,
        students,
        [dict(own) for own in announcement.students.values()],
        dict(announcement.facts),
        event.type,
        sorted(plan.channels),
        event.traceparent,
        event.occurred_at,
        now,
        plan.sms.rules,
        plan.sms.cost_kobo,
        plan.sms.left_kobo,
        plan.sms.hard_stop,
        entry is not None,
        plan.topic,
        entry.key if entry else "",
        {**entry.facts, "event": str(event.id)} if entry else {},
        {channel: timing.as_json() for channel, timing in plan.timings.items()},
        plan.zone,
        plan.promotional,
        plan.words,
        plan.lane,
    )
    return FannedOut(row["queued"], row["skipped"], row["joined"]) if row else FannedOut()
