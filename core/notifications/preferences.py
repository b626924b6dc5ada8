"""Which messages a person wants, and by which channels (P2-17, P2-18). What is not said is on."""

from collections.abc import Sequence
from dataclasses import dataclass

from core.access.principal import Principal, Scope
from core.clock import Clock
from core.errors import Fault, InvalidInput
from core.events.types import PAYLOADS
from core.notifications import preference_store
from core.notifications.model import Channel
from core.ports import Database, Transaction

EVENT_TYPES: Sequence[str] = tuple(PAYLOADS)
CHANNELS: Sequence[Channel] = (Channel.EMAIL, Channel.SMS, Channel.PUSH)
"""What people choose between; devices follow the bell."""


@dataclass(frozen=True, slots=True)
class Preference:
    """Whether one kind of message may come by one channel."""

    channel: Channel
    event_type: str
    enabled: bool


class Preferences:
    """The use cases of a person's own preferences."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def all(self, principal: Principal) -> list[Preference]:
        """Return the caller's preference for every kind of message and channel."""
        principal.require(Scope.NOTIFICATIONS_READ)
        async with self._db.tenant(principal.school, read_only=True) as tx:
            return await _complete(tx, principal)

    async def save(self, principal: Principal, *, wanted: Sequence[Preference]) -> list[Preference]:
        """Change some of the caller's preferences and return all. Raises ``InvalidInput`` with each fault."""
        principal.require(Scope.NOTIFICATIONS_READ)
        _check(wanted)
        async with self._db.tenant(principal.school, actor=principal.user_id) as tx:
            await preference_store.save(
                tx,
                principal.user_id,
                channels=[each.channel for each in wanted],
                event_types=[each.event_type for each in wanted],
                enabled=[each.enabled for each in wanted],
                now=self._clock.now(),
            )
            return await _complete(tx, principal)


async def _complete(tx: Transaction, principal: Principal) -> list[Preference]:
    rows = await preference_store.of(tx, principal.user_id)
    said = {(row["channel"], row["event_type"]): row["enabled"] for row in rows}
    return [
        Preference(channel, event_type, said.get((channel.value, event_type), True))
        for event_type in EVENT_TYPES
        for channel in CHANNELS
    ]


def _check(wanted: Sequence[Preference]) -> None:
    known = ", ".join(EVENT_TYPES)
    faults = [
        Fault(f"/preferences/{place}/eventType", f"no such kind of message; there are {known}", "unknown")
        for place, each in enumerate(wanted)
        if each.event_type not in EVENT_TYPES
    ]
    faults += [
        Fault(f"/preferences/{place}/channel", "devices follow push; choose that", "unknown")
        for place, each in enumerate(wanted)
        if each.channel not in CHANNELS
    ]
    pairs = [(each.channel, each.event_type) for each in wanted]
    faults += [
        Fault(f"/preferences/{place}", "this channel and kind of message stand here twice", "duplicate")
        for place, pair in enumerate(pairs)
        if pair in pairs[:place]
    ]
    if faults:
        raise InvalidInput("the preferences can't be saved", faults)
