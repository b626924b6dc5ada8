"""The event stream on Redis Streams. Redis 6.2 is enough: what only 7 tells (``lag``) is worked out."""

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from redis import asyncio as aioredis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import OutOfMemoryError, ReadOnlyError, RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from core.errors import NotFound, Unavailable
from core.events.stream import DEAD_STREAM, GROUP, STREAM, Entry, Pending, StreamState

_COUNT_LIMIT = 10_000
"""Undelivered entries are counted up to here where Redis does not tell their number."""

_REFUSAL = re.compile("(?:^|caused error: )(?:OOM|MISCONF|READONLY|NOREPLICAS) ")
"""What Redis answers where it takes nothing in for now: no memory, no disk, a replica."""

_DEAD_KEEP = 10_000
"""Dead letters stay in the table; the stream of them is for looking at, and bounded."""

# Replies of XINFO are flat lists of names and values in Lua. A field that Redis does not know is nil, one that it can't
# tell is false.
_STATE = """
local length = redis.call('EXISTS', KEYS[1]) == 1 and redis.call('XLEN', KEYS[1]) or 0
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if length == 0 and redis.call('EXISTS', KEYS[1]) == 0 then return {0, 0, 0, '', now} end
local last, lag = '0-0', false
for _, group in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local told = {}
  for i = 1, #group, 2 do told[group[i]] = group[i + 1] end
  if told['name'] == ARGV[1] then last, lag = told['last-delivered-id'], told['lag'] end
end
local first = redis.call('XRANGE', KEYS[1], '(' .. last, '+', 'COUNT', 1)
if not lag then lag = #first == 0 and 0 or #redis.call('XRANGE', KEYS[1], '(' .. last, '+', 'COUNT', ARGV[2]) end
local pending = {0}
if last ~= '0-0' then pending = redis.call('XPENDING', KEYS[1], ARGV[1]) end
local oldest = pending[1] > 0 and pending[2] or (#first > 0 and first[1][1] or '')
return {length, pending[1], lag, oldest, now}
"""

# Everything before the smallest id that some group still needs may go, but not the newest `keep`.
_TRIM = """
if redis.call('EXISTS', KEYS[1]) == 0 or redis.call('XLEN', KEYS[1]) <= tonumber(ARGV[1]) then return 0 end
local function before(a, b)
  local a_ms, a_n = string.match(a, '(%d+)-(%d+)')
  local b_ms, b_n = string.match(b, '(%d+)-(%d+)')
  a_ms, a_n, b_ms, b_n = tonumber(a_ms), tonumber(a_n), tonumber(b_ms), tonumber(b_n)
  return a_ms < b_ms or (a_ms == b_ms and a_n < b_n)
end
local groups = redis.call('XINFO', 'GROUPS', KEYS[1])
if #groups == 0 then return 0 end
local newest = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', ARGV[1])
local floor = #newest > 0 and newest[#newest][1] or redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1][1]
for _, group in ipairs(groups) do
  local told = {}
  for i = 1, #group, 2 do told[group[i]] = group[i + 1] end
  local needed = told['last-delivered-id']
  if told['pending'] > 0 then needed = redis.call('XPENDING', KEYS[1], told['name'])[2] end
  if before(needed, floor) then floor = needed end
end
return redis.call('XTRIM', KEYS[1], 'MINID', floor)
"""

_LEAVE = """
for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
  local told = {}
  for i = 1, #consumer, 2 do told[consumer[i]] = consumer[i + 1] end
  if told['name'] == ARGV[2] and told['pending'] == 0 then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], ARGV[2])
  end
end
"""


