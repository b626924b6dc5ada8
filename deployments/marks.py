"""Marks over HTTP: sheets, their workbooks, single edits, the audit, results."""

from typing import Annotated, Any
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from core.errors import Fault, InvalidInput
from core.ids import ClassArmId, MarkSheetId, StudentId, SubjectId, TermId
from core.school.marks.model import ListedSheet, SheetHead
from core.school.marks.sheet_store import SheetFilter
from core.school.spreadsheets import XLSX
from deployments import mark_approval, mark_uploads
from deployments.ground.etags import IfMatch, require_match, set_etag
from deployments.ground.pagination import Page, PageParams, PageQuery, page_of
from deployments.ground.problem import PROBLEMS
from deployments.ground.security import Caller
from deployments.marks_wire import (
    AuditEntryOut,
    EditMarks,
    ListedSheetOut,
    ListedState,
    OpenSheet,
    SheetResultsOut,
    StudentResultsOut,
)
from deployments.services import ServicesDep

router = APIRouter(tags=["marks"], responses=PROBLEMS)
router.include_router(mark_uploads.router)
router.include_router(mark_approval.router)

_SHEETS = "/api/school/mark-sheets"
_SHEET = _SHEETS + "/{sheet_id}"
_MAX_KEY = 2**31 - 1


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
    keys: tuple[Any, ...] | None = page.after
    if keys is None:
        return None
    fits = len(keys) == len(kinds) and all(map(isinstance, keys, kinds))
    if not fits or any(isinstance(key, int) and abs(key) > _MAX_KEY for key in keys):
        fault = Fault("/query/cursor", "use the nextCursor of the page before, unchanged")
        raise InvalidInput("the cursor is not of this list", [fault])
    return keys


def _file_name(head: SheetHead) -> str:
    parts = (head.class_arm_name, head.subject_name, head.term_name, head.session_name.replace("/", "-"))
    return " ".join(parts) + ".xlsx"
