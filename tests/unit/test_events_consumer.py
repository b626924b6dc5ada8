"""The consumer over a stream in memory, on a clock that a test moves."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from core.clock import FakeClock
from core.errors import Conflict, InvalidInput, Unavailable
from core.events.consumer import ConsumerPolicy, EventConsumer, is_due
from core.events.envelope import Event, to_fields
from core.events.stream import Entry, Pending
from tests.factories.events import FakeEventStream, event_of, scores_published

POLICY = ConsumerPolicy(block=timedelta(milliseconds=10))
SECOND = timedelta(seconds=1)


@dataclass
class Scene:
    """A stream, dead letters, and a handler that does what it is told."""

    clock: FakeClock = field(default_factory=FakeClock)
    handled: list[Event] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)
    letters: list[tuple[str, str]] = field(default_factory=list)
    error: Exception | None = None
    errors: dict[str, Exception] = field(default_factory=dict)
    """What handling an event raises, by its type."""
    moved: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.stream = FakeEventStream(self.clock)

    def consumer(self, name: str = "a") -> EventConsumer:
        """Return a consumer of this stream."""
        return EventConsumer(self.stream, self, self._handle, name=name, policy=POLICY)

    async def record(self, entry: Entry, reason: str) -> None:
        """Keep a dead letter."""
        self.letters.append((entry.id, reason))

    async def send(self, *events: Event) -> Sequence[str]:
        """Append events."""
        await self.stream.create_group()
        return await self.stream.append([to_fields(event) for event in events])

    async def _handle(self, event: Event) -> None:
        self.seen.append(str(event.id))
        error = self.errors.get(event.type, self.error)
        if error is not None:
            raise error
        self.handled.append(event)
        self.moved.set()

    async def until_handled(self, *events: Event) -> None:
        """Wait until exactly these are handled."""
        async with asyncio.timeout(60):
            while self.handled != list(events):
                self.moved.clear()
                await self.moved.wait()

    async def waiting(self) -> int:
        """Return how many entries are not acknowledged."""
        return (await self.stream.state()).backlog


def typed(kind: str) -> Event:
    """Return an event of a type of its own."""
    event = event_of(scores_published())
    return Event(event.id, kind, 1, event.school_id, event.occurred_at, None, event.payload)


async def test_a_handled_entry_is_acknowledged() -> None:
    """An entry whose handler returned waits no longer."""
    scene = Scene()
    event = typed("x")
    await scene.send(event)
    await scene.consumer().read_once()
    assert scene.handled == [event]
    assert await scene.waiting() == 0


async def test_a_failed_entry_is_not_acknowledged_and_the_others_go_on() -> None:
    """One failing event stays pending; those beside it are handled (C-04, C-09)."""
    scene = Scene(errors={"bad": KeyError("x")})
    await scene.send(typed("good"), typed("bad"), typed("good"))
    await scene.consumer().read_once()
    assert len(scene.handled) == 2
    assert await scene.waiting() == 1


async def test_a_failed_entry_comes_back_after_growing_waits() -> None:
    """The same consumer takes its failed entry again after 1, 2, 4 and 8 seconds, not before."""
    scene = Scene(error=KeyError("x"))
    await scene.send(typed("x"))
    consumer = scene.consumer()
    await consumer.read_once()
    for wait, seen in ((1, 2), (2, 3), (4, 4), (8, 5)):
        scene.clock.advance(wait * SECOND - timedelta(milliseconds=1))
        await consumer.reclaim_once()
        assert len(scene.seen) == seen - 1
        scene.clock.advance(timedelta(milliseconds=1))
        await consumer.reclaim_once()
        assert len(scene.seen) == seen


async def test_an_entry_that_keeps_failing_becomes_a_dead_letter() -> None:
    """After the last delivery the entry is recorded, copied and acknowledged, with the kind of error and no more."""
    scene = Scene(error=KeyError("Tudonu David"))
    [id_] = await scene.send(typed("x"))
    consumer = scene.consumer()
    await consumer.read_once()
    for _ in range(POLICY.max_deliveries - 1):
        scene.clock.advance(15 * SECOND)
        await consumer.reclaim_once()
    assert scene.letters == [(id_, "failed 5 times, at last: KeyError")]
    assert [reason for _, reason in scene.stream.dead] == ["failed 5 times, at last: KeyError"]
    assert await scene.waiting() == 0


async def test_what_can_never_be_handled_is_dead_at_once() -> None:
    """A handler's word that an event is invalid is final, and its reason is kept."""
    scene = Scene(error=InvalidInput("no such school"))
    [id_] = await scene.send(typed("x"))
    await scene.consumer().read_once()
    assert scene.letters == [(id_, "no such school")]
    assert await scene.waiting() == 0


async def test_what_is_no_event_is_dead_at_once() -> None:
    """An entry that can't be read never reaches the handler."""
    scene = Scene()
    await scene.stream.create_group()
    await scene.stream.append([{"hello": "world"}])
    await scene.consumer().read_once()
    assert scene.seen == []
    assert scene.letters[0][1].startswith("not an event: the field id is missing")


async def test_a_missing_dependency_uses_up_no_delivery() -> None:
    """However long the database is away, an event waits and is handled when it is back."""
    scene = Scene(error=Unavailable("the database does not answer"))
    await scene.send(typed("x"))
    consumer = scene.consumer()
    await consumer.read_once()
    for _ in range(50):
        scene.clock.advance(15 * SECOND)
        await consumer.reclaim_once()
    assert scene.letters == []
    scene.error = None
    scene.clock.advance(15 * SECOND)
    await consumer.reclaim_once()
    assert len(scene.handled) == 1
    assert await scene.waiting() == 0


