"""Mark sheets: opened, listed, read, edited mark by mark, and handed out as workbooks."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from core.access.principal import Principal, Role, Scope
from core.errors import Fault, InvalidInput
from core.ids import ClassArmId, MarkSheetId, StudentId, SubjectId, TermId
from core.ports import Database, Transaction
from core.school.marks import access, rights, sheet_store, store
from core.school.marks.model import AuditEntry, Change, ListedSheet, Mark, MarkStatus, RosterStudent, SheetHead, Step
from core.school.marks.reading import Refusal, checked
from core.school.marks.results import SheetResults, work_out
from core.school.marks.sheet_store import Reach, SheetFilter
from core.school.marks.workbook import class_sheet


@dataclass(frozen=True, slots=True)
class SheetView:
    """A sheet with everything worked out, and how it came where it is."""

    head: SheetHead
    results: SheetResults
    steps: Sequence[Step]


@dataclass(frozen=True, slots=True)
class Edit:
    """One mark as a person wants it. No status makes it missing again."""

    student_id: StudentId
    component: str
    status: MarkStatus | None
    value: Decimal | None


class MarkSheets:
    """Mark sheets as their teachers, their department and the school's leaders use them."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def open(
        self, principal: Principal, *, term_id: TermId, class_arm_id: ClassArmId, subject_id: SubjectId
    ) -> SheetView:
        """Return the sheet of a subject in an arm and term; first use opens it under the policies then in force."""
        principal.require(Scope.MARKS_READ)
        async with self._db.tenant(principal.school, actor=principal.user_id) as tx:
            head = await access.opened(tx, principal, term_id, class_arm_id, subject_id)
            return await self._view(tx, head)

    async def list(
        self, principal: Principal, *, wanted: SheetFilter, after: Sequence[Any] | None, limit: int
    ) -> Sequence[ListedSheet]:
        """Return what the caller reaches, a line for each teaching load and term, opened or not, newest term first."""
        principal.require(Scope.MARKS_READ)
        reach = Reach(
            everything=rights.leads(principal),
            staff_id=principal.staff_id,
            own_class=principal.has_role(Role.CLASS_TEACHER),
            own_department=principal.has_role(Role.HEAD_OF_DEPARTMENT),
        )
        async with self._db.tenant(principal.school, actor=principal.user_id, read_only=True) as tx:
            return await sheet_store.listed(tx, wanted, reach, after=after, limit=limit)

    async def get(self, principal: Principal, *, sheet_id: MarkSheetId) -> SheetView:
        """Return a sheet with totals, grades, positions and the class average."""
        async with self._db.tenant(principal.school, actor=principal.user_id, read_only=True) as tx:
            return await self._view(tx, await access.readable(tx, principal, sheet_id))

    async def workbook(self, principal: Principal, *, sheet_id: MarkSheetId) -> tuple[SheetHead, bytes]:
        """Return the class sheet, pre-filled, to be filled in offline."""
        async with self._db.tenant(principal.school, actor=principal.user_id, read_only=True) as tx:
            head = await access.readable(tx, principal, sheet_id)
            roster = await store.roster(tx, sheet_id)
            marks = await store.marks(tx, sheet_id)
        return head, await asyncio.to_thread(class_sheet, head, roster, marks)

    async def edit(
        self, principal: Principal, *, sheet_id: MarkSheetId, version: int, edits: Sequence[Edit], reason: str
    ) -> SheetView:
        """Change single marks of a draft sheet, for a reason that its audit keeps. All of them or none."""
        async with self._db.tenant(principal.school, actor=principal.user_id) as tx:
            head = await access.writable(tx, principal, sheet_id, version=version)
            roster = await store.roster(tx, sheet_id)
            wanted = _checked_edits(head, roster, edits)
            current = await store.marks(tx, sheet_id)
            changes = [
                Change(*cell, old=current.get(cell), new=new)
                for cell, new in wanted.items()
                if current.get(cell) != new
            ]
            if changes:
                await sheet_store.raise_version(tx, sheet_id)
                await store.write(tx, head, changes, reason=reason)
            return await self._view(tx, await access.found(tx, sheet_id))

    async def audit(
        self,
        principal: Principal,
        *,
        sheet_id: MarkSheetId,
        student_id: StudentId | None,
        before: int | None,
        limit: int,
    ) -> Sequence[AuditEntry]:
        """Return who changed which mark when and why, newest first, of a sheet or of one student on it."""
        async with self._db.tenant(principal.school, actor=principal.user_id, read_only=True) as tx:
            await access.readable(tx, principal, sheet_id)
            return await store.audit(tx, sheet_id, student_id=student_id, before=before, limit=limit)

    async def _view(self, tx: Transaction, head: SheetHead) -> SheetView:
        roster = await store.roster(tx, head.id)
        marks = await store.marks(tx, head.id)
        return SheetView(head, work_out(head, roster, marks), await sheet_store.steps_of(tx, head.id))


def _checked_edits(
    head: SheetHead, roster: Sequence[RosterStudent], edits: Sequence[Edit]
) -> Mapping[tuple[StudentId, str], Mark | None]:
    """Return the edits as marks by cell. Raises ``InvalidInput`` with a fault for each that can't be."""
    known = {student.id for student in roster}
    wanted: dict[tuple[StudentId, str], Mark | None] = {}
    faults: list[Fault] = []
    for index, edit in enumerate(edits):
        try:
            mark = _mark(head, known, edit)
        except Refusal as refusal:
            faults.append(Fault(f"/marks/{index}", refusal.what, refusal.code))
            continue
        cell = (edit.student_id, edit.component)
        if cell in wanted:
            faults.append(Fault(f"/marks/{index}", "this mark stands in the list twice", "duplicate"))
        wanted[cell] = mark
    if faults:
        raise InvalidInput("some marks can't be taken; nothing was changed", faults)
    return wanted


def _mark(head: SheetHead, known: set[StudentId], edit: Edit) -> Mark | None:
    component = head.component(edit.component)
    if edit.student_id not in known:
        raise Refusal("unknown_student", "this student is not on the sheet")
    if component is None:
        codes = ", ".join(part.code for part in head.components)
        raise Refusal("unknown_component", f"there is no component {edit.component}; allowed: {codes}")
    if (edit.status is MarkStatus.SCORED) != (edit.value is not None):
        raise Refusal("value_and_status", "a scored mark has a value, any other has none")
    if edit.value is not None:
        return Mark.scored(checked(edit.value, component))
    return None if edit.status is None else Mark(edit.status)
