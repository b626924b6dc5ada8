"""The way of an event from a committed transaction to its handler, on real Postgres and Redis."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import format_span_id, format_trace_id
from redis import asyncio as aioredis

from core.adapters.postgres import PostgresDatabase
from core.adapters.postgres_signal import PostgresSignal
from core.adapters.redis_stream import RedisEventStream
from core.errors import Conflict, InvalidInput, NotFound
from core.events.consumer import ConsumerPolicy, EventConsumer
from core.events.dead_letters import DeadLetters
from core.events.envelope import Event, from_fields, to_fields
from core.events.outbox import WAKE_CHANNEL, claim_handling, emit
from core.events.relay import Relay, RelayPolicy
from core.events.types import payload_of
from core.ids import EventId, SchoolId, new_id
from core.telemetry import span
from tests.factories.events import MORNING, event_of, scores_published

SOON = timedelta(milliseconds=20)


@pytest.fixture
def prefix() -> str:
    """A prefix of keys of one test's own."""
    return f"{uuid.uuid4().hex}:"


@pytest.fixture
async def stream(redis_url: str, prefix: str) -> AsyncIterator[RedisEventStream]:
    """An empty stream with its group."""
    stream = RedisEventStream(redis_url, client_name="tests", key_prefix=prefix)
    await stream.create_group()
    yield stream
    await stream.close()


@pytest.fixture
def lose_data(redis_url: str, prefix: str) -> Callable[[], Any]:
    """Make Redis forget the stream, as one without a disk does when it dies."""

    async def lose() -> None:
        async with aioredis.Redis.from_url(redis_url) as redis:
            await redis.delete(f"{prefix}events")

    return lose


@pytest.fixture
async def signal(database_url: str) -> AsyncIterator[PostgresSignal]:
    """A listener on the outbox's channel."""
    signal = PostgresSignal(database_url, WAKE_CHANNEL, application_name="tests")
    yield signal
    await signal.close()


@pytest.fixture
async def school(db: PostgresDatabase) -> SchoolId:
    """A school, and an outbox that holds nothing to relay."""
    school = SchoolId(uuid.uuid4())
    async with db.tenant(school) as tx:
        await tx.execute(
            "INSERT INTO schools (id, code, name) VALUES ($1, $2, 'A school')", school, f"s-{school.hex[:12]}"
        )
    async with db.dispatch() as tx:
        await tx.execute(
            "UPDATE outbox SET relayed_at = now(), handled_at = now() WHERE relayed_at IS NULL OR handled_at IS NULL"
        )
    return school


@pytest.fixture
def relay(db: PostgresDatabase, stream: RedisEventStream, signal: PostgresSignal) -> Relay:
    """A relay that counts an event as lost at once."""
    return Relay(db, stream, signal, RelayPolicy(batch=50, lost_after=timedelta(0)))


async def emit_some(db: PostgresDatabase, school: SchoolId, count: int = 1) -> list[EventId]:
    """Write events in one transaction."""
    async with db.tenant(school) as tx:
        return [await emit(tx, school_id=school, payload=scores_published(), occurred_at=MORNING) for _ in range(count)]


async def read_ids(stream: RedisEventStream) -> list[EventId]:
    """Read everything new and return the events' ids."""
    return [from_fields(entry.fields).id for entry in await stream.read("reader", 1000, SOON)]


async def column(db: PostgresDatabase, name: str, event: EventId) -> Any:
    """Return a column of an outbox row."""
    async with db.dispatch() as tx:
        return await tx.fetchval(f"SELECT {name} FROM outbox WHERE id = $1", event)


