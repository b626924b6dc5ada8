"""The SQL of what is charged and owed. Charges are not stored: they follow from fees and enrolment."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from core.ids import ClassArmId, FeeId, GuardianId, LevelId, StudentId, TermId
from core.money import Kobo
from core.ports import Row, Transaction
from core.school.fees.model import Balance, Debtor
from core.school.model import display_name

# Everyone who is enrolled in the fee's term and level, had not left before the term, and what they paid.
_BALANCES = """
SELECT fee.id AS fee_id, fee.name AS fee_name, fee.due_on, fee.amount_kobo AS charged_kobo,
       coalesce(paid.kobo, 0)::bigint AS paid_kobo,
       student.id AS student_id, student.student_no, student.family_name, student.given_names,
       arm.id AS class_arm_id, level.name || ' ' || arm.name AS class_arm_name
FROM fees fee
JOIN terms term ON (term.school_id, term.id) = (fee.school_id, fee.term_id)
JOIN enrolments e ON (e.school_id, e.session_id) = (term.school_id, term.session_id)
JOIN class_arms arm ON (arm.school_id, arm.id) = (e.school_id, e.class_arm_id)
JOIN levels level ON (level.school_id, level.id) = (arm.school_id, arm.level_id)
JOIN students student ON (student.school_id, student.id) = (e.school_id, e.student_id)
LEFT JOIN LATERAL (
    SELECT sum(p.amount_kobo) AS kobo FROM payments p
    WHERE (p.school_id, p.fee_id, p.student_id) = (fee.school_id, fee.id, student.id)
) paid ON true
WHERE (fee.level_id IS NULL OR fee.level_id = arm.level_id)
  AND (student.left_on IS NULL OR student.left_on > term.starts_on)
"""

_OF_FEE = f"""
SELECT * FROM ({_BALANCES} AND fee.id = $1 AND ($2::uuid IS NULL OR arm.id = $2)) b
WHERE (NOT $3 OR charged_kobo > paid_kobo) AND ($4::text IS NULL OR student_no > $4)
ORDER BY student_no LIMIT $5
"""

_OF_STUDENT = f"{_BALANCES} AND fee.term_id = $1 AND student.id = $2 ORDER BY fee.due_on, fee.name"

_OWING = f"""
SELECT fee_id, student_id, charged_kobo - paid_kobo AS owed_kobo FROM ({_BALANCES} AND fee.id = ANY ($1::uuid[])) b
WHERE charged_kobo > paid_kobo ORDER BY fee_id, student_id
"""

_DEBTORS = f"""
SELECT * FROM (
    SELECT student_id, student_no, family_name, given_names, class_arm_id, class_arm_name,
           sum(charged_kobo)::bigint AS charged_kobo, sum(paid_kobo)::bigint AS paid_kobo,
           sum(charged_kobo - paid_kobo)::bigint AS owed_kobo,
           coalesce(sum(greatest(charged_kobo - paid_kobo, 0)) FILTER (WHERE due_on < $4), 0)::bigint AS overdue_kobo
    FROM ({_BALANCES} AND fee.term_id = $1 AND ($2::uuid IS NULL OR arm.id = $2)
          AND ($3::uuid IS NULL OR arm.level_id = $3)) b
    GROUP BY student_id, student_no, family_name, given_names, class_arm_id, class_arm_name
) d
WHERE owed_kobo > 0 AND ($5::bigint IS NULL OR (-owed_kobo, student_no) > (-$5, $6::text))
ORDER BY owed_kobo DESC, student_no LIMIT $7
"""

_OWED_BY = f"""
SELECT student_id, sum(charged_kobo - paid_kobo)::bigint AS owed_kobo
FROM ({_BALANCES} AND fee.term_id = $1 AND student.id = ANY ($2::uuid[])) b
WHERE charged_kobo > paid_kobo AND ($3::date IS NULL OR due_on < $3)
GROUP BY student_id
"""

_IS_WARD = """
SELECT EXISTS (SELECT FROM guardianships g WHERE g.guardian_id = $2 AND g.student_id = s.id)
FROM students s WHERE s.id = $1
"""


async def of_fee(
    tx: Transaction, fee_id: FeeId, *, class_arm_id: ClassArmId | None, owing: bool, after: str | None, limit: int
) -> list[Balance]:
    """Return what everyone charged has paid of a fee, by student number."""
    return [_balance(row) for row in await tx.fetch(_OF_FEE, fee_id, class_arm_id, owing, after, limit)]


async def of_student(tx: Transaction, student_id: StudentId, term_id: TermId) -> list[Balance]:
    """Return a student's fees of a term, by due date."""
    return [_balance(row) for row in await tx.fetch(_OF_STUDENT, term_id, student_id)]


async def owing(tx: Transaction, fee_ids: Sequence[FeeId]) -> dict[FeeId, dict[StudentId, int]]:
    """Return who owes how much of each fee; a fee that all have paid is not there."""
    found: dict[FeeId, dict[StudentId, int]] = {}
    for row in await tx.fetch(_OWING, list(fee_ids)):
        found.setdefault(FeeId(row["fee_id"]), {})[StudentId(row["student_id"])] = int(row["owed_kobo"])
    return found


async def owed_by(
    tx: Transaction, term_id: TermId, student_ids: Sequence[StudentId], *, due_before: date | None
) -> dict[StudentId, Kobo]:
    """Return what students owe of a term, of fees due before a day where one is given; only who owes is there."""
    rows = await tx.fetch(_OWED_BY, term_id, list(student_ids), due_before)
    return {StudentId(row["student_id"]): Kobo(row["owed_kobo"]) for row in rows}


async def debtors(
    tx: Transaction,
    *,
    term_id: TermId,
    class_arm_id: ClassArmId | None,
    level_id: LevelId | None,
    today: date,
    after: tuple[int, str] | None,
    limit: int,
) -> list[Debtor]:
    """Return who owes something of a term, those who owe most first."""
    owed, student_no = after or (None, None)
    rows = await tx.fetch(_DEBTORS, term_id, class_arm_id, level_id, today, owed, student_no, limit)
    return [Debtor(**_named(row)) for row in rows]


async def is_ward(tx: Transaction, student_id: StudentId, guardian_id: GuardianId | None) -> bool | None:
    """Tell whether a student is a guardian's; None where there is no such student."""
    found: bool | None = await tx.fetchval(_IS_WARD, student_id, guardian_id)
    return found


def _balance(row: Row) -> Balance:
    return Balance(**_named(row))


def _named(row: Row) -> dict[str, Any]:
    fields = dict(row)
    fields["student_name"] = display_name(fields.pop("family_name"), fields.pop("given_names"))
    return fields
