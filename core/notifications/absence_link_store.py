"""SQL of the reasons that guardians give for absences."""

from datetime import datetime

from core.ids import DeliveryId, RegisterId, SchoolId, StudentId, UserId
from core.ports import Row, Transaction

_SCHOOL = "SELECT school_id FROM deliveries WHERE id = $1 AND event_type = 'attendance.marked'"
_LANGUAGE = "SELECT language FROM deliveries WHERE id = $1 AND event_type = 'attendance.marked'"

# What the message was about: the outbox knows of which class and day it told.
_ABSENCE = """
SELECT r.id AS register_id, r.day, d.student_id, d.recipient_id, d.language, s.given_names, entry.status,
       EXISTS (SELECT FROM users u JOIN guardianships k ON (k.school_id, k.guardian_id) = (u.school_id, u.guardian_id)
               WHERE u.school_id = d.school_id AND u.id = d.recipient_id AND u.active
                 AND k.student_id = d.student_id) AS is_ward,
       given.reason, given.note, coalesce(given.times, 0) AS times
FROM deliveries d
JOIN outbox o ON o.school_id = d.school_id AND o.id = d.event_id
JOIN attendance_registers r ON r.school_id = d.school_id
     AND r.class_arm_id = (o.payload ->> 'classArmId')::uuid AND r.day = (o.payload ->> 'date')::date
JOIN students s ON s.school_id = d.school_id AND s.id = d.student_id
LEFT JOIN attendance entry
       ON (entry.school_id, entry.register_id, entry.student_id) = (d.school_id, r.id, d.student_id)
LEFT JOIN LATERAL (
    SELECT a.reason, a.note, count(*) OVER () AS times FROM absence_reasons a
    WHERE (a.school_id, a.register_id, a.student_id, a.recipient_id) = (d.school_id, r.id, d.student_id, d.recipient_id)
    ORDER BY a.id DESC LIMIT 1
) given ON true
WHERE d.school_id = app_school() AND d.id = $1 AND d.event_type = 'attendance.marked'
"""

_GIVE = """
INSERT INTO absence_reasons (school_id, register_id, student_id, recipient_id, delivery_id, reason, note, given_at)
VALUES (app_school(), $1, $2, $3, $4, $5, $6, $7)
"""


async def school_of(tx: Transaction, delivery_id: DeliveryId) -> SchoolId | None:
    """Return the school of a message about an absence, or None; over all schools."""
    found = await tx.fetchval(_SCHOOL, delivery_id)
    return SchoolId(found) if found else None


async def language_of(tx: Transaction, delivery_id: DeliveryId) -> str | None:
    """Return the language a message about an absence was written in, or None; over all schools."""
    found: str | None = await tx.fetchval(_LANGUAGE, delivery_id)
    return found


async def absence(tx: Transaction, delivery_id: DeliveryId) -> Row | None:
    """Return the absence a message told of and the reason given last, or None."""
    return await tx.fetchrow(_ABSENCE, delivery_id)


async def give(
    tx: Transaction,
    *,
    register_id: RegisterId,
    student_id: StudentId,
    recipient_id: UserId,
    delivery_id: DeliveryId,
    reason: str,
    note: str,
    now: datetime,
) -> None:
    """Write down what a guardian says; it counts instead of what was said before."""
    await tx.execute(_GIVE, register_id, student_id, recipient_id, delivery_id, reason, note, now)
