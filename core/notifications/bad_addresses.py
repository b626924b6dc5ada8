"""Numbers and addresses that a provider or a network refused for good: the office's list of whom to ask for another.

Nothing more is sent there (``bad_address`` in the trail). An entry goes when the guardian gets another phone or
email, or when somebody says that the address is right after all.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from core.access.principal import Principal, Scope
from core.errors import NotFound
from core.ids import DeliveryId, GuardianId, UserId
from core.notifications import bad_addresses_store as store
from core.notifications.explanation import masked
from core.notifications.model import Channel
from core.notifications.trail import checked_place
from core.ports import Database, Row
from core.telemetry import get_logger

log = get_logger("notifications")

_REASONS: Mapping[str, str] = {
    "bad_address": "it does not exist, or can't take such messages",
    "not_on_network": "the number is not on the network",
    "recipient_blocked": "the recipient has told the provider or the network to stop messages from this sender",
    "complained": "the recipient called a message spam",
}


@dataclass(frozen=True, slots=True)
class BadAddress:
    """An address that nothing is sent to any more."""

    id: UUID
    guardian_id: GuardianId | None
    recipient_id: UserId
    recipient_name: str
    channel: Channel
    address: str
    """Masked; the guardian's record has it whole for those who may see it."""
    reason: str
    explanation: str
    delivery_id: DeliveryId
    """The message by which it was learnt."""
    since: datetime


class BadAddresses:
    """The use cases of the list."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def all(
        self, principal: Principal, *, channel: Channel | None = None, after: tuple[Any, ...] | None = None, limit: int
    ) -> list[BadAddress]:
        """Return the school's bad addresses, newest first, one more than ``limit`` where there are."""
        principal.require(Scope.NOTIFICATIONS_MANAGE)
        async with self._db.tenant(principal.school, read_only=True) as tx:
            rows = await store.listed(tx, channel=channel, after=checked_place(after), limit=limit + 1)
        return [_bad_address(row) for row in rows]

    async def clear(self, principal: Principal, *, bad_id: UUID) -> None:
        """Let messages go there again. Raises ``NotFound``."""
        principal.require(Scope.NOTIFICATIONS_MANAGE)
        async with self._db.tenant(principal.school, actor=principal.user_id) as tx:
            if not await store.clear(tx, bad_id):
                raise NotFound("there is no such address on the list")
        log.info("bad_address_cleared", id=str(bad_id))


def _bad_address(row: Row) -> BadAddress:
    said = {
        "channel": Channel(row["channel"]),
        "address": masked(row["address"]),
        "explanation": _REASONS.get(row["reason"], row["reason"]),
    }
    return BadAddress(**dict(row) | said)
