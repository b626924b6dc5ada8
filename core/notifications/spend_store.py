"""SQL of what SMS cost: a school's rules, its month's budget in use, and what was spent on what."""

from collections.abc import Sequence
from datetime import date, datetime

from core.errors import NotFound
from core.ids import ClassArmId
from core.notifications.sms.budget import Use
from core.ports import Row, Transaction

# $1 a moment: policies of later on don't count; null for none.
_RULES = """
SELECT s.name, s.time_zone, coalesce((
    SELECT jsonb_object_agg(kind, body) FROM (
        SELECT DISTINCT ON (kind) kind, body FROM policies
        WHERE school_id = s.id AND kind IN ('sms_budget', 'sms_pricing', 'sms_text') AND stage = ''
          AND ($1::timestamptz IS NULL OR created_at < $1)
        ORDER BY kind, version DESC
    ) newest
), '{}') AS bodies
FROM schools s WHERE s.id = app_school()
"""

# One event of a school after the other, until its transaction ends. No row is locked: recording what was sent goes on.
_TAKE_TURN = "SELECT pg_advisory_xact_lock(hashtextextended('sms_budget ' || app_school(), 0))"

# Both figures of one moment: what is sent leaves the one and enters the other in one statement.
_USE = """
SELECT coalesce((SELECT spent_kobo FROM sms_spend WHERE school_id = app_school() AND month = $1), 0) AS spent_kobo,
       coalesce((SELECT sum(reserved_kobo) FROM deliveries
                 WHERE school_id = app_school() AND reserved_kobo IS NOT NULL AND finished_at IS NULL),
                0)::bigint AS reserved_kobo
"""

_MONTH = """
SELECT month, messages, segments, spent_kobo FROM sms_spend WHERE school_id = app_school() AND month = $1
"""

# $1 and $2 the month's bounds, $3 the school's time zone. A student's class is that of the session of the day.
_PARTS = """
WITH sent AS (
    SELECT d.event_type, (d.finished_at AT TIME ZONE $3)::date AS day, d.student_id, d.segments,
           coalesce(d.provider_cost_kobo, d.cost_kobo) AS kobo
    FROM deliveries d
    WHERE d.school_id = app_school() AND d.cost_kobo IS NOT NULL AND d.finished_at >= $1 AND d.finished_at < $2
), placed AS (
    SELECT sent.*, arm.id AS class_arm_id, l.name || ' ' || arm.name AS class_arm_name
    FROM sent
    LEFT JOIN academic_sessions a ON a.school_id = app_school() AND sent.day BETWEEN a.starts_on AND a.ends_on
    LEFT JOIN enrolments e
           ON e.school_id = app_school() AND e.session_id = a.id AND e.student_id = sent.student_id
    LEFT JOIN class_arms arm ON arm.school_id = app_school() AND arm.id = e.class_arm_id
    LEFT JOIN levels l ON l.school_id = app_school() AND l.id = arm.level_id
)
SELECT CASE WHEN grouping(event_type) = 0 THEN 'event_type' WHEN grouping(day) = 0 THEN 'day' ELSE 'class_arm' END
           AS by,
       event_type, day, class_arm_id, class_arm_name,
       count(*) AS messages, sum(segments) AS segments, sum(kobo)::bigint AS kobo
FROM placed
GROUP BY GROUPING SETS ((event_type), (day), (class_arm_id, class_arm_name))
ORDER BY event_type, day, class_arm_name NULLS LAST
"""

# Who would get an SMS now: guardians with a number and consent, of those who are in the school or in one class.
# $1 the class or null, $2 the day.
_AUDIENCE = """
SELECT count(DISTINCT g.id) AS recipients, count(*) AS pairs
FROM academic_sessions a
JOIN enrolments e ON e.school_id = app_school() AND e.session_id = a.id
JOIN students s ON s.school_id = app_school() AND s.id = e.student_id AND (s.left_on IS NULL OR s.left_on > $2)
JOIN guardianships k ON k.school_id = app_school() AND k.student_id = s.id AND k.receives_messages
JOIN guardians g ON g.school_id = app_school() AND g.id = k.guardian_id AND g.phone <> ''
JOIN LATERAL (
    SELECT granted FROM consents
    WHERE school_id = app_school() AND guardian_id = g.id AND channel = 'sms'
    ORDER BY recorded_at DESC, id DESC LIMIT 1
) c ON c.granted
WHERE a.school_id = app_school() AND ($1::uuid IS NULL OR e.class_arm_id = $1)
  AND a.id = (SELECT id FROM academic_sessions WHERE school_id = app_school()
              ORDER BY ($2 BETWEEN starts_on AND ends_on) DESC, starts_on DESC LIMIT 1)
"""

_ARM_EXISTS = "SELECT EXISTS (SELECT FROM class_arms WHERE school_id = app_school() AND id = $1)"


async def rules(tx: Transaction, until: datetime | None = None) -> Row:
    """Return the school's name, time zone and policies about SMS, by kind, now or as of a moment.

    Raises ``NotFound``.
    """
    row = await tx.fetchrow(_RULES, until)
    if row is None:
        raise NotFound("there is no such school")
    return row


async def take_turn(tx: Transaction) -> None:
    """Wait until no other event of the school is being given its share of the budget."""
    await tx.execute(_TAKE_TURN)


async def use(tx: Transaction, month: date) -> Use:
    """Return what of a month's budget is spent, and what is promised to messages on their way."""
    row = await tx.fetchrow(_USE, month)
    return Use(row["spent_kobo"], row["reserved_kobo"]) if row else Use(0, 0)


async def month_total(tx: Transaction, month: date) -> Row | None:
    """Return what a month came to, or None where nothing was sent."""
    return await tx.fetchrow(_MONTH, month)


async def parts(tx: Transaction, starts_at: datetime, ends_at: datetime, zone: str) -> Sequence[Row]:
    """Return what was spent between two moments by event type, by day and by class; ``by`` tells which a row is."""
    return await tx.fetch(_PARTS, starts_at, ends_at, zone)


async def audience(tx: Transaction, class_arm_id: ClassArmId | None, today: date) -> tuple[int, int]:
    """Return how many guardians an SMS would reach now, and how many pairs of guardian and child."""
    row = await tx.fetchrow(_AUDIENCE, class_arm_id, today)
    return (row["recipients"], row["pairs"]) if row else (0, 0)


async def has_arm(tx: Transaction, class_arm_id: ClassArmId) -> bool:
    """Tell whether the school has this class."""
    return bool(await tx.fetchval(_ARM_EXISTS, class_arm_id))
