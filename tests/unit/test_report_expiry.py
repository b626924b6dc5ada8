"""What removes printed files goes on whatever the store does."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta

from actors.expiry import ExpiryWorker
from core.errors import Broken, Unavailable
from core.reports.expiry import Expiry


class FakeFiles:
    """A store that answers as it is told, and tells when it was asked for the last time."""

    def __init__(self, *answers: int | Exception) -> None:
        self._answers: Iterator[int | Exception] = iter(answers)
        self.asked_all = asyncio.Event()

    async def expire(self) -> int:
        """Remove what has expired."""
        answer = next(self._answers, None)
        if answer is None:
            self.asked_all.set()
            return 0
        if isinstance(answer, Exception):
            raise answer
        return answer


async def test_a_store_that_is_away_or_not_ours_ends_nothing() -> None:
    """It is tried again, what was removed is counted, and draining ends it."""
    files = FakeFiles(3, Unavailable("away"), Broken("not ours"), 4)
    worker = ExpiryWorker(Expiry(files, every=timedelta(milliseconds=1)))
    await worker.start()
    await asyncio.wait_for(files.asked_all.wait(), 60)
    assert await worker.ping() == {"expired_files_removed": 7.0}
    await worker.drain(1.0)
