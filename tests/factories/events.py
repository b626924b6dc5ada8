"""Events for tests, and a stream in memory that keeps the promises of the real one."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from core.clock import Clock
from core.errors import NotFound, Unavailable
from core.events.envelope import Event
from core.events.stream import Entry, Pending, StreamState
from core.events.types import AnyPayload, AttendanceMarked, FeeReminder, ReportsPublished, ScoresPublished
from core.ids import (
    ClassArmId,
    EventId,
    FeeId,
    JobId,
    MarkSheetId,
    SchoolId,
    SessionId,
    StaffId,
    StudentId,
    SubjectId,
    TermId,
    new_id,
)

MORNING = datetime(2027, 9, 13, 8, 0, tzinfo=UTC)


def scores_published(*students: StudentId) -> ScoresPublished:
    """Return marks that were published, of these students or of one nobody knows."""
    students = students or (StudentId(new_id()),)
    return ScoresPublished(
        subject_id=SubjectId(new_id()),
        subject_name="Mathematics",
        class_arm_id=ClassArmId(new_id()),
        class_arm_name="JSS 2 Ruby",
        term_id=TermId(new_id()),
        term_name="First Term",
        teacher_id=StaffId(new_id()),
        teacher_name="Mrs Ọláyinká",
        student_count=len(students),
        timestamp=MORNING,
        sheet_id=MarkSheetId(new_id()),
        student_ids=students,
    )


def attendance_marked(absent: StudentId, late: StudentId) -> AttendanceMarked:
    """Return a day's attendance with one absent and one late."""
    return AttendanceMarked(
        class_arm_id=ClassArmId(new_id()),
        class_arm_name="JSS 2 Ruby",
        date=date(2027, 9, 13),
        absent_student_ids=(absent,),
        late_student_ids=(late,),
    )


def fee_reminder(*students: StudentId) -> FeeReminder:
    """Return a reminder of a fee of NGN 45,000.50."""
    return FeeReminder(
        fee_id=FeeId(new_id()),
        fee_type="Tuition",
        student_ids=students,
        amount_kobo=4_500_050,
        due_date=date(2027, 9, 30),
    )


def reports_published(*students: StudentId) -> ReportsPublished:
    """Return report cards that were published."""
    return ReportsPublished(
        job_id=JobId(new_id()),
        session_id=SessionId(new_id()),
        session_name="2027/2028",
        term_id=TermId(new_id()),
        term_name="First Term",
        student_ids=students,
        timestamp=MORNING,
    )


def event_of(payload: AnyPayload, school: UUID | None = None) -> Event:
    """Return an event that carries a payload."""
    return Event(
        id=EventId(new_id()),
        type=payload.event_type,
        version=payload.event_version,
        school_id=SchoolId(school or new_id()),
        occurred_at=MORNING,
        traceparent=None,
        payload=payload.model_dump(mode="json", by_alias=True),
    )


@dataclass(slots=True)
class _Waiting:
    consumer: str
    since: datetime
    deliveries: int = 1


@dataclass(slots=True)
class FakeEventStream:
    """The port ``EventStream`` in memory, on a clock that a test moves."""

    clock: Clock
    entries: dict[str, Mapping[str, str]] = field(default_factory=dict)
    dead: list[tuple[Entry, str]] = field(default_factory=list)
    down: bool = False
    _waiting: dict[str, _Waiting] = field(default_factory=dict)
    _read_to: int = 0
    _group: bool = False
    _count: int = 0
    _grown: asyncio.Event = field(default_factory=asyncio.Event)

    async def create_group(self) -> None:
        """Make the group where it is missing."""
        self._check(group=False)
        self._group = True

    async def append(self, entries: Sequence[Mapping[str, str]]) -> Sequence[str]:
        """Append entries."""
        self._check(group=False)
        ids = []
        for fields in entries:
            self._count += 1
            ids.append(f"{int(self.clock.now().timestamp() * 1000)}-{self._count}")
            self.entries[ids[-1]] = dict(fields)
        self._grown.set()
        return ids

    async def read(self, consumer: str, count: int, block: timedelta) -> Sequence[Entry]:
        """Return new entries, waiting really, not on the clock."""
        self._check()
        if not self._new():
            self._grown.clear()
            try:
                await asyncio.wait_for(self._grown.wait(), block.total_seconds())
            except TimeoutError:
                return []
        chosen = self._new()[:count]
        self._read_to = max([self._read_to, *map(_sequence, chosen)])
        self._waiting |= {id_: _Waiting(consumer, self.clock.now()) for id_ in chosen}
        return [Entry(id_, self.entries[id_]) for id_ in chosen]

    async def pending(self, min_idle: timedelta, count: int) -> Sequence[Pending]:
        """Return what is not acknowledged."""
        self._check()
        now = self.clock.now()
        told = [Pending(i, w.consumer, now - w.since, w.deliveries) for i, w in sorted(self._waiting.items())]
        return [each for each in told if each.idle >= min_idle][:count]

    async def claim(
        self, consumer: str, entries: Sequence[Pending], min_idle: timedelta, *, counted: bool = True
    ) -> Sequence[Entry]:
        """Deliver again."""
        self._check()
        claimed = []
        for each in entries:
            waiting = self._waiting.get(each.id)
            if waiting is None or self.clock.now() - waiting.since < min_idle:
                continue
            self._waiting[each.id] = _Waiting(consumer, self.clock.now(), each.deliveries + counted)
            claimed.append(Entry(each.id, self.entries[each.id], each.deliveries + counted))
        return claimed

    async def ack(self, ids: Sequence[str]) -> None:
        """Acknowledge."""
        self._check()
        for id_ in ids:
            self._waiting.pop(id_, None)

    async def bury(self, entry: Entry, reason: str) -> None:
        """Copy to the dead letters and acknowledge."""
        await self.ack([entry.id])
        self.dead.append((entry, reason))

    async def leave(self, consumer: str) -> None:
        """Nothing is kept of a consumer without entries."""
        self._check()

    async def state(self) -> StreamState:
        """Return how far the group is."""
        self._check(group=False)
        open_ = sorted([*self._waiting, *self._new()], key=_sequence)
        oldest = datetime.fromtimestamp(int(open_[0].split("-")[0]) / 1000, UTC) if open_ else None
        return StreamState(len(self.entries), len(self._waiting), len(self._new()), oldest, self.clock.now())

    async def trim(self, keep: int) -> int:
        """Remove what is acknowledged, but the newest."""
        self._check(group=False)
        open_ = {*self._waiting, *self._new()}
        floor = min([_sequence(id_) for id_ in open_] or [self._count + 1])
        spare = [id_ for id_ in list(self.entries)[: max(len(self.entries) - keep, 0)] if _sequence(id_) < floor]
        for id_ in spare:
            del self.entries[id_]
        return len(spare)

    async def ping(self) -> None:
        """Raise where it is down."""
        self._check(group=False)

    def lose_everything(self) -> None:
        """Forget all, as a Redis without a disk does when it dies."""
        self.entries.clear()
        self._waiting.clear()
        self._group = False

    def _new(self) -> list[str]:
        return [id_ for id_ in self.entries if _sequence(id_) > self._read_to]

    def _check(self, *, group: bool = True) -> None:
        if self.down:
            raise Unavailable("the stream is down")
        if group and not self._group:
            raise NotFound("the group is gone")


def _sequence(id_: str) -> int:
    return int(id_.split("-")[1])
