"""SQL of delivery receipts: across schools, because a provider knows no school."""

from datetime import datetime

from core.notifications.receipts import RANK, DeliveryReport
from core.ports import Transaction

# Each report is logged once. The delivery keeps the state that ranks highest, so that any order and any repetition
# end alike; its time is the earliest at which delivery was reported.
# $1 provider, $2 message id, $3 state, $4 reason, $5 detail, $6 when it happened, $7 now, $8 the states by rank.
_APPLY = """
WITH known AS (
    SELECT school_id, id FROM deliveries
    WHERE provider_message_id = $2 AND provider = $1 AND channel IN ('email', 'sms')
), logged AS (
    INSERT INTO delivery_reports (school_id, delivery_id, provider, provider_message_id, state, reason, detail,
                                  occurred_at, received_at)
    SELECT school_id, id, $1, $2, $3, $4, $5, $6, $7 FROM known
    ON CONFLICT (school_id, delivery_id, provider_message_id, state) DO NOTHING
)
UPDATE deliveries d
SET receipt_state = $3, receipt_reason = $4,
    delivered_at = CASE WHEN $3 = 'delivered' THEN least(d.delivered_at, $6) ELSE d.delivered_at END
FROM known
WHERE d.school_id = known.school_id AND d.id = known.id
  AND array_position($8::text[], $3::text) > coalesce(array_position($8::text[], d.receipt_state), 0)
"""

# A delivery that was reported after what outranks it still happened: only its time is added.
_DELIVERED_BEFORE = """
UPDATE deliveries SET delivered_at = $3
WHERE provider_message_id = $2 AND provider = $1 AND channel IN ('email', 'sms')
  AND receipt_state IS NOT NULL AND (delivered_at IS NULL OR delivered_at > $3)
"""


async def apply(tx: Transaction, report: DeliveryReport, now: datetime) -> int:
    """Write what a provider reports of a delivery, where it is known; return how many it changed."""
    changed = await tx.execute(
        _APPLY,
        report.provider,
        report.message_id,
        report.state,
        report.reason,
        report.detail,
        report.occurred_at,
        now,
        sorted(RANK, key=lambda state: RANK[state]),
    )
    if not changed and report.state == "delivered":
        changed = await tx.execute(_DELIVERED_BEFORE, report.provider, report.message_id, report.occurred_at)
    return changed
