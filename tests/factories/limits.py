"""A rate limiter for tests: the same rules as Redis's, over a clock of its own."""

import math
from collections.abc import Callable
from time import monotonic

from core.errors import Unavailable
from core.notifications.limits import AHEAD_S, HEADROOM, Permits


class FakeRateLimiter:
    """Spaces permits evenly in this process; ``away`` makes it fail as Redis does."""

    def __init__(self, rate_per_s: float, now: Callable[[], float] = monotonic) -> None:
        self.rate_per_s = rate_per_s
        self.away = False
        self.asked = 0
        self._every_s = 1 / (rate_per_s * HEADROOM)
        self._now = now
        self._next: float | None = None

    async def acquire(self, count: int) -> Permits:
        """Take up to ``count`` permits."""
        self.asked += 1
        if self.away:
            raise Unavailable("the limiter is away")
        now = self._now()
        first = now + 1 if self._next is None else max(self._next, now)
        given = min(count, max(math.floor((now + AHEAD_S - first) / self._every_s) + 1, 0))
        self._next = first + given * self._every_s
        return Permits(given, first - now if given else first - now - AHEAD_S, self._every_s)

    def forget(self) -> None:
        """Lose what was given out."""
        self._next = None
