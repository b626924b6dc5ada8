"""Prints chunk after chunk: finalise, lay out, print, part, check, store, write down.

What goes wrong costs as little as can be: a browser that failed is tried again, a store that is away is waited for, and
anything else parts the chunk until the card that is at fault stands alone and is reported with its reason.
"""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from core.access.principal import Principal, Scope
from core.errors import SchoolOSError, Unavailable
from core.ids import ReportSnapshotId, SchoolId, StudentId
from core.ports import Database, ObjectStore
from core.reports import style_store
from core.reports.batch_records import Batch, ChunkTask, Claimed, PrintedCard, object_key
from core.reports.card import Card, CardStyle
from core.reports.checking import check_card
from core.reports.chunk_ledger import ChunkLedger
from core.reports.layout import render_cards
from core.reports.leases import Lease, LeaseLost, StopAsked
from core.reports.pictures import StoredPictures
from core.reports.ports import ImageSource, PageRenderer, RenderFailed, RenderTimedOut
from core.reports.release import Release
from core.reports.snapshots import Snapshots
from core.reports.splitting import split
from core.telemetry import PRINT_DURATION, REPORT_CHUNKS, get_logger, span

log = get_logger("reports")

_BROKEN = "Something is wrong with this card that no other has; its school's support has been told."
_LOST = "Its printer was lost each time it was tried."
_STORE_AWAY = "The store for files did not answer for too long."


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkPolicy:
    """How patient printing is.

    A card that hangs the browser is found among 25 within about 90 s: each half of its chunk gets ``print_s`` and
    ``print_s_a_card`` once, and itself ``most_starts`` times.
    """

    lease: timedelta = timedelta(seconds=10)
    print_s: float = 10.0
    """A browser that has to be started first takes two of them on a busy machine."""
    print_s_a_card: float = 0.4
    """Some twenty times what a card takes."""
    most_starts: int = 3
    again_after: timedelta = timedelta(seconds=0.5)
    wait_at_most: timedelta = timedelta(seconds=8)
    most_waits: int = 15
    """The store may be away for about a minute and a half."""
    stores_at_once: int = 8

    def wait(self, waits: int) -> timedelta:
        """Return how long a store that is away is left alone."""
        return min(self.again_after * (1 << min(waits, 10)), self.wait_at_most)


@dataclass(frozen=True, slots=True)
class _Laid:
    """Cards that are to be printed, with how they look."""

    students: tuple[StudentId, ...]
    cards: Sequence[Card]
    style: CardStyle


@dataclass(frozen=True, slots=True)
class _Part:
    """One card's own document, checked."""

    pdf: bytes
    sha256: str
    pages: int


