"""Marks over HTTP: sheets, workbooks, uploads, the approval chain, results."""

from typing import Annotated, Any
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, File, Form, Query, Request, Response, UploadFile

from core.errors import Fault, InvalidInput
from core.ids import ClassArmId, MarkSheetId, MarkUploadId, StudentId, SubjectId, TermId
from core.school.marks.model import ListedSheet, SheetHead
from core.school.marks.sheet_store import SheetFilter
from core.school.marks.uploads import Target
from core.school.spreadsheets import XLSX
from deployments.ground.etags import IfMatch, require_match, set_etag
from deployments.ground.idempotency import Idempotent
from deployments.ground.pagination import Page, PageParams, PageQuery, page_of
from deployments.ground.problem import PROBLEMS
from deployments.ground.security import Caller
from deployments.ground.uploads import bounded_upload
from deployments.marks_wire import (
    AuditEntryOut,
    BulkOut,
    CommentOnSheet,
    EditMarks,
    FileLink,
    ListedSheetOut,
    ListedState,
    MovedOut,
    OpenSheet,
    PastUploadOut,
    ReopenSheet,
    ReturnSheet,
    SeveralSheets,
    SheetResultsOut,
    StudentResultsOut,
    SubmitSheet,
    UploadOut,
    UploadsOut,
)
from deployments.services import ServicesDep

router = APIRouter(tags=["marks"], responses=PROBLEMS)

_SHEETS = "/api/school/mark-sheets"
_SHEET = _SHEETS + "/{sheet_id}"
_MAX_KEY = 2**31 - 1
DryRun = Annotated[bool, Query(alias="dryRun", description="Say what would change, and change nothing.")]
Workbook = Annotated[UploadFile, File(description="The filled class sheet, .xlsx")]


@router.post(_SHEETS, operation_id="openMarkSheet", summary="Open the mark sheet of a subject in an arm and term")
async def open_sheet(caller: Caller, services: ServicesDep, body: OpenSheet, response: Response) -> SheetResultsOut:
    """Return the sheet; first use opens it under the policies then in force."""
    view = await services.marks.sheets.open(
        caller,
        term_id=TermId(body.term_id),
        class_arm_id=ClassArmId(body.class_arm_id),
        subject_id=SubjectId(body.subject_id),
    )
    set_etag(response, view.head.version)
    return SheetResultsOut.of(view)


@router.get(_SHEETS, operation_id="listMarkSheets", summary="List mark sheets, opened or not")
async def list_sheets(
    *,
    caller: Caller,
    services: ServicesDep,
    request: Request,
    response: Response,
    page: PageParams,
    term_id: Annotated[UUID | None, Query(alias="termId")] = None,
    class_arm_id: Annotated[UUID | None, Query(alias="classArmId")] = None,
    subject_id: Annotated[UUID | None, Query(alias="subjectId")] = None,
    state: Annotated[ListedState | None, Query()] = None,
) -> Page[ListedSheetOut]:
    """Return a teacher's own loads, a head's department, a class teacher's arm, to leaders all; newest term first."""
    wanted = SheetFilter(
        term_id=TermId(term_id) if term_id else None,
        class_arm_id=ClassArmId(class_arm_id) if class_arm_id else None,
        subject_id=SubjectId(subject_id) if subject_id else None,
        state=state,
    )
    after = _keys(page, int, int, str, str, UUID)
    found = await services.marks.sheets.list(caller, wanted=wanted, after=after, limit=page.limit + 1)
    shown = page_of(request, response, found, page, key=_list_key)
    return Page(items=[ListedSheetOut.of(sheet) for sheet in shown.items], next_cursor=shown.next_cursor)


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


@router.get(_SHEET, operation_id="getMarkSheet", summary="Get a mark sheet with totals, grades and positions")
async def get_sheet(caller: Caller, services: ServicesDep, sheet_id: UUID, response: Response) -> SheetResultsOut:
    """Return a sheet; missing, absent and exempt marks are told apart."""
    view = await services.marks.sheets.get(caller, sheet_id=MarkSheetId(sheet_id))
    set_etag(response, view.head.version)
    return SheetResultsOut.of(view)


@router.get(
    _SHEET + "/workbook.xlsx",
    operation_id="getMarkSheetWorkbook",
    summary="Get the pre-filled class sheet",
    response_class=Response,
    responses={200: {"content": {XLSX: {}}, "description": "The workbook"}},
)
async def get_workbook(caller: Caller, services: ServicesDep, sheet_id: UUID) -> Response:
    """Send the workbook that is filled in offline and uploaded again."""
    head, content = await services.marks.sheets.workbook(caller, sheet_id=MarkSheetId(sheet_id))
    response = Response(content, media_type=XLSX)
    response.headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(_file_name(head))}"
    response.headers["Cache-Control"] = "private, no-store"
    set_etag(response, head.version)
    return response


@router.patch(_SHEET + "/marks", operation_id="editMarks", summary="Change single marks, for a reason")
async def edit_marks(
    *, caller: Caller, services: ServicesDep, sheet_id: UUID, body: EditMarks, if_match: IfMatch, response: Response
) -> SheetResultsOut:
    """Change marks of a draft sheet, all of them or none. ``If-Match`` is the sheet's version."""
    view = await services.marks.sheets.edit(
        caller,
        sheet_id=MarkSheetId(sheet_id),
        version=require_match(if_match),
        edits=[mark.to_edit() for mark in body.marks],
        reason=body.reason,
    )
    set_etag(response, view.head.version)
    return SheetResultsOut.of(view)


