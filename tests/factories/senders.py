"""A provider for tests: it does what it is told and remembers what it took."""

import asyncio
from collections import Counter
from collections.abc import Callable
from uuid import uuid4

from core.errors import SchoolOSError
from core.ids import DeliveryId
from core.notifications.model import OutgoingMessage, Receipt, Text

TEXT = Text("Results of Tọ́lá", "Kings College Lagos: results of Tọ́lá are published.")


class FakeSender:
    """Takes every message, once for each key; ``trouble`` may raise or return an error for it first."""

    provider = "fake"

    def __init__(self, trouble: Callable[[OutgoingMessage], SchoolOSError | None] | None = None) -> None:
        self.requests: Counter[DeliveryId] = Counter()
        self.taken: dict[DeliveryId, OutgoingMessage] = {}
        self.most_at_once = 0
        self._trouble = trouble or (lambda _: None)
        self._now_at_once = 0
        self._open = asyncio.Event()
        self._open.set()
        self._asked = asyncio.Event()

    def hold(self) -> None:
        """Let every request wait until ``let_go``."""
        self._open.clear()

    async def until_asked(self, times: int) -> None:
        """Return once so many requests have come in."""
        while sum(self.requests.values()) < times:
            await self._asked.wait()
            self._asked.clear()

    def let_go(self) -> None:
        """Answer those that wait."""
        self._open.set()

    async def send(self, message: OutgoingMessage) -> Receipt:
        """Take a message, or raise what the test asks for."""
        self.requests[message.key] += 1
        self._asked.set()
        self._now_at_once += 1
        self.most_at_once = max(self.most_at_once, self._now_at_once)
        try:
            await self._open.wait()
            await asyncio.sleep(0)
            error = self._trouble(message)
            if error is not None:
                raise error
        finally:
            self._now_at_once -= 1
        self.taken.setdefault(message.key, message)
        return Receipt(message_id=f"fake-{message.key}")

    async def close(self) -> None:
        """Close nothing."""


def message(address: str, key: DeliveryId | None = None) -> OutgoingMessage:
    """Return a message for an address."""
    return OutgoingMessage(key or DeliveryId(uuid4()), address, TEXT)
