"""Class sheets that come back filled in: checked, compared, taken over whole or not at all, and undone."""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from core.access.principal import Principal, Scope
from core.clock import Clock
from core.errors import Conflict, Fault, InvalidInput, NotFound, SchoolOSError
from core.ids import ClassArmId, MarkSheetId, MarkUploadId, SubjectId, TermId, new_id
from core.ports import Database, ObjectStore, Transaction
from core.school.marks import access, rights, sheet_store, store, upload_store
from core.school.marks.changes import Diff, diff
from core.school.marks.class_sheet import LIMITS, Stamp
from core.school.marks.model import Change, RosterStudent, SheetHead, Upload
from core.school.marks.reading import Reading, read_marks, stamp_of
from core.school.marks.upload_store import file_key
from core.school.marks.workbook import annotated
from core.school.spreadsheets import XLSX, Sheet, parse_workbook
from core.telemetry import get_logger, span

log = get_logger("marks")

_LINK_TTL = timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Which sheet an upload is for, as far as the caller says. What is left out, the workbook itself says."""

    sheet_id: MarkSheetId | None = None
    term_id: TermId | None = None
    class_arm_id: ClassArmId | None = None
    subject_id: SubjectId | None = None


@dataclass(frozen=True, slots=True)
class LabelledChange:
    """A change, with who it is about and where in the workbook it stands."""

    change: Change
    student: RosterStudent
    place: str
    collides: bool
    """Someone else changed this mark since the workbook was downloaded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadOutcome:
    """What an upload did, or in a dry run would do."""

    sheet_id: MarkSheetId
    sheet_version: int
    is_dry_run: bool
    upload_id: MarkUploadId | None
    """None where nothing was taken over."""
    changes: tuple[LabelledChange, ...]
    faults: tuple[Fault, ...] = ()
    warnings: tuple[Fault, ...] = ()
    report_url: str | None = None


@dataclass(frozen=True, slots=True)
class _Examined:
    """A workbook held against its sheet."""

    head: SheetHead
    roster: Sequence[RosterStudent]
    reading: Reading
    difference: Diff

    def labelled(self) -> tuple[LabelledChange, ...]:
        """Return the changes for people."""
        students = {student.id: student for student in self.roster}
        collisions = {change.cell for change in self.difference.collisions}
        return tuple(
            LabelledChange(
                change, students[change.student_id], self.reading.places[change.cell], change.cell in collisions
            )
            for change in self.difference.changes
        )


