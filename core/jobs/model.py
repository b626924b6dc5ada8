"""Long work as one uniform thing, whatever kind it is."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from core.ids import JobId, SchoolId, UserId


class JobState(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    COMPLETED_WITH_ERRORS = "completed_with_errors"
    FAILED = "failed"
    CANCELLED = "cancelled"


FINISHED = frozenset({JobState.SUCCEEDED, JobState.COMPLETED_WITH_ERRORS, JobState.FAILED, JobState.CANCELLED})


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks about jobs, and how far that one may look."""

    school: SchoolId
    user_id: UserId
    sees_all: bool = False
    """Every job of the school, not only one's own."""
    cancels_all: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A piece of long work: ``done`` of ``total`` are over, ``failed`` of those came to nothing."""

    id: JobId
    kind: str
    state: JobState
    done: int
    failed: int
    total: int | None
    """None while it is not known how much there is."""
    error: Mapping[str, Any] | None
    result: Mapping[str, Any] | None
    detail: Mapping[str, Any]
    """What the kind of job needs to know; not shown."""
    cancel_requested: bool
    created_by: UserId | None
    created_at: datetime
    started_at: datetime | None
    heartbeat_at: datetime | None
    finished_at: datetime | None

    @property
    def is_finished(self) -> bool:
        """Tell whether nothing more will happen."""
        return self.state in FINISHED

    def eta(self, now: datetime) -> datetime | None:
        """Return when the job will be done at the pace so far; None where that can't be told."""
        if self.state is not JobState.RUNNING or not self.done or self.total is None or self.started_at is None:
            return None
        pace = (now - self.started_at) / self.done
        return now + pace * max(0, self.total - self.done)
