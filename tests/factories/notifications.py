"""Events as published, and a worker's delivery loop, for tests of notifications."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from time import monotonic
from uuid import uuid4

from core.access.principal import Role
from core.clock import Clock, SystemClock
from core.events.envelope import Event
from core.events.outbox import emit
from core.events.types import AttendanceMarked, FeeReminder, Payload, ScoresPublished
from core.ids import FeeId, MarkSheetId, StudentId
from core.notifications.delivering import DeliveryLoop
from core.notifications.fanout import FanOut
from core.notifications.lane import DeliveryPolicy
from core.notifications.lifecycle import RetryPolicy
from core.notifications.model import Channel, Lane
from core.notifications.ports import MessageSender
from core.ports import Database
from tests.factories.school import MadeSchool

ALL = frozenset(Channel)
QUICK = DeliveryPolicy(
    lease=timedelta(seconds=3),
    request_timeout=timedelta(seconds=1),
    retry=RetryPolicy((timedelta(milliseconds=20), timedelta(milliseconds=40), timedelta(milliseconds=60))),
    poll=timedelta(milliseconds=20),
)


def scores_published(school: MadeSchool, students: tuple[StudentId, ...] | None = None) -> ScoresPublished:
    """Return the event of marks being published for these students, or all."""
    chosen = school.students if students is None else students
    return ScoresPublished(
        subject_id=school.subjects[0],
        subject_name="Mathematics",
        class_arm_id=school.arms[0],
        class_arm_name="JSS 2 Ruby",
        term_id=school.terms[0],
        term_name="First Term 2027/2028",
        teacher_id=school.staff[Role.SUBJECT_TEACHER],
        teacher_name="Mr Adé",
        student_count=len(chosen),
        timestamp=SystemClock().now(),
        sheet_id=MarkSheetId(uuid4()),
        student_ids=chosen,
    )


def attendance_marked(
    school: MadeSchool, absent: tuple[StudentId, ...] = (), late: tuple[StudentId, ...] = ()
) -> AttendanceMarked:
    """Return the event of a register being saved."""
    return AttendanceMarked(
        class_arm_id=school.arms[0],
        class_arm_name="JSS 2 Ruby",
        date=SystemClock().now().date(),
        absent_student_ids=absent,
        late_student_ids=late,
    )


def fee_reminder(school: MadeSchool, students: tuple[StudentId, ...]) -> FeeReminder:
    """Return the event of a fee being due."""
    return FeeReminder(
        fee_id=FeeId(uuid4()),
        fee_type="School fees",
        student_ids=students,
        amount_kobo=4_500_000,
        due_date=SystemClock().now().date(),
    )


async def emitted(db: Database, school: MadeSchool, payload: Payload, clock: Clock | None = None) -> Event:
    """Write an event to the outbox and return it as the stream brings it."""
    now = (clock or SystemClock()).now()
    async with db.tenant(school.id) as tx:
        event_id = await emit(tx, school_id=school.id, payload=payload, occurred_at=now)
        row = await tx.fetchrow("SELECT * FROM outbox WHERE id = $1", event_id)
    assert row is not None
    return Event(event_id, row["type"], row["version"], school.id, now, row["traceparent"], row["payload"])


async def fanned_out(
    db: Database,
    school: MadeSchool,
    payload: Payload,
    *,
    channels: frozenset[Channel] = ALL,
    clock: Clock | None = None,
) -> Event:
    """Emit an event and turn it into deliveries."""
    clock = clock or SystemClock()
    event = await emitted(db, school, payload, clock)
    await FanOut(db, clock, channels)(event)
    return event


def room(*channels: Channel, count: int = 10) -> dict[tuple[Channel, Lane], int]:
    """Return a claim's room for so many of each lane of these channels."""
    return {(channel, lane): count for channel in channels for lane in Lane}


@asynccontextmanager
async def delivering(
    db: Database,
    senders: Mapping[Channel, MessageSender],
    policy: DeliveryPolicy = QUICK,
    *,
    worker: str = "worker-1",
    clock: Clock | None = None,
) -> AsyncIterator[DeliveryLoop]:
    """Run a delivery loop."""
    loop = DeliveryLoop(db, clock or SystemClock(), senders, policy, worker=worker)
    await loop.start()
    try:
        yield loop
    finally:
        await loop.stop(5)


async def states(db: Database, school: MadeSchool) -> dict[tuple[str, str], int]:
    """Return how many deliveries of a school stand where, by channel and state."""
    async with db.tenant(school.id) as tx:
        rows = await tx.fetch("SELECT channel, state, count(*) AS n FROM deliveries GROUP BY 1, 2")
    return {(row["channel"], row["state"]): row["n"] for row in rows}


async def settled(
    db: Database, school: MadeSchool, *, within_s: float = 60, look_every_s: float = 0.02
) -> dict[tuple[str, str], int]:
    """Wait until every delivery of a school has ended, and return where they stand."""
    ended = {"sent", "skipped", "dead"}
    stand: dict[tuple[str, str], int] = {}
    until = monotonic() + within_s
    while monotonic() < until:
        stand = await states(db, school)
        if stand and all(state in ended for _, state in stand):
            return stand
        await asyncio.sleep(look_every_s)
    raise AssertionError(f"not within {within_s} s: {stand}")
