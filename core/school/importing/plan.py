"""The plan of an import: what it would make and change, told record by record and row by row of the file."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from core.school.importing.columns import SHEETS
from core.school.importing.drafting import Change, Draft, Outcome, RowDiff, Snapshot
from core.school.importing.findings import Findings
from core.school.importing.people import plan_accounts, plan_guardians, plan_students
from core.school.importing.planning import Planning
from core.school.importing.structure import plan_classes, plan_heads, plan_staff, plan_subjects, plan_terms
from core.school.importing.teaching import plan_loads
from core.school.importing.workbook import read_school_workbook
from core.school.spreadsheets import Sheet, cell_address


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetCount:
    """What becomes of the rows of one sheet."""

    sheet: str
    new: int
    changed: int
    unchanged: int
    faulty: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What an import would do. It may be carried out where it has no faults."""

    findings: Findings
    counts: tuple[SheetCount, ...]
    rows: tuple[RowDiff, ...]
    """Rows that make or change something."""
    changes: Mapping[str, Sequence[Change]]
    """By table."""


def plan_import(sheets: Sequence[Sheet], snapshot: Snapshot, *, today: date, actor: UUID) -> Plan:
    """Work out what the sheets change in the records. Raises ``InvalidInput`` where no sheet is known."""
    findings = Findings()
    book = read_school_workbook(sheets, findings)
    draft = Draft(snapshot, findings)
    planning = Planning(
        book=book, draft=draft, findings=findings, today=today, actor=actor, only_session=book.only_session()
    )
    _plan_everything(planning)
    good = [row for row in draft.rows if row.place.row_address not in findings.rows]
    return Plan(
        findings=findings,
        counts=tuple(_counts(planning, good)),
        rows=tuple(row for row in good if row.outcome is not Outcome.UNCHANGED),
        changes={table: _real(changes.values()) for table, changes in draft.changes.items()},
    )


def _plan_everything(planning: Planning) -> None:
    plan_terms(planning)
    staff = plan_staff(planning)
    plan_heads(planning, staff)
    plan_classes(planning)
    plan_subjects(planning)
    students = plan_students(planning)
    guardians = plan_guardians(planning)
    plan_loads(planning)
    plan_accounts(planning, staff, guardians, students)


def _real(changes: Iterable[Change]) -> list[Change]:
    return [change for change in changes if change.before != change.after]


def _counts(planning: Planning, good: Sequence[RowDiff]) -> list[SheetCount]:
    outcomes = Counter((row.place.kind, row.outcome) for row in good)
    sheets = Counter(row.rpartition("!")[0] for row in planning.findings.rows)
    return [
        SheetCount(
            sheet=kind.name,
            new=outcomes[kind.name, Outcome.NEW],
            changed=outcomes[kind.name, Outcome.CHANGED],
            unchanged=outcomes[kind.name, Outcome.UNCHANGED],
            faulty=sheets[cell_address(planning.book.sheets.get(kind.name, kind.name), 1, 1).removesuffix("!A1")],
        )
        for kind in SHEETS
        if kind.name in planning.book.rows or outcomes[kind.name, Outcome.NEW]
    ]
