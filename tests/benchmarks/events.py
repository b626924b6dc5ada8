"""Time and cost of an event's way: ``python -m tests.benchmarks.events [--json]``.

Prints how long a committed event takes to its handler while everything is asleep, how many a second get through when
many wait, and what the relay and one consumer cost when nothing happens.
"""

import argparse
import asyncio
import json
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from cluster.embedded.postgres import EmbeddedPostgres
from cluster.embedded.redis import EmbeddedRedis
from cluster.migrate import migrate
from core.adapters.postgres import PostgresDatabase
from core.adapters.postgres_signal import PostgresSignal
from core.adapters.redis_stream import RedisEventStream
from core.events.consumer import EventConsumer
from core.events.dead_letters import DeadLetters
from core.events.envelope import Event
from core.events.outbox import WAKE_CHANNEL, claim_handling, emit
from core.events.relay import Relay
from core.ids import SchoolId
from tests.factories.events import MORNING, scores_published

_SINGLE = 200
_MANY = 5000
_IDLE_S = 10.0


class Way:
    """Database, stream, relay and consumer, with a handler that only claims the event."""

    def __init__(self, database_url: str, redis_url: str) -> None:
        self.db = PostgresDatabase(database_url, application_name="bench")
        self.stream = RedisEventStream(redis_url, client_name="bench")
        self.relay = Relay(
            self.db, self.stream, PostgresSignal(database_url, WAKE_CHANNEL, application_name="bench listener")
        )
        self.consumer = EventConsumer(self.stream, DeadLetters(self.db), self._handle, name="bench")
        self.school = SchoolId(uuid.uuid4())
        self.arrivals: asyncio.Queue[float] = asyncio.Queue()

    async def _handle(self, event: Event) -> None:
        async with self.db.tenant(event.school_id) as tx:
            await claim_handling(tx, event.id)
        self.arrivals.put_nowait(time.perf_counter())

    async def emit(self, count: int) -> None:
        """Write events in one transaction."""
        async with self.db.tenant(self.school) as tx:
            for _ in range(count):
                await emit(tx, school_id=self.school, payload=scores_published(), occurred_at=MORNING)

    async def found_school(self) -> None:
        """Make the school that events belong to."""
        async with self.db.tenant(self.school) as tx:
            await tx.execute("INSERT INTO schools (id, code, name) VALUES ($1, 'bench', 'Bench')", self.school)


async def measure(database_url: str, redis_url: str, cpu_s: Callable[[], float]) -> dict[str, float]:
    """Return all figures."""
    await migrate(database_url)
    way = Way(database_url, redis_url)
    await way.found_school()
    async with asyncio.TaskGroup() as loops:
        loops.create_task(way.relay.run())
        loops.create_task(way.consumer.run())
        await way.emit(1)
        await way.arrivals.get()
        took = sorted([await _one(way) for _ in range(_SINGLE)])
        began = time.perf_counter()
        await way.emit(_MANY)
        committed = time.perf_counter()
        for _ in range(_MANY):
            last = await way.arrivals.get()
        await asyncio.sleep(1)
        idle = cpu_s()
        await asyncio.sleep(_IDLE_S)
        idle = cpu_s() - idle
        way.relay.stop()
        way.consumer.stop()
    await way.db.close()
    return {
        "latency_p50_ms": statistics.median(took) * 1000,
        "latency_p99_ms": took[int(0.99 * len(took))] * 1000,
        "events_per_s": _MANY / (last - committed),
        "emit_ms_per_event": (committed - began) / _MANY * 1000,
        "idle_cpu_percent": idle / _IDLE_S * 100,
    }


async def _one(way: Way) -> float:
    await asyncio.sleep(0.02)
    began = time.perf_counter()
    await way.emit(1)
    return await way.arrivals.get() - began


def main() -> None:
    """Measure on servers of its own and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    as_json = parser.parse_args().json
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        postgres = EmbeddedPostgres(Path(folder, "postgres"), durable=False, near_port=25_432)
        redis = EmbeddedRedis(Path(folder, "redis"), durable=False, near_port=25_379)
        try:
            figures = asyncio.run(measure(postgres.start(), redis.start(), time.process_time))
        finally:
            redis.stop()
            postgres.stop()
    rounded = {name: round(value, 3) for name, value in figures.items()}
    print(json.dumps(rounded) if as_json else "\n".join(f"{name:20} {value:10}" for name, value in rounded.items()))


if __name__ == "__main__":
    main()
