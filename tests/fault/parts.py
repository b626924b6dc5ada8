"""Relay and workers in this process, opened as the pools open them, for faults that need no process to die."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Any

from pydantic import SecretStr

from actors.pool_spec import Worker
from cluster.settings import DatabaseSettings, NotifierSettings, RedisSettings, Settings
from cluster.wiring_upkeep import open_relay
from cluster.wiring_workers import open_notifier

LEASE = timedelta(seconds=3)
PATIENCE_S = 90.0
"""How long a test waits for what takes a second, on a machine that does much else; it is no bound that is claimed."""


def settings_of(database_url: str, redis_url: str, prefix: str = "", **groups: Any) -> Settings:
    """Return settings with a short lease over these servers."""
    short = {"lease": LEASE, "request_timeout": timedelta(seconds=1), "concurrency": 20}
    return Settings(
        database=DatabaseSettings(url=SecretStr(database_url)),
        redis=RedisSettings(url=SecretStr(redis_url), key_prefix=prefix),
        notifier=NotifierSettings(**{**short, **groups.pop("notifier", {})}),
        **groups,
    )


@asynccontextmanager
async def at_work(settings: Settings, *, notifiers: int = 2) -> AsyncIterator[list[Worker]]:
    """Run a relay and notifiers, and drain them."""
    async with AsyncExitStack() as stack:
        opening = [open_relay(settings, "relay"), *(open_notifier(settings, f"n-{n}") for n in range(notifiers))]
        workers = [await stack.enter_async_context(each) for each in opening]
        for worker in workers:
            await worker.start()
            stack.push_async_callback(worker.drain, 5)
        yield workers


async def all_well(workers: list[Worker]) -> None:
    """Raise what ended a part of a worker, where one has ended."""
    for worker in workers:
        await worker.ping()
