"""A batch of report cards as it is kept: what was asked, each student's card, the pieces that are worked on. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from core.ids import ClassArmId, JobId, ReportChunkId, ReportSnapshotId, SchoolId, SessionId, StudentId, TermId, UserId
from core.jobs.model import Job, JobState

JOB_KIND = "report_cards"
CARDS_A_DOCUMENT = 25
"""As many as are printed at once: a card then takes two fifths of the processor time of a document of its own."""


class Naming(StrEnum):
    """How the archive names its cards."""

    ID = "id"
    """``{studentId}-report-card.pdf``."""
    NAME = "name"
    """``{StudentNo_Surname_Class}.pdf``."""


class ItemState(StrEnum):
    """What came of one student's card."""

    QUEUED = "queued"
    PRINTING = "printing"
    DONE = "done"
    FAILED = "failed"
    WITHHELD = "withheld"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What was asked for."""

    job_id: JobId
    session_id: SessionId
    term_id: TermId
    naming: Naming
    force: bool
    """Print also what the pre-flight blocks."""
    retry_of: JobId | None
    traceparent: str | None
    created_by: UserId


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One student's card in a batch."""

    student_id: StudentId
    position: int
    class_arm_id: ClassArmId
    snapshot_id: ReportSnapshotId | None
    serial: str | None
    state: ItemState
    reason: str
    object_key: str | None
    bytes: int | None
    sha256: str | None
    pages: int | None
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Counts:
    """How far a batch is, counted from its items."""

    total: int
    done: int
    failed: int
    withheld: int
    cancelled: int

    @property
    def over(self) -> int:
        """Return of how many cards nothing more will come."""
        return self.done + self.failed + self.withheld + self.cancelled

    def end(self, *, cancelled: bool) -> JobState:
        """Return how a job with these ends: a card that the school holds back is no failure of the job's."""
        if cancelled:
            return JobState.CANCELLED
        if self.done and self.done + self.withheld == self.total:
            return JobState.SUCCEEDED
        return JobState.COMPLETED_WITH_ERRORS if self.done or not self.failed else JobState.FAILED


@dataclass(frozen=True, slots=True)
class BatchJob:
    """A batch with its job."""

    job: Job
    batch: Batch
    counts: Counts


@dataclass(frozen=True, slots=True)
class Claimed:
    """A piece of work that a worker has taken: a chunk to print, or a batch to pack."""

    school: SchoolId
    job_id: JobId
    chunk_id: ReportChunkId | None
    starts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkTask:
    """What a chunk is about."""

    id: ReportChunkId
    batch: Batch
    students: tuple[StudentId, ...]
    """Whose cards are not over yet, in order."""
    pinned: tuple[ReportSnapshotId | None, ...]
    """The snapshot of each, where an earlier attempt has finalised it: every attempt prints the same."""
    starts: int
    waits: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PrintedCard:
    """A card that lies in the store."""

    student_id: StudentId
    object_key: str
    bytes: int
    sha256: str
    pages: int


@dataclass(frozen=True, slots=True)
class NewItem:
    """A card to be printed, or one that was printed before."""

    student_id: StudentId
    class_arm_id: ClassArmId
    kept: Item | None = None


def chunk_sizes(classes: Sequence[int], most: int = CARDS_A_DOCUMENT) -> list[int]:
    """Return how many cards go into each chunk, by how many each class has.

    A large class is parted as evenly as can be; small ones that follow each other share a chunk.
    """
    sizes: list[int] = []
    for cards in classes:
        parts = -(-cards // most)
        even = [cards // parts + (number < cards % parts) for number in range(parts)]
        if sizes and len(even) == 1 and sizes[-1] + even[0] <= most:
            sizes[-1] += even[0]
        else:
            sizes += even
    return sizes


def object_key(school: SchoolId, job: JobId, student: StudentId) -> str:
    """Return where a card's PDF lies."""
    return f"{school}/reports/{job}/{student}-report-card.pdf"
