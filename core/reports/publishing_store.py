"""The SQL of publishing: which printed card of a student guardians see."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from core.ids import JobId, ReportSnapshotId, StudentId, TermId, UserId
from core.ports import Row, Transaction

_PRINTED = """
SELECT i.student_id, i.snapshot_id, s.version, i.object_key, shown.snapshot_id AS shown_snapshot_id,
       before.version AS shown_version
FROM report_batch_items i
JOIN report_batches b ON (b.school_id, b.job_id) = (i.school_id, i.job_id)
JOIN report_snapshots s ON (s.school_id, s.id) = (i.school_id, i.snapshot_id)
LEFT JOIN report_published_cards shown
       ON (shown.school_id, shown.term_id, shown.student_id) = (i.school_id, b.term_id, i.student_id)
LEFT JOIN report_snapshots before ON (before.school_id, before.id) = (shown.school_id, shown.snapshot_id)
WHERE i.job_id = $1 AND i.state = 'done' AND ($2::uuid[] IS NULL OR i.student_id = ANY ($2))
ORDER BY i.position
"""

# A card that says the same keeps the day on which it was published; its file is the newer one.
_SHOW = """
INSERT INTO report_published_cards AS shown
       (school_id, term_id, student_id, snapshot_id, job_id, object_key, published_at, published_by)
SELECT app_school(), $1, new.student_id, new.snapshot_id, $2, new.object_key, $3, app_actor()
FROM unnest($4::uuid[], $5::uuid[], $6::text[]) AS new (student_id, snapshot_id, object_key)
ON CONFLICT (school_id, term_id, student_id) DO UPDATE
SET snapshot_id = excluded.snapshot_id, job_id = excluded.job_id, object_key = excluded.object_key,
    published_at = CASE WHEN shown.snapshot_id = excluded.snapshot_id THEN shown.published_at
                        ELSE excluded.published_at END,
    published_by = CASE WHEN shown.snapshot_id = excluded.snapshot_id THEN shown.published_by
                        ELSE excluded.published_by END
"""

_OWN = """
SELECT shown.term_id, t.name AS term_name, session.name AS session_name, shown.student_id, st.family_name,
       st.given_names, shown.snapshot_id, shown.object_key, shown.published_at
FROM report_published_cards shown
JOIN terms t ON (t.school_id, t.id) = (shown.school_id, shown.term_id)
JOIN academic_sessions session ON (session.school_id, session.id) = (t.school_id, t.session_id)
JOIN students st ON (st.school_id, st.id) = (shown.school_id, shown.student_id)
WHERE ($1::uuid IS NULL OR shown.term_id = $1) AND shown.student_id = ANY ($2::uuid[])
ORDER BY t.starts_on DESC, st.family_name, st.given_names, st.id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrintedCard:
    """A printed card of a batch, and what guardians see of the same term now."""

    student_id: StudentId
    snapshot_id: ReportSnapshotId
    version: int
    object_key: str
    shown_snapshot_id: ReportSnapshotId | None
    shown_version: int | None

    @property
    def is_new(self) -> bool:
        """Tell whether guardians don't see it yet."""
        return self.shown_snapshot_id != self.snapshot_id

    @property
    def is_outdated(self) -> bool:
        """Tell whether guardians see a later version already."""
        return self.shown_version is not None and self.shown_version > self.version


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedCard:
    """A card that guardians see."""

    term_id: TermId
    term_name: str
    session_name: str
    student_id: StudentId
    family_name: str
    given_names: str
    snapshot_id: ReportSnapshotId
    object_key: str | None
    published_at: datetime


async def printed(tx: Transaction, job_id: JobId, student_ids: Sequence[StudentId] | None) -> list[PrintedCard]:
    """Return the printed cards of a batch, or those of some students in it."""
    rows = await tx.fetch(_PRINTED, job_id, None if student_ids is None else list(student_ids))
    return [PrintedCard(**dict(row)) for row in rows]


async def show(tx: Transaction, term_id: TermId, job_id: JobId, cards: Sequence[PrintedCard], at: datetime) -> None:
    """Let guardians see these cards."""
    await tx.execute(
        _SHOW,
        term_id,
        job_id,
        at,
        [card.student_id for card in cards],
        [card.snapshot_id for card in cards],
        [card.object_key for card in cards],
    )


async def note(tx: Transaction, job_id: JobId, at: datetime, by: UserId) -> None:
    """Note when a batch was published first, and by whom."""
    await tx.execute(
        "UPDATE report_batches SET published_at = coalesce(published_at, $2), published_by = coalesce(published_by, $3)"
        " WHERE job_id = $1",
        job_id,
        at,
        by,
    )


async def withdraw(tx: Transaction, term_id: TermId, student_id: StudentId) -> bool:
    """Let guardians see a card no longer; tell whether they did."""
    touched = await tx.execute(
        "DELETE FROM report_published_cards WHERE term_id = $1 AND student_id = $2", term_id, student_id
    )
    return touched > 0


async def published(tx: Transaction, term_id: TermId | None, student_ids: Sequence[StudentId]) -> list[PublishedCard]:
    """Return the cards of students that are published, the newest term first."""
    return [_published(row) for row in await tx.fetch(_OWN, term_id, list(student_ids))]


async def move(tx: Transaction, card: PublishedCard, key: str) -> None:
    """Note where the file of a published card lies now, unless another card was published meanwhile."""
    await tx.execute(
        "UPDATE report_published_cards SET object_key = $4 WHERE term_id = $1 AND student_id = $2 AND snapshot_id = $3",
        card.term_id,
        card.student_id,
        card.snapshot_id,
        key,
    )


async def children_of(tx: Transaction, guardian_id: object) -> list[StudentId]:
    """Return a guardian's children."""
    rows = await tx.fetch("SELECT student_id FROM guardianships WHERE guardian_id = $1", guardian_id)
    return [StudentId(row["student_id"]) for row in rows]


def _published(row: Row) -> PublishedCard:
    return PublishedCard(**dict(row))
