"""What one attempt at a receiver means for its message and its endpoint, as rules over values."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from core.errors import InvalidInput, SchoolOSError
from core.notifications.webhooks_model import (
    DISABLE_AFTER,
    RETRY_AFTER,
    AttemptOutcome,
    DueMessage,
    MessageState,
    WebhookAnswer,
)

_LONGEST_WAIT = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Verdict:
    """How an attempt ended and what follows."""

    outcome: AttemptOutcome
    state: MessageState
    failures: int
    next_attempt_at: datetime | None = None
    reason: str | None = None
    status: int | None = None
    detail: str = ""

    @property
    def good(self) -> bool:
        """Tell whether the receiver took it."""
        return self.outcome is AttemptOutcome.TAKEN


def verdict_on(
    message: DueMessage, ended: WebhookAnswer | SchoolOSError | TimeoutError, now: datetime, spread: float
) -> Verdict:
    """Return what an attempt's end means. ``spread``, about 1, keeps receivers that come back from being run over."""
    match ended:
        case WebhookAnswer() if 200 <= ended.status < 300:
            return Verdict(AttemptOutcome.TAKEN, MessageState.SENT, 0, status=ended.status)
        case WebhookAnswer(status=410):
            return Verdict(AttemptOutcome.REFUSED, MessageState.DEAD, message.failures + 1, reason="gone", status=410)
        case WebhookAnswer():
            wait = ended.retry_after if ended.status in {429, 503} else None
            return _again(message, AttemptOutcome.FAILED, now, spread, at_least=wait, status=ended.status)
        case InvalidInput():
            dead = MessageState.DEAD
            return Verdict(
                AttemptOutcome.BLOCKED, dead, message.failures + 1, reason="address_not_allowed", detail=ended.message
            )
        case TimeoutError():
            return _again(message, AttemptOutcome.TIMED_OUT, now, spread, detail="no answer in time")
        case _:
            return _again(message, AttemptOutcome.FAILED, now, spread, detail=ended.message)


def _again(
    message: DueMessage,
    outcome: AttemptOutcome,
    now: datetime,
    spread: float,
    *,
    at_least: timedelta | None = None,
    status: int | None = None,
    detail: str = "",
) -> Verdict:
    failures = message.failures + 1
    if failures > len(RETRY_AFTER):
        return Verdict(outcome, MessageState.DEAD, failures, reason="gave_up", status=status, detail=detail)
    wait = max(RETRY_AFTER[failures - 1] * spread, min(at_least or timedelta(), _LONGEST_WAIT))
    return Verdict(outcome, MessageState.RETRY, failures, now + wait, status=status, detail=detail)


def why_disable(verdict: Verdict, failing_since: datetime | None, now: datetime) -> str | None:
    """Return why an endpoint is asked no more after this verdict, or None."""
    if verdict.outcome is AttemptOutcome.REFUSED:
        return "gone"
    if not verdict.good and failing_since is not None and now - failing_since >= DISABLE_AFTER:
        return "failing"
    return None
