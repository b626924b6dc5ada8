"""What is charged, what was paid, what is owed. Amounts are kobo, never floats."""

from dataclasses import dataclass
from datetime import date, datetime

from core.ids import ClassArmId, FeeId, LevelId, PaymentId, StudentId, TermId, UserId
from core.money import Kobo


@dataclass(frozen=True, slots=True, kw_only=True)
class NewFee:
    """A fee to be charged to everyone enrolled in the term, or in one level."""

    term_id: TermId
    level_id: LevelId | None
    name: str
    amount_kobo: Kobo
    due_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Fee(NewFee):
    """A fee of a term."""

    id: FeeId
    currency: str
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """What one student was charged, paid and still owes of one fee; below zero is a credit."""

    fee_id: FeeId
    fee_name: str
    due_on: date
    student_id: StudentId
    student_no: str
    student_name: str
    class_arm_id: ClassArmId
    class_arm_name: str
    charged_kobo: Kobo
    paid_kobo: Kobo

    @property
    def owed_kobo(self) -> Kobo:
        """What is still to be paid."""
        return Kobo(self.charged_kobo - self.paid_kobo)


@dataclass(frozen=True, slots=True, kw_only=True)
class Debtor:
    """A student who owes something of a term, over all its fees."""

    student_id: StudentId
    student_no: str
    student_name: str
    class_arm_id: ClassArmId
    class_arm_name: str
    charged_kobo: Kobo
    paid_kobo: Kobo
    owed_kobo: Kobo
    overdue_kobo: Kobo
    """Of fees whose due date has passed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """Money that came in, or a payment taken back (a negative amount)."""

    id: PaymentId
    fee_id: FeeId
    student_id: StudentId
    amount_kobo: Kobo
    paid_on: date
    reference: str
    reverses_id: PaymentId | None
    note: str
    recorded_by: UserId | None
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class Account:
    """A student's fees of a term, and the payments towards them."""

    balances: tuple[Balance, ...]
    payments: tuple[Payment, ...]
    currency: str
