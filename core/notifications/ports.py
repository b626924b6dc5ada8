"""What delivering needs from outside."""

from typing import Protocol

from core.notifications.model import OutgoingMessage, Receipt


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
            Unavailable: it does not answer, or its account is out of order; another attempt may succeed.
        """

    async def close(self) -> None:
        """Close what connections are open."""
