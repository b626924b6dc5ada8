"""SQL of the trail: what became of a school's messages, attempt by attempt."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from core.ids import DeliveryId, EventId, GuardianId, StudentId
from core.ports import Row, Transaction

_COLUMNS = """
    d.id, d.event_id, d.event_type, d.recipient_id, u.display_name AS recipient_name, d.student_id, d.channel, d.state,
    d.reason, d.address, d.language, d.attempts, d.next_attempt_at, d.provider, d.provider_message_id, d.traceparent,
    d.occurred_at, d.created_at, d.finished_at, d.delivered_at, d.receipt_state, d.receipt_reason, d.resends,
    d.discarded_at, d.time_zone, d.fell_back_from,
    coalesce((d.sms_rules ->> 'promotional')::boolean, false) AS promotional
"""
_FROM = "FROM deliveries d JOIN users u ON u.school_id = d.school_id AND u.id = d.recipient_id"

_LIST = f"""
SELECT {_COLUMNS}
{_FROM}
WHERE d.school_id = app_school()
  AND ($1::uuid IS NULL OR d.student_id = $1)
  AND ($2::uuid IS NULL OR d.event_id = $2)
  AND ($3::text IS NULL OR d.state = $3)
  AND ($4::text IS NULL OR d.channel = $4)
  AND ($5::text IS NULL OR d.reason = $5)
  AND ($6::timestamptz IS NULL OR (d.created_at, d.id) < ($6, $7::uuid))
ORDER BY d.created_at DESC, d.id DESC LIMIT $8
"""

_DEAD = f"""
SELECT {_COLUMNS}
{_FROM}
WHERE d.school_id = app_school() AND d.died_at IS NOT NULL AND d.discarded_at IS NULL
  AND ($1::text IS NULL OR d.channel = $1)
  AND ($2::text IS NULL OR d.reason = $2)
  AND ($3::uuid IS NULL OR d.event_id = $3)
  AND ($4::timestamptz IS NULL OR (d.died_at, d.id) < ($4, $5::uuid))
ORDER BY d.died_at DESC, d.id DESC LIMIT $6
"""

_ONE = f"""
SELECT {_COLUMNS}
{_FROM}
WHERE d.school_id = app_school() AND d.id = $1
"""

# A message is what one person was to be told of one student by one event; its deliveries are the channels. An event
# that joined a message which waited already has none of its own: it is named among that one's results.
_MESSAGES = """
SELECT d.event_id, d.event_type, d.recipient_id, u.display_name AS recipient_name, d.student_id,
       s.family_name, s.given_names, max(d.occurred_at) AS occurred_at
FROM deliveries d
JOIN users u ON u.school_id = d.school_id AND u.id = d.recipient_id
JOIN students s ON s.school_id = d.school_id AND s.id = d.student_id
WHERE d.school_id = app_school()
  AND ($1::uuid IS NULL OR d.student_id = $1)
  AND ($2::uuid IS NULL OR d.recipient_id = (SELECT id FROM users WHERE school_id = app_school() AND guardian_id = $2))
  AND ($3::uuid IS NULL OR d.id IN (
      SELECT id FROM deliveries WHERE school_id = app_school() AND event_id = $3
      UNION ALL
      SELECT j.id FROM outbox o
      JOIN deliveries j ON j.school_id = o.school_id AND j.event_type = o.type
           AND j.created_at BETWEEN o.occurred_at - interval '3 days' AND o.occurred_at + interval '1 hour'
      WHERE o.school_id = app_school() AND o.id = $3 AND jsonb_path_exists(
          j.content, '$.results.*.event ? (@ == $event)', jsonb_build_object('event', $3::text))))
  AND ($4::timestamptz IS NULL
       OR (d.occurred_at, d.event_id, d.recipient_id, d.student_id) < ($4, $5::uuid, $6::uuid, $7::uuid))
