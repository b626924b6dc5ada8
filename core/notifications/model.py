"""What a message on its way is: its channel, its state, what is sent and what the provider answered."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import uuid5

from core.ids import DeliveryId, SchoolId, StudentId, UserId


class Channel(StrEnum):
    """A way to reach a person. ``push`` is the bell inside the portals; people choose about it and devices as one."""

    EMAIL = "email"
    SMS = "sms"
    PUSH = "push"
    DEVICE = "device"
    """Push to the phones and browsers a person has registered, beside the bell."""


class Lane(StrEnum):
    """How much a message hurries, in this order, by its kind and the school's policy."""

    URGENT = "urgent"
    NORMAL = "normal"
    BULK = "bulk"


class State(StrEnum):
    """Where a delivery stands."""

    QUEUED = "queued"
    CLAIMED = "claimed"
    """A worker holds it under a lease; nothing has left yet."""
    SENDING = "sending"
    """The request may be at the provider; after the lease it is in doubt and is sent again with the same key."""
    SENT = "sent"
    RETRY = "retry"
    SKIPPED = "skipped"
    DEAD = "dead"


class Outcome(StrEnum):
    """How one attempt ended."""

    SENT = "sent"
    REJECTED = "rejected"
    """The provider will never take this message."""
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    THROTTLED = "throttled"
    """The provider asked to come back later; costs no retry."""
    LOST = "lost"
    """The worker died or stalled, so that what happened is not known; costs no retry."""


class Reason(StrEnum):
    """Why a delivery waits, was skipped or is dead: a stable word, told in words by ``explanation``."""

    HELD_BACK = "held_back"
    QUIET_HOURS = "quiet_hours"
    WITH_SIBLING = "with_sibling"
    OPTED_OUT = "opted_out"
    NO_CONSENT = "no_consent"
    NO_ADDRESS = "no_address"
    INACTIVE = "inactive"
    NO_PROVIDER = "no_provider"
    REJECTED = "provider_rejected"
    UNAVAILABLE = "provider_unavailable"
    TIMED_OUT = "provider_timed_out"
    BAD_ADDRESS = "bad_address"
    RECIPIENT_BLOCKED = "recipient_blocked"
    DO_NOT_DISTURB = "do_not_disturb"
    NO_DEVICE = "no_device"
    UNREACHABLE = "unreachable_now"
    NOT_ON_NETWORK = "not_on_network"
    FILTERED = "filtered_as_spam"
    UNDELIVERED = "not_delivered"
    UNRENDERABLE = "unrenderable"
    OVER_BUDGET = "over_budget"
    GAVE_UP = "gave_up"
    IN_DOUBT = "in_doubt"


@dataclass(frozen=True, slots=True)
class Delivery:
    """A claimed delivery with all that sending needs."""

    school_id: SchoolId
    id: DeliveryId
    event_type: str
    recipient_id: UserId
    student_id: StudentId
    channel: Channel
    address: str | None
    language: str
    content: Mapping[str, Any]
    attempts: int
    """Attempts begun before this claim."""
    failures: int
    """How many of them used up a retry."""
    traceparent: str | None
    created_at: datetime
    occurred_at: datetime
    """When the event happened: latency counts from here."""
    sms_rules: Mapping[str, Any] | None = None
    """The school's prices and letters as they were at fan-out; None where the defaults hold."""
    resends: int = 0
    """How often somebody had it sent again: each time it is a new message to the provider."""
    lane: Lane = Lane.NORMAL

    @property
    def is_promotional(self) -> bool:
        """Whether networks count it as promotional, so that it takes that route."""
        return bool(self.sms_rules and self.sms_rules.get("promotional"))

    @property
    def number(self) -> int:
        """The number of the attempt that comes next, from 1."""
        return self.attempts + 1

    @property
    def key(self) -> DeliveryId:
        """The idempotency key at the provider: the same for every attempt until it is resent."""
        return DeliveryId(uuid5(self.id, str(self.resends))) if self.resends else self.id


@dataclass(frozen=True, slots=True)
class Text:
    """A rendered message; an SMS has no title, and knows its segments."""

    title: str
    body: str
    segments: int = 0


@dataclass(frozen=True, slots=True)
class OutgoingMessage:
    """What a provider is asked to deliver."""

    key: DeliveryId
    """The idempotency key: the same for every attempt of one delivery."""
    address: str
    text: Text
    promotional: bool = False
    """Of an SMS: whether it takes the provider's promotional sender, where there is one."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """The provider took the message."""

    message_id: str
    detail: str = ""
    """What the provider said, without personal data."""
    provider: str | None = None
    """Who took it, where the sender asks more than one."""
    cost_kobo: int | None = None
    """What the provider says it takes for this message, in kobo, where its answer says so in naira."""


@dataclass(frozen=True, slots=True)
class Bill:
    """What an SMS cost when a provider took it."""

    segments: int
    cost_kobo: int
    """By the school's prices."""
    provider_cost_kobo: int | None = None
    """By the provider's answer, which counts where there is one."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt with its verdict: one row of the log and the delivery's next state."""

    delivery: Delivery
    provider: str
    outcome: Outcome
    state: State
    started_at: datetime
    finished_at: datetime
    reason: Reason | None = None
    next_attempt_at: datetime | None = None
    message_id: str | None = None
    detail: str = ""
    bill: Bill | None = None
