"""One card printed while somebody waits: as the records give it now, and in a style that is being tried out."""

from core.access.principal import Principal, Scope
from core.ids import SchoolId, SessionId, StudentId, TermId
from core.ports import Database, ObjectStore
from core.reports import style_store
from core.reports.card import CardStyle
from core.reports.layout import render_cards
from core.reports.pictures import StoredPictures
from core.reports.printing_queue import PrintQueue
from core.reports.snapshots import Snapshots
from core.telemetry import span


class Previews:
    """Prints drafts: they carry no serial, and say on each page that they are not finalised."""

    def __init__(
        self,
        db: Database,
        snapshots: Snapshots,
        prints: PrintQueue,
        objects: ObjectStore,
    ) -> None:
        self._db = db
        self._snapshots = snapshots
        self._prints = prints
        self._objects = objects

    async def single(
        self,
        principal: Principal,
        *,
        student_id: StudentId,
        session_id: SessionId,
        term_id: TermId,
        style: CardStyle | None = None,
    ) -> bytes:
        """Return a student's card as PDF: to leaders and the class teacher; in the school's style unless one is given.

        Raises ``NotFound``, ``NotPermitted``, and what ``PrintQueue.print`` raises.
        """
        principal.require(Scope.REPORTS_READ)
        with span("generate-single", term_id=str(term_id)):
            card = await self._snapshots.preview(
                principal, student_id=student_id, term_id=term_id, session_id=session_id
            )
            style = style or await self._style(principal.school)
            pictures = StoredPictures(self._objects, principal.school)
            html = await render_cards([card], style, pictures, verify_url="")
            return await self._prints.print(principal.school, html, tagged=style.tagged)

    async def _style(self, school: SchoolId) -> CardStyle:
        async with self._db.tenant(school, read_only=True) as tx:
            return (await style_store.style_of(tx)).style
