"""SQL of the delivery state machine: every statement moves a whole batch, across schools."""

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID

from core.ids import DeliveryId
from core.notifications.lane import SHARES
from core.notifications.lifecycle import MAX_ATTEMPTS, uses_a_retry
from core.notifications.model import Attempt, Channel, Delivery, Lane
from core.ports import Row, Transaction

# Each lane of each channel takes as many as it has room for, so that a slow one can't fill the batch; what one leaves
# the others take, up to the channel's own room, and where that is short they share it. What would leave in its
# school's night, a late retry or the end of a long queue, is put off until the morning instead.
# What is claimed as being sent is on its way as soon as this is committed, and not before.
# $1 channels, $2 lanes, $3 their room, $4 their shares, $5 the channel's room, $6 whether it sends at once,
# $7 now, $8 worker, $9 end of the lease.
_CLAIM_DUE = """
WITH due AS (
    SELECT d.school_id, d.id, want.channel, want.direct, want.all_room,
           quiet_until($7, d.quiet_from, d.quiet_to, d.time_zone) AS morning,
           row_number() OVER (PARTITION BY want.channel, want.lane ORDER BY d.next_attempt_at) / want.share AS pass
    FROM unnest($1::text[], $2::text[], $3::int[], $4::float[], $5::int[], $6::boolean[])
         AS want (channel, lane, room, share, all_room, direct)
    CROSS JOIN LATERAL (
        SELECT school_id, id, quiet_from, quiet_to, time_zone, next_attempt_at FROM deliveries
        WHERE channel = want.channel AND lane = want.lane AND next_attempt_at <= $7
        ORDER BY next_attempt_at
        LIMIT want.room
        FOR UPDATE SKIP LOCKED
    ) d
), ready AS (
    SELECT school_id, id, direct, all_room, row_number() OVER (PARTITION BY channel ORDER BY pass) AS place
    FROM due WHERE morning IS NULL
), postponed AS (
    UPDATE deliveries d SET next_attempt_at = due.morning, reason = 'quiet_hours'
    FROM due WHERE d.school_id = due.school_id AND d.id = due.id AND due.morning IS NOT NULL
)
UPDATE deliveries d
SET state = CASE WHEN ready.direct THEN 'sending' ELSE 'claimed' END, attempts = d.attempts + ready.direct::int,
    sending_at = CASE WHEN ready.direct THEN $7 ELSE d.sending_at END,
    next_attempt_at = NULL, lease_owner = $8, lease_until = $9
FROM ready WHERE d.school_id = ready.school_id AND d.id = ready.id AND ready.place <= ready.all_room
RETURNING d.school_id, d.id, d.event_type, d.recipient_id, d.student_id, d.channel, d.address, d.language, d.content,
          d.attempts - ready.direct::int AS attempts, d.failures, d.traceparent, d.created_at, d.occurred_at,
          d.sms_rules::text AS sms_rules, d.resends, d.lane
"""

# Written before the request, so that a dead worker leaves a trace of what may have left. Only what is still this
# worker's own since it was claimed is sent: marking counts an attempt, so that the number before tells it is not
# sending already. The lease is renewed only where it is too short for a request; untouched, no index is.
# $1 schools, $2 deliveries, $3 attempts before, $4 worker, $5 now, $6 end of a new lease, $7 what is too short.
_MARK_SENDING = """
UPDATE deliveries d
SET state = 'sending', attempts = d.attempts + 1, sending_at = $5,
    lease_until = CASE WHEN d.lease_until < $7 THEN $6 ELSE d.lease_until END
FROM unnest($1::uuid[], $2::uuid[], $3::smallint[]) AS own (school_id, id, attempts)
WHERE d.school_id = own.school_id AND d.id = own.id AND d.lease_owner = $4 AND d.attempts = own.attempts
RETURNING d.id
"""

