"""Setting a school up from its spreadsheets: check, import, look up, undo."""

import asyncio
import hashlib
import io
import zipfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from uuid import UUID

from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

from core.access.principal import Principal, Role, Scope
from core.clock import Clock, local_date
from core.errors import Conflict, Fault, InvalidInput, NotFound
from core.ids import ImportId, new_id
from core.ports import Database, ObjectStore, Transaction
from core.school.importing import store, undo_store
from core.school.importing.annotation import annotate
from core.school.importing.plan import Plan, plan_import
from core.school.importing.report import ImportReport, ImportState, ImportSummary, as_json, report_of, summary_of
from core.school.importing.tables import USERS
from core.school.importing.template import template
from core.school.spreadsheets import XLSX, Sheet, read_spreadsheet
from core.school.workbook_package import DEFAULT_LIMITS

_MOST_FILES = 20
_FREELY_GIVEN = frozenset({Role.SUBJECT_TEACHER, Role.CLASS_TEACHER, Role.GUARDIAN, Role.STUDENT})
"""Roles that an import gives without the right to manage accounts."""


@dataclass(frozen=True, slots=True)
class UploadedFile:
    """A file as it was sent."""

    name: str
    content: bytes

    @classmethod
    def of(cls, name: str, content: bytes) -> "UploadedFile":
        """Return a file whose name may come from anyone: what no text of a database or workbook holds is left out."""
        clean = ILLEGAL_CHARACTERS_RE.sub("", name.encode("utf-8", "ignore").decode()).strip()
        return cls(clean[-100:] or "upload", content)


@dataclass(frozen=True, slots=True)
class _Original:
    name: str
    content: bytes
    content_type: str


class Imports:
    """A school's imports."""

    def __init__(self, db: Database, clock: Clock, objects: ObjectStore) -> None:
        self._db = db
        self._clock = clock
        self._objects = objects

    async def run(self, principal: Principal, *, files: Sequence[UploadedFile], dry_run: bool) -> ImportReport:
        """Check files and, unless it is a dry run or anything is wrong, write everything they say.

        Each faulty cell is in the report; nothing is written where there is one. Raises ``InvalidInput`` for files
        that can't be read at all.
        """
        principal.require(Scope.IMPORTS_WRITE)
        sheets = await _read(files)
        import_id = ImportId(new_id())
        original = await asyncio.to_thread(_original, files)
        key = f"{principal.school}/imports/{import_id}/{original.name}"
        await self._objects.put(key, original.content, original.content_type)
        async with self._db.tenant(principal.school, actor=principal.user_id) as tx:
            plan = await self._plan(tx, principal, sheets)
            state = _state(plan, dry_run=dry_run)
            new = store.NewImport(
                id=import_id,
                state=state.value,
                file_name=", ".join(file.name for file in files)[:255],
                file_key=key,
                file_sha256=hashlib.sha256(original.content).digest(),
                counts=[asdict(count) for count in plan.counts],
                report=as_json(plan),
                actor=principal.user_id,
                at=self._clock.now(),
            )
            await store.insert_import(tx, new)
            if state is ImportState.APPLIED:
                await store.apply_changes(tx, import_id, plan.changes)
            report = await _report(tx, import_id)
        if state is ImportState.REFUSED:
            await self._keep_annotated(principal, import_id, sheets, plan)
        if state is ImportState.APPLIED:
            async with self._db.tenant(principal.school) as tx:
                await store.look_at_records(tx)
        return report

    async def _plan(self, tx: Transaction, principal: Principal, sheets: Sequence[Sheet]) -> Plan:
        await store.lock_imports(tx, principal.school)
        today = local_date(self._clock.now(), await store.time_zone(tx))
        records = await store.snapshot(tx)
        plan = await asyncio.to_thread(plan_import, sheets, records, today=today, actor=principal.user_id)
        _require_right_to_roles(principal, plan)
        return plan

    async def _keep_annotated(
        self, principal: Principal, import_id: ImportId, sheets: Sequence[Sheet], plan: Plan
    ) -> None:
        content = await asyncio.to_thread(annotate, sheets, plan.findings.faults, plan.findings.warnings)
        await self._objects.put(_annotated_key(principal, import_id), content, XLSX)

    async def list(self, principal: Principal, *, limit: int, after: UUID | None) -> Sequence[ImportSummary]:
        """Return imports, newest first."""
        principal.require(Scope.IMPORTS_WRITE)
        async with self._db.tenant(principal.school, read_only=True) as tx:
            return [summary_of(row) for row in await store.list_imports(tx, after=after, limit=limit)]

    async def get(self, principal: Principal, *, import_id: ImportId) -> ImportReport:
        """Return one import. Raises ``NotFound``."""
        principal.require(Scope.IMPORTS_WRITE)
        async with self._db.tenant(principal.school, read_only=True) as tx:
            return await _report(tx, import_id)

    async def annotated(self, principal: Principal, *, import_id: ImportId) -> bytes:
        """Return the workbook of a refused import with its faults. Raises ``NotFound``."""
        report = await self.get(principal, import_id=import_id)
        if report.state is not ImportState.REFUSED:
            raise NotFound("this import has no faults, so there is no workbook that shows them")
        return await self._objects.get(_annotated_key(principal, import_id))

    async def template(self) -> bytes:
        """Return the workbook to fill in."""
        return await asyncio.to_thread(template)

    async def undo(self, principal: Principal, *, import_id: ImportId) -> ImportReport:
        """Take back what an import made and changed, all or nothing.

        Raises ``Conflict`` with what is in the way: records that were changed since, or that others refer to.
        """
        principal.require(Scope.IMPORTS_WRITE)
        async with self._db.tenant(principal.school, actor=principal.user_id) as tx:
            await store.lock_imports(tx, principal.school)
            report = await _report(tx, import_id)
            if report.state is not ImportState.APPLIED:
                raise Conflict(f"there is nothing to undo: this import is {report.state}")
            log = await undo_store.read_log(tx, import_id)
            obstacles = await undo_store.obstacles(tx, log)
            if obstacles:
                faults = [Fault(f"/{found.table}/{found.label}", found.what, "in_the_way") for found in obstacles]
                listed = "; ".join(f"{found.table} {found.label} {found.what}" for found in obstacles[:5])
                raise Conflict(f"the import can't be undone any more: {listed}", faults)
            await undo_store.take_back(tx, log, principal.user_id)
            await undo_store.mark_undone(tx, import_id, actor=principal.user_id, at=self._clock.now())
            return await _report(tx, import_id)


