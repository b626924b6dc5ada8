"""What delivering needs from outside."""

from typing import Protocol

from core.errors import Fault, InvalidInput, Unavailable
from core.notifications.model import OutgoingMessage, Reason, Receipt


class NotTaken(Unavailable):
    """It is certain that the provider did not take the message, so that another may be asked at once.

    Refused connections, 503, and an account that is out of order are; a time-out, a broken connection and other
    5xx are not: the message may be on its way.
    """


def refusal(said: str, reason: Reason = Reason.REJECTED) -> InvalidInput:
    """Return the error for a message or an address that a provider will never take."""
    return InvalidInput(said, [Fault("/address", said, reason)])


class MessageSender(Protocol):
    """A provider of one channel. Retrying is not its business: one call is one attempt."""

    @property
    def provider(self) -> str:
        """The provider's name, for the log."""

    async def send(self, message: OutgoingMessage) -> Receipt:
        """Hand a message over; return when the provider has taken it.

        Raises:
            InvalidInput: the provider will never take this message or address.
            TooMany: it asks to come back later; ``retry_after_s`` says when.
            NotTaken: it certainly has not taken it, and another attempt or provider may succeed.
            Unavailable: it does not answer, or its account is out of order; another attempt may succeed.
        """

    async def close(self) -> None:
        """Close what connections are open."""