class MarkUploads:
    """Uploads of class sheets. A file is taken over whole or not at all."""

    def __init__(self, db: Database, objects: ObjectStore, clock: Clock) -> None:
        self._db = db
        self._objects = objects
        self._clock = clock

    async def upload(
        self, principal: Principal, *, target: Target, content: bytes, is_dry_run: bool = False
    ) -> UploadOutcome:
        """Take over a filled class sheet, or in a dry run say what that would change.

        Raises:
            InvalidInput: The workbook is wrong, with every fault by its cell and a link to a copy that shows them.
                A dry run gives the faults as its outcome instead, unless the file can't be read at all.
            Conflict: The sheet is no draft, or a mark the workbook changes was changed since it was downloaded.
        """
        principal.require(Scope.MARKS_WRITE)
        if target.sheet_id is not None:  # whose sheet it is, is told before what is wrong with the file
            async with self._db.tenant(principal.school, actor=principal.user_id, read_only=True) as tx:
                rights.require_write(principal, await access.found(tx, target.sheet_id))
        with span("ParseExcelFile", size_bytes=len(content)):
            sheets = await asyncio.to_thread(parse_workbook, content, LIMITS)
        async with self._db.tenant(principal.school, actor=principal.user_id) as tx:
            with span("LookUpSheet"):
                sheet_id = await self._sheet_id(tx, principal, target, stamp_of(sheets))
                examined = await self._examine(tx, principal, sheet_id, sheets)
        upload_id = MarkUploadId(new_id())
        if examined.reading.faults:
            return await self._refuse(examined, sheets, upload_id, is_dry_run=is_dry_run)
        if is_dry_run:
            return _outcome(examined, None, is_dry_run=True)
        _refuse_collisions(examined)
        key = file_key(examined.head, upload_id, "original.xlsx")
        await self._objects.put(key, content, XLSX)
        sha256 = hashlib.sha256(content).digest()
        try:
            return await self._take_over(principal, sheet_id, sheets, upload_id=upload_id, key=key, sha256=sha256)
        except SchoolOSError:
            await self._objects.delete(key)
            raise

    async def undo(self, principal: Principal, *, sheet_id: MarkSheetId, upload_id: MarkUploadId) -> UploadOutcome:
        """Give the marks of an upload back what they were. Raises ``Conflict`` where one was changed again later."""
        async with self._db.tenant(principal.school, actor=principal.user_id) as tx:
            head = await access.writable(tx, principal, sheet_id)
            upload = await upload_store.upload_of(tx, upload_id)
            if upload is None or upload.sheet_id != sheet_id:
                raise NotFound("there is no such upload of this sheet")
            if upload.undone_at is not None:
                raise Conflict("this upload was undone already")
            changes, changed_later = await upload_store.changes_of(tx, upload_id)
            _refuse_later_changes(changed_later)
            back = [Change(*change.cell, old=change.new, new=change.old) for change in changes]
            version = await sheet_store.raise_version(tx, sheet_id)
            await store.write(tx, head, back, reason=f"undo of upload {upload_id}")
            await upload_store.mark_undone(tx, upload_id, self._clock.now())
            roster = await store.roster(tx, sheet_id)
        log.info("mark_upload_undone", sheet_id=str(sheet_id), upload_id=str(upload_id), marks=len(back))
        return UploadOutcome(
            sheet_id=sheet_id,
            sheet_version=version,
            is_dry_run=False,
            upload_id=upload_id,
            changes=_labelled_back(back, roster),
        )

    async def list(self, principal: Principal, *, sheet_id: MarkSheetId) -> Sequence[Upload]:
        """Return the uploads of a sheet, newest first."""
        async with self._db.tenant(principal.school, actor=principal.user_id, read_only=True) as tx:
            await access.readable(tx, principal, sheet_id)
            return await upload_store.uploads_of(tx, sheet_id)

    async def original_url(self, principal: Principal, *, sheet_id: MarkSheetId, upload_id: MarkUploadId) -> str:
        """Return a link to the workbook as it was uploaded."""
        async with self._db.tenant(principal.school, actor=principal.user_id, read_only=True) as tx:
            await access.readable(tx, principal, sheet_id)
            upload = await upload_store.upload_of(tx, upload_id)
        if upload is None or upload.sheet_id != sheet_id:
            raise NotFound("there is no such upload of this sheet")
        return await self._objects.presigned_url(upload.file_key, _LINK_TTL)

    async def _sheet_id(
        self, tx: Transaction, principal: Principal, target: Target, stamp: Stamp | None
    ) -> MarkSheetId:
        """Return which sheet is meant: what the caller names counts, else what the workbook says."""
        if target.sheet_id is not None:
            return target.sheet_id
        if stamp is not None and stamp.school != principal.school:
            what = "this is the sheet of another school"
            raise InvalidInput(what, [Fault("/file", what, "wrong_school")])
        term_id = target.term_id or _of(stamp, "term")
        class_arm_id = target.class_arm_id or _of(stamp, "class_arm")
        subject_id = target.subject_id or _of(stamp, "subject")
        if term_id is None or class_arm_id is None or subject_id is None:
            what = "the workbook does not say which sheet it is; send termId, classArmId and subjectId with it"
            raise InvalidInput(what, [Fault("/file", what, "no_stamp")])
        head = await access.opened(tx, principal, TermId(term_id), ClassArmId(class_arm_id), SubjectId(subject_id))
        return head.id

    async def _examine(
        self,
        tx: Transaction,
        principal: Principal,
        sheet_id: MarkSheetId,
        sheets: Sequence[Sheet],
        *,
        lock: bool = False,
    ) -> _Examined:
        head = await access.found(tx, sheet_id, lock=lock)
        rights.require_write(principal, head)
        access.require_open(head)
        roster = await store.roster(tx, sheet_id)
        reading = read_marks(sheets, head, roster)
        stamp = stamp_of(sheets)
        moved_on = stamp is not None and stamp.version < head.version
        before = await store.changed_since(tx, sheet_id, stamp.version) if stamp and moved_on else {}
        return _Examined(head, roster, reading, diff(reading.wanted, await store.marks(tx, sheet_id), before))

    async def _take_over(
        self,
        principal: Principal,
        sheet_id: MarkSheetId,
        sheets: Sequence[Sheet],
        *,
        upload_id: MarkUploadId,
        key: str,
        sha256: bytes,
    ) -> UploadOutcome:
        with span("SaveMarks"):
            async with self._db.tenant(principal.school, actor=principal.user_id) as tx:
                examined = await self._examine(tx, principal, sheet_id, sheets, lock=True)
                _refuse_faults(examined)
                _refuse_collisions(examined)
                changes = examined.difference.changes
                version = examined.head.version
                if changes:
                    version = await sheet_store.raise_version(tx, sheet_id)
                    await store.write(tx, examined.head, changes, reason="upload", upload_id=upload_id)
                await upload_store.add_upload(
                    tx,
                    examined.head,
                    upload_id,
                    file_key=key,
                    file_sha256=sha256,
                    changed=len(changes),
                    at=self._clock.now(),
                )
        log.info("marks_uploaded", sheet_id=str(sheet_id), upload_id=str(upload_id), marks=len(changes))
        return _outcome(examined, upload_id, is_dry_run=False, version=version)

    async def _refuse(
        self, examined: _Examined, sheets: Sequence[Sheet], upload_id: MarkUploadId, *, is_dry_run: bool
    ) -> UploadOutcome:
        """Give the faults back with a copy of the workbook that shows them."""
        faults = examined.reading.faults
        report = await asyncio.to_thread(annotated, sheets, faults)
        key = file_key(examined.head, upload_id, "faults.xlsx")
        await self._objects.put(key, report, XLSX)
        url = await self._objects.presigned_url(key, _LINK_TTL)
        if not is_dry_run:
            _refuse_faults(examined, url)
        return _outcome(examined, None, is_dry_run=True, report_url=url)


