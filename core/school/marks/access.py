"""How every use case comes to a sheet: found in the caller's school, allowed, and locked where it is to be changed."""

from core.access.principal import Principal
from core.errors import Conflict, InvalidInput, NotFound, Stale
from core.ids import ClassArmId, MarkSheetId, PolicyId, SubjectId, TermId
from core.ports import Transaction
from core.school import policy_store
from core.school.marks import rights, sheet_store
from core.school.marks.approval import require_draft
from core.school.marks.model import SheetHead
from core.school.model import PolicyKind, Stage

_SHEET_POLICIES = (PolicyKind.ASSESSMENT, PolicyKind.GRADING, PolicyKind.APPROVAL)


async def readable(tx: Transaction, principal: Principal, sheet_id: MarkSheetId) -> SheetHead:
    """Return a sheet the caller may see. Raises ``NotFound``, ``NotPermitted``."""
    head = await found(tx, sheet_id)
    rights.require_read(principal, head)
    return head


async def writable(
    tx: Transaction, principal: Principal, sheet_id: MarkSheetId, *, version: int | None = None
) -> SheetHead:
    """Return a locked sheet whose marks the caller may write now, at the version the caller saw where one is given.

    Raises ``NotFound``, ``NotPermitted``, ``Stale`` and ``Conflict``.
    """
    head = await found(tx, sheet_id, lock=True)
    rights.require_write(principal, head)
    require_version(head, version)
    require_open(head)
    return head


async def found(tx: Transaction, sheet_id: MarkSheetId, *, lock: bool = False) -> SheetHead:
    """Return a sheet. Raises ``NotFound``."""
    head = await sheet_store.head_of(tx, sheet_id, lock=lock)
    if head is None:
        raise NotFound("there is no such mark sheet")
    return head


async def opened(
    tx: Transaction, principal: Principal, term_id: TermId, class_arm_id: ClassArmId, subject_id: SubjectId
) -> SheetHead:
    """Return the sheet of a subject in an arm and term, opened under the policies in force where it is not yet.

    Raises ``NotFound``, ``InvalidInput`` where the arm does not take the subject, ``NotPermitted``.
    """
    sheet_id = await sheet_store.sheet_id_of(tx, term_id, class_arm_id, subject_id)
    if sheet_id is None:
        stage = await _stage(tx, term_id, class_arm_id, subject_id)
        policies = await _policies_in_force(tx, stage)
        await sheet_store.add_sheet(tx, principal.school, (term_id, class_arm_id, subject_id), policies)
        sheet_id = await sheet_store.sheet_id_of(tx, term_id, class_arm_id, subject_id)
    if sheet_id is None:
        raise NotFound("there is no such mark sheet")
    return await readable(tx, principal, sheet_id)


def require_version(head: SheetHead, version: int | None) -> None:
    """Raise ``Stale`` where a version is given and the sheet is at another one."""
    if version is not None and version != head.version:
        raise Stale(f"the sheet is at version {head.version} by now; read it again")


def require_open(head: SheetHead) -> None:
    """Raise ``Conflict`` unless marks may be written: the sheet is draft and its term not closed."""
    require_term_open(head)
    require_draft(head.standing)


def require_term_open(head: SheetHead) -> None:
    """Raise ``Conflict`` where the term is closed."""
    if head.term_closed:
        raise Conflict(f"{head.term_name} {head.session_name} is closed; nothing of it changes any more")


async def _stage(tx: Transaction, term_id: TermId, class_arm_id: ClassArmId, subject_id: SubjectId) -> Stage:
    row = await sheet_store.stage_taught(tx, term_id, class_arm_id, subject_id)
    if row is None:
        raise NotFound("there is no such term, class or subject")
    stage, is_taught = row
    if not is_taught:
        raise InvalidInput("nobody teaches this subject in this class in the session; add a teaching load first")
    return stage


async def _policies_in_force(tx: Transaction, stage: Stage) -> tuple[PolicyId, PolicyId, PolicyId]:
    found = [await policy_store.in_force(tx, kind, stage) for kind in _SHEET_POLICIES]
    missing = [kind.value for kind, policy in zip(_SHEET_POLICIES, found, strict=True) if policy is None]
    if missing:
        raise Conflict(f"the school has no policy for {stage} yet: {', '.join(missing)}")
    assessment, grading, approval = (policy.id for policy in found if policy is not None)
    return assessment, grading, approval
