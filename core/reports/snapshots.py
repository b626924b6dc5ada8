"""Finalising cards: what is printed is a snapshot with a hash and a serial, and never changes afterwards."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core.access.principal import Principal, Scope
from core.clock import Clock
from core.errors import NotFound
from core.ids import ReportSnapshotId, SessionId, StudentId, TermId
from core.ports import Database, Transaction
from core.reports import entry_store, record_store, rights, style_store
from core.reports import snapshot_store as store
from core.reports.assembling import NOTHING_WRITTEN, Class, Entries, assemble
from core.reports.card import Card, CardStyle, content_hash
from core.reports.computing import work_out
from core.reports.preflight import Lack, Severity, look_over
from core.reports.record_store import Classes
from core.reports.records import ArmRecord, SubjectRecord, TermHead
from core.reports.serials import new_serial
from core.reports.snapshot_store import NewSnapshot, Snapshot
from core.telemetry import get_logger

log = get_logger("reports")

LAST_TERM = 3
"""Its cards sum up the session."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finalised:
    """What came of finalising a set of cards."""

    snapshots: tuple[Snapshot, ...]
    """Of every student whose card was made, in the order asked for."""
    reused: frozenset[ReportSnapshotId]
    """Those that were there already: nothing on them has changed."""
    blocked: tuple[Lack, ...]
    """What stood in the way of the others' cards."""


@dataclass(frozen=True, slots=True)
class Drafted:
    """A card as the records give it now, and by which policies."""

    card: Card
    arm: ArmRecord
    grading: SubjectRecord | None


class Snapshots:
    """Finalises cards, and gives back what was finalised."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def finalise(
        self,
        principal: Principal,
        *,
        student_ids: Sequence[StudentId],
        session_id: SessionId,
        term_id: TermId,
        even_if_blocked: bool = False,
    ) -> Finalised:
        """Finalise the cards of students in one term, and say which were left out because something blocks them.

        A card whose content has not changed keeps its snapshot and serial; one that has changed gets a new version
        beside the old. Raises ``NotFound`` for a term or student that is not there.
        """
        principal.require(Scope.REPORTS_MANAGE)
        async with self._db.tenant(principal.school, actor=principal.user_id) as tx:
            head = await _head(tx, session_id, term_id)
            await store.hold_term(tx, term_id)
            checked = await look_over(tx, term_id, student_ids=student_ids)
            blocked = frozenset[StudentId]() if even_if_blocked else checked.blocked
            wanted = [who for who in dict.fromkeys(student_ids) if who not in blocked]
            finalised = await self._keep(tx, head, wanted)
        lacks = tuple(lack for lack in checked.lacks if lack.student_id in blocked and lack.severity is Severity.BLOCK)
        made = len(finalised.snapshots) - len(finalised.reused)
        log.info("cards_finalised", term_id=str(term_id), new=made, reused=len(finalised.reused), blocked=len(blocked))
        return Finalised(snapshots=finalised.snapshots, reused=finalised.reused, blocked=lacks)

    async def _keep(self, tx: Transaction, head: TermHead, wanted: Sequence[StudentId]) -> Finalised:
        drafts, classes = await _drafts(tx, head, wanted, hold=True)
        before = await store.newest(tx, head.term_id, wanted)
        contents = await asyncio.to_thread(lambda: {who: draft.card.content() for who, draft in drafts.items()})
        same = {who: kept for who, kept in before.items() if kept.content_hash == content_hash(contents[who])}
        new = [_new(who, drafts[who], classes, contents[who], before.get(who)) for who in wanted if who not in same]
        added = await store.add(tx, head.school_id, head.term_id, new, self._clock.now())
        made = {**same, **{each.student_id: each for each in added}}
        return Finalised(
            snapshots=tuple(made[who] for who in wanted),
            reused=frozenset(kept.id for kept in same.values()),
            blocked=(),
        )

    async def load(self, tx: Transaction, snapshot_ids: Sequence[ReportSnapshotId]) -> list[Card]:
        """Return finalised cards in the order of their ids, exactly as they were finalised.

        Raises ``NotFound`` where one is not there.
        """
        kept = await store.contents(tx, snapshot_ids)
        if len(kept) < len(snapshot_ids):
            raise NotFound("there is no such finalised card")
        return await asyncio.to_thread(lambda: [as_card(each) for each in kept])

    async def preview(
        self, principal: Principal, *, student_id: StudentId, term_id: TermId, session_id: SessionId | None = None
    ) -> Card:
        """Return a student's card as the records give it now, not finalised: to leaders and the class teacher.

        Raises ``NotFound`` also for a term that is not of the session, where one is given.
        """
        principal.require(Scope.REPORTS_READ)
        async with self._db.tenant(principal.school, actor=principal.user_id, read_only=True) as tx:
            own = await rights.class_of(tx, term_id, student_id)
            rights.require_class(principal, own["class_teacher_id"])
            head = await _head(tx, session_id, term_id)
            drafts, _ = await _drafts(tx, head, [student_id], hold=False)
            return drafts[student_id].card

    async def current(self, tx: Transaction, *, term_id: TermId, student_ids: Sequence[StudentId]) -> list[Card]:
        """Return cards of one term as the records give them now, not finalised, in the order asked for.

        For broadsheets and previews, whose callers check the rights. Raises ``NotFound``.
        """
        return await current_cards(tx, term_id=term_id, student_ids=student_ids)

    async def versions(
        self, principal: Principal, *, term_id: TermId, student_id: StudentId, before: int | None, limit: int
    ) -> list[Snapshot]:
        """Return a student's finalised cards of a term, newest first: to leaders and the class teacher."""
        principal.require(Scope.REPORTS_READ)
        async with self._db.tenant(principal.school, actor=principal.user_id, read_only=True) as tx:
            own = await rights.class_of(tx, term_id, student_id)
            rights.require_class(principal, own["class_teacher_id"])
            return await store.versions(tx, term_id, student_id, before=before, limit=limit)


