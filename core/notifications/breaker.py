"""A circuit breaker: a provider that keeps failing is left alone for a while, then tried with one request."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from core.clock import Clock


@dataclass(frozen=True, slots=True)
class BreakerPolicy:
    """When a circuit opens, and for how long."""

    failures: int = 10
    """In a row. With one request in ten failing by chance, a circuit opens without cause once in 10^10."""
    pause: timedelta = timedelta(seconds=10)
    longest: timedelta = timedelta(minutes=5)
    """Each failed probe doubles the pause up to this."""


class CircuitBreaker:
    """Closed: requests pass. Open: none does. Half-open, after the pause: one does, and its end decides."""

    def __init__(self, clock: Clock, policy: BreakerPolicy = BreakerPolicy()) -> None:
        self._clock = clock
        self._policy = policy
        self._failures = 0
        self._openings = 0
        self._open_until: datetime | None = None
        self._probing = False

    def admits(self) -> bool:
        """Tell whether a request may go now; who is told yes reports its end."""
        if self._open_until is None:
            return True
        if self._probing or self._clock.now() < self._open_until:
            return False
        self._probing = True
        return True

    @property
    def wait(self) -> timedelta:
        """How long until it is worth asking again."""
        left = self._open_until - self._clock.now() if self._open_until else timedelta()
        return max(left, timedelta(seconds=1))

    def succeeded(self) -> None:
        """Take note that the provider answered, be it that it refused the message."""
        self._failures = self._openings = 0
        self._open_until, self._probing = None, False

    def failed(self) -> None:
        """Take note that it did not answer, or could not take anything."""
        if self._open_until is not None and not self._probing:
            return  # sent before the circuit opened
        self._failures += 1
        if self._probing or self._failures >= self._policy.failures:
            pause = min(self._policy.pause * 2 ** min(self._openings, 30), self._policy.longest)
            self._open_until = self._clock.now() + pause
            self._openings += 1
            self._failures, self._probing = 0, False
