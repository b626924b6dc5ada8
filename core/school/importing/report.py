"""What is told of an import: kept with it, shown by the routes and the command."""

from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from core.errors import Fault
from core.ids import ImportId, UserId
from core.ports import Row
from core.school.importing.drafting import FieldChange, Outcome
from core.school.importing.plan import Plan, SheetCount

_MOST_ROWS = 2_000
"""Rows whose difference is kept; the counts are of all."""


class ImportState(StrEnum):
    """What became of an import."""

    CHECKED = "checked"
    """A dry run without faults."""
    REFUSED = "refused"
    """It has faults; nothing was written."""
    APPLIED = "applied"
    UNDONE = "undone"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedRow:
    """What a row of the file makes or changes."""

    sheet: str
    row: int
    label: str
    outcome: Outcome
    fields: tuple[FieldChange, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportSummary:
    """One import in a list."""

    id: ImportId
    state: ImportState
    file_name: str
    counts: tuple[SheetCount, ...]
    imported_by: UserId | None
    imported_at: datetime
    undone_by: UserId | None
    undone_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport(ImportSummary):
    """One import with everything that is told of it."""

    faults: tuple[Fault, ...]
    fault_count: int
    warnings: tuple[Fault, ...]
    rows: tuple[ReportedRow, ...]
    row_count: int
    """Rows that make or change something, also those past what ``rows`` holds."""


def as_json(plan: Plan) -> dict[str, Any]:
    """Return what is kept of a plan."""
    return {
        "faults": [asdict(fault) for fault in plan.findings.faults],
        "fault_count": plan.findings.fault_count,
        "warnings": [asdict(warning) for warning in plan.findings.warnings],
        "rows": [
            {
                "sheet": row.place.kind,
                "row": row.place.row,
                "label": row.label,
                "outcome": row.outcome.value,
                "fields": [asdict(change) for change in row.fields],
            }
            for row in plan.rows[:_MOST_ROWS]
        ],
        "row_count": len(plan.rows),
    }


def summary_of(row: Row) -> ImportSummary:
    """Return an import in a list."""
    return ImportSummary(**_summary(row))


def report_of(row: Row) -> ImportReport:
    """Return an import with its report."""
    kept = row["report"]
    return ImportReport(
        **_summary(row),
        faults=tuple(Fault(**fault) for fault in kept["faults"]),
        fault_count=kept["fault_count"],
        warnings=tuple(Fault(**warning) for warning in kept["warnings"]),
        rows=tuple(_reported(found) for found in kept["rows"]),
        row_count=kept["row_count"],
    )


def _summary(row: Row) -> dict[str, Any]:
    return {
        "id": row["id"],
        "state": ImportState(row["state"]),
        "file_name": row["file_name"],
        "counts": tuple(SheetCount(**count) for count in row["counts"]),
        "imported_by": row["imported_by"],
        "imported_at": row["imported_at"],
        "undone_by": row["undone_by"],
        "undone_at": row["undone_at"],
    }


def _reported(found: dict[str, Any]) -> ReportedRow:
    fields = tuple(FieldChange(**change) for change in found["fields"])
    return ReportedRow(**{**found, "outcome": Outcome(found["outcome"]), "fields": fields})
