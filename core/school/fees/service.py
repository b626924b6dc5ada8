"""The use cases of fees and payments."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Self

from core.access.principal import Principal, Scope
from core.clock import Clock
from core.errors import Conflict, Fault, InvalidInput, NotFound, Stale
from core.ids import ClassArmId, FeeId, LevelId, PaymentId, StudentId, TermId
from core.money import Kobo
from core.ports import Database, Transaction
from core.school.fees import balance_store, fee_store, payment_store
from core.school.fees.model import Account, Balance, Debtor, Fee, NewFee, Payment
from core.telemetry import get_logger

log = get_logger("fees")


class FeeRecords:
    """The fees a school charges."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def add(self, principal: Principal, fee: NewFee) -> Fee:
        """Charge a fee to everyone of a term, or of one of its levels."""
        principal.require(Scope.FEES_WRITE)
        async with self._db.tenant(principal.school, actor=principal.user_id) as tx:
            await _require_open(tx, fee.term_id)
            if fee.level_id is not None and not await fee_store.level_exists(tx, fee.level_id):
                raise NotFound("there is no such level")
            fee_id = await fee_store.add(tx, principal.school, fee)
            if fee_id is None:
                raise Conflict("the term has a fee of this name for this level already")
            return await _fee(tx, fee_id)

    async def get(self, principal: Principal, *, fee_id: FeeId) -> Fee:
        """Return a fee."""
        principal.require(Scope.FEES_READ)
        async with self._db.tenant(principal.school, actor=principal.user_id, read_only=True) as tx:
            return await _fee(tx, fee_id)

    async def list(
        self, principal: Principal, *, term_id: TermId | None, after: tuple[date, FeeId] | None, limit: int
    ) -> Sequence[Fee]:
        """Return fees, those due last first."""
        principal.require(Scope.FEES_READ)
        async with self._db.tenant(principal.school, actor=principal.user_id, read_only=True) as tx:
            return await fee_store.listed(tx, term_id=term_id, after=after, limit=limit)

    async def change(self, principal: Principal, *, fee_id: FeeId, version: int, changes: Mapping[str, Any]) -> Fee:
        """Change name, amount or due date of a fee; what is owed follows."""
        principal.require(Scope.FEES_WRITE)
        async with self._db.tenant(principal.school, actor=principal.user_id) as tx:
            await self._locked(tx, fee_id, version)
            await fee_store.change(tx, fee_id, changes)
            return await _fee(tx, fee_id)

    async def remove(self, principal: Principal, *, fee_id: FeeId, version: int) -> None:
        """Remove a fee that nothing was paid towards and nobody was reminded of. Raises ``Conflict`` otherwise."""
        principal.require(Scope.FEES_WRITE)
        async with self._db.tenant(principal.school, actor=principal.user_id) as tx:
            await self._locked(tx, fee_id, version)
            await fee_store.remove(tx, fee_id)

    async def _locked(self, tx: Transaction, fee_id: FeeId, version: int) -> None:
        fee = await _fee(tx, fee_id, lock=True)
        if fee.version != version:
            raise Stale(f"the fee is at version {fee.version} by now; read it again")
        await _require_open(tx, fee.term_id)