class ChunkDesk:
    """Takes chunks of all schools and prints them."""

    def __init__(
        self,
        db: Database,
        ledger: ChunkLedger,
        renderer: PageRenderer,
        *,
        store: ObjectStore,
        snapshots: Snapshots,
        release: Release,
        verify_url: str,
        policy: ChunkPolicy | None = None,
    ) -> None:
        self._db = db
        self._ledger = ledger
        self._renderer = renderer
        self._store = store
        self._snapshots = snapshots
        self._release = release
        self._verify_url = verify_url
        self._policy = policy or ChunkPolicy()
        self.printed = 0

    async def take(self) -> bool:
        """Print the chunk whose turn it is, and tell whether there was one."""
        claimed = await self._ledger.claim()
        if claimed is None:
            return False
        async with Lease(lambda: self._ledger.renew(claimed), self._policy.lease / 4) as lease:
            try:
                await self._work(claimed, lease)
            except LeaseLost:
                log.warning("chunk_lost_to_another", chunk_id=str(claimed.chunk_id))
                REPORT_CHUNKS.labels("lost").inc()
        return True

    async def _work(self, claimed: Claimed, lease: Lease) -> None:
        task = await self._ledger.begin(claimed)
        if task is None:
            return
        if task.starts > self._policy.most_starts:
            await self._part(claimed, task, _LOST)
            return
        try:
            with span("render-chunk", task.batch.traceparent, job_id=str(claimed.job_id), cards=len(task.students)):
                await self._print(claimed, task, lease)
            REPORT_CHUNKS.labels("printed").inc()
        except StopAsked:
            await self._ledger.stopped(claimed)
        except LeaseLost:
            raise
        except SchoolOSError as error:
            await self._mend(claimed, task, error)
        except Exception:  # the edge: whatever a card brings about must not stop the others
            log.exception("chunk_broke", chunk_id=str(claimed.chunk_id), job_id=str(claimed.job_id))
            await self._part(claimed, task, _BROKEN)

    async def _print(self, claimed: Claimed, task: ChunkTask, lease: Lease) -> None:
        laid = await self._finalise(claimed, task)
        lease.check()
        parts = await self._render(laid, StoredPictures(self._store, claimed.school))
        lease.check()
        printed = await self._keep(claimed, laid, parts)
        lease.check()
        with span("write-down-cards"):
            await self._ledger.done(claimed, printed)
        self.printed += len(printed)

    async def _finalise(self, claimed: Claimed, task: ChunkTask) -> _Laid:
        """Fix what each card says, once for all attempts, and leave out who is blocked or withheld."""
        batch = task.batch
        pinned = {who: snapshot for who, snapshot in zip(task.students, task.pinned, strict=True) if snapshot}
        fresh = [who for who in task.students if who not in pinned]
        with span("finalise-cards", cards=len(fresh)):
            if fresh:
                pinned |= await self._fix(claimed, batch, fresh)
            wanted = tuple(who for who in task.students if who in pinned)
            async with self._db.tenant(claimed.school, read_only=True) as tx:
                cards = await self._snapshots.load(tx, [pinned[who] for who in wanted])
                style = (await style_store.style_of(tx)).style
        return _Laid(wanted, cards, style)

    async def _fix(
        self, claimed: Claimed, batch: Batch, fresh: Sequence[StudentId]
    ) -> dict[StudentId, ReportSnapshotId]:
        finalised = await self._snapshots.finalise(
            _asker(claimed.school, batch),
            student_ids=fresh,
            session_id=batch.session_id,
            term_id=batch.term_id,
            even_if_blocked=batch.force,
        )
        blocked: dict[StudentId, str] = {}
        for lack in finalised.blocked:
            blocked[lack.student_id] = f"{blocked.get(lack.student_id, '')} {lack.sentence}".strip()
        async with self._db.tenant(claimed.school, actor=batch.created_by) as tx:
            withheld = await self._release.withheld(tx, fresh, batch.term_id)
        made = [each for each in finalised.snapshots if each.student_id not in withheld]
        withheld = {who: why for who, why in withheld.items() if who not in blocked}
        await self._ledger.pin(claimed, [(each.student_id, each.id, each.serial) for each in made], blocked, withheld)
        return {each.student_id: each.id for each in made}

    async def _render(self, laid: _Laid, pictures: ImageSource) -> list[_Part]:
        """Return each card's own document; tagged cards are printed one by one, to keep their structure."""
        groups = [[card] for card in laid.cards] if laid.style.tagged else [laid.cards] if laid.cards else []
        return [part for group in groups for part in await self._render_together(group, laid.style, pictures)]

    async def _render_together(self, cards: Sequence[Card], style: CardStyle, pictures: ImageSource) -> list[_Part]:
        with span("lay-out-cards", cards=len(cards)):
            html = await render_cards(cards, style, pictures, verify_url=self._verify_url)
        deadline_s = self._policy.print_s + len(cards) * self._policy.print_s_a_card
        with span("print-cards", cards=len(cards)), PRINT_DURATION.labels("chunk").time():
            pdf = await self._renderer.render(html, tagged=style.tagged, deadline_s=deadline_s)
        with span("part-and-check-cards", cards=len(cards)):
            return await asyncio.to_thread(_parted, pdf, cards)

    async def _keep(self, claimed: Claimed, laid: _Laid, parts: Sequence[_Part]) -> list[PrintedCard]:
        places = asyncio.Semaphore(self._policy.stores_at_once)

        async def keep(student: StudentId, part: _Part) -> PrintedCard:
            key = object_key(claimed.school, claimed.job_id, student)
            async with places:
                await self._store.put(key, part.pdf, "application/pdf")
            return PrintedCard(
                student_id=student, object_key=key, bytes=len(part.pdf), sha256=part.sha256, pages=part.pages
            )

        with span("store-cards", cards=len(parts)):
            keeping = (keep(who, part) for who, part in zip(laid.students, parts, strict=True))
            ends = await asyncio.gather(*keeping, return_exceptions=True)
        return [_came(end) for end in ends]

    async def _mend(self, claimed: Claimed, task: ChunkTask, error: SchoolOSError) -> None:
        """Decide what becomes of a chunk that failed."""
        policy = self._policy
        log.warning("chunk_failed", chunk_id=str(task.id), cards=len(task.students), error=error.message)
        if isinstance(error, Unavailable):
            if task.waits < policy.most_waits:
                await self._ledger.again(claimed, policy.wait(task.waits), error.message, waited=True)
            else:
                await self._ledger.failed(claimed, task.students, _STORE_AWAY)
            return
        retryable = isinstance(error, RenderFailed) and error.retryable
        tries = 1 if isinstance(error, RenderTimedOut) else 2
        if retryable and task.starts < (policy.most_starts if len(task.students) == 1 else tries):
            await self._ledger.again(claimed, policy.wait(task.starts - 1), error.message, waited=False)
        else:
            await self._part(claimed, task, _in_words(error))

    async def _part(self, claimed: Claimed, task: ChunkTask, reason: str) -> None:
        REPORT_CHUNKS.labels("parted" if len(task.students) > 1 else "failed").inc()
        if len(task.students) > 1:
            await self._ledger.part(claimed, task.students, reason)
        else:
            await self._ledger.failed(claimed, task.students, reason)


def _asker(school: SchoolId, batch: Batch) -> Principal:
    """Return who asked for the batch: what it asks for was allowed when it was asked."""
    return Principal(batch.created_by, school, frozenset(), frozenset({Scope.REPORTS_MANAGE}))


def _parted(pdf: bytes, cards: Sequence[Card]) -> list[_Part]:
    documents = split(pdf, [card.serial for card in cards])
    return [_part(documents[card.serial], card) for card in cards]


def _part(pdf: bytes, card: Card) -> _Part:
    pages = check_card(pdf, card)
    return _Part(pdf, hashlib.sha256(pdf).hexdigest(), pages)


def _came(end: PrintedCard | BaseException) -> PrintedCard:
    if isinstance(end, BaseException):
        raise end
    return end


def _in_words(error: SchoolOSError) -> str:
    """Return what a person can make of an error."""
    words = error.message
    return f"{words[:1].upper()}{words[1:]}{'' if words.endswith('.') else '.'}"