async def test_a_dead_consumers_entries_go_to_another_after_the_lease() -> None:
    """What a consumer took and never acknowledged is another's once the lease is over (C-06)."""
    scene = Scene()
    await scene.send(typed("x"))
    await scene.stream.read("dead", 1, timedelta(milliseconds=1))
    consumer = scene.consumer()
    scene.clock.advance(POLICY.lease - timedelta(milliseconds=1))
    await consumer.reclaim_once()
    assert scene.handled == []
    scene.clock.advance(timedelta(milliseconds=1))
    await consumer.reclaim_once()
    assert len(scene.handled) == 1


async def test_an_entry_that_kills_its_consumers_becomes_a_dead_letter() -> None:
    """An entry that never came back from any consumer is not handed to one more."""
    scene = Scene()
    await scene.send(typed("x"))
    await scene.stream.read("victim-0", 1, timedelta(milliseconds=1))
    for number in range(1, POLICY.max_deliveries):
        waiting = await scene.stream.pending(timedelta(0), 10)
        await scene.stream.claim(f"victim-{number}", waiting, timedelta(0))
    scene.clock.advance(POLICY.lease)
    await scene.consumer().reclaim_once()
    assert scene.seen == []
    assert scene.letters[0][1] == "delivered 5 times and never finished"


async def test_a_restarted_consumer_finds_what_it_left() -> None:
    """A consumer of the same name takes its predecessor's entries without waiting for the lease."""
    scene = Scene()
    await scene.send(typed("x"))
    await scene.stream.read("a", 1, timedelta(milliseconds=1))
    scene.clock.advance(SECOND)
    await scene.consumer("a").reclaim_once()
    assert len(scene.handled) == 1


async def test_an_entry_under_way_is_not_taken_again() -> None:
    """A consumer does not reclaim what it is still handling."""
    scene = Scene()
    release, begun = asyncio.Event(), asyncio.Event()
    calls = 0

    async def slow(_: Event) -> None:
        nonlocal calls
        calls += 1
        begun.set()
        await release.wait()

    consumer = EventConsumer(scene.stream, scene, slow, name="a", policy=POLICY)
    await scene.send(typed("x"))
    reading = asyncio.create_task(consumer.read_once())
    await begun.wait()
    scene.clock.advance(timedelta(minutes=1))
    await consumer.reclaim_once()
    release.set()
    await reading
    assert calls == 1


async def test_a_handler_that_hangs_is_cut_off() -> None:
    """A handler past its time counts as failed."""
    scene = Scene()

    async def hang(_: Event) -> None:
        await asyncio.Event().wait()

    policy = ConsumerPolicy(block=timedelta(milliseconds=1), handle_timeout=timedelta(milliseconds=10))
    await scene.send(typed("x"))
    await EventConsumer(scene.stream, scene, hang, name="a", policy=policy).read_once()
    assert await scene.waiting() == 1


async def test_a_consumer_outlives_the_stream() -> None:
    """While the stream is away the consumer waits; when it comes back empty it makes its group and goes on."""
    scene = Scene()
    consumer = scene.consumer()
    running = asyncio.create_task(consumer.run())
    first = typed("x")
    await scene.send(first)
    await scene.until_handled(first)
    scene.stream.down = True
    await asyncio.wait({running}, timeout=0.05)
    scene.stream.lose_everything()
    scene.stream.down = False
    second = typed("x")
    await scene.send(second)
    await scene.until_handled(first, second)
    consumer.stop()
    await asyncio.wait_for(running, 60)


async def test_stop_returns_without_waiting_for_an_event() -> None:
    """A consumer that waits for events stops at once."""
    scene = Scene()
    await scene.stream.create_group()
    policy = ConsumerPolicy(block=timedelta(hours=1), reclaim_every=timedelta(hours=1))
    consumer = EventConsumer(scene.stream, scene, scene._handle, name="a", policy=policy)
    running = asyncio.create_task(consumer.run())
    await asyncio.sleep(0)
    consumer.stop()
    await asyncio.wait_for(running, 60)


async def test_a_dead_letter_that_can_not_be_kept_stays_in_the_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the record of a dead letter fails, the entry is not acknowledged."""
    scene = Scene(error=Conflict("x"))

    async def refuse(_: Entry, __: str) -> None:
        raise Unavailable("the database does not answer")

    monkeypatch.setattr(scene, "record", refuse)
    await scene.stream.create_group()
    await scene.stream.append([{"hello": "world"}])
    with pytest.raises(Unavailable):
        await scene.consumer().read_once()
    assert await scene.waiting() == 1


@pytest.mark.parametrize(
    ("consumer", "idle_s", "deliveries", "due"),
    [("a", 1, 1, True), ("a", 1, 2, False), ("a", 14, 9, False), ("a", 15, 9, True), ("b", 14, 1, False),
     ("b", 15, 1, True)],
)  # fmt: skip
def test_due_by_owner_and_deliveries(consumer: str, idle_s: int, deliveries: int, due: bool) -> None:
    """Its own entries a consumer takes after the back-off, another's after the lease, and no wait is longer."""
    pending = Pending("1-1", consumer, timedelta(seconds=idle_s), deliveries)
    assert is_due(pending, "a", POLICY) is due
