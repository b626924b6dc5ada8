"""What a webhook is: who hears of what, one message on its way, and what a receiver answered."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol
from urllib.parse import urlsplit

from core.errors import Fault, InvalidInput
from core.events.types import PAYLOADS, SIGNALS
from core.ids import SchoolId, UserId, WebhookEndpointId, WebhookMessageId

DELIVERY_DEAD = "delivery.dead"
TEST = "webhook.test"
EVENT_TYPES: Sequence[str] = (*PAYLOADS, *SIGNALS, DELIVERY_DEAD)
"""What an endpoint may hear of; a test reaches it whatever it asked for."""

MAX_ENDPOINTS = 10
DISABLE_AFTER = timedelta(days=5)
"""An endpoint that has answered nothing well for so long is asked no more."""
OVERLAP = timedelta(hours=24)
"""How long the secret before a rotation signs too."""

RETRY_AFTER = tuple(
    timedelta(**each)
    for each in (
        {"seconds": 5}, {"minutes": 5}, {"minutes": 30}, {"hours": 2}, {"hours": 5}, {"hours": 10}, {"hours": 14},
        {"hours": 20}, {"hours": 24},
    )
)  # fmt: skip
"""The schedule that Standard Webhooks recommends: ten attempts over three days."""


class MessageState(StrEnum):
    """Where a message to an endpoint stands."""

    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    RETRY = "retry"
    DEAD = "dead"


class AttemptOutcome(StrEnum):
    """How one attempt ended."""

    TAKEN = "taken"
    REFUSED = "refused"
    """410: the receiver wants no more."""
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    BLOCKED = "blocked"
    """The address leads where nothing is sent: into a private network, or to this machine."""
    LOST = "lost"
    """The worker died; whether it arrived is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Another system that hears of a school's events."""

    id: WebhookEndpointId
    url: str
    description: str
    event_types: Sequence[str]
    active: bool
    generation: int
    previous_until: datetime | None
    failing_since: datetime | None
    disabled_at: datetime | None
    disabled_reason: str | None
    created_by: UserId | None
    created_at: datetime
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One event to one endpoint."""

    id: WebhookMessageId
    endpoint_id: WebhookEndpointId
    event_type: str
    data: Mapping[str, Any]
    state: MessageState
    reason: str | None
    attempts: int
    next_attempt_at: datetime | None
    occurred_at: datetime
    created_at: datetime
    finished_at: datetime | None

    @property
    def webhook_id(self) -> str:
        """The header by which a receiver knows what it has: the same for every attempt and replay."""
        return f"msg_{self.id.hex}"


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageAttempt:
    """One line of a message's log."""

    number: int
    worker: str
    started_at: datetime
    finished_at: datetime
    outcome: AttemptOutcome
    status: int | None
    detail: str


@dataclass(frozen=True, slots=True)
class MessageLog:
    """A message with its attempts."""

    message: Message
    attempts: Sequence[MessageAttempt]


@dataclass(frozen=True, slots=True, kw_only=True)
class DueMessage:
    """A claimed message with all that sending needs."""

    school_id: SchoolId
    id: WebhookMessageId
    endpoint_id: WebhookEndpointId
    url: str
    generation: int
    previous_until: datetime | None
    event_type: str
    data: Mapping[str, Any]
    number: int
    """Of the attempt that was claimed, from 1."""
    failures: int
    traceparent: str | None
    occurred_at: datetime

    @property
    def webhook_id(self) -> str:
        """The header by which a receiver knows what it has: the same for every attempt and replay."""
        return f"msg_{self.id.hex}"


@dataclass(frozen=True, slots=True)
class WebhookAnswer:
    """What a receiver answered."""

    status: int
    retry_after: timedelta | None = None


class WebhookPoster(Protocol):
    """Sends a body to an address that a school gave, and to nothing that is not on the public network."""

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> WebhookAnswer:
        """Send once and return the answer, whatever its status; redirects are not followed.

        Raises:
            InvalidInput: the address leads where nothing is sent.
            Unavailable: nobody answers.
            TimeoutError: no answer in time.
        """

    async def close(self) -> None:
        """Close what connections are open."""


def checked_url(url: str, *, loopback: bool) -> str:
    """Return the address of an endpoint. Raises ``InvalidInput``; where it really leads is seen at each connection.

    ``loopback``: this machine may be named too, by http or https, for development.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        host, parts = "", urlsplit("")
    own = loopback and host in {"localhost", "127.0.0.1", "::1"}
    faults = [
        (not host or not url.isprintable() or len(url) > 2048, "is no web address"),
        (parts.scheme != "https" and not (own and parts.scheme == "http"), "must begin with https://"),
        ("@" in parts.netloc, "may hold no user name or password"),
        (bool(parts.fragment), "may hold no fragment (#...)"),
    ]
    for wrong, what in faults:
        if wrong:
            raise InvalidInput(f"the address {what}", [Fault("/url", what, "invalid")])
    return url
