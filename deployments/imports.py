"""A school's spreadsheets over HTTP: check, import, look up, undo."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, File, Query, Request, Response, UploadFile

from core.errors import Fault, InvalidInput
from core.ids import ImportId
from core.school.importing.report import ImportReport, ImportState
from core.school.importing.service import UploadedFile
from core.school.spreadsheets import XLSX
from deployments.ground.idempotency import Idempotent
from deployments.ground.pagination import Page, PageParams, page_of
from deployments.ground.problem import PROBLEMS
from deployments.ground.security import Caller
from deployments.ground.uploads import bounded_upload
from deployments.imports_wire import ImportOut, ImportSummaryOut, annotated_url
from deployments.services import ServicesDep

router = APIRouter(prefix="/api/school/imports", tags=["imports"], responses=PROBLEMS)

_WORKBOOK: dict[int | str, dict[str, Any]] = {
    200: {"content": {XLSX: {"schema": {"type": "string", "format": "binary"}}}}
}
Files = Annotated[
    list[UploadFile], File(alias="file", description="One .xlsx, or several .csv named for their sheets.")
]


@router.post(
    "",
    operation_id="importSchool",
    summary="Set the school up from a workbook or CSV files",
    dependencies=[Idempotent],
    responses={201: {"model": ImportOut, "description": "Written"}},
)
async def import_school(
    *,
    caller: Caller,
    services: ServicesDep,
    request: Request,
    response: Response,
    file: Files,
    dry_run: Annotated[bool, Query(alias="dryRun", description="Say what would change, and change nothing.")] = False,
) -> ImportOut:
    """Write every row or none. A dry run answers 200 with faults and differences; faults in earnest answer 422."""
    limit = request.app.state.options.upload_max_bytes
    files = [UploadedFile.of(sent.filename or "upload", await bounded_upload(sent, limit)) for sent in file]
    report = await services.imports.run(caller, files=files, dry_run=dry_run)
    response.headers["Location"] = f"/api/school/imports/{report.id}"
    if not dry_run:
        _require_applied(report)
        response.status_code = 201
    return ImportOut.with_links(report)


def _require_applied(report: ImportReport) -> None:
    if report.state is ImportState.REFUSED:
        count = f"{report.fault_count:,} fault{'s' if report.fault_count > 1 else ''}"
        what = f"nothing was imported: the file has {count}"
        raise InvalidInput(what, report.faults, annotated_url(report))


@router.get("", operation_id="listImports", summary="List imports, newest first")
async def list_imports(
    caller: Caller, services: ServicesDep, request: Request, response: Response, page: PageParams
) -> Page[ImportSummaryOut]:
    """Return dry runs, refused, written and undone ones."""
    found = await services.imports.list(caller, limit=page.limit + 1, after=_after(page.after))
    shown = page_of(request, response, found, page, key=lambda item: (item.id,))
    return Page(items=[ImportSummaryOut.of(item) for item in shown.items], next_cursor=shown.next_cursor)


def _after(keys: tuple[object, ...] | None) -> UUID | None:
    if keys is None:
        return None
    if len(keys) != 1 or not isinstance(keys[0], UUID):
        fault = Fault("/query/cursor", "use the nextCursor of the page before, unchanged")
        raise InvalidInput("the cursor can't be read", [fault])
    return keys[0]


@router.get(
    "/template.xlsx",
    operation_id="getImportTemplate",
    summary="Get the workbook to fill in",
    response_class=Response,
    responses=_WORKBOOK,
)
async def get_template(caller: Caller, services: ServicesDep) -> Response:
    """Return a workbook with every sheet, examples, notes and lists to choose from."""
    del caller
    return _workbook(await services.imports.template(), "schoolos-import.xlsx")


@router.get("/{import_id}", operation_id="getImport", summary="Get an import with its report")
async def get_import(caller: Caller, services: ServicesDep, import_id: UUID) -> ImportOut:
    """Return counts, faults, warnings and differences."""
    return ImportOut.with_links(await services.imports.get(caller, import_id=ImportId(import_id)))


@router.get(
    "/{import_id}/annotated.xlsx",
    operation_id="getAnnotatedImport",
    summary="Get the workbook with its faults marked",
    response_class=Response,
    responses=_WORKBOOK,
)
async def get_annotated(caller: Caller, services: ServicesDep, import_id: UUID) -> Response:
    """Return the values that were sent, faulty cells coloured and commented."""
    content = await services.imports.annotated(caller, import_id=ImportId(import_id))
    return _workbook(content, "what-to-mend.xlsx")


@router.post("/{import_id}/undo", operation_id="undoImport", summary="Undo an import", dependencies=[Idempotent])
async def undo_import(caller: Caller, services: ServicesDep, import_id: UUID) -> ImportOut:
    """Take back what it made and changed; 409 lists what was changed since or is referred to."""
    return ImportOut.with_links(await services.imports.undo(caller, import_id=ImportId(import_id)))


def _workbook(content: bytes, name: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "private, no-store"}
    return Response(content, media_type=XLSX, headers=headers)