class Payments:
    """Money that came in, and payments taken back."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def record(
        self,
        principal: Principal,
        *,
        fee_id: FeeId,
        student_id: StudentId,
        amount_kobo: Kobo,
        paid_on: date,
        reference: str,
        note: str = "",
    ) -> Payment:
        """Record a payment of someone who is charged the fee. Raises ``Conflict`` where the reference is taken."""
        principal.require(Scope.FEES_WRITE)
        if amount_kobo <= 0:
            raise InvalidInput("a payment is above zero; take one back by reversing it", [Fault("/amountKobo", "> 0")])
        async with self._db.tenant(principal.school, actor=principal.user_id) as tx:
            await self._require_charged(tx, fee_id, student_id)
            await self._require_past(tx, paid_on)
            payment = await payment_store.add(
                tx,
                principal.school,
                fee_id=fee_id,
                student_id=student_id,
                amount_kobo=amount_kobo,
                paid_on=paid_on,
                reference=reference,
                note=note,
                at=self._clock.now(),
            )
        if payment is None:
            raise Conflict("a payment with this reference is recorded already")
        log.info("payment_recorded", payment_id=str(payment.id), fee_id=str(fee_id))
        return payment

    async def reverse(self, principal: Principal, *, payment_id: PaymentId, reference: str, note: str) -> Payment:
        """Take a payment back by a negative one of the same amount, once."""
        principal.require(Scope.FEES_WRITE)
        async with self._db.tenant(principal.school, actor=principal.user_id) as tx:
            taken_back = await payment_store.get(tx, payment_id)
            if taken_back is None:
                raise NotFound("there is no such payment")
            if taken_back.reverses_id is not None:
                raise Conflict("this is a reversal itself; record the payment again instead")
            today, _ = await payment_store.day_and_currency(tx, self._clock.now())
            payment = await payment_store.add(
                tx,
                principal.school,
                fee_id=taken_back.fee_id,
                student_id=taken_back.student_id,
                amount_kobo=-taken_back.amount_kobo,
                paid_on=today,
                reference=reference,
                note=note,
                at=self._clock.now(),
                reverses_id=payment_id,
            )
            if payment is None:
                raise Conflict(await _why_not(tx, payment_id))
        log.info("payment_reversed", payment_id=str(payment_id))
        return payment

    async def get(self, principal: Principal, *, payment_id: PaymentId) -> Payment:
        """Return a payment."""
        principal.require(Scope.FEES_READ)
        async with self._db.tenant(principal.school, actor=principal.user_id, read_only=True) as tx:
            payment = await payment_store.get(tx, payment_id)
        if payment is None:
            raise NotFound("there is no such payment")
        return payment

    async def list(
        self,
        principal: Principal,
        *,
        fee_id: FeeId | None,
        student_id: StudentId | None,
        after: tuple[datetime, PaymentId] | None,
        limit: int,
    ) -> Sequence[Payment]:
        """Return payments, the last recorded first."""
        principal.require(Scope.FEES_READ)
        async with self._db.tenant(principal.school, actor=principal.user_id, read_only=True) as tx:
            return await payment_store.listed(tx, fee_id=fee_id, student_id=student_id, after=after, limit=limit)

    async def _require_charged(self, tx: Transaction, fee_id: FeeId, student_id: StudentId) -> None:
        fee = await _fee(tx, fee_id)
        if await balance_store.is_ward(tx, student_id, None) is None:
            raise NotFound("there is no such student")
        charged = await balance_store.of_student(tx, student_id, fee.term_id)
        if fee_id not in {balance.fee_id for balance in charged}:
            what = "is not charged this fee: not enrolled in its term and level"
            raise InvalidInput("the student is not charged this fee", [Fault("/studentId", what, "not_charged")])

    async def _require_past(self, tx: Transaction, paid_on: date) -> None:
        today, _ = await payment_store.day_and_currency(tx, self._clock.now())
        if paid_on > today:
            what = f"at the latest today, {today.isoformat()}"
            raise InvalidInput("the payment lies in the future", [Fault("/paidOn", what, "out_of_range")])


class Balances:
    """Who owes what."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def of_fee(
        self,
        principal: Principal,
        *,
        fee_id: FeeId,
        class_arm_id: ClassArmId | None,
        owing: bool,
        after: str | None,
        limit: int,
    ) -> Sequence[Balance]:
        """Return what everyone charged has paid of a fee, by student number."""
        principal.require(Scope.FEES_READ)
        async with self._db.tenant(principal.school, actor=principal.user_id, read_only=True) as tx:
            await _fee(tx, fee_id)
            return await balance_store.of_fee(
                tx, fee_id, class_arm_id=class_arm_id, owing=owing, after=after, limit=limit
            )

    async def debtors(
        self,
        principal: Principal,
        *,
        term_id: TermId,
        class_arm_id: ClassArmId | None,
        level_id: LevelId | None,
        after: tuple[int, str] | None,
        limit: int,
    ) -> Sequence[Debtor]:
        """Return who owes something of a term, those who owe most first."""
        principal.require(Scope.FEES_READ)
        async with self._db.tenant(principal.school, actor=principal.user_id, read_only=True) as tx:
            if await fee_store.closed(tx, term_id) is None:
                raise NotFound("there is no such term")
            today, _ = await payment_store.day_and_currency(tx, self._clock.now())
            return await balance_store.debtors(
                tx,
                term_id=term_id,
                class_arm_id=class_arm_id,
                level_id=level_id,
                today=today,
                after=after,
                limit=limit,
            )

    async def of_student(self, principal: Principal, *, student_id: StudentId, term_id: TermId) -> Account:
        """Return a student's fees and payments of a term to the student, the guardians and the bursar."""
        principal.require(Scope.OWN_READ, Scope.FEES_READ)
        async with self._db.tenant(principal.school, actor=principal.user_id, read_only=True) as tx:
            is_ward = await balance_store.is_ward(tx, student_id, principal.guardian_id)
            is_own = bool(is_ward) or principal.student_id == student_id
            known = is_ward is not None and await fee_store.closed(tx, term_id) is not None
            if not known or not (is_own or principal.may(Scope.FEES_READ)):
                raise NotFound("there is no such student or term")
            _, currency = await payment_store.day_and_currency(tx, self._clock.now())
            return Account(
                tuple(await balance_store.of_student(tx, student_id, term_id)),
                tuple(await payment_store.of_student(tx, student_id, term_id)),
                currency,
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Fees:
    """All use cases of fees, as the routes are handed them."""

    records: FeeRecords
    payments: Payments
    balances: Balances

    @classmethod
    def over(cls, db: Database, clock: Clock) -> Self:
        """Return the use cases over a database."""
        return cls(records=FeeRecords(db), payments=Payments(db, clock), balances=Balances(db, clock))


async def _fee(tx: Transaction, fee_id: FeeId, *, lock: bool = False) -> Fee:
    fee = await fee_store.get(tx, fee_id, lock=lock)
    if fee is None:
        raise NotFound("there is no such fee")
    return fee


async def _require_open(tx: Transaction, term_id: TermId) -> None:
    closed = await fee_store.closed(tx, term_id)
    if closed is None:
        raise NotFound("there is no such term")
    if closed:
        raise Conflict("the term is closed; reopen it to change its fees")


async def _why_not(tx: Transaction, payment_id: PaymentId) -> str:
    if await payment_store.reversal_of(tx, payment_id) is not None:
        return "this payment was taken back already"
    return "a payment with this reference is recorded already"
