"""SQL of delivery receipts: across schools, because a provider knows no school."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from core.notifications.model import Reason
from core.notifications.receipts import RANK, DeliveryReport, ReceiptState
from core.ports import Row, Transaction

# Each report is logged once. The delivery keeps the state that ranks highest, so that any order and any repetition
# end alike; its time is the earliest at which delivery was reported, whatever outranks it since.
# One that is ahead of our own note of the provider's id is kept until that is written.
# $1 providers, $2 message ids, $3 states, $4 reasons, $5 details, $6 when each happened, $7 now, $8 states by rank.
_APPLY = """
WITH told AS (
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[])
         AS told (provider, message_id, state, reason, detail, occurred_at)
), known AS (
    SELECT d.school_id, d.id, told.* FROM told
    JOIN deliveries d ON d.provider_message_id = told.message_id AND d.provider = told.provider
                     AND d.provider_message_id IS NOT NULL AND d.channel IN ('email', 'sms')
), kept AS (
    INSERT INTO early_reports (provider, provider_message_id, state, reason, detail, occurred_at, received_at)
    SELECT provider, message_id, state, reason, detail, occurred_at, $7 FROM told
    WHERE NOT EXISTS (SELECT FROM known k WHERE k.provider = told.provider AND k.message_id = told.message_id)
    ON CONFLICT (provider, provider_message_id, state) DO NOTHING
), logged AS (
    INSERT INTO delivery_reports (school_id, delivery_id, provider, provider_message_id, state, reason, detail,
                                  occurred_at, received_at)
    SELECT school_id, id, provider, message_id, state, reason, detail, occurred_at, $7 FROM known
    ON CONFLICT (school_id, delivery_id, provider_message_id, state) DO NOTHING
), best AS (
    SELECT DISTINCT ON (school_id, id) *, array_position($8::text[], state) AS rank,
           min(occurred_at) FILTER (WHERE state = 'delivered') OVER (PARTITION BY school_id, id) AS delivered_at
    FROM known ORDER BY school_id, id, array_position($8::text[], state) DESC
), changed AS (
    UPDATE deliveries d
    SET receipt_state = CASE WHEN now.outranks THEN best.state ELSE d.receipt_state END,
        receipt_reason = CASE WHEN now.outranks THEN best.reason ELSE d.receipt_reason END,
        delivered_at = least(d.delivered_at, best.delivered_at)
    FROM best
    JOIN deliveries was ON was.school_id = best.school_id AND was.id = best.id
    CROSS JOIN LATERAL (
        SELECT best.rank > coalesce(array_position($8::text[], was.receipt_state), 0) AS outranks
    ) now
    WHERE d.school_id = best.school_id AND d.id = best.id
      AND (now.outranks OR best.delivered_at < coalesce(d.delivered_at, 'infinity'))
    RETURNING d.id
)
SELECT count(*) FROM changed
"""

# What is known by now; another worker's are skipped.
_TAKE_EARLY = """
WITH due AS (
    SELECT e.provider, e.provider_message_id, e.state FROM early_reports e
    WHERE EXISTS (SELECT FROM deliveries d WHERE d.provider_message_id = e.provider_message_id
                  AND d.provider = e.provider AND d.provider_message_id IS NOT NULL AND d.channel IN ('email', 'sms'))
    LIMIT 1000
    FOR UPDATE OF e SKIP LOCKED
)
DELETE FROM early_reports e USING due
WHERE (e.provider, e.provider_message_id, e.state) = (due.provider, due.provider_message_id, due.state)
RETURNING e.provider, e.provider_message_id, e.state, e.occurred_at, e.reason, e.detail
"""
_FORGET_EARLY = "DELETE FROM early_reports WHERE received_at < $1"
_KEPT_FOR = timedelta(hours=1)
"""A note is written within seconds, or after a lease; what is unknown for so long is of no message of ours."""


async def apply(tx: Transaction, reports: Sequence[DeliveryReport], now: datetime) -> int:
    """Write what providers report; return how many deliveries it changed. What is not known yet is kept a while."""
    columns = zip(
        *((each.provider, each.message_id, each.state, each.reason, each.detail, each.occurred_at) for each in reports),
        strict=True,
    )
    ranks = sorted(RANK, key=lambda state: RANK[state])
    return int(await tx.fetchval(_APPLY, *columns, now, ranks))


async def apply_early(tx: Transaction, now: datetime) -> int:
    """Write the reports that came before their messages were known and are now; return how many."""
    rows = await tx.fetch(_TAKE_EARLY)
    if rows:
        await apply(tx, [_report(row) for row in rows], now)
    await tx.execute(_FORGET_EARLY, now - _KEPT_FOR)
    return len(rows)


def _report(row: Row) -> DeliveryReport:
    return DeliveryReport(
        provider=row["provider"],
        message_id=row["provider_message_id"],
        state=ReceiptState(row["state"]),
        occurred_at=row["occurred_at"],
        reason=Reason(row["reason"]) if row["reason"] else None,
        detail=row["detail"],
    )