# State, log and bill in one statement. A verdict counts only while the delivery is still this worker's and
# still at this attempt; one that comes too late changes nothing: its attempt is in the log as lost.
# What could not be rendered has no request, so its attempt begins here. $1 worker, $2.. the columns of `said`.
_RECORD = """
WITH said AS (
    SELECT * FROM unnest($2::uuid[], $3::uuid[], $4::smallint[], $5::text[], $6::text[], $7::text[], $8::timestamptz[],
                         $9::timestamptz[], $10::timestamptz[], $11::text[], $12::text[], $13::text[], $14::boolean[],
                         $15::int[], $16::int[], $17::int[])
         AS said (school_id, id, number, state, outcome, reason, next_attempt_at, started_at, finished_at, provider,
                  provider_message_id, detail, uses_a_retry, segments, cost_kobo, provider_cost_kobo)
), counted AS (
    UPDATE deliveries d
    SET state = said.state, reason = said.reason, attempts = said.number,
        failures = d.failures + said.uses_a_retry::int,
        next_attempt_at = said.next_attempt_at,
        lease_owner = NULL, lease_until = NULL, sending_at = said.started_at, provider = said.provider,
        provider_message_id = said.provider_message_id,
        finished_at = CASE WHEN said.state <> 'retry' THEN said.finished_at END,
        died_at = CASE WHEN said.state = 'dead' THEN said.finished_at END,
        segments = coalesce(d.segments + said.segments, said.segments, d.segments),
        cost_kobo = coalesce(d.cost_kobo + said.cost_kobo, said.cost_kobo, d.cost_kobo),
        provider_cost_kobo = CASE WHEN said.provider_cost_kobo IS NOT NULL OR d.provider_cost_kobo IS NOT NULL THEN
            coalesce(d.provider_cost_kobo, d.cost_kobo, 0) + coalesce(said.provider_cost_kobo, said.cost_kobo, 0) END
    FROM said
    WHERE d.school_id = said.school_id AND d.id = said.id AND d.lease_owner = $1
      AND d.attempts = CASE d.state WHEN 'sending' THEN said.number ELSE said.number - 1 END
    RETURNING said.*
), charged AS (
    INSERT INTO sms_spend AS known (school_id, month, messages, segments, spent_kobo)
    SELECT c.school_id, date_trunc('month', c.finished_at AT TIME ZONE school.time_zone)::date, count(*),
           sum(c.segments), sum(coalesce(c.provider_cost_kobo, c.cost_kobo))
    FROM counted c JOIN schools school ON school.id = c.school_id
    WHERE c.cost_kobo IS NOT NULL
    GROUP BY 1, 2
    ORDER BY 1, 2  -- the same for every worker, so that none waits for another in a circle
    ON CONFLICT (school_id, month) DO UPDATE
    SET messages = known.messages + excluded.messages, segments = known.segments + excluded.segments,
        spent_kobo = known.spent_kobo + excluded.spent_kobo
), logged AS (
    INSERT INTO delivery_attempts (school_id, delivery_id, number, worker, started_at, finished_at, outcome, provider,
                                   provider_message_id, detail)
    SELECT school_id, id, number, $1, started_at, finished_at, outcome, provider, provider_message_id, detail
    FROM counted
    ON CONFLICT (school_id, delivery_id, number) DO NOTHING
)
SELECT id FROM counted
"""

