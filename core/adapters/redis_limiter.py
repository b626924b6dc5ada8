"""The rate limit of a provider's account as one script in Redis, for every process that asks (GCRA, by Redis's clock).

Redis 6.2 is enough. Where it does not answer there are no permits: a limit that is not known is not a limit of none.
"""

from typing import Any

from redis import asyncio as aioredis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from core.errors import Unavailable
from core.notifications.limits import AHEAD_S, HEADROOM, Permits

# The key holds the moment of the next permit in microseconds. It never expires: where it is missing, Redis has lost it,
# and what was given out in the last second is unknown, so that the first permit is a second away. A moment further
# ahead than is ever given out is a clock that was set back, and treated alike.
# KEYS[1]; ARGV: microseconds between permits, permits wanted, how far ahead in microseconds.
_GCRA = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local every, wanted, ahead = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local next = tonumber(redis.call('GET', KEYS[1]))
if not next or next > now + math.max(ahead, 1000000) + every then next = now + 1000000 end
if next < now then next = now end
local count = math.min(wanted, math.max(math.floor((now + ahead - next) / every) + 1, 0))
redis.call('SET', KEYS[1], string.format('%.3f', next + count * every))
local wait = next - now
if count == 0 then wait = next - now - ahead end
return {count, math.ceil(wait)}
"""


class RedisRateLimiter:
    """One account's limit. The connection is made at first use and mended."""

    def __init__(
        self, url: str, account: str, rate_per_s: float, *, key_prefix: str = "", timeout_s: float = 1.0
    ) -> None:
        """Prepare the limit of ``rate_per_s`` for an account, such as ``africas_talking:greenfield``."""
        self.rate_per_s = rate_per_s
        self._every_s = 1 / (rate_per_s * HEADROOM)
        self._redis: Any = aioredis.Redis.from_url(
            url,
            client_name="schoolos-limiter",
            socket_connect_timeout=timeout_s,
            socket_timeout=timeout_s,
            retry=Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,)),
        )
        self._key = f"{key_prefix}limit:{account}"
        self._script: Any = self._redis.register_script(_GCRA)

    async def acquire(self, count: int) -> Permits:
        """Take up to ``count`` permits in one round trip. Raises ``Unavailable``."""
        asked = [self._every_s * 1e6, count, AHEAD_S * 1e6]
        try:
            given, wait_us = await self._script(keys=[self._key], args=asked)
        except (RedisError, OSError) as error:
            raise Unavailable("the rate limit can't be asked for; nothing is sent until it can", 1.0) from error
        return Permits(int(given), max(int(wait_us), 0) / 1e6, self._every_s)

    async def close(self) -> None:
        """Close the connection."""
        await self._redis.aclose()