async def _read(files: Sequence[UploadedFile]) -> list[Sheet]:
    if not files or len(files) > _MOST_FILES:
        what = f"send one .xlsx workbook or up to {_MOST_FILES} .csv files"
        raise InvalidInput(what, [Fault("/file", what, "missing" if not files else "too_many")])
    if sum(len(file.content) for file in files) > DEFAULT_LIMITS.file_bytes:
        what = f"the files are larger than {DEFAULT_LIMITS.file_bytes // 1024:,} kB together, the most that is read"
        raise InvalidInput(what, [Fault("/file", what, "too_large")])
    sheets: list[Sheet] = []
    for file in files:
        sheets.extend(await read_spreadsheet(file.name, file.content))
    return sheets


def _original(files: Sequence[UploadedFile]) -> _Original:
    """Return what is kept of the files: a workbook as it is, several files in one ZIP."""
    if len(files) == 1:
        is_zip = files[0].content.startswith(b"PK")
        return _Original(*(("original.xlsx", files[0].content, XLSX) if is_zip else
                           ("original.csv", files[0].content, "text/csv")))  # fmt: skip
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as package:
        for number, file in enumerate(files, start=1):
            name = "".join(letter if letter.isalnum() or letter in " ._-" else "_" for letter in file.name)
            package.writestr(f"{number:02} {name[-100:]}", file.content)
    return _Original("original.zip", packed.getvalue(), "application/zip")


def _state(plan: Plan, *, dry_run: bool) -> ImportState:
    if plan.findings.fault_count:
        return ImportState.REFUSED
    return ImportState.CHECKED if dry_run else ImportState.APPLIED


def _require_right_to_roles(principal: Principal, plan: Plan) -> None:
    """Refuse to raise anyone past teacher for a caller who may not manage accounts, and to lock the caller out."""
    for change in plan.changes[USERS.name]:
        before = set(change.before["roles"]) if change.before else set()
        after = set(change.after["roles"])
        if not {Role(role) for role in before ^ after} <= _FREELY_GIVEN:
            principal.require(Scope.USERS_MANAGE)
        if change.after["id"] == str(principal.user_id) and Role.SCHOOL_ADMIN in before - after:
            what = (
                "your own account would no longer be a school admin's; keep that role, or let another admin import this"
            )
            raise InvalidInput(what, [Fault("Staff", what, "own_role")])


async def _report(tx: Transaction, import_id: ImportId) -> ImportReport:
    row = await store.read_import(tx, import_id)
    if row is None:
        raise NotFound("there is no such import")
    return report_of(row)


def _annotated_key(principal: Principal, import_id: ImportId) -> str:
    return f"{principal.school}/imports/{import_id}/annotated.xlsx"
