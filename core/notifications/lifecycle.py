"""The life of a delivery, as rules over values: what may follow what, and what an attempt's end means.

::

    queued ──> claimed ──> sending ──> sent
       │ │        └─ lease ─┐  ├──> retry (next_attempt_at) ──> as queued
       │ │                  └──┤
       │ └────────────> sending└──> dead
       └> skipped, sent (the bell: effect and state are one transaction)

What waits for a permit of a rate limit is ``claimed`` meanwhile; what can leave at once is claimed as ``sending``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from core.errors import InvalidInput, SchoolOSError, TooMany
from core.notifications.model import Attempt, Bill, Delivery, Outcome, Reason, Receipt, State
from core.notifications.ports import NotTaken

TRANSITIONS: Mapping[State, frozenset[State]] = {
    State.QUEUED: frozenset({State.CLAIMED, State.SENDING, State.SENT, State.SKIPPED, State.DEAD}),
    State.CLAIMED: frozenset({State.SENDING, State.RETRY, State.DEAD}),
    State.SENDING: frozenset({State.SENT, State.RETRY, State.DEAD}),
    State.RETRY: frozenset({State.CLAIMED, State.SENDING, State.SENT, State.DEAD}),
    State.SENT: frozenset(),
    State.SKIPPED: frozenset(),
    State.DEAD: frozenset(),
}
"""What may follow what. A lease that ran out leads from ``claimed`` and ``sending`` back to ``retry``."""

MAX_ATTEMPTS = 50
"""Lost and throttled attempts cost no retry; past this many of any kind the delivery itself is what breaks things."""

_THROTTLE_PAUSE = timedelta(seconds=1)
"""For a provider that throttles without saying for how long."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """When a delivery that failed is tried again."""

    delays: Sequence[timedelta] = field(
        default=(timedelta(seconds=1), timedelta(seconds=5), timedelta(seconds=30))
    )  # P2-12

    def pause_after(self, failures: int) -> timedelta | None:
        """Return the wait after that many failures, or None where there is no further try."""
        return self.delays[failures - 1] if failures <= len(self.delays) else None


@dataclass(frozen=True, slots=True)
class Try:
    """An attempt under way."""

    delivery: Delivery
    provider: str
    started_at: datetime

    def sent(self, receipt: Receipt, now: datetime, bill: Bill | None = None) -> Attempt:
        """Return the attempt that succeeded."""
        return Attempt(
            delivery=self.delivery,
            provider=receipt.provider or self.provider,
            outcome=Outcome.SENT,
            state=State.SENT,
            started_at=self.started_at,
            finished_at=now,
            message_id=_printable(receipt.message_id),
            detail=_printable(receipt.detail),
            bill=bill,
        )

    def failed(
        self, error: SchoolOSError | TimeoutError, policy: RetryPolicy, now: datetime, *, may_repeat: bool = True
    ) -> Attempt:
        """Return the attempt that failed, with when to try again or why not to.

        Without ``may_repeat`` nothing goes out again of which it is not known whether it has left.
        """
        if isinstance(error, InvalidInput):
            reason = Reason(error.faults[0].code) if error.faults else Reason.REJECTED
            return replace(self._ended(Outcome.REJECTED, State.DEAD, now, str(error)), reason=reason)
        if self.delivery.number >= MAX_ATTEMPTS:
            return replace(self._ended(_outcome(error), State.DEAD, now, str(error)), reason=Reason.GAVE_UP)
        if isinstance(error, TooMany):
            pause = timedelta(seconds=error.retry_after_s) if error.retry_after_s else _THROTTLE_PAUSE
            return replace(self._ended(Outcome.THROTTLED, State.RETRY, now, str(error)), next_attempt_at=now + pause)
        if not may_repeat and not isinstance(error, NotTaken):
            detail = str(error) or "no answer in time"
            return replace(self._ended(_outcome(error), State.DEAD, now, detail), reason=Reason.IN_DOUBT)
        return self._failed_again(error, policy, now)

    def _failed_again(self, error: SchoolOSError | TimeoutError, policy: RetryPolicy, now: datetime) -> Attempt:
        outcome = _outcome(error)
        detail = str(error) or "no answer in time"
        pause = policy.pause_after(self.delivery.failures + 1)
        if pause is None:
            reason = Reason.TIMED_OUT if outcome is Outcome.TIMED_OUT else Reason.UNAVAILABLE
            return replace(self._ended(outcome, State.DEAD, now, detail), reason=reason)
        return replace(self._ended(outcome, State.RETRY, now, detail), next_attempt_at=now + pause)

    def _ended(self, outcome: Outcome, state: State, now: datetime, detail: str = "") -> Attempt:
        return Attempt(
            delivery=self.delivery,
            provider=self.provider,
            outcome=outcome,
            state=state,
            started_at=self.started_at,
            finished_at=now,
            detail=_printable(detail),
        )


def _printable(said: str) -> str:
    # A provider's words go to the log: bounded, and without what a database refuses.
    return (said if said.isprintable() else "".join(char for char in said if char.isprintable()))[:500]


def _outcome(error: Exception) -> Outcome:
    if isinstance(error, TooMany):
        return Outcome.THROTTLED
    timed_out = isinstance(error, TimeoutError) or isinstance(error.__cause__, TimeoutError)
    return Outcome.TIMED_OUT if timed_out else Outcome.FAILED


def uses_a_retry(outcome: Outcome) -> bool:
    """Tell whether an attempt that ended so counts against the retries."""
    return outcome in {Outcome.FAILED, Outcome.TIMED_OUT}
