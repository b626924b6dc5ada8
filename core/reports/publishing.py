"""Publishing: from then on a student's guardians see the card, and are told once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from core.access.principal import Principal, Scope
from core.clock import Clock
from core.errors import Conflict, NotFound
from core.events.outbox import emit
from core.events.types import ReportsPublished
from core.ids import JobId, StudentId, TermId
from core.ports import Database, Transaction
from core.reports import archive_store, rights, snapshot_store
from core.reports import publishing_store as store
from core.reports.archive_store import BatchHead
from core.reports.publishing_store import PrintedCard
from core.reports.release import Release
from core.telemetry import get_logger, span

log = get_logger("reports")


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """What came of publishing."""

    published: tuple[StudentId, ...]
    """Whose guardians see a card now that they did not see before; they are told."""
    unchanged: tuple[StudentId, ...]
    """Whose card says what was published before: nobody is told again."""
    outdated: tuple[StudentId, ...]
    """Whose guardians see a later version of the card already, and go on to."""
    withheld: Mapping[StudentId, str]
    """Whose card may not be handed out, each with the reason."""


class Publishing:
    """Lets guardians see what was printed."""

    def __init__(self, db: Database, clock: Clock, release: Release) -> None:
        self._db = db
        self._clock = clock
        self._release = release

    async def publish(
        self, principal: Principal, *, job: JobId, student_ids: Sequence[StudentId] | None = None
    ) -> Publication:
        """Publish the printed cards of a batch, or of some of its students.

        Raises ``NotFound`` for a batch that is not there or a student without a printed card in it, and ``Conflict``
        while it is being printed.
        """
        principal.require(Scope.REPORTS_MANAGE)
        with span("publish-cards", job_id=str(job)) as under_way:
            async with self._db.tenant(principal.school, actor=principal.user_id) as tx:
                head = await _ended(tx, job)
                await snapshot_store.hold_term(tx, head.term_id)  # one publication after the other: none tells twice
                cards = await store.printed(tx, job, student_ids)
                if student_ids is not None and len(cards) < len(set(student_ids)):
                    raise NotFound("there is no printed card of one of these students in this batch")
                withheld = await self._release.withheld(tx, [card.student_id for card in cards], head.term_id)
                publication, now = _sorted(cards, withheld), self._clock.now()
                shown = {*publication.published, *publication.unchanged}
                await store.show(tx, head.term_id, job, [card for card in cards if card.student_id in shown], now)
                await store.note(tx, job, now, principal.user_id)
                if publication.published:
                    payload = _told(job, head, publication.published, now)
                    await emit(tx, school_id=principal.school, payload=payload, occurred_at=now)
            under_way.set_attributes({"published": len(publication.published), "withheld": len(withheld)})
        log.info("cards_published", job_id=str(job), new=len(publication.published), withheld=len(withheld))
        return publication

    async def withdraw(self, principal: Principal, *, term_id: TermId, student_id: StudentId) -> None:
        """Let guardians see a card no longer. Raises ``NotFound`` where they don't."""
        principal.require(Scope.REPORTS_MANAGE)
        async with self._db.tenant(principal.school, actor=principal.user_id) as tx:
            await rights.class_of(tx, term_id, student_id)
            if not await store.withdraw(tx, term_id, student_id):
                raise NotFound("no card of this student is published in this term")
        log.info("card_withdrawn", term_id=str(term_id), student_id=str(student_id))


async def _ended(tx: Transaction, job: JobId) -> BatchHead:
    head = await archive_store.head_of(tx, job)
    if head is None:
        raise NotFound("there is no such batch of report cards")
    if head.state != "ended":
        raise Conflict("the cards are still being printed; publish them when the job has ended")
    return head


def _told(job: JobId, head: BatchHead, students: tuple[StudentId, ...], now: datetime) -> ReportsPublished:
    return ReportsPublished(
        job_id=job,
        session_id=head.session_id,
        session_name=head.session_name,
        term_id=head.term_id,
        term_name=head.term_name,
        student_ids=students,
        timestamp=now,
    )


def _sorted(cards: Sequence[PrintedCard], withheld: Mapping[StudentId, str]) -> Publication:
    free = [card for card in cards if card.student_id not in withheld]
    current = [card for card in free if not card.is_outdated]
    return Publication(
        published=tuple(card.student_id for card in current if card.is_new),
        unchanged=tuple(card.student_id for card in current if not card.is_new),
        outdated=tuple(card.student_id for card in free if card.is_outdated),
        withheld=withheld,
    )
