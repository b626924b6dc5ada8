"""How often a provider's account may be asked: never above its limit in any second, over all processes together.

Permits are moments, evenly spaced. Even spacing a little below the limit, and permits that lapse when they are used
late, are what makes the limit hold in every sliding second and not on average alone: requests 1/(0.992 n) s apart, none
more than 8 ms off its moment, are at most n in any second.
"""

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Protocol

from core.errors import TooMany
from core.notifications.model import OutgoingMessage, Receipt
from core.notifications.ports import MessageSender

HEADROOM = 0.992
"""Part of the limit that is used: 0.8 % is 8 ms of a second, what requests may be off their moments together."""
EARLY_S = 0.0005
"""A timer's grain."""
LATE_S = 0.0065
STRICT_PER_S = 500
"""Above this a worker's own turns take longer than a permit may be late: such a limit holds on average alone."""
AHEAD_S = 0.25
"""How far ahead permits are given out. Short, so that what is urgent overtakes at the limit too."""


@dataclass(frozen=True, slots=True)
class Permits:
    """An answer of a limiter: so many requests may go, the first after a while, then one after the other."""

    count: int
    first_in_s: float
    """Where ``count`` is 0: after this it is worth asking again."""
    every_s: float = 0.0


class RateLimiter(Protocol):
    """Gives out permits for one account, shared by all that ask."""

    @property
    def rate_per_s(self) -> float | None:
        """The limit, or None where there is none."""

    async def acquire(self, count: int) -> Permits:
        """Take up to ``count`` permits. Raises ``Unavailable`` where the limit is not known: then nothing may go."""


class Unlimited:
    """An account without a limit."""

    rate_per_s = None

    async def acquire(self, count: int) -> Permits:
        """Permit all, now."""
        return Permits(count, 0.0)


class Gate:
    """Turns permits into moments of this process's clock, and lets requests through at theirs."""

    def __init__(self, limiter: RateLimiter) -> None:
        self._limiter = limiter
        self.rate_per_s = limiter.rate_per_s
        self.strict = (self.rate_per_s or math.inf) <= STRICT_PER_S
        """Whether the limit holds in every sliding second, so that permits lapse."""

    async def admit(self, count: int) -> tuple[Sequence[float], float]:
        """Return the moments of the permits got, and where there are none how long to wait before asking again."""
        asked_at = monotonic()
        permits = await self._limiter.acquire(count)
        if self.rate_per_s is None:
            return [asked_at] * permits.count, 0.0
        # From when the answer came: the true moments are no later, so that nothing leaves early.
        first = monotonic() + permits.first_in_s
        return [first + place * permits.every_s for place in range(permits.count)], permits.first_in_s

    async def renewed(self, moments: Sequence[float], count: int) -> Sequence[float]:
        """Return so many permits: of those given the ones that have not lapsed, the others new, in one round trip."""
        fresh = [moment for moment in moments if not self._lapsed(moment)]
        while len(fresh) < count:
            more, wait_s = await self.admit(count - len(fresh))
            fresh += more
            if not more:
                await asyncio.sleep(wait_s)
        return fresh

    async def enter(self, moment: float) -> None:
        """Return at a permit's moment; one that lapses meanwhile is exchanged. Raises ``Unavailable``."""
        while not self.is_open(moment):
            await asyncio.sleep(max(moment - monotonic(), 0.0))
            (moment,) = await self.renewed([moment], 1)

    def is_open(self, moment: float) -> bool:
        """Tell whether a permit's moment is now."""
        return moment - monotonic() <= EARLY_S and not self._lapsed(moment)

    def _lapsed(self, moment: float) -> bool:
        return self.strict and monotonic() - moment > LATE_S


class Limited:
    """A sender that waits for a permit of its own account: for providers that stand in for another."""

    def __init__(self, sender: MessageSender, limiter: RateLimiter, patience_s: float = 2.0) -> None:
        self._sender = sender
        self._gate = Gate(limiter)
        self._patience_s = patience_s
        self.provider = sender.provider

    async def send(self, message: OutgoingMessage) -> Receipt:
        """Send at a permit's moment. Raises ``TooMany`` where none comes soon."""
        moments, wait_s = await self._gate.admit(1)
        if not moments:
            raise TooMany("the limit of this account is reached", wait_s)
        try:
            async with asyncio.timeout(self._patience_s):
                await self._gate.enter(moments[0])
        except TimeoutError as error:
            raise TooMany("the limit of this account is reached", self._patience_s) from error
        return await self._sender.send(message)

    async def close(self) -> None:
        """Close the sender."""
        await self._sender.close()
