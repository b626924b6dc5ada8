"""Why did this parent not get it? The school's view of its messages (P2-14, P4-28). Addresses stay masked."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from core.access.principal import Principal, Scope
from core.errors import Fault, InvalidInput, NotFound
from core.events.dead_letters import DeadEvent, DeadLetters
from core.ids import DeliveryId, EventId, StudentId, UserId
from core.notifications import trail_store
from core.notifications.explanation import masked, outcome_in_words, why
from core.notifications.model import Channel, Outcome, State
from core.ports import Database, Row

Place = tuple[Any, ...]
"""Where a page ended: time and id of its last item, as the cursor brings them back."""


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
class DeliveryTrail:
    """All that is known of one message."""

    delivery: DeliveryRecord
    attempts: Sequence[AttemptRecord]


class Trail:
    """The use cases of those who answer for a school's messages."""

    def __init__(self, db: Database, dead_letters: DeadLetters) -> None:
        self._db = db
        self._dead_letters = dead_letters

    async def deliveries(
        self,
        principal: Principal,
        *,
        student_id: StudentId | None = None,
        event_id: EventId | None = None,
        state: State | None = None,
        after: Place | None = None,
        limit: int,
    ) -> list[DeliveryRecord]:
        """Return the school's deliveries that fit, newest first, one more than ``limit`` where there are."""
        principal.require(Scope.NOTIFICATIONS_MANAGE)
        async with self._db.tenant(principal.school, read_only=True) as tx:
            rows = await trail_store.deliveries(
                tx, student_id=student_id, event_id=event_id, state=state, after=_checked(after), limit=limit + 1
            )
        return [_record(row) for row in rows]

    async def trail(self, principal: Principal, *, delivery_id: DeliveryId) -> DeliveryTrail:
        """Return all that is known of one delivery. Raises ``NotFound``."""
        principal.require(Scope.NOTIFICATIONS_MANAGE)
        async with self._db.tenant(principal.school, read_only=True) as tx:
            row = await trail_store.delivery(tx, delivery_id)
            if row is None:
                raise NotFound("there is no such delivery")
            attempts = await trail_store.attempts(tx, delivery_id)
        return DeliveryTrail(_record(row), [_attempt(each) for each in attempts])

    async def dead_events(self, principal: Principal, *, after: Place | None = None, limit: int) -> list[DeadEvent]:
        """Return the school's events that could not be handled, newest first, one more than ``limit``."""
        principal.require(Scope.NOTIFICATIONS_MANAGE)
        return list(await self._dead_letters.page(principal.school, limit + 1, _checked(after)))

    async def replay(self, principal: Principal, *, dead_id: UUID) -> None:
        """Send a dead event through the stream again. Raises ``NotFound``, ``Conflict``."""
        principal.require(Scope.NOTIFICATIONS_MANAGE)
        await self._dead_letters.replay(principal.school, dead_id)

    async def discard(self, principal: Principal, *, dead_id: UUID) -> None:
        """Give a dead event up. Raises ``NotFound``."""
        principal.require(Scope.NOTIFICATIONS_MANAGE)
        await self._dead_letters.discard(principal.school, dead_id)


def _checked(after: Place | None) -> tuple[datetime, UUID] | None:
    if after is None:
        return None
    match after:
        case (datetime() as at, UUID() as last):
            return at, last
        case _:
            raise InvalidInput("the cursor is of another list", [Fault("/query/cursor", "use this list's nextCursor")])


def _record(row: Row) -> DeliveryRecord:
    fields = dict(row)
    traceparent = fields.pop("traceparent")
    waiting = row["state"] in {State.QUEUED, State.RETRY}
    return DeliveryRecord(
        **fields
        | {
            "channel": Channel(row["channel"]),
            "state": State(row["state"]),
            "explanation": why(row["state"], row["reason"], row["channel"]),
            "address": masked(row["address"]),
            "next_attempt_at": row["next_attempt_at"] if waiting else None,
            # version-traceid-parentid-flags (W3C Trace Context)
            "trace_id": traceparent.split("-")[1] if traceparent else None,
        }
    )


def _attempt(row: Row) -> AttemptRecord:
    return AttemptRecord(**dict(row) | {"explanation": outcome_in_words(row["outcome"])})
