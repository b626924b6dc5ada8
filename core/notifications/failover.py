"""One channel with several providers: the next is asked where the first certainly took nothing.

A message that is in doubt (no answer in time, a connection that broke, a 5xx other than 503) is never handed to the
next provider in the same attempt. An idempotency key at the first would not help: it makes the same message harmless
there, not at another.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from core.clock import Clock
from core.errors import InvalidInput, SchoolOSError, TooMany, Unavailable
from core.notifications.breaker import BreakerPolicy, CircuitBreaker
from core.notifications.model import OutgoingMessage, Receipt
from core.notifications.ports import MessageSender, NotTaken
from core.telemetry import get_logger

log = get_logger("notifications")


@dataclass(frozen=True, slots=True)
class _Guarded:
    sender: MessageSender
    breaker: CircuitBreaker


class Failover:
    """Asks providers in order, each behind a circuit breaker of its own."""

    def __init__(self, senders: Sequence[MessageSender], clock: Clock, policy: BreakerPolicy | None = None) -> None:
        policy = policy or BreakerPolicy()
        self._guarded = [_Guarded(sender, CircuitBreaker(clock, policy)) for sender in senders]
        self.provider = " or ".join(sender.provider for sender in senders)
        """What the log says where no provider took it; the detail then says which were asked."""

    async def send(self, message: OutgoingMessage) -> Receipt:
        """Hand a message to the first provider that takes it.

        Raises what the provider that was asked last says. Where every circuit is open nobody was asked, and ``TooMany``
        says when it is worth trying: it costs no retry.
        """
        passed: list[str] = []
        last: NotTaken | None = None
        for each in self._guarded:
            name = each.sender.provider
            if not each.breaker.admits():
                passed.append(f"{name}: not asked, it keeps failing")
                continue
            try:
                receipt = await self._ask(each, message)
            except NotTaken as error:
                last = error
                passed.append(f"{name}: {error}")
            except (SchoolOSError, TimeoutError) as error:
                # A time-out stays one, whoever noticed it.
                cause = error if isinstance(error, TimeoutError) else error.__cause__
                raise self._told(error, [*passed, f"{name}: {str(error) or 'no answer in time'}"]) from cause
            else:
                detail = "; ".join([*passed, receipt.detail]).rstrip("; ") if passed else receipt.detail
                return Receipt(receipt.message_id, detail, name, receipt.cost_kobo)
        if last is not None:
            raise NotTaken("; ".join(passed) if len(self._guarded) > 1 else str(last)) from last.__cause__
        raise TooMany("; ".join(passed), min(each.breaker.wait for each in self._guarded).total_seconds())

    async def close(self) -> None:
        """Close every provider."""
        for each in self._guarded:
            await each.sender.close()

    async def _ask(self, each: _Guarded, message: OutgoingMessage) -> Receipt:
        try:
            receipt = await each.sender.send(message)
        except (InvalidInput, TooMany):
            each.breaker.succeeded()
            raise
        except BaseException as error:
            # Cut off by the caller's deadline counts too, and a probe must not stay under way for ever.
            each.breaker.failed()
            if not isinstance(error, asyncio.CancelledError):
                log.info("provider_failed", provider=each.sender.provider, error=str(error))
            raise
        each.breaker.succeeded()
        return receipt

    def _told(self, error: SchoolOSError | TimeoutError, passed: Sequence[str]) -> SchoolOSError:
        """Return the error with the names of those who were asked before, where there is more than one."""
        said = "; ".join(passed) if len(self._guarded) > 1 else str(error)
        if isinstance(error, InvalidInput):
            return InvalidInput(said, error.faults)
        if isinstance(error, TooMany):
            return TooMany(said, error.retry_after_s)
        return Unavailable(said)
