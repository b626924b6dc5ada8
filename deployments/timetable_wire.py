"""What routes of timetables send and take."""

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from fastapi import Depends, Request
from pydantic import Field

from core.ids import JobId
from core.timetable.changes import Changes
from core.timetable.checker import Verdict
from core.timetable.comparing import Comparison
from core.timetable.formats.native import read_object
from core.timetable.formats.school_request import SchoolRequest
from core.timetable.race_jobs import RaceJob
from core.timetable.records import DEFAULT_SECONDS, MOST_SECONDS, TimetableRecord, VersionRecord
from core.timetable.versions import Shown
from core.timetable.weeks import DayColumn, PlacedLesson, Week, Weeks, weeks_of
from deployments.ground.job import JobOut, job_out
from deployments.ground.wire import Wire, WireRequest

MOST_VIOLATIONS = 1_000
Version = Annotated[int, Field(ge=1, le=2**31 - 1)]


async def _big_body(request: Request) -> Mapping[str, Any]:
    # Up to 10 MB: read in a thread, because reading that much here would hold up everybody else.
    return await asyncio.to_thread(read_object, await request.body())


BigBody = Annotated[Mapping[str, Any], Depends(_big_body)]
"""A route's parameter for a JSON object that is read by the use case."""


def body_of(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return how the document describes a ``BigBody``, for ``openapi_extra``."""
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": dict(schema)}}}}


def _inlined(model: Any) -> dict[str, Any]:
    """Return a model's schema without references."""
    schema = model.model_json_schema(by_alias=True)
    defs = schema.pop("$defs", {})

    def resolve(value: Any) -> Any:
        if isinstance(value, list):
            return [resolve(each) for each in value]
        if not isinstance(value, dict):
            return value
        if "$ref" in value:
            return resolve(defs[value["$ref"].rsplit("/", 1)[-1]])
        return {name: resolve(each) for name, each in value.items()}

    resolved: dict[str, Any] = resolve(schema)
    return resolved


_SEARCH = {
    "name": {"type": "string", "maxLength": 200},
    "seconds": {"type": "number", "minimum": 1, "maximum": MOST_SECONDS, "default": DEFAULT_SECONDS},
    "seed": {"type": "integer", "minimum": 0, "maximum": 2**31 - 1, "default": 0},
    "note": {"type": "string", "maxLength": 500},
}
_PROBLEM = {
    "problem": {
        "type": "object",
        "description": "SchoolOS's own form of a problem, with everything the portals' request has no word for; "
        "in place of `constraints` and what belongs to them.",
    }
}
_ASKED = _inlined(SchoolRequest)
GENERATE = {
    **_ASKED,
    "required": [],
    "description": "The portals' request, or `problem`; and how long to search.",
    "properties": {**_ASKED["properties"], **_PROBLEM, **_SEARCH},
}
_CHANGED = _inlined(Changes)
RESOLVE = {**_CHANGED, "properties": {**_CHANGED["properties"], **_SEARCH}}
VALIDATE = {
    **GENERATE,
    "description": "A timetable with the problem that it is to solve: the portals' request, `problem`, or a kept one's "
    "`timetableId`, whose own lessons are judged where no `timetable` is given.",
    "properties": {
        **GENERATE["properties"],
        "timetableId": {"type": "string", "format": "uuid"},
        "complete": {"type": "boolean", "default": False, "description": "A lesson without a place breaks a law too."},
        "timetable": {
            "type": "object",
            "description": 'The placements: `{"lesson": ..., "slot": ..., "rooms": [...]}`; a slot is its index or '
            '`{"day": "Monday", "period": 3}`.',
            "properties": {"placements": {"type": "array", "items": {"type": "object"}}},
        },
    },
}


class TimetableJobOut(JobOut):
    """A search for a timetable: the uniform job, and the portals' own words (P8-14)."""

    job_id: JobId
    status: str = Field(description="`solving`, `done`, `infeasible`, `timed_out`, `cancelled` or `failed`.")
    attempts: int
    elapsed: str = Field(examples=["12s"])
    soft: int | None = Field(description="The cost of the best so far; null before there is one.")
    bound: int | None = Field(description="No timetable costs less, proven.")
    solver: str
    timetable_id: UUID | None = Field(description="Where the result is, once there is one.")

    @classmethod
    def of(cls, found: RaceJob) -> Self:
        """Return a search as it is shown."""
        progress, result = found.race.progress, found.job.result or {}
        return cls(
            **job_out(found.job).model_dump(),
            job_id=found.job.id,
            status=found.status,
            attempts=progress.attempts,
            elapsed=f"{found.elapsed_s:.0f}s",
            soft=result.get("soft", progress.soft),
            bound=result.get("bound", progress.bound),
            solver=result.get("solver", progress.solver),
            timetable_id=found.race.timetable_id if "version" in result else None,
        )


class TimetableOut(Wire):
    """A timetable without its lessons."""

    id: UUID
    name: str
    session_id: UUID | None
    latest_version: int
    published_version: int | None
    published_at: datetime | None
    created_at: datetime

    @classmethod
    def of(cls, record: TimetableRecord) -> Self:
        """Return a timetable as it is shown."""
        return cls.model_validate(record)


class VersionOut(Wire):
    """One version without its lessons."""

    number: int
    hard: int
    soft: int
    bound: int | None
    solver: str
    note: str
    based_on: int | None
    created_by: UUID | None
    created_at: datetime

    @classmethod
    def of(cls, record: VersionRecord) -> Self:
        """Return a version as it is shown."""
        return cls.model_validate(record)


class WeeksOut(Wire):
    """The complete grid: lessons, and the week of each class, teacher and room by lesson ids."""

    days: tuple[DayColumn, ...]
    lessons: tuple[PlacedLesson, ...]
    unplaced: tuple[str, ...]
    classes: tuple[Week, ...]
    teachers: tuple[Week, ...]
    rooms: tuple[Week, ...]

    @classmethod
    def of(cls, weeks: Weeks) -> Self:
        """Return weeks as they are shown."""
        return cls.model_validate(weeks)


class TimetableWeeksOut(TimetableOut):
    """A timetable with the lessons of one version."""

    version: VersionOut
    grid: WeeksOut

    @classmethod
    async def made(cls, shown: Shown) -> Self:
        """Return a timetable as it is shown."""
        version = shown.version
        grid = await asyncio.to_thread(weeks_of, version.problem, version.timetable, shown.only_classes)
        record = TimetableOut.of(shown.record).model_dump()
        return cls(**record, version=VersionOut.of(version.record), grid=WeeksOut.of(grid))


class ViolationOut(Wire):
    """One way in which a timetable breaks a rule."""

    rule: str
    hard: bool
    cost: int
    sentence: str
    lessons: tuple[str, ...]
    teachers: tuple[str, ...]
    groups: tuple[str, ...]
    rooms: tuple[str, ...]
    slots: tuple[int, ...]


class VerdictOut(Wire):
    """What the checker says."""

    valid: bool
    hard: int
    soft: int
    violations: list[ViolationOut] = Field(description=f"The first {MOST_VIOLATIONS}, the hard ones first.")

    @classmethod
    def of(cls, verdict: Verdict) -> Self:
        """Return a verdict as it is shown."""
        told = [ViolationOut.model_validate(each) for each in verdict.violations[:MOST_VIOLATIONS]]
        return cls(valid=verdict.valid, hard=verdict.hard, soft=verdict.soft, violations=told)


class MovedOut(Wire):
    """A lesson that is elsewhere than it was."""

    lesson: str
    name: str
    before: int | None
    after: int | None
    rooms_changed: bool
    sentence: str


class ComparisonOut(Wire):
    """How two versions differ."""

    one: VersionOut
    other: VersionOut
    moved: list[MovedOut]
    words: str

    @classmethod
    def of(cls, found: Comparison) -> Self:
        """Return a comparison as it is shown."""
        moved = [MovedOut.model_validate(each) for each in found.moved]
        return cls(one=VersionOut.of(found.one), other=VersionOut.of(found.other), moved=moved, words=found.words)


class WhichVersion(WireRequest):
    """A version of a timetable."""

    version: Version


class SpotIn(WireRequest):
    """A lesson, or a class or teacher in a period of a day, which may be free."""

    lesson_id: Annotated[str | None, Field(max_length=200)] = None
    class_arm_id: Annotated[str | None, Field(max_length=200)] = None
    teacher_id: Annotated[str | None, Field(max_length=200)] = None
    day: Annotated[str | None, Field(max_length=200, description="Its name, such as `Monday`.")] = None
    week: Annotated[str | None, Field(max_length=200, description="Where the cycle has two weeks.")] = None
    period: Annotated[int | str | None, Field(description="Its name, or its number in the day from 1.")] = None


class SwapIn(WireRequest):
    """Two places whose lessons change places."""

    slot1: SpotIn
    slot2: SpotIn


class SwappedOut(Wire):
    """What a swap made."""

    timetable_id: UUID
    version: VersionOut