# What was under way at a worker that is gone is in doubt: it goes out again, with the same key where the provider knows
# keys. Where it does not, what may leave once at most is given up; a person may send it again.
# $1 now, $2 how many at most, $3 attempts past which it is given up, $4 channels with keys, $5 types sent at most once.
_RELEASE_EXPIRED = """
WITH expired AS (
    SELECT school_id, id, state AS was, lease_owner AS worker,
           CASE WHEN attempts >= $3 THEN 'gave_up'
                WHEN state = 'sending' AND channel <> ALL ($4::text[]) AND event_type = ANY ($5::text[]) THEN 'in_doubt'
                END AS fatal
    FROM deliveries
    WHERE lease_until < $1
    ORDER BY lease_until LIMIT $2
    FOR UPDATE SKIP LOCKED
), released AS (
    UPDATE deliveries d
    SET state = CASE WHEN e.fatal IS NULL THEN 'retry' ELSE 'dead' END,
        reason = e.fatal,
        finished_at = CASE WHEN e.fatal IS NOT NULL THEN $1 END,
        died_at = CASE WHEN e.fatal IS NOT NULL THEN $1 END,
        next_attempt_at = CASE WHEN e.fatal IS NULL THEN $1 END,
        lease_owner = NULL, lease_until = NULL
    FROM expired e WHERE d.school_id = e.school_id AND d.id = e.id
    RETURNING d.school_id, d.id, d.attempts, d.sending_at, e.was, e.worker
), logged AS (
    INSERT INTO delivery_attempts (school_id, delivery_id, number, worker, started_at, finished_at, outcome)
    SELECT school_id, id, attempts, worker, sending_at, $1, 'lost' FROM released WHERE was = 'sending'
    ON CONFLICT (school_id, delivery_id, number) DO NOTHING
)
SELECT count(*) FILTER (WHERE was = 'claimed') AS unsent, count(*) FILTER (WHERE was = 'sending') AS in_doubt
FROM released
"""

# At a drain: what was claimed and not sent goes back at once.
_GIVE_BACK = """
UPDATE deliveries
SET state = CASE WHEN attempts = 0 THEN 'queued' ELSE 'retry' END,
    next_attempt_at = $2, lease_owner = NULL, lease_until = NULL
WHERE lease_until IS NOT NULL AND state = 'claimed' AND lease_owner = $1
"""

# Counted so far only: a pool is as large as it gets long before, and a million entries would take a tenth of a second
# each time. $1 channels, $2 lanes, $3 now, $4 how far to count each.
_DUE = """
SELECT {by}, sum((
    SELECT count(*) FROM (
        SELECT FROM deliveries
        WHERE channel = way.channel AND lane = wait.lane AND next_attempt_at <= $3
        LIMIT $4
    ) counted
))::int AS n
FROM unnest($1::text[]) AS way (channel) CROSS JOIN unnest($2::text[]) AS wait (lane)
GROUP BY 1
"""
_DUE_BY_CHANNEL, _DUE_BY_LANE = _DUE.format(by="way.channel"), _DUE.format(by="wait.lane")
_COUNTED = 10_000

_EVENTS = """
SELECT count(*) FROM (
    SELECT FROM outbox o WHERE handled_at IS NULL AND NOT EXISTS (SELECT FROM dead_events d WHERE d.event_id = o.id)
    LIMIT $1
) counted
"""

_DEAD = """
SELECT (SELECT count(*) FROM deliveries WHERE died_at IS NOT NULL AND discarded_at IS NULL)
     + (SELECT count(*) FROM dead_events)
"""


async def claim_due(
    tx: Transaction,
    room: Mapping[tuple[Channel, Lane], int],
    *,
    worker: str,
    now: datetime,
    lease: timedelta,
    direct: Mapping[Channel, int] | None = None,
) -> list[Delivery]:
    """Take due deliveries under a lease, of each channel's lane as many as it has room for.

    Those of ``direct`` channels, of all lanes up to so many, are marked as being sent: their requests begin when the
    transaction is committed.
    """
    direct = direct or {}
    wanted = [
        (channel, lane, most, SHARES[lane], direct.get(channel, len(Lane) * most), channel in direct)
        for (channel, lane), most in room.items()
    ]
    rows = await tx.fetch(_CLAIM_DUE, *zip(*wanted, strict=True), now, worker, now + lease)
    return [_delivery(row) for row in rows]


