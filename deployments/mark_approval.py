"""The approval chain of marks over HTTP: one sheet by If-Match, or several at once."""

from collections.abc import Sequence
from typing import Annotated, Self
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import Field, StringConstraints

from core.access.principal import Role
from core.ids import MarkSheetId
from core.school.marks.approval import SheetState
from core.school.marks.chain import BulkItem, Moved
from deployments.ground.etags import IfMatch, require_match, set_etag
from deployments.ground.idempotency import Idempotent
from deployments.ground.problem import PROBLEMS, kind_of
from deployments.ground.security import Caller
from deployments.ground.wire import Wire, WireRequest
from deployments.marks_wire import Reason
from deployments.services import ServicesDep

router = APIRouter(tags=["marks"], responses=PROBLEMS)

_SHEETS = "/api/school/mark-sheets"
_SHEET = _SHEETS + "/{sheet_id}"
Comment = Annotated[str, StringConstraints(max_length=500, pattern=r"^[^\x00]*$")]


class SubmitSheet(WireRequest):
    """How a sheet is handed in."""

    force: bool = Field(False, description="Hand in although marks are missing; needs a reason.")
    reason: Comment = ""


class CommentOnSheet(WireRequest):
    """A word on an approval."""

    comment: Comment = ""


class ReturnSheet(WireRequest):
    """Why a sheet goes back."""

    comment: Reason


class ReopenSheet(WireRequest):
    """Why a published sheet is opened again."""

    reason: Reason


class MovedOut(Wire):
    """Where a sheet has come."""

    sheet_id: UUID
    state: SheetState
    waits_for: Role | None
    round: int
    version: int

    @classmethod
    def of(cls, moved: Moved) -> Self:
        """Return where a sheet has come."""
        return cls(
            sheet_id=moved.sheet_id,
            state=moved.standing.state,
            waits_for=moved.waits_for,
            round=moved.standing.round,
            version=moved.version,
        )


class SeveralSheets(WireRequest):
    """The sheets to act on."""

    sheet_ids: list[UUID] = Field(min_length=1, max_length=200)


class BulkItemOut(Wire):
    """What became of one sheet."""

    sheet_id: UUID
    ok: bool
    sheet: MovedOut | None
    problem: str | None = Field(description="The type of the problem, such as /problems/conflict.")
    detail: str | None

    @classmethod
    def of(cls, item: BulkItem) -> Self:
        """Return one item."""
        error = item.error
        return cls(
            sheet_id=item.sheet_id,
            ok=item.moved is not None,
            sheet=MovedOut.of(item.moved) if item.moved else None,
            problem=f"/problems/{kind_of(error).slug}" if error else None,
            detail=str(error) if error else None,
        )


class BulkOut(Wire):
    """What became of each sheet."""

    items: list[BulkItemOut]
    done: int
    failed: int

    @classmethod
    def of(cls, items: Sequence[BulkItem]) -> Self:
        """Return all items."""
        done = sum(item.moved is not None for item in items)
        return cls(items=[BulkItemOut.of(item) for item in items], done=done, failed=len(items) - done)


@router.post(
    _SHEETS + "/publish",
    operation_id="publishMarkSheets",
    summary="Publish several sheets",
    dependencies=[Idempotent],
)
async def publish_sheets(caller: Caller, services: ServicesDep, body: SeveralSheets) -> BulkOut:
    """Publish each sheet that can be; the others say why not."""
    ids = [MarkSheetId(sheet_id) for sheet_id in body.sheet_ids]
    return BulkOut.of(await services.marks.approval.publish_many(caller, sheet_ids=ids))


@router.post(
    _SHEETS + "/approve",
    operation_id="approveMarkSheets",
    summary="Approve several sheets",
    dependencies=[Idempotent],
)
async def approve_sheets(caller: Caller, services: ServicesDep, body: SeveralSheets) -> BulkOut:
    """Give each sheet the approval that is due, where it is the caller's; the others say why not."""
    ids = [MarkSheetId(sheet_id) for sheet_id in body.sheet_ids]
    return BulkOut.of(await services.marks.approval.approve_many(caller, sheet_ids=ids))


@router.post(_SHEET + "/submit", operation_id="submitMarkSheet", summary="Hand a sheet in for approval")
async def submit(
    *, caller: Caller, services: ServicesDep, sheet_id: UUID, body: SubmitSheet, if_match: IfMatch, response: Response
) -> MovedOut:
    """Hand in a draft; 409 lists missing marks, unless forced for a reason."""
    moved = await services.marks.approval.submit(
        caller,
        sheet_id=MarkSheetId(sheet_id),
        version=require_match(if_match),
        is_forced=body.force,
        reason=body.reason,
    )
    set_etag(response, moved.version)
    return MovedOut.of(moved)


@router.post(_SHEET + "/approve", operation_id="approveMarkSheet", summary="Give the approval that is due")
async def approve(
    *,
    caller: Caller,
    services: ServicesDep,
    sheet_id: UUID,
    body: CommentOnSheet,
    if_match: IfMatch,
    response: Response,
) -> MovedOut:
    """Approve as the role whose turn it is."""
    moved = await services.marks.approval.approve(
        caller, sheet_id=MarkSheetId(sheet_id), version=require_match(if_match), comment=body.comment
    )
    set_etag(response, moved.version)
    return MovedOut.of(moved)


@router.post(_SHEET + "/return", operation_id="returnMarkSheet", summary="Send a sheet back to its teacher")
async def return_(
    *, caller: Caller, services: ServicesDep, sheet_id: UUID, body: ReturnSheet, if_match: IfMatch, response: Response
) -> MovedOut:
    """Send a submitted or approved sheet back to draft, saying why."""
    moved = await services.marks.approval.return_(
        caller, sheet_id=MarkSheetId(sheet_id), version=require_match(if_match), comment=body.comment
    )
    set_etag(response, moved.version)
    return MovedOut.of(moved)


@router.post(_SHEET + "/publish", operation_id="publishMarkSheet", summary="Publish a sheet", dependencies=[Idempotent])
async def publish(
    *, caller: Caller, services: ServicesDep, sheet_id: UUID, if_match: IfMatch, response: Response
) -> MovedOut:
    """Lock an approved sheet; its guardians hear of it once."""
    moved = await services.marks.approval.publish(
        caller, sheet_id=MarkSheetId(sheet_id), version=require_match(if_match)
    )
    set_etag(response, moved.version)
    return MovedOut.of(moved)


@router.post(_SHEET + "/reopen", operation_id="reopenMarkSheet", summary="Reopen a published sheet")
async def reopen(
    *, caller: Caller, services: ServicesDep, sheet_id: UUID, body: ReopenSheet, if_match: IfMatch, response: Response
) -> MovedOut:
    """Begin a new round: the sheet is draft again, and publishing it again tells of it again."""
    moved = await services.marks.approval.reopen(
        caller, sheet_id=MarkSheetId(sheet_id), version=require_match(if_match), reason=body.reason
    )
    set_etag(response, moved.version)
    return MovedOut.of(moved)