class RedisEventStream:
    """The stream ``events`` and its group ``notification-service``. Connections are made at first use and mended."""

    def __init__(self, url: str, *, client_name: str, key_prefix: str = "", timeout_s: float = 10.0) -> None:
        """Prepare the stream. No read may block as long as ``timeout_s``, which bounds every answer."""
        self._redis: Any = aioredis.Redis.from_url(
            url,
            client_name=client_name.replace(" ", "-"),  # Redis takes no spaces in it
            decode_responses=True,
            socket_connect_timeout=timeout_s,
            socket_timeout=timeout_s,
            health_check_interval=30,
            # Mends a dropped connection; whoever calls decides what to do about a longer absence or a silence.
            retry=Retry(ExponentialBackoff(cap=0.5, base=0.05), 2, supported_errors=(RedisConnectionError,)),
        )
        self._stream = key_prefix + STREAM
        self._dead = key_prefix + DEAD_STREAM

    async def close(self) -> None:
        """Close every connection."""
        await self._redis.aclose()

    async def ping(self) -> None:
        """Raise ``Unavailable`` when Redis does not answer."""
        async with _translated():
            await self._redis.ping()

    async def create_group(self) -> None:
        """Make stream and group where they are missing; the group begins at the first entry."""
        async with _translated():
            # Looked for first, because a Redis without memory left refuses even to say that there is one.
            if await self._has_group():
                return
            try:
                await self._redis.xgroup_create(self._stream, GROUP, id="0", mkstream=True)
            except ResponseError as error:
                if "BUSYGROUP" not in str(error):
                    raise

    async def _has_group(self) -> bool:
        try:
            groups = await self._redis.xinfo_groups(self._stream)
        except ResponseError as error:
            if "no such key" in str(error):
                return False
            raise
        return any(group["name"] == GROUP for group in groups)

    async def append(self, entries: Sequence[Mapping[str, str]]) -> Sequence[str]:
        """Append entries in order and return their ids."""
        # All or none: of a batch that broke off in a full Redis, what got in would only come again and fill it more.
        async with _translated(), self._redis.pipeline(transaction=True) as pipe:
            for fields in entries:
                pipe.xadd(self._stream, dict(fields))
            ids: list[str] = await pipe.execute()
        return ids

    async def read(self, consumer: str, count: int, block: timedelta) -> Sequence[Entry]:
        """Return entries never delivered before, waiting for one. Raises ``NotFound`` where the group is gone."""
        block_ms = max(_milliseconds(block), 1)  # 0 would mean for ever
        async with _translated():
            told = await self._redis.xreadgroup(GROUP, consumer, {self._stream: ">"}, count=count, block=block_ms)
        return [Entry(id_, fields) for _, entries in _pairs(told) for id_, fields in entries]

    async def pending(self, min_idle: timedelta, count: int) -> Sequence[Pending]:
        """Return the oldest unacknowledged entries that were delivered at least so long ago."""
        async with _translated():
            told = await self._redis.xpending_range(
                self._stream, GROUP, min="-", max="+", count=count, idle=_milliseconds(min_idle)
            )
        return [
            Pending(
                each["message_id"],
                each["consumer"],
                timedelta(milliseconds=each["time_since_delivered"]),
                each["times_delivered"],
            )
            for each in told
        ]

    async def claim(
        self, consumer: str, entries: Sequence[Pending], min_idle: timedelta, *, counted: bool = True
    ) -> Sequence[Entry]:
        """Deliver unacknowledged entries again, to this consumer, unless another was faster."""
        idle_ms = _milliseconds(min_idle)
        async with _translated(), self._redis.pipeline(transaction=False) as pipe:
            for each in entries:
                pipe.xclaim(self._stream, GROUP, consumer, idle_ms, [each.id], retrycount=each.deliveries + counted)
            answers = await pipe.execute()
        told = [(each, answer[0]) for each, answer in zip(entries, answers, strict=True) if answer]
        # Redis 6.2 hands out nothing for an entry that was deleted, and keeps it pending; 7 forgets it by itself.
        await self.ack([each.id for each, (id_, _) in told if id_ is None])
        return [Entry(id_, fields, each.deliveries + counted) for each, (id_, fields) in told if id_ is not None]

    async def ack(self, ids: Sequence[str]) -> None:
        """Acknowledge entries."""
        if ids:
            async with _translated():
                await self._redis.xack(self._stream, GROUP, *ids)

    async def bury(self, entry: Entry, reason: str) -> None:
        """Copy an entry to the stream of dead letters, with the reason, and acknowledge it in the same step."""
        fields = {**entry.fields, "dead:reason": reason, "dead:stream_id": entry.id}
        async with _translated(), self._redis.pipeline(transaction=True) as pipe:
            pipe.xadd(self._dead, fields, maxlen=_DEAD_KEEP, approximate=True)
            pipe.xack(self._stream, GROUP, entry.id)
            await pipe.execute()

    async def leave(self, consumer: str) -> None:
        """Remove a consumer from the group, unless it has unacknowledged entries."""
        async with _translated():
            await self._redis.eval(_LEAVE, 1, self._stream, GROUP, consumer)

    async def state(self) -> StreamState:
        """Return how far the group is; zeros where there is no stream yet."""
        async with _translated():
            length, pending, undelivered, oldest, now = await self._redis.eval(
                _STATE, 1, self._stream, GROUP, _COUNT_LIMIT
            )
        oldest_at = _moment(int(oldest.split("-")[0])) if oldest else None
        return StreamState(length, pending, undelivered, oldest_at, _moment(now))

    async def trim(self, keep: int) -> int:
        """Remove entries that every group has acknowledged, but keep the newest; return how many went."""
        async with _translated():
            return int(await self._redis.eval(_TRIM, 1, self._stream, keep))


@asynccontextmanager
async def _translated() -> AsyncIterator[None]:
    try:
        yield
    except (RedisConnectionError, RedisTimeoutError, OSError) as error:
        raise Unavailable("the event stream does not answer; try again shortly", 2.0) from error
    except ResponseError as error:
        if "NOGROUP" in str(error) or "no such key" in str(error):
            raise NotFound("the stream's consumer group is gone") from error
        if isinstance(error, OutOfMemoryError | ReadOnlyError) or _REFUSAL.search(str(error)):
            raise Unavailable("the event stream takes nothing in", 5.0) from error
        raise
    except RedisError as error:
        raise Unavailable("the event stream refuses to work", 5.0) from error


def _pairs(told: Any) -> Any:
    # RESP3 answers with a mapping whose values are wrapped once more, RESP2 with a list of pairs.
    if isinstance(told, dict):
        return [(stream, entries[0]) for stream, entries in told.items()]
    return told or []


def _milliseconds(span: timedelta) -> int:
    return int(span.total_seconds() * 1000)


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
