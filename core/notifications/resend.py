"""Sending a message again, one or many, at somebody's word (P4-28): who and when stays in the trail.

A resend begins a new series of attempts of the same delivery, with a new idempotency key, so that the provider takes
it for a new message. It never reaches past an opt-out, and a message is resent a few times at most.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core.access.principal import Principal, Scope
from core.clock import Clock
from core.errors import Conflict, Fault, InvalidInput, NotFound
from core.ids import DeliveryId, EventId
from core.notifications import resend_store
from core.notifications.explanation import why
from core.notifications.model import Channel, Reason, State
from core.ports import Database, Row
from core.telemetry import get_logger

log = get_logger("notifications")

MOST_RESENDS = 3
"""Of one delivery. Who did not get it four times has another trouble than a lost message."""
MOST_AT_ONCE = 500

_OBSTACLES: Mapping[str, str] = {
    "was_skipped": "it was never sent, for the reason in its trail; mend that, and the next message goes out",
    "under_way": "it is still on its way",
    "in_the_bell": "it is in the bell already",
    "too_old": "its words were removed, as those of all messages of its age are",
    "too_often": f"it was sent again {MOST_RESENDS} times already",
    "not_linked": "the recipient is no longer a guardian of this student who receives messages",
    "not_found": "there is no such delivery",
}


@dataclass(frozen=True, slots=True)
class Resent:
    """What became of one that was asked for."""

    id: DeliveryId
    queued: bool
    obstacle: str | None = None
    """A stable word."""
    explanation: str | None = None


@dataclass(frozen=True, slots=True)
class Fitting:
    """Which deliveries are meant, where they are not named one by one."""

    state: State = State.DEAD
    event_id: EventId | None = None
    channel: Channel | None = None
    reason: str | None = None


class Resending:
    """The use cases of those who answer for a school's messages."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def one(self, principal: Principal, *, delivery_id: DeliveryId) -> Resent:
        """Send a delivery again. Raises ``NotFound``, or ``Conflict`` with what stands in the way."""
        (result,) = await self.these(principal, ids=[delivery_id])
        if result.obstacle == "not_found":
            raise NotFound("there is no such delivery")
        if not result.queued:
            said = result.explanation or "it can't be sent again"
            raise Conflict(said, [Fault("/id", said, result.obstacle or "")])
        return result

    async def these(self, principal: Principal, *, ids: Sequence[DeliveryId]) -> list[Resent]:
        """Send deliveries again, each that can be, and say of every one what became of it."""
        principal.require(Scope.NOTIFICATIONS_MANAGE)
        if len(ids) > MOST_AT_ONCE:
            raise InvalidInput(f"{MOST_AT_ONCE} at once at most", [Fault("/ids", "too many", "out_of_range")])
        wanted = list(dict.fromkeys(ids))
        async with self._db.tenant(principal.school, actor=principal.user_id) as tx:
            rows = await resend_store.resend(tx, wanted, at_most=MOST_RESENDS, now=self._clock.now())
        obstacles = {row["id"]: row["obstacle"] for row in rows}
        return _told([_result(each, obstacles.get(each, "not_found")) for each in wanted])

    async def fitting(self, principal: Principal, *, fitting: Fitting) -> list[Resent]:
        """Send the deliveries that fit again, ``MOST_AT_ONCE`` of them at most, the oldest first."""
        principal.require(Scope.NOTIFICATIONS_MANAGE)
        if fitting.state not in {State.DEAD, State.SENT}:
            raise InvalidInput("only dead or sent ones can be sent again", [Fault("/filter/state", "dead or sent")])
        if fitting.state is State.SENT and fitting.event_id is None:
            what = "name the event whose messages are to be sent again"
            raise InvalidInput(what, [Fault("/filter/eventId", what, "missing")])
        async with self._db.tenant(principal.school, actor=principal.user_id) as tx:
            rows = await resend_store.resend_fitting(
                tx,
                state=fitting.state,
                event_id=fitting.event_id,
                channel=fitting.channel,
                reason=fitting.reason,
                at_most=MOST_RESENDS,
                now=self._clock.now(),
                limit=MOST_AT_ONCE,
            )
        return _told([_of(row) for row in rows])

    async def discard(self, principal: Principal, *, delivery_id: DeliveryId) -> None:
        """Set a dead delivery aside. Raises ``NotFound`` where it is not among the dead."""
        principal.require(Scope.NOTIFICATIONS_MANAGE)
        async with self._db.tenant(principal.school, actor=principal.user_id) as tx:
            if not await resend_store.discard(tx, delivery_id, now=self._clock.now()):
                raise NotFound("there is no such dead delivery")
        log.info("delivery_discarded", delivery_id=str(delivery_id))


def _of(row: Row) -> Resent:
    return _result(row["id"], row["obstacle"])


def _result(delivery_id: DeliveryId, obstacle: str | None) -> Resent:
    if obstacle is None:
        return Resent(delivery_id, queued=True)
    return Resent(delivery_id, queued=False, obstacle=obstacle, explanation=_explained(obstacle))


def _explained(obstacle: str) -> str:
    if obstacle in _OBSTACLES:
        return _OBSTACLES[obstacle]
    return why(State.SKIPPED, Reason(obstacle), Channel.SMS)


def _told(results: list[Resent]) -> list[Resent]:
    log.info("deliveries_resent", queued=sum(each.queued for each in results), asked=len(results))
    return results
