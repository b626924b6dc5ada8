"""What webhook endpoints and their messages look like on the wire."""

from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import Field

from core.ids import UserId, WebhookEndpointId, WebhookMessageId
from core.notifications.webhooks import EndpointSecret
from core.notifications.webhooks_model import AttemptOutcome, MessageLog, MessageState
from deployments.ground.wire import Wire, WireRequest

Url = Annotated[str, Field(max_length=2048, examples=["https://portal.example/hooks/school"])]
EventTypes = Annotated[
    list[Annotated[str, Field(max_length=50)]], Field(min_length=1, max_length=20, examples=[["scores.published"]])
]
Description = Annotated[str, Field(max_length=200)]


class EndpointIn(WireRequest):
    """Who is to hear of what."""

    url: Url
    event_types: EventTypes
    description: Description = ""


class EndpointChanges(WireRequest):
    """What is to be different; what is left out stays."""

    url: Url | None = None
    event_types: EventTypes | None = None
    description: Description | None = None
    active: bool | None = Field(None, description="False switches it off and gives up what waits for it.")


class EndpointItem(Wire):
    """Another system that hears of the school's events."""

    id: WebhookEndpointId
    url: str
    description: str
    event_types: list[str]
    active: bool
    previous_until: datetime | None = Field(description="Until then the secret before the last rotation signs too.")
    failing_since: datetime | None = Field(description="Absent while its last answer was good.")
    disabled_at: datetime | None = Field(description="When it was switched off because it kept failing.")
    disabled_reason: str | None = Field(description="failing, or gone (it answered 410)")
    created_by: UserId | None
    created_at: datetime
    version: int


class EndpointWithSecret(EndpointItem):
    """An endpoint with the secret that signs from now on: shown this once."""

    secret: str = Field(examples=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"])

    @classmethod
    def of(cls, told: EndpointSecret) -> Self:
        """Return an endpoint on the wire, with its secret."""
        return cls(**EndpointItem.model_validate(told.endpoint).model_dump(), secret=told.secret)


class MessageItem(Wire):
    """One event to one endpoint."""

    id: WebhookMessageId
    webhook_id: str = Field(description="The header `webhook-id`: the same for every attempt and replay.")
    event_type: str
    data: dict[str, Any]
    state: MessageState
    reason: str | None
    attempts: int
    next_attempt_at: datetime | None
    occurred_at: datetime
    created_at: datetime
    finished_at: datetime | None


class AttemptItem(Wire):
    """One attempt at the receiver."""

    number: int
    worker: str
    started_at: datetime
    finished_at: datetime
    outcome: AttemptOutcome
    status: int | None
    detail: str


class MessageAnswer(Wire):
    """A message with its log."""

    message: MessageItem
    attempts: list[AttemptItem]

    @classmethod
    def of(cls, log: MessageLog) -> Self:
        """Return a message with its log on the wire."""
        attempts = [AttemptItem.model_validate(each) for each in log.attempts]
        return cls(message=MessageItem.model_validate(log.message), attempts=attempts)


class ReplayIn(WireRequest):
    """Which dead messages are to be sent again."""

    since: datetime


class ReplayedCount(Wire):
    """How many are on their way again."""

    queued: int
