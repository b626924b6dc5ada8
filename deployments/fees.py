"""Fees over HTTP: what is charged, paid and owed."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from core.ids import ClassArmId, FeeId, LevelId, PaymentId, StudentId, TermId
from core.money import Kobo
from deployments.fees_wire import (
    AccountOut,
    BalanceOut,
    DebtorOut,
    FeeChange,
    FeeIn,
    FeeOut,
    PaymentIn,
    PaymentOut,
    ReversalIn,
)
from deployments.ground.etags import IfMatch, require_match, set_etag
from deployments.ground.idempotency import Idempotent
from deployments.ground.pagination import Page, PageParams, page_of
from deployments.ground.problem import PROBLEMS
from deployments.ground.security import Caller
from deployments.services import ServicesDep

router = APIRouter(prefix="/api/school", tags=["fees"], responses=PROBLEMS)

TermFilter = Annotated[UUID | None, Query(alias="termId")]
ArmFilter = Annotated[UUID | None, Query(alias="classArmId")]


@router.post("/fees", operation_id="addFee", summary="Charge a fee", status_code=201, dependencies=[Idempotent])
async def add_fee(caller: Caller, services: ServicesDep, body: FeeIn, response: Response) -> FeeOut:
    """Charge a fee to everyone of a term, or of one of its levels."""
    fee = await services.fees.records.add(caller, body.to_fee())
    set_etag(response, fee.version)
    return FeeOut.model_validate(fee)


@router.get("/fees", operation_id="listFees", summary="List fees")
async def list_fees(
    *,
    caller: Caller,
    services: ServicesDep,
    request: Request,
    response: Response,
    page: PageParams,
    term_id: TermFilter = None,
) -> Page[FeeOut]:
    """Return fees, those due last first."""
    found = await services.fees.records.list(
        caller, term_id=TermId(term_id) if term_id else None, after=page.keys(date, UUID), limit=page.limit + 1
    )
    items = [FeeOut.model_validate(fee) for fee in found]
    return page_of(request, response, items, page, key=lambda fee: (fee.due_on, fee.id))


@router.get("/fees/{fee_id}", operation_id="getFee", summary="Read a fee")
async def get_fee(caller: Caller, services: ServicesDep, fee_id: UUID, response: Response) -> FeeOut:
    """Return a fee."""
    fee = await services.fees.records.get(caller, fee_id=FeeId(fee_id))
    set_etag(response, fee.version)
    return FeeOut.model_validate(fee)


@router.patch("/fees/{fee_id}", operation_id="changeFee", summary="Change a fee")
async def change_fee(
    *, caller: Caller, services: ServicesDep, fee_id: UUID, body: FeeChange, if_match: IfMatch, response: Response
) -> FeeOut:
    """Change what is given of a fee; what everyone owes follows."""
    fee = await services.fees.records.change(
        caller, fee_id=FeeId(fee_id), version=require_match(if_match), changes=body.model_dump(exclude_unset=True)
    )
    set_etag(response, fee.version)
    return FeeOut.model_validate(fee)


@router.delete("/fees/{fee_id}", operation_id="removeFee", summary="Remove a fee", status_code=204)
async def remove_fee(caller: Caller, services: ServicesDep, fee_id: UUID, if_match: IfMatch) -> None:
    """Remove a fee that nothing was paid towards; 409 otherwise."""
    await services.fees.records.remove(caller, fee_id=FeeId(fee_id), version=require_match(if_match))


@router.get("/fees/{fee_id}/balances", operation_id="listBalances", summary="List who paid how much of a fee")
async def list_balances(
    *,
    caller: Caller,
    services: ServicesDep,
    fee_id: UUID,
    request: Request,
    response: Response,
    page: PageParams,
    class_arm_id: ArmFilter = None,
    owing: Annotated[bool, Query(description="Only those who still owe something.")] = False,
) -> Page[BalanceOut]:
    """Return everyone who is charged the fee, by student number."""
    after = page.keys(str)
    found = await services.fees.balances.of_fee(
        caller,
        fee_id=FeeId(fee_id),
        class_arm_id=ClassArmId(class_arm_id) if class_arm_id else None,
        owing=owing,
        after=after[0] if after else None,
        limit=page.limit + 1,
    )
    items = [BalanceOut.model_validate(balance) for balance in found]
    return page_of(request, response, items, page, key=lambda balance: (balance.student_no,))


@router.get("/debtors", operation_id="listDebtors", summary="List who owes something of a term")
async def list_debtors(
    *,
    caller: Caller,
    services: ServicesDep,
    request: Request,
    response: Response,
    page: PageParams,
    term_id: Annotated[UUID, Query(alias="termId")],
    class_arm_id: ArmFilter = None,
    level_id: Annotated[UUID | None, Query(alias="levelId")] = None,
) -> Page[DebtorOut]:
    """Return debtors over all fees of the term, those who owe most first."""
    found = await services.fees.balances.debtors(
        caller,
        term_id=TermId(term_id),
        class_arm_id=ClassArmId(class_arm_id) if class_arm_id else None,
        level_id=LevelId(level_id) if level_id else None,
        after=page.keys(int, str),
        limit=page.limit + 1,
    )
    items = [DebtorOut.model_validate(debtor) for debtor in found]
    return page_of(request, response, items, page, key=lambda debtor: (debtor.owed_kobo, debtor.student_no))


@router.post(
    "/payments", operation_id="recordPayment", summary="Record a payment", status_code=201, dependencies=[Idempotent]
)
async def record_payment(caller: Caller, services: ServicesDep, body: PaymentIn) -> PaymentOut:
    """Record money that came in; 409 where the reference is taken."""
    payment = await services.fees.payments.record(
        caller,
        fee_id=FeeId(body.fee_id),
        student_id=StudentId(body.student_id),
        amount_kobo=Kobo(body.amount_kobo),
        paid_on=body.paid_on,
        reference=body.reference,
        note=body.note,
    )
    return PaymentOut.model_validate(payment)


@router.post(
    "/payments/{payment_id}/reversal",
    operation_id="reversePayment",
    summary="Take a payment back",
    status_code=201,
    dependencies=[Idempotent],
)
async def reverse_payment(caller: Caller, services: ServicesDep, payment_id: UUID, body: ReversalIn) -> PaymentOut:
    """Record a negative payment of the same amount; a payment is taken back once."""
    payment = await services.fees.payments.reverse(
        caller, payment_id=PaymentId(payment_id), reference=body.reference, note=body.note
    )
    return PaymentOut.model_validate(payment)


@router.get("/payments/{payment_id}", operation_id="getPayment", summary="Read a payment")
async def get_payment(caller: Caller, services: ServicesDep, payment_id: UUID) -> PaymentOut:
    """Return a payment."""
    return PaymentOut.model_validate(await services.fees.payments.get(caller, payment_id=PaymentId(payment_id)))


@router.get("/payments", operation_id="listPayments", summary="List payments")
async def list_payments(
    *,
    caller: Caller,
    services: ServicesDep,
    request: Request,
    response: Response,
    page: PageParams,
    fee_id: Annotated[UUID | None, Query(alias="feeId")] = None,
    student_id: Annotated[UUID | None, Query(alias="studentId")] = None,
) -> Page[PaymentOut]:
    """Return payments, the last recorded first."""
    found = await services.fees.payments.list(
        caller,
        fee_id=FeeId(fee_id) if fee_id else None,
        student_id=StudentId(student_id) if student_id else None,
        after=page.keys(datetime, UUID),
        limit=page.limit + 1,
    )
    items = [PaymentOut.model_validate(payment) for payment in found]
    return page_of(request, response, items, page, key=lambda payment: (payment.recorded_at, payment.id))


@router.get("/students/{student_id}/fees", operation_id="getStudentFees", summary="Read a student's fees of a term")
async def get_student_fees(
    caller: Caller, services: ServicesDep, student_id: UUID, term_id: Annotated[UUID, Query(alias="termId")]
) -> AccountOut:
    """Return what a student was charged, paid and owes to those it concerns."""
    account = await services.fees.balances.of_student(caller, student_id=StudentId(student_id), term_id=TermId(term_id))
    return AccountOut.of(student_id, term_id, account)
