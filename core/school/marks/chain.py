"""The approval chain's use cases: submit, approve, return, publish, reopen; one sheet or several at once."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from core.access.principal import Principal, Role
from core.clock import Clock
from core.errors import Conflict, Fault, InvalidInput, SchoolOSError
from core.events.outbox import emit
from core.events.types import ScoresPublished
from core.ids import MarkSheetId
from core.ports import Database, Transaction
from core.school.marks import access, rights, sheet_store, store
from core.school.marks.approval import Action, SheetState, Standing, after
from core.school.marks.model import SheetHead
from core.school.marks.results import SheetResults, incomplete, students_with_marks, work_out
from core.telemetry import get_logger, span

log = get_logger("marks")


@dataclass(frozen=True, slots=True)
class Moved:
    """Where a sheet has come by an action."""

    sheet_id: MarkSheetId
    standing: Standing
    version: int
    waits_for: Role | None


@dataclass(frozen=True, slots=True)
class BulkItem:
    """What became of one sheet of several."""

    sheet_id: MarkSheetId
    moved: Moved | None
    error: SchoolOSError | None


class MarkApproval:
    """Moves sheets along the chain that the school's policy lays down. Every move is written down and never removed."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def submit(
        self, principal: Principal, *, sheet_id: MarkSheetId, version: int | None, is_forced: bool, reason: str
    ) -> Moved:
        """Hand a draft in for approval. Raises ``Conflict`` listing missing marks, unless forced for a reason."""
        async with self._db.tenant(principal.school, actor=principal.user_id) as tx:
            head = await access.writable(tx, principal, sheet_id, version=version)
            if not is_forced:
                _refuse_missing(head, await self._results(tx, head))
            elif not reason:
                fault = Fault("/reason", "say why marks are missing", "missing")
                raise InvalidInput("handing in with missing marks needs a reason", [fault])
            return await self._move(tx, principal, head, Action.SUBMIT, comment=reason)

    async def approve(
        self, principal: Principal, *, sheet_id: MarkSheetId, version: int | None = None, comment: str = ""
    ) -> Moved:
        """Give the approval that is due."""
        async with self._db.tenant(principal.school, actor=principal.user_id) as tx:
            head = await self._locked(tx, principal, sheet_id, version)
            step = head.waits_for
            after(head.standing, Action.APPROVE, head.steps)
            if step is not None:
                rights.require_approval_of(principal, head, step)
            return await self._move(tx, principal, head, Action.APPROVE, comment=comment, as_role=step)

    async def return_(self, principal: Principal, *, sheet_id: MarkSheetId, version: int | None, comment: str) -> Moved:
        """Send a sheet back to its teacher, saying why."""
        async with self._db.tenant(principal.school, actor=principal.user_id) as tx:
            head = await self._locked(tx, principal, sheet_id, version)
            rights.require_return(principal, head)
            return await self._move(tx, principal, head, Action.RETURN, comment=comment, as_role=head.waits_for)

    async def publish(self, principal: Principal, *, sheet_id: MarkSheetId, version: int | None = None) -> Moved:
        """Lock an approved sheet and tell of it, once: the event commits with the state."""
        rights.require_publish(principal)
        async with self._db.tenant(principal.school, actor=principal.user_id) as tx:
            head = await self._locked(tx, principal, sheet_id, version)
            moved = await self._move(tx, principal, head, Action.PUBLISH)
            with span("EmitScoresPublished", sheet_id=str(sheet_id)):
                await self._emit(tx, head, await self._results(tx, head))
        log.info("marks_published", sheet_id=str(sheet_id), revision=head.standing.round)
        return moved

    async def reopen(self, principal: Principal, *, sheet_id: MarkSheetId, version: int | None, reason: str) -> Moved:
        """Take a published sheet back to draft, for a new round that ends with publishing again."""
        rights.require_reopen(principal)
        async with self._db.tenant(principal.school, actor=principal.user_id) as tx:
            head = await self._locked(tx, principal, sheet_id, version)
            moved = await self._move(tx, principal, head, Action.REOPEN, comment=reason, as_role=Role.PRINCIPAL)
        log.info("marks_reopened", sheet_id=str(sheet_id), round=moved.standing.round)
        return moved

    async def approve_many(self, principal: Principal, *, sheet_ids: Sequence[MarkSheetId]) -> Sequence[BulkItem]:
        """Approve several sheets; one that can't be does not hold up the others."""

        async def approve(sheet_id: MarkSheetId) -> Moved:
            return await self.approve(principal, sheet_id=sheet_id)

        return await _each(sheet_ids, approve)

    async def publish_many(self, principal: Principal, *, sheet_ids: Sequence[MarkSheetId]) -> Sequence[BulkItem]:
        """Publish several sheets; one that can't be does not hold up the others."""
        rights.require_publish(principal)

        async def publish(sheet_id: MarkSheetId) -> Moved:
            return await self.publish(principal, sheet_id=sheet_id)

        return await _each(sheet_ids, publish)

    async def _locked(
        self, tx: Transaction, principal: Principal, sheet_id: MarkSheetId, version: int | None
    ) -> SheetHead:
        """Return a locked sheet that the caller may see. Raises ``Stale`` where it is at another version."""
        head = await access.found(tx, sheet_id, lock=True)
        rights.require_read(principal, head)
        access.require_version(head, version)
        access.require_term_open(head)
        return head

    async def _move(
        self,
        tx: Transaction,
        principal: Principal,
        head: SheetHead,
        action: Action,
        *,
        comment: str = "",
        as_role: Role | None = None,
    ) -> Moved:
        to = after(head.standing, action, head.steps)
        at = self._clock.now()
        role = rights.role_for(principal, head, as_role)
        version = await sheet_store.move(tx, head, to, at)
        await sheet_store.add_step(tx, head, to, action=action.value, role=role, comment=comment, at=at)
        waits_for = head.steps[to.steps_done] if to.state is SheetState.SUBMITTED else None
        return Moved(head.id, to, version, waits_for)

    async def _results(self, tx: Transaction, head: SheetHead) -> SheetResults:
        return work_out(head, await store.roster(tx, head.id), await store.marks(tx, head.id))

    async def _emit(self, tx: Transaction, head: SheetHead, results: SheetResults) -> None:
        if head.teacher_id is None:
            raise Conflict("nobody teaches this subject in this class any more; add the teaching load, then publish")
        now = self._clock.now()
        students = students_with_marks(results)
        payload = ScoresPublished(
            subject_id=head.subject_id,
            subject_name=head.subject_name,
            class_arm_id=head.class_arm_id,
            class_arm_name=head.class_arm_name,
            term_id=head.term_id,
            term_name=head.term_name,
            teacher_id=head.teacher_id,
            teacher_name=head.teacher_name,
            student_count=len(students),
            timestamp=now,
            sheet_id=head.id,
            student_ids=students,
            revision=head.standing.round,
        )
        await emit(tx, school_id=head.school_id, payload=payload, occurred_at=now)


def _refuse_missing(head: SheetHead, results: SheetResults) -> None:
    names = {part.code: part.name for part in head.components}
    faults = [
        Fault(
            f"/students/{line.student.id}",
            f"{line.student.student_no} has no mark for {', '.join(names[code] for code in line.result.missing)};"
            " enter it, or A (absent), or X (exempt)",
            "missing_mark",
        )
        for line in incomplete(results)
    ]
    if faults:
        raise Conflict(
            f"marks of {len(faults)} students are missing; enter them or submit with force and a reason", faults
        )


async def _each(sheet_ids: Sequence[MarkSheetId], act: Callable[[MarkSheetId], Awaitable[Moved]]) -> Sequence[BulkItem]:
    """Act on each sheet in a transaction of its own, so that one that fails takes nothing of the others back."""
    items: list[BulkItem] = []
    for sheet_id in dict.fromkeys(sheet_ids):
        try:
            items.append(BulkItem(sheet_id, await act(sheet_id), None))
        except SchoolOSError as error:
            items.append(BulkItem(sheet_id, None, error))
    return items
