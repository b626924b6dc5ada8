"""What the trail, resending and the lists of dead letters and bad addresses look like on the wire."""

from datetime import datetime
from typing import Self
from uuid import UUID

from pydantic import Field

from core.events.dead_letters import DeadEvent
from core.ids import DeliveryId, EventId, GuardianId, StudentId, UserId
from core.notifications.model import Channel, Outcome, State
from core.notifications.receipts import ReceiptState
from core.notifications.resend import MOST_AT_ONCE, Fitting, Resent
from deployments.ground.wire import Wire, WireRequest


class DeliveryItem(Wire):
    """What became of one message to one person about one student by one channel."""

    id: DeliveryId
    event_id: EventId
    event_type: str
    recipient_id: UserId
    recipient_name: str
    student_id: StudentId
    channel: Channel
    state: State
    reason: str | None
    explanation: str = Field(description="State and reason in words.")
    address: str | None = Field(description="Masked.")
    language: str
    attempts: int
    next_attempt_at: datetime | None
    provider: str | None
    provider_message_id: str | None
    trace_id: str | None
    occurred_at: datetime
    created_at: datetime
    finished_at: datetime | None
    delivered_at: datetime | None = Field(description="When a network or mail server reported it, where one does.")
    receipt_state: ReceiptState | None
    receipt_reason: str | None
    resends: int = Field(description="How often somebody had it sent again.")
    discarded_at: datetime | None = Field(description="When somebody set the dead delivery aside.")


class AttemptItem(Wire):
    """One attempt at the provider."""

    number: int
    worker: str
    started_at: datetime
    finished_at: datetime | None
    outcome: Outcome
    explanation: str
    provider: str | None
    provider_message_id: str | None
    detail: str = Field(description="What the provider answered.")


class ReportItem(Wire):
    """What the provider reported after it took the message."""

    provider: str
    provider_message_id: str
    state: ReceiptState
    reason: str | None
    explanation: str
    detail: str = Field(description="The provider's own word.")
    occurred_at: datetime
    received_at: datetime


class ActionItem(Wire):
    """What somebody did to the message."""

    action: str = Field(examples=["resent"], description="resent or discarded")
    after: int = Field(description="Attempts before it; those that follow a resend are a series of their own.")
    was_state: State
    was_reason: str | None
    actor_id: UserId | None
    actor_name: str | None
    at: datetime


class StepItem(Wire):
    """One thing that happened, in words."""

    at: datetime
    said: str


class TrailAnswer(Wire):
    """All that is known of one message by one channel."""

    delivery: DeliveryItem
    attempts: list[AttemptItem]
    reports: list[ReportItem]
    actions: list[ActionItem]
    story: list[StepItem] = Field(description="The same in words, in order.")


class MessageItem(Wire):
    """What one person was to be told of one student by one event, over all channels."""

    event_id: EventId
    event_type: str
    recipient_id: UserId
    recipient_name: str
    student_id: StudentId
    student_name: str
    occurred_at: datetime
    verdict: str = Field(description="Whether it arrived, and if not why.")
    deliveries: list[TrailAnswer]


class MessageList(Wire):
    """One page of messages."""

    items: list[MessageItem]
    next_cursor: str | None = Field(None, description="Hand it in as `cursor` for the next page; absent on the last.")
    note: str | None = Field(description="Why there is no message, where there is none.")


class ResentItem(Wire):
    """What became of one that was to be sent again."""

    id: DeliveryId
    queued: bool
    obstacle: str | None = Field(description="A stable word for what stands in the way.")
    explanation: str | None


class ResentList(Wire):
    """What became of each."""

    queued: int
    results: list[ResentItem]
    more: bool = Field(description="More may fit the filter: send it again for the next.")

    @classmethod
    def of(cls, results: list[Resent]) -> Self:
        """Return results on the wire."""
        items = [ResentItem.model_validate(each) for each in results]
        return cls(queued=sum(each.queued for each in items), results=items, more=len(items) >= MOST_AT_ONCE)


class FittingIn(WireRequest):
    """Which deliveries are meant."""

    state: State = Field(State.DEAD, description="dead, or sent with an `eventId`")
    event_id: EventId | None = None
    channel: Channel | None = None
    reason: str | None = Field(None, max_length=50)

    def to_fitting(self) -> Fitting:
        """Return it as the use case takes it."""
        return Fitting(self.state, self.event_id, self.channel, self.reason)


class ResendIn(WireRequest):
    """Either deliveries by id, or a filter; each fit up to 500 at once."""

    ids: list[DeliveryId] | None = Field(None, min_length=1, max_length=MOST_AT_ONCE)
    filter: FittingIn | None = None


class DeadEventItem(Wire):
    """An event that could not be handled."""

    id: UUID
    event_id: EventId | None
    type: str | None = Field(description="What the entry says it is.")
    reason: str
    tries: int
    at: datetime

    @classmethod
    def of(cls, event: DeadEvent) -> Self:
        """Return a dead event without the entry's other fields: they may hold names."""
        return cls(
            id=event.id,
            event_id=event.event_id,
            type=event.fields.get("type"),
            reason=event.reason,
            tries=event.tries,
            at=event.at,
        )


class Replayed(Wire):
    """The dead event that is on its way again."""

    id: UUID


class BadAddressItem(Wire):
    """A number or address that was refused for good."""

    id: UUID
    guardian_id: GuardianId | None
    recipient_id: UserId
    recipient_name: str
    channel: Channel
    address: str = Field(description="Masked.")
    reason: str
    explanation: str
    delivery_id: DeliveryId = Field(description="The message by which it was learnt.")
    since: datetime
