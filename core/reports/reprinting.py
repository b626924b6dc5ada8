"""A card's file once more: where its time has run out, it is printed anew from what was finalised."""

import asyncio

from core.ids import ReportSnapshotId, SchoolId
from core.ports import Database, ObjectStore
from core.reports import style_store
from core.reports.checking import check_card
from core.reports.layout import render_cards
from core.reports.pictures import StoredPictures
from core.reports.printing_queue import PrintQueue
from core.reports.snapshots import Snapshots
from core.telemetry import get_logger

log = get_logger("reports")


class Reprinting:
    """Sees to it that a finalised card lies in the store as a PDF."""

    def __init__(
        self,
        db: Database,
        objects: ObjectStore,
        snapshots: Snapshots,
        prints: PrintQueue,
        *,
        verify_url: str,
    ) -> None:
        self._db = db
        self._objects = objects
        self._snapshots = snapshots
        self._prints = prints
        self._verify_url = verify_url

    async def file_of(self, school: SchoolId, snapshot: ReportSnapshotId, key: str | None) -> str:
        """Return the key of a card's file: the one it had, or of one that is printed now.

        Raises ``Unavailable`` where nothing is free to print it.
        """
        if key is not None and await self._objects.exists(key):
            return key
        key = f"{school}/reports/again/{snapshot}-report-card.pdf"
        if not await self._objects.exists(key):
            await self._objects.put(key, await self._print(school, snapshot), "application/pdf")
            log.info("card_printed_again", snapshot_id=str(snapshot))
        return key

    async def _print(self, school: SchoolId, snapshot: ReportSnapshotId) -> bytes:
        async with self._db.tenant(school, read_only=True) as tx:
            (card,) = await self._snapshots.load(tx, [snapshot])
            style = (await style_store.style_of(tx)).style
        pictures = StoredPictures(self._objects, school)
        html = await render_cards([card], style, pictures, verify_url=self._verify_url)
        pdf = await self._prints.print(school, html, tagged=style.tagged)
        await asyncio.to_thread(check_card, pdf, card)
        return pdf
