"""The SQL of payments: added, never changed."""

from datetime import date, datetime

from core.ids import FeeId, PaymentId, SchoolId, StudentId, TermId, new_id
from core.ports import Row, Transaction
from core.school.fees.model import Payment

_COLUMNS = "id, fee_id, student_id, amount_kobo, paid_on, reference, reverses_id, note, recorded_by, recorded_at"

_ADD = f"""
INSERT INTO payments
    (school_id, id, fee_id, student_id, amount_kobo, paid_on, reference, reverses_id, note, recorded_by, recorded_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, app_actor(), $10)
ON CONFLICT DO NOTHING RETURNING {_COLUMNS}
"""


async def add(
    tx: Transaction,
    school_id: SchoolId,
    *,
    fee_id: FeeId,
    student_id: StudentId,
    amount_kobo: int,
    paid_on: date,
    reference: str,
    note: str,
    at: datetime,
    reverses_id: PaymentId | None = None,
) -> Payment | None:
    """Add a payment; None where its reference is taken, or what it takes back was taken back already."""
    row = await tx.fetchrow(
        _ADD, school_id, new_id(), fee_id, student_id, amount_kobo, paid_on, reference, reverses_id, note, at
    )
    return _payment(row) if row else None


async def get(tx: Transaction, payment_id: PaymentId) -> Payment | None:
    """Return a payment."""
    row = await tx.fetchrow(f"SELECT {_COLUMNS} FROM payments WHERE id = $1", payment_id)
    return _payment(row) if row else None


async def reversal_of(tx: Transaction, payment_id: PaymentId) -> PaymentId | None:
    """Return the payment that takes this one back, if any."""
    found = await tx.fetchval("SELECT id FROM payments WHERE reverses_id = $1", payment_id)
    return None if found is None else PaymentId(found)


async def listed(
    tx: Transaction,
    *,
    fee_id: FeeId | None,
    student_id: StudentId | None,
    after: tuple[datetime, PaymentId] | None,
    limit: int,
) -> list[Payment]:
    """Return payments, the last recorded first."""
    at, payment_id = after or (None, None)
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM payments"
        " WHERE ($1::uuid IS NULL OR fee_id = $1) AND ($2::uuid IS NULL OR student_id = $2)"
        " AND ($3::timestamptz IS NULL OR (recorded_at, id) < ($3, $4::uuid))"
        " ORDER BY recorded_at DESC, id DESC LIMIT $5",
        fee_id,
        student_id,
        at,
        payment_id,
        limit,
    )
    return [_payment(row) for row in rows]


async def of_student(tx: Transaction, student_id: StudentId, term_id: TermId) -> list[Payment]:
    """Return a student's payments towards a term's fees, by day."""
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM payments"
        " WHERE student_id = $1 AND fee_id IN (SELECT f.id FROM fees f WHERE f.term_id = $2) ORDER BY paid_on, id",
        student_id,
        term_id,
    )
    return [_payment(row) for row in rows]


async def day_and_currency(tx: Transaction, now: datetime) -> tuple[date, str]:
    """Return the school's calendar day at a moment, and its currency."""
    row = await tx.fetchrow("SELECT ($1::timestamptz AT TIME ZONE time_zone)::date AS day, currency FROM schools", now)
    assert row is not None  # noqa: S101 - the transaction's own school
    return row["day"], row["currency"]


def _payment(row: Row) -> Payment:
    return Payment(**dict(row))