async def test_events_arrive_in_order_with_all_they_carry(
    db: PostgresDatabase, stream: RedisEventStream, relay: Relay, school: SchoolId
) -> None:
    """A relayed event is the emitted one: id, type, version, school, time, trace and payload."""
    payload = scores_published()
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    async with db.tenant(school) as tx:
        first = await emit(tx, school_id=school, payload=payload, occurred_at=MORNING, traceparent=trace)
        second = await emit(tx, school_id=school, payload=scores_published(), occurred_at=MORNING)
    assert await relay.relay_once() == 2
    entries = await stream.read("reader", 10, SOON)
    events = [from_fields(entry.fields) for entry in entries]
    assert [event.id for event in events] == [first, second]
    assert (events[0].school_id, events[0].occurred_at, events[0].version) == (school, MORNING, 1)
    assert (events[0].traceparent or "").split("-")[1] == trace.split("-")[1]
    assert payload_of(events[0]) == payload


async def test_the_relay_is_a_link_of_the_trace(
    db: PostgresDatabase, stream: RedisEventStream, relay: Relay, school: SchoolId, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The append is a child of the request that caused the event, and the entry carries the append's span (P4-05)."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr("core.telemetry.tracer", provider.get_tracer("tests"))
    with span("request"):
        await emit_some(db, school)
    await relay.relay_once()
    request, append = exporter.get_finished_spans()
    [entry] = await stream.read("reader", 1, SOON)
    assert append.context is not None
    assert request.context is not None
    assert append.parent is not None
    assert (append.name, append.parent.span_id) == ("xadd", request.context.span_id)
    assert entry.fields["traceparent"].split("-")[1:3] == [
        format_trace_id(request.context.trace_id),
        format_span_id(append.context.span_id),
    ]


async def test_a_rolled_back_event_never_leaves(
    db: PostgresDatabase, stream: RedisEventStream, relay: Relay, school: SchoolId
) -> None:
    """An event of a transaction that did not commit is not relayed (C-10)."""
    with pytest.raises(InvalidInput):
        async with db.tenant(school) as tx:
            await emit(tx, school_id=school, payload=scores_published(), occurred_at=MORNING)
            raise InvalidInput("the business said no")
    assert await relay.relay_once() == 0


async def test_a_crash_after_append_sends_again(
    db: PostgresDatabase, stream: RedisEventStream, relay: Relay, school: SchoolId, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relay that dies between append and mark loses nothing: the event is sent a second time under the same id."""
    [event] = await emit_some(db, school)
    append = stream.append

    async def append_and_die(entries: Any) -> Any:
        await append(entries)
        raise KeyboardInterrupt

    monkeypatch.setattr(stream, "append", append_and_die)
    with pytest.raises(KeyboardInterrupt):
        await relay.relay_once()
    monkeypatch.undo()
    assert await column(db, "relayed_at", event) is None
    await relay.relay_once()
    assert await read_ids(stream) == [event, event]


async def test_two_relays_share_the_work(
    db: PostgresDatabase, stream: RedisEventStream, signal: PostgresSignal, school: SchoolId
) -> None:
    """Two relays at once send each event once (SKIP LOCKED)."""
    events = await emit_some(db, school, 60)
    relays = [Relay(db, stream, signal, RelayPolicy(batch=10)) for _ in range(2)]

    async def drain(relay: Relay) -> None:
        while await relay.relay_once():
            pass

    await asyncio.gather(*(drain(relay) for relay in relays))
    assert sorted(await read_ids(stream)) == sorted(events)


async def test_lost_events_are_sent_again(
    db: PostgresDatabase, stream: RedisEventStream, relay: Relay, school: SchoolId, lose_data: Callable[[], Any]
) -> None:
    """After Redis lost its data, what was relayed and not handled is relayed again, what was handled is not (C-18)."""
    handled, lost = await emit_some(db, school, 2)
    await relay.relay_once()
    async with db.tenant(school) as tx:
        assert await claim_handling(tx, handled)
    await lose_data()
    await relay.upkeep_once()
    assert await relay.relay_once() == 1
    assert await read_ids(stream) == [lost]


async def test_waiting_events_are_not_taken_for_lost(
    db: PostgresDatabase, stream: RedisEventStream, relay: Relay, school: SchoolId
) -> None:
    """However long consumers are away, what is still in the stream is not sent twice."""
    await emit_some(db, school, 3)
    await relay.relay_once()
    await stream.read("slow", 1, SOON)
    await relay.upkeep_once()
    assert await relay.relay_once() == 0


async def test_an_event_is_handled_by_one_transaction(db: PostgresDatabase, school: SchoolId) -> None:
    """Of two transactions with the same event the first handles it; the second waits and is told no (C-03)."""
    [event] = await emit_some(db, school)

    async def handle() -> bool:
        async with db.tenant(school) as tx:
            return await claim_handling(tx, event)

    assert sorted(await asyncio.gather(handle(), handle())) == [False, True]


async def test_an_aborted_handling_is_no_handling(db: PostgresDatabase, school: SchoolId) -> None:
    """A handler whose transaction fails leaves the event to be handled again."""
    [event] = await emit_some(db, school)
    with pytest.raises(Conflict):
        async with db.tenant(school) as tx:
            await claim_handling(tx, event)
            raise Conflict("the effects failed")
    async with db.tenant(school) as tx:
        assert await claim_handling(tx, event)


async def test_nobody_speaks_for_a_school_but_its_outbox(db: PostgresDatabase, school: SchoolId) -> None:
    """An event that no outbox had, or another school's had, is refused."""
    [event] = await emit_some(db, school)
    for scope, id_ in ((school, EventId(new_id())), (SchoolId(new_id()), event)):
        async with db.tenant(scope) as tx:
            with pytest.raises(InvalidInput):
                await claim_handling(tx, id_)


async def test_a_committed_event_reaches_its_handler_at_once(
    db: PostgresDatabase, stream: RedisEventStream, signal: PostgresSignal, school: SchoolId
) -> None:
    """Relay and consumer, both asleep, bring a committed event to its handler though no poll is due for an hour."""
    relay = Relay(db, stream, signal, RelayPolicy(poll_every=timedelta(hours=1)))
    arrived: asyncio.Queue[EventId] = asyncio.Queue()

    async def handle(event: Event) -> None:
        arrived.put_nowait(event.id)

    consumer = EventConsumer(stream, DeadLetters(db), handle, name="a")
    await signal.wait(timedelta(0))  # listens from here on
    async with asyncio.timeout(60), asyncio.TaskGroup() as both:
        both.create_task(relay.run())
        both.create_task(consumer.run())
        for _ in range(2):
            [event] = await emit_some(db, school)
            assert await arrived.get() == event
        relay.stop()
        consumer.stop()


async def test_events_are_each_handled_once_though_a_consumer_dies(
    db: PostgresDatabase, stream: RedisEventStream, signal: PostgresSignal, school: SchoolId
) -> None:
    """Three consumers, one of them cut off in the middle, handle every event, and each takes effect once (P2-10)."""
    relay = Relay(db, stream, signal)
    policy = ConsumerPolicy(batch=50, lease=timedelta(milliseconds=300), first_retry=SOON, reclaim_every=SOON * 5)
    events = set(await emit_some(db, school, 1000))
    handled: list[EventId] = []
    begun, done = asyncio.Event(), asyncio.Event()

    async def handle(event: Event) -> None:
        async with db.tenant(event.school_id) as tx:
            if await claim_handling(tx, event.id):
                handled.append(event.id)
        if len(handled) >= 200:
            begun.set()
        if len(handled) == len(events):
            done.set()

    consumers = [EventConsumer(stream, DeadLetters(db), handle, name=name, policy=policy) for name in "abc"]
    running = [asyncio.create_task(consumer.run()) for consumer in consumers]
    relaying = asyncio.create_task(relay.run())
    await begun.wait()
    running[0].cancel()
    async with asyncio.timeout(60):
        await done.wait()
    relay.stop()
    for consumer in consumers:
        consumer.stop()
    await asyncio.gather(*running, relaying, return_exceptions=True)
    assert len(handled) == len(events)
    assert set(handled) == events


async def test_poison_becomes_a_dead_letter_with_its_reason(
    db: PostgresDatabase, stream: RedisEventStream, school: SchoolId
) -> None:
    """An entry that is no event, and one of an unknown version, are kept with the reason; the others go on."""
    good = event_of(scores_published(), school)
    await stream.append([{"hello": "world"}, to_fields(good) | {"version": "7", "id": str(new_id())}, to_fields(good)])
    handled: list[EventId] = []

    async def handle(event: Event) -> None:
        payload_of(event)
        handled.append(event.id)

    letters = DeadLetters(db)
    await EventConsumer(stream, letters, handle, name="a").read_once()
    assert handled == [good.id]
    [dead] = await letters.page(school, 10)
    assert dead.reason == "version 7 of scores.published is not understood; understood: 1"
    assert dead.fields["version"] == "7"
    assert await letters.count() == 2
    assert (await stream.state()).backlog == 0


async def test_a_dead_event_is_replayed_through_the_outbox(
    db: PostgresDatabase, stream: RedisEventStream, relay: Relay, school: SchoolId
) -> None:
    """A replayed event leaves the dead letters and is delivered again under its own id (P2-27)."""
    [event] = await emit_some(db, school)
    await relay.relay_once()
    [entry] = await stream.read("a", 1, SOON)
    letters = DeadLetters(db)
    await letters.record(entry, "because")
    await letters.record(entry, "because")
    await stream.bury(entry, "because")
    await relay.upkeep_once()
    assert await relay.relay_once() == 0, "a dead event is not a lost one"
    [dead] = await letters.page(school, 10)
    await letters.replay(school, dead.id)
    assert await relay.relay_once() == 1
    assert await read_ids(stream) == [event]
    assert await letters.page(school, 10) == []


async def test_a_discarded_event_is_settled(
    db: PostgresDatabase, stream: RedisEventStream, relay: Relay, school: SchoolId
) -> None:
    """A discarded event leaves the dead letters and is not taken for lost."""
    await emit_some(db, school)
    await relay.relay_once()
    [entry] = await stream.read("a", 1, SOON)
    letters = DeadLetters(db)
    await letters.record(entry, "because")
    await stream.bury(entry, "because")
    [dead] = await letters.page(school, 10)
    with pytest.raises(NotFound):
        await letters.discard(SchoolId(new_id()), dead.id)
    await letters.discard(school, dead.id)
    await relay.upkeep_once()
    assert await relay.relay_once() == 0


async def test_a_stranger_entry_can_only_be_discarded(
    db: PostgresDatabase, stream: RedisEventStream, school: SchoolId
) -> None:
    """What did not come from the outbox is not replayed, and another school can't touch it."""
    await stream.append([to_fields(event_of(scores_published(), school))])
    [entry] = await stream.read("a", 1, SOON)
    letters = DeadLetters(db)
    await letters.record(entry, "because")
    [dead] = await letters.page(school, 10)
    with pytest.raises(Conflict):
        await letters.replay(school, dead.id)
    with pytest.raises(NotFound):
        await letters.replay(SchoolId(new_id()), dead.id)
    await letters.discard(school, dead.id)


async def test_gauges_tell_the_backlog(
    db: PostgresDatabase, stream: RedisEventStream, relay: Relay, school: SchoolId
) -> None:
    """The gauges count undelivered events too, so that a backlog shows while no consumer runs (C-31)."""
    from prometheus_client import REGISTRY

    await emit_some(db, school, 4)
    await relay.relay_once()
    await stream.read("a", 1, SOON)
    await relay.upkeep_once()
    assert REGISTRY.get_sample_value("redis_stream_pending_messages") == 4
    assert (REGISTRY.get_sample_value("redis_stream_lag_seconds") or 0) >= 0