GROUP BY d.event_id, d.event_type, d.recipient_id, u.display_name, d.student_id, s.family_name, s.given_names
ORDER BY occurred_at DESC, d.event_id DESC, d.recipient_id DESC, d.student_id DESC LIMIT $8
"""

_OF_MESSAGES = f"""
SELECT {_COLUMNS}
FROM unnest($1::uuid[], $2::uuid[], $3::uuid[]) AS message (event_id, recipient_id, student_id)
JOIN deliveries d USING (event_id, recipient_id, student_id)
JOIN users u ON u.school_id = d.school_id AND u.id = d.recipient_id
WHERE d.school_id = app_school()
ORDER BY d.created_at, d.id
"""

_ATTEMPTS = """
SELECT delivery_id, number, worker, started_at, finished_at, outcome, provider, provider_message_id, detail
FROM delivery_attempts WHERE school_id = app_school() AND delivery_id = ANY ($1) ORDER BY number
"""

_REPORTS = """
SELECT delivery_id, provider, provider_message_id, state, reason, detail, occurred_at, received_at
FROM delivery_reports WHERE school_id = app_school() AND delivery_id = ANY ($1) ORDER BY received_at, state
"""

_ACTIONS = """
SELECT a.delivery_id, a.action, a.after, a.was_state, a.was_reason, a.actor_id, u.display_name AS actor_name, a.at
FROM delivery_actions a LEFT JOIN users u ON u.school_id = a.school_id AND u.id = a.actor_id
WHERE a.school_id = app_school() AND a.delivery_id = ANY ($1) ORDER BY a.id
"""

# Why there is no row at all. $1 event, $2 student or null, $3 guardian or null.
_FACTS = """
SELECT o.id IS NOT NULL AS known, o.handled_at IS NOT NULL AS handled,
       CASE WHEN $2::uuid IS NOT NULL THEN $2::uuid = ANY (named.students) END AS student_named,
       CASE WHEN $3::uuid IS NOT NULL THEN count(k.*) > 0 END AS linked,
       CASE WHEN $3::uuid IS NOT NULL THEN coalesce(bool_or(k.receives_messages), false) END AS receives,
       CASE WHEN $3::uuid IS NOT NULL
            THEN EXISTS (SELECT FROM users WHERE school_id = app_school() AND guardian_id = $3) END AS has_account
FROM (SELECT $1::uuid AS id) asked
LEFT JOIN outbox o ON o.school_id = app_school() AND o.id = asked.id
CROSS JOIN LATERAL (
    SELECT coalesce(array_agg(value::uuid), '{}') AS students
    FROM jsonb_array_elements_text(coalesce(o.payload -> 'studentIds', '[]')
        || coalesce(o.payload -> 'absentStudentIds', '[]') || coalesce(o.payload -> 'lateStudentIds', '[]'))
) named
LEFT JOIN guardianships k ON k.school_id = app_school() AND k.guardian_id = $3 AND k.student_id = ANY (named.students)
     AND ($2::uuid IS NULL OR k.student_id = $2)
GROUP BY o.id, o.handled_at, named.students
"""


async def deliveries(
    tx: Transaction,
    *,
    student_id: StudentId | None,
    event_id: EventId | None,
    state: str | None,
    channel: str | None,
    reason: str | None,
    after: tuple[datetime, UUID] | None,
    limit: int,
) -> Sequence[Row]:
    """Return a school's deliveries that fit, newest first, after a place in that order."""
    return await tx.fetch(_LIST, student_id, event_id, state, channel, reason, *(after or (None, None)), limit)


async def dead(
    tx: Transaction,
    *,
    channel: str | None,
    reason: str | None,
    event_id: EventId | None,
    after: tuple[datetime, UUID] | None,
    limit: int,
) -> Sequence[Row]:
    """Return a school's dead deliveries that nobody set aside, the last that died first."""
    return await tx.fetch(_DEAD, channel, reason, event_id, *(after or (None, None)), limit)


async def delivery(tx: Transaction, delivery_id: DeliveryId) -> Row | None:
    """Return one delivery, or None."""
    return await tx.fetchrow(_ONE, delivery_id)


async def messages(
    tx: Transaction,
    *,
    student_id: StudentId | None,
    guardian_id: GuardianId | None,
    event_id: EventId | None,
    after: tuple[datetime, UUID, UUID, UUID] | None,
    limit: int,
) -> Sequence[Row]:
    """Return the messages that fit, newest event first, after a place in that order."""
    return await tx.fetch(_MESSAGES, student_id, guardian_id, event_id, *(after or (None,) * 4), limit)


async def deliveries_of(tx: Transaction, messages: Sequence[Row]) -> Sequence[Row]:
    """Return every delivery of messages."""
    keys = [[row[name] for row in messages] for name in ("event_id", "recipient_id", "student_id")]
    return await tx.fetch(_OF_MESSAGES, *keys)


async def logs(tx: Transaction, ids: Sequence[DeliveryId]) -> tuple[Sequence[Row], Sequence[Row], Sequence[Row]]:
    """Return the attempts, the providers' reports and people's actions of deliveries, each in order."""
    wanted = list(ids)
    return await tx.fetch(_ATTEMPTS, wanted), await tx.fetch(_REPORTS, wanted), await tx.fetch(_ACTIONS, wanted)


async def facts(
    tx: Transaction, event_id: EventId, student_id: StudentId | None, guardian_id: GuardianId | None
) -> Mapping[str, Any] | None:
    """Return what is known of event, student and guardian where there is no message."""
    return await tx.fetchrow(_FACTS, event_id, student_id, guardian_id)