def as_card(kept: store.KeptCard) -> Card:
    """Return a kept card with what it was given when it was finalised."""
    given = {"serial": kept.serial, "snapshot_hash": kept.content_hash, "finalised_on": kept.finalised_on}
    return Card.model_validate_json(kept.content).model_copy(update=given)


async def current_cards(tx: Transaction, *, term_id: TermId, student_ids: Sequence[StudentId]) -> list[Card]:
    """Return cards of one term as the records give them now, in the order asked for. Raises ``NotFound``."""
    head = await _head(tx, None, term_id)
    drafts, _ = await _drafts(tx, head, student_ids, hold=False)
    return [drafts[who].card for who in dict.fromkeys(student_ids)]


async def _head(tx: Transaction, session_id: SessionId | None, term_id: TermId) -> TermHead:
    head = await record_store.head_of(tx, term_id)
    if head is None or (session_id is not None and head.session_id != session_id):
        raise NotFound("there is no such term in this session")
    return head


async def _drafts(
    tx: Transaction, head: TermHead, student_ids: Sequence[StudentId], *, hold: bool
) -> tuple[dict[StudentId, Drafted], Classes]:
    """Return the cards of students as the records give them now. Their whole classes are read, for the positions."""
    wanted = await record_store.students_of(tx, head.term_id, student_ids)
    if len(wanted) < len(set(student_ids)):
        raise NotFound("there is no such student in this term")
    arm_ids = list(dict.fromkeys(student.class_arm_id for student in wanted))
    # Others' earlier terms matter only where a session's averages are put in order.
    earlier_of = None if head.term_number == LAST_TERM else student_ids
    classes = await record_store.classes_of(tx, head, arm_ids, hold=hold, earlier_of=earlier_of)
    entries = await entry_store.entries_of(tx, head.term_id, student_ids, arm_ids)
    style = (await style_store.style_of(tx)).style
    drafts = await asyncio.to_thread(_draft_all, head, classes, frozenset(student_ids), entries, style)
    return drafts, classes


def _draft_all(
    head: TermHead,
    classes: Classes,
    wanted: frozenset[StudentId],
    entries: Mapping[StudentId, Entries],
    style: CardStyle,
) -> dict[StudentId, Drafted]:
    drafts: dict[StudentId, Drafted] = {}
    for arm in classes.arms:
        results = work_out(arm, term_id=head.term_id, cumulative=head.term_number == LAST_TERM)
        grading = _grading_of(arm)
        its_class = Class(head=head, arm=arm, results=results, style=style, grading=grading)
        for student in arm.students:
            if student.id in wanted:
                card = assemble(its_class, student, entries.get(student.id, NOTHING_WRITTEN))
                drafts[student.id] = Drafted(card, arm, grading)
    return drafts


def _grading_of(arm: ArmRecord) -> SubjectRecord | None:
    """Return a subject marked by the grading policy that most of the class's subjects are marked by."""
    often = Counter(subject.grading_id for subject in arm.subjects).most_common(1)
    return next((subject for subject in arm.subjects if often and subject.grading_id == often[0][0]), None)


def _new(student_id: StudentId, draft: Drafted, classes: Classes, content: str, before: Snapshot | None) -> NewSnapshot:
    return NewSnapshot(
        student_id=student_id,
        class_arm_id=draft.arm.id,
        version=before.version + 1 if before else 1,
        serial=new_serial(),
        content=content,
        content_hash=content_hash(content),
        grading_policy_id=draft.grading.grading_id if draft.grading else None,
        report_policy_id=classes.rules_ids[draft.arm.id],
    )