async def mark_sending(
    tx: Transaction,
    deliveries: Sequence[Delivery],
    *,
    worker: str,
    now: datetime,
    lease: timedelta,
    at_least: timedelta,
) -> set[DeliveryId]:
    """Note that requests go out now, each under a lease of at least so long; return those still the worker's own."""
    schools, ids, before = zip(*((each.school_id, each.id, each.attempts) for each in deliveries), strict=True)
    rows = await tx.fetch(_MARK_SENDING, schools, ids, before, worker, now, now + lease, now + at_least)
    return {row["id"] for row in rows}


async def record(tx: Transaction, attempts: Sequence[Attempt], *, worker: str) -> set[DeliveryId]:
    """Write the verdicts of attempts, their log and what they cost; return those that counted."""
    columns = zip(*(_said(each) for each in attempts), strict=True)
    rows = await tx.fetch(_RECORD, worker, *(list(column) for column in columns))
    return {row["id"] for row in rows}


async def release_expired(
    tx: Transaction,
    *,
    now: datetime,
    keyed: Collection[Channel] = (),
    at_most_once: Collection[str] = (),
    limit: int = 1000,
) -> tuple[int, int]:
    """Make deliveries due again whose worker is gone; return how many were unsent and how many are in doubt.

    Those in doubt on a channel that is not ``keyed`` are dead instead, where their event type is ``at_most_once``.
    """
    row = await tx.fetchrow(_RELEASE_EXPIRED, now, limit, MAX_ATTEMPTS, list(keyed), list(at_most_once))
    return (row["unsent"], row["in_doubt"]) if row else (0, 0)


async def give_back(tx: Transaction, *, worker: str, now: datetime) -> int:
    """Release what a worker claimed and has not begun to send; return how many."""
    return await tx.execute(_GIVE_BACK, worker, now)


async def count_due(tx: Transaction, now: datetime) -> dict[Channel, int]:
    """Return how many deliveries are due and nobody's by channel, of each lane up to ten thousand."""
    rows = await tx.fetch(_DUE_BY_CHANNEL, list(Channel), list(Lane), now, _COUNTED)
    return {Channel(row["channel"]): row["n"] for row in rows}


async def count_due_by_lane(tx: Transaction, now: datetime) -> dict[str, int]:
    """Return how many deliveries are due and nobody's by lane, of each channel up to ten thousand."""
    rows = await tx.fetch(_DUE_BY_LANE, list(Channel), list(Lane), now, _COUNTED)
    return {row["lane"]: row["n"] for row in rows}


async def count_events(tx: Transaction) -> int:
    """Return how many events are not yet handled, up to ten thousand. Dead ones are counted among the dead."""
    return int(await tx.fetchval(_EVENTS, _COUNTED))


async def count_dead(tx: Transaction) -> int:
    """Return how many deliveries and events are dead."""
    return int(await tx.fetchval(_DEAD))


_CHANNEL, _RULES, _LANE = 5, 14, 16
"""Places in what the claim returns, which is in the order of the delivery's fields."""


def _delivery(row: Row) -> Delivery:
    # By place: by name takes twice the time, and this is done for every message.
    values = list(row.values())
    values[_CHANNEL], values[_LANE] = Channel(values[_CHANNEL]), Lane(values[_LANE])
    values[_RULES] = _rules(values[_RULES])
    return Delivery(*values)


@lru_cache(maxsize=1000)
def _rules(stored: str | None) -> Mapping[str, Any] | None:
    """Return a school's rules for SMS; all its messages carry the same, and none changes them."""
    return json.loads(stored) if stored else None


def _said(attempt: Attempt) -> tuple[Any, ...]:
    delivery, bill = attempt.delivery, attempt.bill
    ids: tuple[UUID, UUID, int] = (delivery.school_id, delivery.id, delivery.number)
    return (
        *ids,
        attempt.state,
        attempt.outcome,
        attempt.reason,
        attempt.next_attempt_at,
        attempt.started_at,
        attempt.finished_at,
        attempt.provider,
        attempt.message_id,
        attempt.detail,
        uses_a_retry(attempt.outcome),
        bill.segments if bill else None,
        bill.cost_kobo if bill else None,
        bill.provider_cost_kobo if bill else None,
    )
