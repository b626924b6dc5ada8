"""Timetables from and for other programs: FET, XHSTT, the competition's form, Excel, CSV."""

from enum import StrEnum
from typing import Annotated, Any, Self
from uuid import UUID

from fastapi import APIRouter, File, Query, Request, Response, UploadFile
from pydantic import Field

from core.ids import TimetableId
from core.timetable.exchange import Imported
from deployments.ground.problem import PROBLEMS
from deployments.ground.security import Caller
from deployments.ground.uploads import bounded_upload
from deployments.ground.wire import Wire
from deployments.services import ServicesDep

router = APIRouter(prefix="/api/timetable", tags=["timetables"], responses=PROBLEMS)

_FILE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The file. `Timetable-Not-Written` counts what its form has no word for.",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


class FormName(StrEnum):
    """The forms that there are."""

    GENERATED = "generated"
    SCHOOLOS = "schoolos"
    XHSTT = "xhstt"
    FET = "fet"
    ECTT = "ectt"
    XLSX = "xlsx"
    CSV = "csv"


class NoteOut(Wire):
    """Something in a file that is not kept as it stands there."""

    what: str
    hard: bool
    """The file demands it, so that what is found may break it."""


class ImportedTimetableOut(Wire):
    """What was in a file."""

    format: str
    whole: bool
    """Everything that the file demands is in the problem."""
    notes: list[NoteOut]
    problem: dict[str, Any] = Field(description="As `problem` of `/api/timetable/generate` takes it.")
    timetable: dict[str, Any] | None = Field(
        description="The solution in the file, as `/api/timetable/validate` takes it."
    )

    @classmethod
    def of(cls, found: Imported) -> Self:
        """Return what was read as it is shown."""
        read = found.read
        return cls(
            format=found.form,
            whole=read.is_whole,
            notes=[NoteOut(what=note.what, hard=note.hard) for note in read.notes],
            problem=read.problem.model_dump(by_alias=True, mode="json"),
            timetable=read.timetable.model_dump(by_alias=True, mode="json") if read.timetable else None,
        )


@router.post("/import", operation_id="importTimetable", summary="Read a file of another timetable program")
async def import_timetable(
    *,
    caller: Caller,
    services: ServicesDep,
    request: Request,
    file: Annotated[UploadFile, File(description="A .fet, .xml, .ectt, .xlsx, .csv or .json file.")],
    form: Annotated[
        FormName | None, Query(alias="format", description="Its form, where its name does not tell.")
    ] = None,
    instance: Annotated[
        str | None,
        Query(max_length=200, description="The id of the one that is meant, where the file holds several."),
    ] = None,
) -> ImportedTimetableOut:
    """Return the problem in it, to be sent to generate; nothing is kept. What is not supported is named.

    422 lists the ids of the problems in a file that holds several, where none of them is asked for.
    """
    content = await bounded_upload(file, request.app.state.options.upload_max_bytes)
    found = await services.timetables.exchange.read(
        caller,
        name=file.filename or "upload",
        content=content,
        form=form.value if form else None,
        instance=instance,
    )
    return ImportedTimetableOut.of(found)


@router.get(
    "/{timetable_id}/export",
    operation_id="exportTimetable",
    summary="Write a timetable as a file of another program",
    response_class=Response,
    responses=_FILE,
)
async def export_timetable(
    caller: Caller, services: ServicesDep, timetable_id: UUID, form: Annotated[FormName, Query(alias="format")]
) -> Response:
    """Return the latest version, or the published, with its lessons locked in time and room."""
    made = await services.timetables.exchange.write(caller, timetable=TimetableId(timetable_id), form=form.value)
    headers = {
        "Content-Disposition": f'attachment; filename="{made.name}"',
        "Cache-Control": "private, no-store",
        "Timetable-Not-Written": str(len(made.notes)),
    }
    return Response(made.data, media_type="application/octet-stream", headers=headers)
