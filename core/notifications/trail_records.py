"""What is told of a message: the delivery, its attempts, its receipts, and what people did to it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from core.ids import DeliveryId, EventId, StudentId, UserId
from core.notifications.explanation import masked, outcome_in_words, what_came_of_it, why
from core.notifications.model import Channel, Outcome, State
from core.notifications.receipts import ReceiptState
from core.ports import Row


@dataclass(frozen=True, slots=True)
class DeliveryRecord:
    """One message to one person about one student by one channel."""

    id: DeliveryId
    event_id: EventId
    event_type: str
    recipient_id: UserId
    recipient_name: str
    student_id: StudentId
    channel: Channel
    state: State
    reason: str | None
    explanation: str
    """State and reason in words."""
    address: str | None
    """Masked."""
    language: str
    attempts: int
    next_attempt_at: datetime | None
    """None unless an attempt is still to come."""
    provider: str | None
    provider_message_id: str | None
    trace_id: str | None
    occurred_at: datetime
    created_at: datetime
    finished_at: datetime | None
    delivered_at: datetime | None
    """When a network or mail server reported it, where one does."""
    receipt_state: ReceiptState | None
    receipt_reason: str | None
    resends: int
    discarded_at: datetime | None
    fell_back_from: str | None
    """The channel that was lost before, and why: ``sms:not_on_network``."""
    promotional: bool = False
    """Of an SMS that was planned: whether it takes the promotional route."""


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """One line of the log."""

    number: int
    worker: str
    started_at: datetime
    finished_at: datetime | None
    outcome: Outcome
    explanation: str
    provider: str | None
    provider_message_id: str | None
    detail: str
    """What the provider answered."""


@dataclass(frozen=True, slots=True)
class ReportRecord:
    """One receipt of the provider."""

    provider: str
    provider_message_id: str
    state: ReceiptState
    reason: str | None
    explanation: str
    detail: str
    """The provider's own word."""
    occurred_at: datetime
    received_at: datetime


@dataclass(frozen=True, slots=True)
class ActionRecord:
    """What somebody did to the message."""

    action: str
    """resent, discarded"""
    after: int
    """Attempts before it: those that follow a resend are its own series."""
    was_state: State
    was_reason: str | None
    actor_id: UserId | None
    actor_name: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened, in words."""

    at: datetime
    said: str


@dataclass(frozen=True, slots=True)
class DeliveryTrail:
    """All that is known of one message by one channel."""

    delivery: DeliveryRecord
    attempts: Sequence[AttemptRecord]
    reports: Sequence[ReportRecord]
    actions: Sequence[ActionRecord]
    story: Sequence[Step]
    """The same in words, in order."""


@dataclass(frozen=True, slots=True)
class MessageTrail:
    """What one person was to be told of one student by one event: every channel that was tried or ruled out."""

    event_id: EventId
    event_type: str
    recipient_id: UserId
    recipient_name: str
    student_id: StudentId
    student_name: str
    occurred_at: datetime
    verdict: str
    """Whether it arrived, and if not why, as a sentence."""
    deliveries: Sequence[DeliveryTrail]


def delivery_record(row: Row) -> DeliveryRecord:
    """Return a delivery from its row."""
    fields = dict(row)
    traceparent, _ = fields.pop("traceparent"), fields.pop("time_zone")
    waiting = row["state"] in {State.QUEUED, State.RETRY}
    return DeliveryRecord(
        **fields
        | {
            "channel": Channel(row["channel"]),
            "state": State(row["state"]),
            "explanation": _explained(row),
            "address": masked(row["address"]),
            "next_attempt_at": row["next_attempt_at"] if waiting else None,
            # version-traceid-parentid-flags (W3C Trace Context)
            "trace_id": traceparent.split("-")[1] if traceparent else None,
            "receipt_state": ReceiptState(row["receipt_state"]) if row["receipt_state"] else None,
        }
    )


def _explained(row: Row) -> str:
    if row["state"] == State.SENT and row["receipt_state"]:
        return what_came_of_it(row["receipt_state"], row["receipt_reason"])
    told = why(
        row["state"],
        row["reason"],
        row["channel"],
        until=row["next_attempt_at"],
        zone=row["time_zone"],
        fell_back_from=row["fell_back_from"],
        promotional=row["promotional"],
    )
    return f"{told} (set aside)" if row["discarded_at"] else told


def attempt_record(row: Row) -> AttemptRecord:
    """Return an attempt from its row."""
    return AttemptRecord(**_own(row) | {"explanation": outcome_in_words(row["outcome"])})


def report_record(row: Row) -> ReportRecord:
    """Return a receipt from its row."""
    told = {"state": ReceiptState(row["state"]), "explanation": what_came_of_it(row["state"], row["reason"])}
    return ReportRecord(**_own(row) | told)


def action_record(row: Row) -> ActionRecord:
    """Return an action from its row."""
    return ActionRecord(**_own(row) | {"was_state": State(row["was_state"])})


def _own(row: Row) -> dict[str, Any]:
    # Rows of several deliveries at once say whose they are.
    return {name: value for name, value in row.items() if name != "delivery_id"}
