"""What routes of printing report cards send and take."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field

from core.ids import ClassArmId, JobId, SessionId, StudentId, TermId
from core.jobs.model import JobState
from core.reports.batch_records import BatchJob, Item, ItemState, Naming
from core.reports.batches import OnBlocked, Wanted
from core.reports.card import CardStyle
from deployments.ground.job import JobOut, job_out
from deployments.ground.wire import Wire, WireRequest

_STATUS = {
    JobState.QUEUED: "queued",
    JobState.RUNNING: "processing",
    JobState.SUCCEEDED: "completed",
    JobState.COMPLETED_WITH_ERRORS: "completed_with_errors",
    JobState.FAILED: "failed",
    JobState.CANCELLED: "cancelled",
}


class GenerateIn(WireRequest):
    """Whose cards are printed."""

    student_ids: Annotated[
        list[UUID] | None,
        Field(min_length=1, max_length=5_000, description="Left out: everyone of the class, or of the school."),
    ] = None
    session_id: UUID
    term_id: UUID
    class_arm_id: UUID | None = None
    naming: Annotated[
        Naming,
        Field(description="How the archive names cards: `{studentId}-report-card.pdf` or number, surname and class."),
    ] = Naming.ID
    on_blocked: Annotated[
        OnBlocked,
        Field(description="What becomes of cards that lack something the policy asks for: `refuse` answers 409."),
    ] = OnBlocked.REFUSE

    def to_wanted(self) -> Wanted:
        """Return it as the use case takes it."""
        ids = None if self.student_ids is None else [StudentId(each) for each in self.student_ids]
        return Wanted(
            session_id=SessionId(self.session_id),
            term_id=TermId(self.term_id),
            student_ids=ids,
            class_arm_id=ClassArmId(self.class_arm_id) if self.class_arm_id else None,
            naming=self.naming,
            on_blocked=self.on_blocked,
        )


class SingleIn(WireRequest):
    """Whose card is printed."""

    student_id: UUID
    session_id: UUID
    term_id: UUID


class StyledIn(SingleIn):
    """Whose card is printed, and how it shall look."""

    style: CardStyle


class ReportJobOut(JobOut):
    """A batch of report cards: the uniform job, and the portals' own words (P5-07)."""

    job_id: JobId
    status: str = Field(
        description="`queued`, `processing`, `completed`, `completed_with_errors`, `failed` or `cancelled`."
    )
    progress: int = Field(description="Of how many cards nothing more will come, those that failed among them.")
    printed: int
    withheld: int = Field(
        description="Not printed, because the release policy holds the card back; not among the failed."
    )
    retry_of: JobId | None

    @classmethod
    def of(cls, found: BatchJob) -> Self:
        """Return a batch as it is shown."""
        return cls(
            **job_out(found.job).model_dump(),
            job_id=found.job.id,
            status=_STATUS[found.job.state],
            progress=found.counts.over,
            printed=found.counts.done,
            withheld=found.counts.withheld,
            retry_of=found.batch.retry_of,
        )


class BatchItemOut(Wire):
    """One student's card in a batch."""

    position: int = Field(description="Counts the batch's cards by class and name, from 0.")
    student_id: UUID
    class_arm_id: UUID
    state: ItemState
    reason: str
    snapshot_id: UUID | None
    serial: str | None
    pages: int | None
    bytes: int | None
    sha256: str | None
    updated_at: datetime

    @classmethod
    def of(cls, item: Item) -> Self:
        """Return an item on the wire."""
        return cls.model_validate(item)
