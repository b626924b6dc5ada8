"""A timetable as a school keeps it: its versions, and the searches that make them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from pydantic import Field

from core.ids import JobId, SchoolId, SessionId, TimetableId, UserId
from core.timetable.model import Frozen, Problem, Timetable

PROBLEM_LIMIT_BYTES = 40_000_000
"""A request of 10 MB, written out with every lesson."""
MOST_SECONDS = 600.0
DEFAULT_SECONDS = 20.0
"""C-58: a search ends well within the portals' patience of 30 s."""


class RaceKind(StrEnum):
    """What a search is for; ``timetable-<kind>`` is its job's kind."""

    GENERATE = "generate"
    RESOLVE = "resolve"
    EXPLAIN = "explain"


class RaceEnd(StrEnum):
    """How a search ended. That there is no timetable, that none was found in time and a stop are three things."""

    DONE = "done"
    INFEASIBLE = "infeasible"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"
    FAILED = "failed"


class RaceRequest(Frozen):
    """What a search was asked for, beside the problem."""

    name: str = Field(default="", max_length=200)
    session_id: str | None = None
    seconds: float = Field(default=DEFAULT_SECONDS, ge=1, le=MOST_SECONDS)
    seed: int = Field(default=0, ge=0, lt=2**31)
    note: str = Field(default="", max_length=500)
    """What is to be written on the version."""
    based_on: int | None = None
    """The version that is repaired."""
    pins: tuple[str, ...] = ()
    only_groups: tuple[str, ...] | None = None

    @property
    def session(self) -> SessionId | None:
        """The session of a new timetable."""
        return SessionId(UUID(self.session_id)) if self.session_id else None


class RaceProgress(Frozen):
    """How a search stands."""

    attempts: int = 0
    elapsed_s: float = 0.0
    soft: int | None = None
    bound: int | None = None
    solver: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Race:
    """A search."""

    job_id: JobId
    kind: RaceKind
    timetable_id: TimetableId | None
    problem_digest: str
    request: RaceRequest
    outcome: RaceEnd | None
    progress: RaceProgress
    traceparent: str | None
    created_by: UserId | None


@dataclass(frozen=True, slots=True)
class Claimed:
    """A race that a conductor holds until its lease runs out."""

    school: SchoolId
    job_id: JobId
    starts: int
    """How often it was begun, this time included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimetableRecord:
    """A timetable of a school, without its lessons."""

    id: TimetableId
    name: str
    session_id: SessionId | None
    latest_version: int
    published_version: int | None
    published_at: datetime | None
    created_by: UserId | None
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionRecord:
    """One version, without its lessons."""

    number: int
    problem_digest: str
    hard: int
    soft: int
    bound: int | None
    solver: str
    note: str
    based_on: int | None
    created_by: UserId | None
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One version with what it solves and where the lessons are."""

    record: VersionRecord
    problem: Problem
    timetable: Timetable


@dataclass(frozen=True, slots=True, kw_only=True)
class NewVersion:
    """A version that is to be written."""

    problem_digest: str
    hard: int
    soft: int
    bound: int | None = None
    solver: str = ""
    note: str = ""
    based_on: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RaceResult:
    """What a search came to, as it is written down."""

    end: RaceEnd
    version: NewVersion | None = None
    timetable: Timetable | None = None
    """Found, and judged by the checker."""
    summary: Mapping[str, Any] = field(default_factory=dict)
    """For the job's result."""
    problem: Mapping[str, Any] | None = None
    """For the job's error: title, detail, reasons."""
