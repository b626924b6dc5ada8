"""Postgres' LISTEN as a signal: whoever waits is woken by a NOTIFY at once, and costs nothing meanwhile."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any

import asyncpg

from core.telemetry import get_logger

_log = get_logger("postgres")

_RETRY_AFTER_S = 5.0


class _Listener:
    """A connection of its own that listens on one channel; opened again at the next use where it was lost."""

    def __init__(self, url: str, channel: str, *, application_name: str) -> None:
        self._url = url
        self._channel = channel
        self._name = application_name
        self._connection: Any = None
        self._retry_at = 0.0
        self._opening = asyncio.Lock()

    async def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            await self._connection.close(timeout=5)

    async def _listen(self) -> None:
        async with self._opening:
            now = asyncio.get_running_loop().time()
            if (self._connection is not None and not self._connection.is_closed()) or now < self._retry_at:
                return
            try:
                settings = {"application_name": self._name}
                self._connection = await asyncpg.connect(self._url, timeout=5, server_settings=settings)
                await self._connection.add_listener(self._channel, self._on_notice)
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                self._retry_at = now + _RETRY_AFTER_S
                _log.warning("signal_not_heard", channel=self._channel, error=type(error).__name__)

    def _on_notice(self, *told: object) -> None:
        """Take a notice: connection, process, channel, payload."""
        raise NotImplementedError


class PostgresSignal(_Listener):
    """Wakes one who waits. Where the connection fails, waiting falls back to its time limit."""

    def __init__(self, url: str, channel: str, *, application_name: str) -> None:
        super().__init__(url, channel, application_name=application_name)
        self._woken = asyncio.Event()

    async def wait(self, at_most: timedelta) -> None:
        """Return when something was told on the channel since the last wait, at the latest after a while."""
        await self._listen()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._woken.wait(), at_most.total_seconds())
        self._woken.clear()

    def _on_notice(self, *_: object) -> None:
        self._woken.set()


class PostgresNotices(_Listener):
    """Wakes each of many who wait, by the name that is told on the channel."""

    def __init__(self, url: str, channel: str, *, application_name: str) -> None:
        super().__init__(url, channel, application_name=application_name)
        self._expected: dict[str, asyncio.Event] = {}

    async def listen(self) -> None:
        """Begin to listen, where that has not begun or was lost."""
        await self._listen()

    @contextmanager
    def expecting(self, name: str) -> Iterator[asyncio.Event]:
        """Give the event that is set when the name is told."""
        self._expected[name] = heard = asyncio.Event()
        try:
            yield heard
        finally:
            del self._expected[name]

    def _on_notice(self, *told: object) -> None:
        if (heard := self._expected.get(str(told[-1]))) is not None:
            heard.set()
