"""A class's broadsheet to whoever may see it: as a PDF to pin up, or as a workbook to go on with."""

import asyncio

from core.access.principal import Principal, Scope
from core.errors import NotFound
from core.ids import ClassArmId, TermId
from core.ports import Database, ObjectStore, Transaction
from core.reports import record_store, rights, style_store
from core.reports.broadsheet import Broadsheet, broadsheet_of
from core.reports.broadsheet_workbook import workbook_of
from core.reports.card import CardStyle
from core.reports.layout import render_broadsheet
from core.reports.pictures import StoredPictures
from core.reports.printing_queue import PrintQueue
from core.reports.snapshots import Snapshots


class Broadsheets:
    """Makes broadsheets of the records as they are now."""

    def __init__(self, db: Database, objects: ObjectStore, snapshots: Snapshots, prints: PrintQueue) -> None:
        self._db = db
        self._objects = objects
        self._snapshots = snapshots
        self._prints = prints

    async def pdf(self, principal: Principal, *, term_id: TermId, class_arm_id: ClassArmId) -> bytes:
        """Return the broadsheet as a PDF on A4 across: to leaders and the class teacher. Raises ``NotFound``."""
        sheet, style = await self._read(principal, term_id, class_arm_id)
        pictures = StoredPictures(self._objects, principal.school)
        html = await render_broadsheet(sheet, style, pictures)
        return await self._prints.print(principal.school, html, landscape=True)

    async def workbook(self, principal: Principal, *, term_id: TermId, class_arm_id: ClassArmId) -> bytes:
        """Return the broadsheet as an Excel workbook: to leaders and the class teacher. Raises ``NotFound``."""
        sheet, style = await self._read(principal, term_id, class_arm_id)
        return await asyncio.to_thread(workbook_of, sheet, style)

    async def _read(
        self, principal: Principal, term_id: TermId, class_arm_id: ClassArmId
    ) -> tuple[Broadsheet, CardStyle]:
        principal.require(Scope.REPORTS_READ)
        async with self._db.tenant(principal.school, actor=principal.user_id, read_only=True) as tx:
            await rights.require_term(tx, term_id)
            await rights.require_arm(tx, principal, class_arm_id)
            return await self._sheet(tx, term_id, class_arm_id), (await style_store.style_of(tx)).style

    async def _sheet(self, tx: Transaction, term_id: TermId, class_arm_id: ClassArmId) -> Broadsheet:
        students = [student.id for student in await record_store.students_in(tx, term_id, [class_arm_id])]
        if not students:
            raise NotFound("nobody is in this class in this term")
        return broadsheet_of(await self._snapshots.current(tx, term_id=term_id, student_ids=students))
