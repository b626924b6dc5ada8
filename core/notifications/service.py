"""The use cases of notifications, as the routes call them."""

from dataclasses import dataclass
from typing import Self

from core.clock import Clock
from core.events.dead_letters import DeadLetters
from core.notifications.bad_addresses import BadAddresses
from core.notifications.bell import Bell
from core.notifications.message_templates import MessageTemplates
from core.notifications.preferences import Preferences
from core.notifications.resend import Resending
from core.notifications.spend import Spend
from core.notifications.trail import Trail
from core.ports import Database


@dataclass(frozen=True, slots=True)
class Notifications:
    """What people do with messages: read their own, say which they want, and look into their fate and price."""

    bell: Bell
    preferences: Preferences
    trail: Trail
    resending: Resending
    bad_addresses: BadAddresses
    spend: Spend
    templates: MessageTemplates

    @classmethod
    def over(cls, db: Database, clock: Clock) -> Self:
        """Return the use cases over a database."""
        return cls(
            bell=Bell(db, clock),
            preferences=Preferences(db, clock),
            trail=Trail(db, DeadLetters(db)),
            resending=Resending(db, clock),
            bad_addresses=BadAddresses(db),
            spend=Spend(db, clock),
            templates=MessageTemplates(db),
        )
