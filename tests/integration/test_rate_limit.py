"""The limit of a provider's account: one contract over the fake and over Redis."""

import asyncio
import uuid
from bisect import bisect_left
from collections.abc import AsyncIterator
from time import monotonic

import pytest
from redis import asyncio as aioredis

from cluster.embedded.redis import EmbeddedRedis
from core.adapters.redis_limiter import RedisRateLimiter
from core.errors import TooMany, Unavailable
from core.ids import DeliveryId
from core.notifications.limits import AHEAD_S, HEADROOM, Gate, Limited, RateLimiter, Unlimited
from core.notifications.model import OutgoingMessage, Text
from tests.factories.limits import FakeRateLimiter
from tests.factories.senders import FakeSender

RATE = 200.0


@pytest.fixture(params=["fake", "redis"])
async def limiter(request: pytest.FixtureRequest, redis_url: str) -> AsyncIterator[RateLimiter]:
    """A limiter of 200 a second that has been in use for a while."""
    made: FakeRateLimiter | RedisRateLimiter
    if request.param == "fake":
        made = FakeRateLimiter(RATE)
    else:
        made = RedisRateLimiter(redis_url, "provider:account", RATE, key_prefix=f"{uuid.uuid4().hex}:")
    await made.acquire(1)
    await asyncio.sleep(1.05)
    yield made
    if isinstance(made, RedisRateLimiter):
        await made.close()


async def pass_through(gate: Gate, count: int, passed: list[float]) -> None:
    """Let so many requests through, batch by batch, and note when each left."""
    left = count
    while left:
        moments, wait_s = await gate.admit(min(left, 20))
        left -= len(moments)
        for moment in moments:
            await gate.enter(moment)
            passed.append(monotonic())
        if not moments:
            await asyncio.sleep(wait_s)


def worst_second(passed: list[float]) -> int:
    """Return the most that left within any second."""
    return max(bisect_left(passed, start + 1) - place for place, start in enumerate(passed))


async def test_no_second_has_more_than_the_limit(limiter: RateLimiter) -> None:
    """Two gates of one account together let no more through in any sliding second, and nearly as many on average."""
    passed: list[float] = []
    began = monotonic()
    await asyncio.gather(*(pass_through(Gate(limiter), 250, passed) for _ in range(2)))
    assert worst_second(sorted(passed)) <= RATE
    assert len(passed) / (monotonic() - began) <= RATE


async def test_a_batch_is_one_question(limiter: RateLimiter) -> None:
    """Many permits come with one answer, evenly spaced, and no further ahead than a quarter of a second."""
    permits = await limiter.acquire(1000)
    assert 0 < permits.count <= AHEAD_S * RATE + 1
    assert permits.every_s == pytest.approx(1 / (RATE * HEADROOM))
    assert permits.first_in_s + (permits.count - 1) * permits.every_s <= AHEAD_S + 0.001


async def test_what_is_used_up_says_when_to_ask_again(limiter: RateLimiter) -> None:
    """Once everything ahead is given out there is nothing, and how long that lasts is said."""
    while (none := await limiter.acquire(1000)).count:
        pass
    assert 0 < none.first_in_s <= 2 / RATE


async def test_a_lapsed_permit_is_exchanged(limiter: RateLimiter) -> None:
    """A permit that was not used at its moment is no permit any more; another takes its place."""
    gate = Gate(limiter)
    moments, _ = await gate.admit(3)
    await asyncio.sleep(0.05)
    renewed = await gate.renewed(moments, 3)
    assert len(renewed) == 3
    assert min(renewed) > max(moments)


async def test_a_limit_that_was_lost_begins_with_a_pause(redis_url: str) -> None:
    """After Redis was flushed nobody knows what left within the last second, so that the first permit is one away."""
    prefix = f"{uuid.uuid4().hex}:"
    limiter = RedisRateLimiter(redis_url, "a", RATE, key_prefix=prefix)
    first = await limiter.acquire(1)
    assert first.count == 0
    assert first.first_in_s == pytest.approx(1 - AHEAD_S, abs=0.05)
    await asyncio.sleep(1)
    assert (await limiter.acquire(1)).count == 1
    redis = aioredis.Redis.from_url(redis_url)
    await redis.delete(f"{prefix}limit:a")
    assert (await limiter.acquire(1)).count == 0
    await redis.aclose()
    await limiter.close()


async def test_a_clock_that_was_set_back_does_not_stop_everything(redis_url: str) -> None:
    """A next moment an hour ahead can only come from a clock that was set back, and is treated as lost."""
    prefix = f"{uuid.uuid4().hex}:"
    limiter = RedisRateLimiter(redis_url, "a", RATE, key_prefix=prefix)
    redis = aioredis.Redis.from_url(redis_url)
    seconds, _ = await redis.time()
    await redis.set(f"{prefix}limit:a", str((seconds + 3600) * 1_000_000))
    assert (await limiter.acquire(1)).first_in_s <= 1
    await redis.aclose()
    await limiter.close()


async def test_without_redis_nothing_may_go(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Where Redis is away there are no permits, and when it is back there are again (with the pause)."""
    server = EmbeddedRedis(tmp_path_factory.mktemp("limit"), durable=False, near_port=24_479)
    limiter = RedisRateLimiter(server.start(), "a", RATE)
    await limiter.acquire(1)
    server.stop()
    with pytest.raises(Unavailable):
        await limiter.acquire(1)
    server.start()
    assert (await limiter.acquire(1)).count == 0
    await limiter.close()
    server.stop()


async def test_no_limit_is_no_wait() -> None:
    """An account without a limit lets everything through at once."""
    gate = Gate(Unlimited())
    moments, wait_s = await gate.admit(10_000)
    assert len(moments) == 10_000
    assert wait_s == 0
    assert gate.is_open(max(moments))


async def test_a_stand_in_keeps_its_own_limit() -> None:
    """A provider that is asked where another fails waits for a permit of its own account, or says to come later."""
    limiter = FakeRateLimiter(10)
    sender = FakeSender()
    limited = Limited(sender, limiter)
    message = OutgoingMessage(DeliveryId(uuid.uuid4()), "+2348030000001", Text("", "hello"))
    with pytest.raises(TooMany):
        await limited.send(message)
    await asyncio.sleep(1)
    assert (await limited.send(message)).message_id
    assert limited.provider == sender.provider
