"""Why did this parent not get it? The school's view of its messages (P2-14, P4-28). Addresses stay masked."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from core.access.principal import Principal, Scope
from core.errors import Fault, InvalidInput, NotFound
from core.events.dead_letters import DeadEvent, DeadLetters
from core.ids import DeliveryId, EventId, GuardianId, StudentId
from core.notifications import trail_store
from core.notifications.model import Channel, State
from core.notifications.trail_records import (
    DeliveryRecord,
    DeliveryTrail,
    MessageTrail,
    action_record,
    attempt_record,
    delivery_record,
    report_record,
)
from core.notifications.trail_story import story_of, verdict_on, why_nothing
from core.ports import Database, Row, Transaction
from core.school.model import display_name

Place = tuple[Any, ...]
"""Where a page ended: the sort key of its last item, as the cursor brings it back."""


@dataclass(frozen=True, slots=True)
class MessageTrails:
    """Messages with all that is known of them; ``note`` says why there is none, where there is none."""

    items: Sequence[MessageTrail]
    note: str | None


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
        channel: Channel | None = None,
        reason: str | None = None,
        after: Place | None = None,
        limit: int,
    ) -> list[DeliveryRecord]:
        """Return the school's deliveries that fit, newest first, one more than ``limit`` where there are."""
        principal.require(Scope.NOTIFICATIONS_MANAGE)
        async with self._db.tenant(principal.school, read_only=True) as tx:
            rows = await trail_store.deliveries(
                tx, student_id=student_id, event_id=event_id, state=state, channel=channel, reason=reason,
                after=checked_place(after), limit=limit + 1,
            )  # fmt: skip
        return [delivery_record(row) for row in rows]

    async def dead_deliveries(
        self,
        principal: Principal,
        *,
        channel: Channel | None = None,
        reason: str | None = None,
        event_id: EventId | None = None,
        after: Place | None = None,
        limit: int,
    ) -> list[DeliveryRecord]:
        """Return the dead deliveries that nobody set aside, one more than ``limit`` where there are."""
        principal.require(Scope.NOTIFICATIONS_MANAGE)
        async with self._db.tenant(principal.school, read_only=True) as tx:
            rows = await trail_store.dead(
                tx, channel=channel, reason=reason, event_id=event_id, after=checked_place(after), limit=limit + 1
            )
        return [delivery_record(row) for row in rows]

    async def trail(self, principal: Principal, *, delivery_id: DeliveryId) -> DeliveryTrail:
        """Return all that is known of one delivery. Raises ``NotFound``."""
        principal.require(Scope.NOTIFICATIONS_MANAGE)
        async with self._db.tenant(principal.school, read_only=True) as tx:
            row = await trail_store.delivery(tx, delivery_id)
            if row is None:
                raise NotFound("there is no such delivery")
            (trail,) = await _trails(tx, [row])
        return trail

    async def messages(
        self,
        principal: Principal,
        *,
        student_id: StudentId | None = None,
        guardian_id: GuardianId | None = None,
        event_id: EventId | None = None,
        after: Place | None = None,
        limit: int,
    ) -> MessageTrails:
        """Return messages about a student, to a guardian or of an event, one more than ``limit`` where there are.

        Raises ``InvalidInput`` where none of them is named.
        """
        principal.require(Scope.NOTIFICATIONS_MANAGE)
        if student_id is None and guardian_id is None and event_id is None:
            raise InvalidInput("name a student, a guardian or an event", [Fault("/query", "none is named", "missing")])
        place = _checked_message(after)
        async with self._db.tenant(principal.school, read_only=True) as tx:
            rows = await trail_store.messages(
                tx, student_id=student_id, guardian_id=guardian_id, event_id=event_id, after=place, limit=limit + 1
            )
            if rows:
                return MessageTrails(await _messages(tx, rows), None)
            facts = await trail_store.facts(tx, event_id, student_id, guardian_id) if event_id else None
            return MessageTrails([], why_nothing(facts) if place is None else None)

    async def dead_events(self, principal: Principal, *, after: Place | None = None, limit: int) -> list[DeadEvent]:
        """Return the school's events that could not be handled, newest first, one more than ``limit``."""
        principal.require(Scope.NOTIFICATIONS_MANAGE)
        return list(await self._dead_letters.page(principal.school, limit + 1, checked_place(after)))

    async def replay(self, principal: Principal, *, dead_id: UUID) -> None:
        """Send a dead event through the stream again. Raises ``NotFound``, ``Conflict``."""
        principal.require(Scope.NOTIFICATIONS_MANAGE)
        await self._dead_letters.replay(principal.school, dead_id)

    async def discard(self, principal: Principal, *, dead_id: UUID) -> None:
        """Give a dead event up. Raises ``NotFound``."""
        principal.require(Scope.NOTIFICATIONS_MANAGE)
        await self._dead_letters.discard(principal.school, dead_id)


async def _messages(tx: Transaction, rows: Sequence[Row]) -> list[MessageTrail]:
    of: dict[tuple[object, ...], list[DeliveryTrail]] = defaultdict(list)
    for trail in await _trails(tx, await trail_store.deliveries_of(tx, rows)):
        of[trail.delivery.event_id, trail.delivery.recipient_id, trail.delivery.student_id].append(trail)
    return [_message(row, of[row["event_id"], row["recipient_id"], row["student_id"]]) for row in rows]


def _message(row: Row, trails: Sequence[DeliveryTrail]) -> MessageTrail:
    return MessageTrail(
        event_id=row["event_id"],
        event_type=row["event_type"],
        recipient_id=row["recipient_id"],
        recipient_name=row["recipient_name"],
        student_id=row["student_id"],
        student_name=display_name(row["family_name"], row["given_names"]),
        occurred_at=row["occurred_at"],
        verdict=verdict_on(trails),
        deliveries=trails,
    )


async def _trails(tx: Transaction, rows: Sequence[Row]) -> list[DeliveryTrail]:
    logs = await trail_store.logs(tx, [row["id"] for row in rows])
    attempts, reports, actions = (_by_delivery(log) for log in logs)
    return [_trail(delivery_record(row), *(log[row["id"]] for log in (attempts, reports, actions))) for row in rows]


def _by_delivery(log: Sequence[Row]) -> dict[DeliveryId, list[Row]]:
    grouped: dict[DeliveryId, list[Row]] = defaultdict(list)
    for row in log:
        grouped[row["delivery_id"]].append(row)
    return grouped


def _trail(
    delivery: DeliveryRecord, attempts: Sequence[Row], reports: Sequence[Row], actions: Sequence[Row]
) -> DeliveryTrail:
    tried = [attempt_record(row) for row in attempts]
    reported = [report_record(row) for row in reports]
    done = [action_record(row) for row in actions]
    return DeliveryTrail(delivery, tried, reported, done, story_of(delivery, tried, reported, done))


def checked_place(after: Place | None) -> tuple[datetime, UUID] | None:
    """Return where a page ended. Raises ``InvalidInput`` for the place of another list."""
    match after:
        case None:
            return None
        case (datetime() as at, UUID() as last):
            return at, last
        case _:
            raise _of_another_list()


def _checked_message(after: Place | None) -> tuple[datetime, UUID, UUID, UUID] | None:
    match after:
        case None:
            return None
        case (datetime() as at, UUID() as event, UUID() as recipient, UUID() as student):
            return at, event, recipient, student
        case _:
            raise _of_another_list()


def _of_another_list() -> InvalidInput:
    return InvalidInput("the cursor is of another list", [Fault("/query/cursor", "use this list's nextCursor")])