def _of(stamp: Stamp | None, field: str) -> UUID | None:
    found: UUID | None = getattr(stamp, field) if stamp else None
    return found


def _outcome(
    examined: _Examined,
    upload_id: MarkUploadId | None,
    *,
    is_dry_run: bool,
    version: int | None = None,
    report_url: str | None = None,
) -> UploadOutcome:
    return UploadOutcome(
        sheet_id=examined.head.id,
        sheet_version=version or examined.head.version,
        is_dry_run=is_dry_run,
        upload_id=upload_id,
        changes=examined.labelled(),
        faults=tuple(examined.reading.faults),
        warnings=tuple(examined.reading.warnings),
        report_url=report_url,
    )


def _refuse_faults(examined: _Examined, report_url: str | None = None) -> None:
    faults = examined.reading.faults
    if faults:
        count = f"{len(faults)} {'fault' if len(faults) == 1 else 'faults'}"
        raise InvalidInput(f"the workbook has {count}; nothing was changed", faults, report_url)


def _refuse_collisions(examined: _Examined) -> None:
    faults = [
        Fault(
            line.place,
            f"{line.student.student_no}: the mark was changed since you downloaded the sheet; it is"
            f" {line.change.old.as_text() if line.change.old else 'missing'} now",
            "changed_since",
        )
        for line in examined.labelled()
        if line.collides
    ]
    if faults:
        raise Conflict("marks this workbook changes were changed since it was downloaded; download it again", faults)


def _refuse_later_changes(changes: Sequence[Change]) -> None:
    faults = [Fault(f"/students/{change.student_id}/{change.component}", "changed again later") for change in changes]
    if faults:
        raise Conflict("some marks of this upload were changed again later, so it can't be undone", faults)


def _labelled_back(changes: Sequence[Change], roster: Sequence[RosterStudent]) -> tuple[LabelledChange, ...]:
    students = {student.id: student for student in roster}
    known = (change for change in changes if change.student_id in students)
    return tuple(LabelledChange(change, students[change.student_id], "", collides=False) for change in known)
