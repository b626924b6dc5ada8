"""The school that is written to, and its events on the stream."""

import asyncio
import random
from datetime import UTC, datetime
from time import process_time

import asyncpg

from core.adapters.postgres import PostgresDatabase
from core.adapters.postgres_signal import PostgresSignal
from core.adapters.redis_stream import RedisEventStream
from core.clock import SystemClock
from core.events.consumer import EventConsumer
from core.events.dead_letters import DeadLetters
from core.events.outbox import WAKE_CHANNEL, emit
from core.events.relay import Relay
from core.notifications.fanout import FanOut
from core.notifications.model import Channel
from tests.benchmarks.notifying.house import House
from tests.factories.notifications import attendance_marked
from tests.factories.school import MadeSchool, make_school

_CLASS = 30
_SAMPLED = 0.01
_NO_BELL = """
INSERT INTO notification_preferences (id, school_id, user_id, channel, event_type, enabled)
SELECT gen_random_uuid(), app_school(), id, 'push', 'attendance.marked', false FROM users WHERE guardian_id IS NOT NULL
"""


class Register:
    """Writes absences to the outbox and carries them to the stream."""

    def __init__(self, house: House, db: PostgresDatabase, school: MadeSchool) -> None:
        self._db = db
        self._school = school
        self._chance = random.Random(1)
        self._stream = RedisEventStream(house.redis, client_name="bench")
        signal = PostgresSignal(house.postgres, WAKE_CHANNEL, application_name="bench listener")
        self._relay = Relay(db, self._stream, signal)
        self._relaying: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to carry events."""
        await self._stream.create_group()
        self._relaying = asyncio.create_task(self._relay.run())

    async def switch_bell(self, *, on: bool) -> None:
        """Let all guardians have the bell, or none: without it a run is of SMS alone."""
        async with self._db.tenant(self._school.id) as tx:
            await tx.execute("DELETE FROM notification_preferences WHERE channel = 'push'")
            if not on:
                await tx.execute(_NO_BELL)

    async def absences(self, count: int, *, size: int = _CLASS) -> None:
        """Report so many absences, class by class; one trace in a hundred is kept."""
        students = self._school.students
        async with self._db.tenant(self._school.id) as tx:
            for start in range(0, count, size):
                chosen = tuple(students[(start + place) % len(students)] for place in range(min(size, count - start)))
                await emit(
                    tx,
                    school_id=self._school.id,
                    payload=attendance_marked(self._school, absent=chosen),
                    occurred_at=datetime.now(UTC),
                    traceparent=self._traceparent(),
                )

    def _traceparent(self) -> str:
        flags = "01" if self._chance.random() < _SAMPLED else "00"
        return f"00-{self._chance.getrandbits(128) or 1:032x}-{self._chance.getrandbits(64) or 1:016x}-{flags}"

    async def until_fanned_out(self) -> float:
        """Turn every event into deliveries, as a worker's consumer does; return what that took of the processor."""
        began = process_time()
        fan_out = FanOut(self._db, SystemClock(), frozenset({Channel.SMS}))
        consumer = EventConsumer(self._stream, DeadLetters(self._db), fan_out, name="bench")
        consuming = asyncio.create_task(consumer.run())
        await self._until_none("SELECT EXISTS (SELECT FROM outbox WHERE handled_at IS NULL)")
        consumer.stop()
        await consuming
        return process_time() - began

    async def until_relayed(self) -> None:
        """Return when every event is on the stream."""
        await self._until_none("SELECT EXISTS (SELECT FROM outbox WHERE relayed_at IS NULL)")

    async def until_delivered(self) -> None:
        """Return when every event is handled and every delivery has ended."""
        await self._until_none(
            "SELECT EXISTS (SELECT FROM outbox WHERE handled_at IS NULL)"
            " OR EXISTS (SELECT FROM deliveries WHERE next_attempt_at IS NOT NULL)"
            " OR EXISTS (SELECT FROM deliveries WHERE lease_until IS NOT NULL)"
        )

    async def _until_none(self, left: str) -> None:
        while True:
            async with self._db.dispatch() as tx:
                if not await tx.fetchval(left):
                    return
            await asyncio.sleep(0.1)

    async def stop(self) -> None:
        """Stop carrying."""
        self._relay.stop()
        if self._relaying is not None:
            await self._relaying
        await self._stream.close()


async def analyze(house: House) -> None:
    """Do what autovacuum does within a minute of a school's import."""
    owner = await asyncpg.connect(house.postgres)
    await owner.execute("ANALYZE")
    await owner.close()


async def found_school(house: House, db: PostgresDatabase, students: int) -> MadeSchool:
    """Make a school whose guardians take SMS and the bell."""
    school = await make_school(db, students=students)
    await analyze(house)
    return school
