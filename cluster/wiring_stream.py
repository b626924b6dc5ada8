"""Opens the event stream; apart from ``wiring_ground``, because Redis' client takes 20 MB where it is imported."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from cluster.settings import Settings
from core.adapters.redis_stream import RedisEventStream
from core.errors import InvalidInput


@asynccontextmanager
async def open_stream(settings: Settings, *, client_name: str) -> AsyncIterator[RedisEventStream]:
    """Open the event stream; its connections are made at first use."""
    if settings.redis.url is None:
        raise InvalidInput("SCHOOLOS_REDIS_URL is not set and no embedded Redis runs; start with `schoolos up`")
    stream = RedisEventStream(
        settings.redis.url.get_secret_value(), client_name=client_name, key_prefix=settings.redis.key_prefix
    )
    try:
        yield stream
    finally:
        await stream.close()
