"""Filled class sheets over HTTP: uploaded, looked up, undone."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from fastapi import APIRouter, File, Form, Query, Request, UploadFile
from pydantic import Field

from core.errors import Fault
from core.ids import ClassArmId, MarkSheetId, MarkUploadId, SubjectId, TermId
from core.school.marks.model import Upload
from core.school.marks.uploads import LabelledChange, Target, UploadOutcome
from deployments.ground.idempotency import Idempotent
from deployments.ground.problem import PROBLEMS, ProblemFault
from deployments.ground.security import Caller
from deployments.ground.uploads import bounded_upload
from deployments.ground.wire import Wire
from deployments.marks_wire import MarkOut
from deployments.services import ServicesDep

router = APIRouter(tags=["marks"], responses=PROBLEMS)

_SHEET = "/api/school/mark-sheets/{sheet_id}"
DryRun = Annotated[bool, Query(alias="dryRun", description="Say what would change, and change nothing.")]
Workbook = Annotated[UploadFile, File(description="The filled class sheet, .xlsx")]


class ChangeOut(Wire):
    """One mark that becomes another."""

    student_id: UUID
    student_no: str
    name: str
    component: str
    old: MarkOut
    new: MarkOut
    cell: str = Field(description="Where it stands in the workbook, such as Marks!D7.")
    changed_since: bool = Field(description="Someone else changed this mark since the workbook was downloaded.")

    @classmethod
    def of(cls, line: LabelledChange) -> Self:
        """Return a change."""
        return cls(
            student_id=line.student.id,
            student_no=line.student.student_no,
            name=line.student.name,
            component=line.change.component,
            old=MarkOut.of(line.change.old),
            new=MarkOut.of(line.change.new),
            cell=line.place,
            changed_since=line.collides,
        )


class UploadOut(Wire):
    """What an upload did, or in a dry run would do."""

    sheet_id: UUID
    sheet_version: int
    dry_run: bool
    upload_id: UUID | None
    changed: int
    changes: list[ChangeOut]
    errors: list[ProblemFault] = Field(description="In a dry run only: any of these would refuse the workbook.")
    warnings: list[ProblemFault]
    report_url: str | None = Field(description="A copy of the workbook with the errors marked in it.")

    @classmethod
    def of(cls, outcome: UploadOutcome) -> Self:
        """Return an outcome."""
        return cls(
            sheet_id=outcome.sheet_id,
            sheet_version=outcome.sheet_version,
            dry_run=outcome.is_dry_run,
            upload_id=outcome.upload_id,
            changed=len(outcome.changes),
            changes=[ChangeOut.of(line) for line in outcome.changes],
            errors=_faults(outcome.faults),
            warnings=_faults(outcome.warnings),
            report_url=outcome.report_url,
        )


class PastUploadOut(Wire):
    """A workbook whose marks were taken over."""

    id: UUID
    changed: int
    uploaded_by: UUID | None
    uploaded_at: datetime
    undone_at: datetime | None

    @classmethod
    def of(cls, upload: Upload) -> Self:
        """Return an upload."""
        return cls.model_validate(upload)


class UploadsOut(Wire):
    """A sheet's uploads, newest first."""

    items: list[PastUploadOut]


class FileLink(Wire):
    """Where a file is to be had for a day."""

    url: str


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


def _faults(faults: Sequence[Fault]) -> list[ProblemFault]:
    return [ProblemFault(pointer=fault.where, detail=fault.what, code=fault.code) for fault in faults]
