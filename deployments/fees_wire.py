"""Fees on the wire: what the routes of ``deployments.fees`` take and give. Amounts are whole kobo."""

from datetime import date, datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, StringConstraints

from core.ids import LevelId, TermId
from core.money import Kobo
from core.school.fees.model import Account, Balance, NewFee
from deployments.ground.wire import Wire, WireRequest

_MAX_KOBO = 100_000_000_000
"""A thousand million naira: what is above is a typing error."""

_NO_CONTROL = r"^[^\x00-\x1f\x7f]*$"
Amount = Annotated[int, Field(ge=1, le=_MAX_KOBO, strict=True, description="Kobo, a hundredth of a naira.")]
Name = Annotated[str, StringConstraints(min_length=1, max_length=80, pattern=_NO_CONTROL)]
Reference = Annotated[str, StringConstraints(min_length=1, max_length=80, pattern=_NO_CONTROL)]
Note = Annotated[str, StringConstraints(max_length=300, pattern=_NO_CONTROL)]


class FeeIn(WireRequest):
    """A fee for everyone of a term, or of one of its levels."""

    term_id: UUID
    level_id: UUID | None = None
    name: Name
    amount_kobo: Amount
    due_on: date

    def to_fee(self) -> NewFee:
        """Return the fee as the use case takes it."""
        return NewFee(
            term_id=TermId(self.term_id),
            level_id=None if self.level_id is None else LevelId(self.level_id),
            name=self.name,
            amount_kobo=Kobo(self.amount_kobo),
            due_on=self.due_on,
        )


class FeeChange(WireRequest):
    """What changes of a fee; what is left out stays."""

    name: Name | None = None
    amount_kobo: Amount | None = None
    due_on: date | None = None


class FeeOut(Wire):
    """A fee of a term."""

    id: UUID
    term_id: UUID
    level_id: UUID | None
    name: str
    amount_kobo: int
    currency: str
    due_on: date
    version: int


class PaymentIn(WireRequest):
    """Money that came in."""

    fee_id: UUID
    student_id: UUID
    amount_kobo: Amount
    paid_on: date
    reference: Reference
    """The bank's or the receipt's number; no two payments of a school have the same."""
    note: Note = ""


class ReversalIn(WireRequest):
    """Why a payment is taken back."""

    reference: Reference
    note: Annotated[Note, StringConstraints(min_length=3)]


class PaymentOut(Wire):
    """A payment, or one taken back (negative)."""

    id: UUID
    fee_id: UUID
    student_id: UUID
    amount_kobo: int
    paid_on: date
    reference: str
    reverses_id: UUID | None
    note: str
    recorded_by: UUID | None
    recorded_at: datetime


class BalanceOut(Wire):
    """What one student was charged, paid and owes of one fee; below zero is a credit."""

    fee_id: UUID
    fee_name: str
    due_on: date
    student_id: UUID
    student_no: str
    student_name: str
    class_arm_id: UUID
    class_arm_name: str
    charged_kobo: int
    paid_kobo: int
    owed_kobo: int


class DebtorOut(Wire):
    """A student who owes something of a term."""

    student_id: UUID
    student_no: str
    student_name: str
    class_arm_id: UUID
    class_arm_name: str
    charged_kobo: int
    paid_kobo: int
    owed_kobo: int
    overdue_kobo: int


class StudentFeeOut(Wire):
    """One fee of a student."""

    fee_id: UUID
    name: str
    due_on: date
    charged_kobo: int
    paid_kobo: int
    owed_kobo: int

    @classmethod
    def of(cls, balance: Balance) -> Self:
        """Return a balance as the student's own page shows it."""
        return cls(
            fee_id=balance.fee_id,
            name=balance.fee_name,
            due_on=balance.due_on,
            charged_kobo=balance.charged_kobo,
            paid_kobo=balance.paid_kobo,
            owed_kobo=balance.owed_kobo,
        )


class StudentPaymentOut(Wire):
    """A payment as the student's own page shows it."""

    id: UUID
    fee_id: UUID
    amount_kobo: int
    paid_on: date
    reference: str


class AccountOut(Wire):
    """A student's fees of a term, and the payments towards them."""

    student_id: UUID
    term_id: UUID
    currency: str
    charged_kobo: int
    paid_kobo: int
    owed_kobo: int
    fees: list[StudentFeeOut]
    payments: list[StudentPaymentOut]

    @classmethod
    def of(cls, student_id: UUID, term_id: UUID, account: Account) -> Self:
        """Return an account on the wire."""
        charged = sum(balance.charged_kobo for balance in account.balances)
        paid = sum(balance.paid_kobo for balance in account.balances)
        return cls(
            student_id=student_id,
            term_id=term_id,
            currency=account.currency,
            charged_kobo=charged,
            paid_kobo=paid,
            owed_kobo=charged - paid,
            fees=[StudentFeeOut.of(balance) for balance in account.balances],
            payments=[StudentPaymentOut.model_validate(payment) for payment in account.payments],
        )