@router.get(_SHEET + "/audit", operation_id="getMarkAudit", summary="Who changed which mark, when and why")
async def get_audit(
    *,
    caller: Caller,
    services: ServicesDep,
    sheet_id: UUID,
    request: Request,
    response: Response,
    page: PageParams,
    student_id: Annotated[UUID | None, Query(alias="studentId")] = None,
) -> Page[AuditEntryOut]:
    """Return every change of the sheet's marks, or of one student's, newest first."""
    before = _keys(page, int)
    found = await services.marks.sheets.audit(
        caller,
        sheet_id=MarkSheetId(sheet_id),
        student_id=StudentId(student_id) if student_id else None,
        before=before[0] if before else None,
        limit=page.limit + 1,
    )
    shown = page_of(request, response, found, page, key=lambda entry: (entry.id,))
    return Page(items=[AuditEntryOut.of(entry) for entry in shown.items], next_cursor=shown.next_cursor)


@router.post(
    _SHEET + "/uploads", operation_id="uploadMarks", summary="Upload a filled class sheet", dependencies=[Idempotent]
)
async def upload(
    *, caller: Caller, services: ServicesDep, request: Request, sheet_id: UUID, file: Workbook, dry_run: DryRun = False
) -> UploadOut:
    """Take the whole workbook over, or nothing of it; every fault is told by its cell."""
    content = await bounded_upload(file, request.app.state.options.upload_max_bytes)
    target = Target(sheet_id=MarkSheetId(sheet_id))
    outcome = await services.marks.uploads.upload(caller, target=target, content=content, is_dry_run=dry_run)
    return UploadOut.of(outcome)


@router.post(
    "/api/bff/teacher/scores/bulk-upload",
    operation_id="bulkUploadScores",
    summary="Upload a filled class sheet; the workbook or the form says which",
    dependencies=[Idempotent],
)
async def bulk_upload(
    *,
    caller: Caller,
    services: ServicesDep,
    request: Request,
    file: Workbook,
    class_arm_id: Annotated[UUID | None, Form(alias="classArmId")] = None,
    subject_id: Annotated[UUID | None, Form(alias="subjectId")] = None,
    term_id: Annotated[UUID | None, Form(alias="termId")] = None,
    dry_run: DryRun = False,
) -> UploadOut:
    """Take the whole workbook over, or nothing of it. The source's address of the same thing (P4-31)."""
    content = await bounded_upload(file, request.app.state.options.upload_max_bytes)
    target = Target(
        term_id=TermId(term_id) if term_id else None,
        class_arm_id=ClassArmId(class_arm_id) if class_arm_id else None,
        subject_id=SubjectId(subject_id) if subject_id else None,
    )
    outcome = await services.marks.uploads.upload(caller, target=target, content=content, is_dry_run=dry_run)
    return UploadOut.of(outcome)


@router.get(_SHEET + "/uploads", operation_id="listMarkUploads", summary="List a sheet's uploads")
async def list_uploads(caller: Caller, services: ServicesDep, sheet_id: UUID) -> UploadsOut:
    """Return the uploads, newest first, at most the last hundred."""
    found = await services.marks.uploads.list(caller, sheet_id=MarkSheetId(sheet_id))
    return UploadsOut(items=[PastUploadOut.of(one) for one in found])


@router.get(
    _SHEET + "/uploads/{upload_id}/original",
    operation_id="getMarkUploadOriginal",
    summary="Get a link to an uploaded workbook",
)
async def get_original(caller: Caller, services: ServicesDep, sheet_id: UUID, upload_id: UUID) -> FileLink:
    """Return a link to the workbook as it was uploaded."""
    url = await services.marks.uploads.original_url(
        caller, sheet_id=MarkSheetId(sheet_id), upload_id=MarkUploadId(upload_id)
    )
    return FileLink(url=url)


@router.post(
    _SHEET + "/uploads/{upload_id}/undo",
    operation_id="undoMarkUpload",
    summary="Undo an upload",
    dependencies=[Idempotent],
)
async def undo_upload(caller: Caller, services: ServicesDep, sheet_id: UUID, upload_id: UUID) -> UploadOut:
    """Give the marks back what they were; 409 where one was changed again later, or the sheet is no draft."""
    outcome = await services.marks.uploads.undo(
        caller, sheet_id=MarkSheetId(sheet_id), upload_id=MarkUploadId(upload_id)
    )
    return UploadOut.of(outcome)


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


@router.get(
    "/api/school/students/{student_id}/results",
    operation_id="getStudentResults",
    summary="Get a student's results of a term",
)
async def student_results(
    *, caller: Caller, services: ServicesDep, student_id: UUID, term_id: Annotated[UUID, Query(alias="termId")]
) -> StudentResultsOut:
    """Return all subjects: published ones to the student and guardians, to staff what they may see."""
    results = await services.marks.results.of_student(caller, student_id=StudentId(student_id), term_id=TermId(term_id))
    return StudentResultsOut.of(results)


def _list_key(sheet: ListedSheet) -> tuple[int, int, str, str, UUID]:
    return sheet.sort_key, sheet.level_rank, sheet.class_arm_name, sheet.subject_name, sheet.load_id


def _keys(page: PageQuery, *kinds: type) -> tuple[Any, ...] | None:
    """Return the cursor's keys. Raises ``InvalidInput`` for the cursor of another list."""
    if page.after is None:
        return None
    fits = len(page.after) == len(kinds) and all(map(isinstance, page.after, kinds))
    if not fits or any(isinstance(key, int) and abs(key) > _MAX_KEY for key in page.after):
        fault = Fault("/query/cursor", "use the nextCursor of the page before, unchanged")
        raise InvalidInput("the cursor is not of this list", [fault])
    return page.after


def _file_name(head: SheetHead) -> str:
    parts = (head.class_arm_name, head.subject_name, head.term_name, head.session_name.replace("/", "-"))
    return " ".join(parts) + ".xlsx"
