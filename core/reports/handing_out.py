"""Handing cards out: a batch's archive and single cards to those who manage them, one's own children's to guardians.

A link is made at each request and holds for minutes, so that one that is passed on soon opens nothing (C-37).
"""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

from core.access.principal import Principal, Scope
from core.clock import Clock
from core.errors import Conflict, NotFound, NotPermitted
from core.ids import ClassArmId, JobId, StudentId, TermId
from core.ports import Database, ObjectStore, Transaction
from core.reports import archive_store, publishing_store
from core.reports.archive_store import BatchHead
from core.reports.bundle import bundle
from core.reports.publishing_store import PublishedCard
from core.reports.release import Release
from core.reports.reprinting import Reprinting
from core.reports.snapshots import Snapshots
from core.telemetry import get_logger

log = get_logger("reports")

LINK_TTL = timedelta(minutes=10)


class HandingOut:
    """Gives out what was printed."""

    def __init__(
        self,
        db: Database,
        objects: ObjectStore,
        clock: Clock,
        *,
        snapshots: Snapshots,
        release: Release,
        reprinting: Reprinting,
    ) -> None:
        self._db = db
        self._objects = objects
        self._clock = clock
        self._snapshots = snapshots
        self._release = release
        self._reprinting = reprinting

    async def archive(self, principal: Principal, *, job: JobId) -> str:
        """Return a link to a batch's archive.

        Raises ``Conflict`` before it is packed or where nothing was printed, ``NotFound`` when its time has run out.
        """
        principal.require(Scope.REPORTS_MANAGE)
        async with self._db.tenant(principal.school, read_only=True) as tx:
            head = await _batch(tx, job)
        if head.archive_key is None:
            raise Conflict(_why_no_archive(head))
        if head.expires_at is not None and head.expires_at <= self._clock.now():
            raise NotFound("the archive was kept for 30 days; print the cards again")
        return await self._objects.presigned_url(head.archive_key, LINK_TTL)

    async def card(self, principal: Principal, *, job: JobId, student_id: StudentId) -> str:
        """Return a link to one card of a batch. Raises ``NotFound``, and ``Conflict`` where it is not printed."""
        principal.require(Scope.REPORTS_MANAGE)
        async with self._db.tenant(principal.school, read_only=True) as tx:
            await _batch(tx, job)
            item = await archive_store.item_of(tx, job, student_id)
        if item is None:
            raise NotFound("there is no such student in this batch")
        if item.snapshot_id is None or not item.is_done:
            raise Conflict(item.reason or "the card is not printed yet")
        key = await self._reprinting.file_of(principal.school, item.snapshot_id, item.object_key)
        return await self._objects.presigned_url(key, LINK_TTL)

    async def bundle(self, principal: Principal, *, job: JobId, class_arm_id: ClassArmId) -> bytes:
        """Return a class's printed cards as one PDF, sorted by name, with a bookmark for each.

        Raises ``Conflict`` where none is printed, ``NotFound`` when their time has run out.
        """
        principal.require(Scope.REPORTS_MANAGE)
        async with self._db.tenant(principal.school, read_only=True) as tx:
            await _batch(tx, job)
            items = await archive_store.items_of(tx, job, class_arm_id)
            done = [item for item in items if item.is_done]
            cards = await self._snapshots.load(tx, [item.snapshot_id for item in done if item.snapshot_id])
        if not items:
            raise NotFound("there is no such class in this batch")
        if not cards:
            raise Conflict("no card of this class is printed")
        pdfs = await asyncio.gather(*(self._objects.get(item.object_key or "") for item in done))
        return await asyncio.to_thread(bundle, list(zip(cards, pdfs, strict=True)))

    async def published(self, principal: Principal, *, term_id: TermId | None = None) -> list[PublishedCard]:
        """Return the published cards of the caller's children, or the caller's own, the newest term first."""
        principal.require(Scope.OWN_READ)
        async with self._db.tenant(principal.school, read_only=True) as tx:
            return await publishing_store.published(tx, term_id, await _own(tx, principal))

    async def own_card(self, principal: Principal, *, term_id: TermId, student_id: StudentId) -> str:
        """Return a link to the published card of one's own child, or one's own; to who manages cards, of anyone's.

        Raises ``NotFound`` for anybody else's and for what is not published, and ``NotPermitted`` with the words of
        the release policy where the card is withheld.
        """
        principal.require(Scope.OWN_READ, Scope.REPORTS_MANAGE)
        async with self._db.tenant(principal.school, actor=principal.user_id) as tx:
            if not principal.may(Scope.REPORTS_MANAGE) and student_id not in await _own(tx, principal):
                raise NotFound("there is no such student")
            cards = await publishing_store.published(tx, term_id, [student_id])
            if not cards:
                raise NotFound("no card of this term is published yet")
            withheld = await self._release.withheld(tx, [student_id], term_id)
        if student_id in withheld:
            raise NotPermitted(withheld[student_id])
        log.info("card_handed_out", term_id=str(term_id), student_id=str(student_id))
        return await self._objects.presigned_url(await self._kept(principal, cards[0]), LINK_TTL)

    async def _kept(self, principal: Principal, card: PublishedCard) -> str:
        key = await self._reprinting.file_of(principal.school, card.snapshot_id, card.object_key)
        if key != card.object_key:
            async with self._db.tenant(principal.school) as tx:
                await publishing_store.move(tx, card, key)
        return key


async def _batch(tx: Transaction, job: JobId) -> BatchHead:
    head = await archive_store.head_of(tx, job)
    if head is None:
        raise NotFound("there is no such batch of report cards")
    return head


async def _own(tx: Transaction, principal: Principal) -> Sequence[StudentId]:
    """Return whose cards are the caller's to have."""
    if principal.guardian_id is not None:
        return await publishing_store.children_of(tx, principal.guardian_id)
    return [principal.student_id] if principal.student_id is not None else []


def _why_no_archive(head: BatchHead) -> str:
    if head.state == "ended":
        return "there is no archive: the job says why"
    return "the cards are still being printed; watch the job and come back when it has ended"
