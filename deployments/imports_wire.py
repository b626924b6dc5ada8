"""The JSON of imports."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from core.school.importing.drafting import Outcome
from core.school.importing.report import ImportReport, ImportState, ImportSummary
from deployments.ground.wire import Wire


class SheetCountOut(Wire):
    """What becomes of the rows of one sheet."""

    sheet: str
    new: int
    changed: int
    unchanged: int
    faulty: int


class CellNote(Wire):
    """Something wrong with a cell, or worth a look."""

    where: str = Field(description="The cell, such as `Students!F12`.")
    what: str
    code: str = Field(description="A stable word for programs.")


class FieldChangeOut(Wire):
    """One thing that a row changes."""

    field: str
    old: str | None
    new: str | None


class ImportedRow(Wire):
    """What a row of the file makes or changes."""

    sheet: str
    row: int
    label: str
    outcome: Outcome
    fields: list[FieldChangeOut]


class ImportSummaryOut(Wire):
    """One import in a list."""

    id: UUID
    state: ImportState = Field(description="`checked` was a dry run; `refused` had faults, and nothing was written.")
    file_name: str
    counts: list[SheetCountOut]
    imported_by: UUID | None
    """Zero for whoever ran `schoolos import` on the machine without naming an account."""
    imported_at: datetime
    undone_by: UUID | None
    undone_at: datetime | None

    @classmethod
    def of(cls, summary: ImportSummary) -> "ImportSummaryOut":
        """Return the JSON of an import."""
        return cls.model_validate(summary)


class ImportOut(ImportSummaryOut):
    """One import with everything that is told of it."""

    faults: list[CellNote] = Field(description="The first 1,000.")
    fault_count: int
    warnings: list[CellNote]
    rows: list[ImportedRow] = Field(description="Rows that make or change something; the first 2,000.")
    row_count: int
    annotated_url: str | None = Field(None, description="The workbook with its faults marked, where there are any.")

    @classmethod
    def with_links(cls, report: ImportReport) -> "ImportOut":
        """Return the JSON of an import with everything."""
        url = annotated_url(report) if report.state is ImportState.REFUSED else None
        return cls.model_validate(report).model_copy(update={"annotated_url": url})


def annotated_url(report: ImportReport) -> str:
    """Return where the workbook with its faults is."""
    return f"/api/school/imports/{report.id}/annotated.xlsx"
