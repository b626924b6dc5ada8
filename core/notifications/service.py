"""The use cases of notifications, as the routes call them."""

from dataclasses import dataclass
from typing import Self

from core.clock import Clock
from core.events.dead_letters import DeadLetters
from core.notifications.bell import Bell
from core.notifications.preferences import Preferences
from core.notifications.trail import Trail
from core.ports import Database


@dataclass(frozen=True, slots=True)
class Notifications:
    """What people do with messages: read their own, say which they want, and look into what became of them."""

    bell: Bell
    preferences: Preferences
    trail: Trail

    @classmethod
    def over(cls, db: Database, clock: Clock) -> Self:
        """Return the use cases over a database."""
        return cls(Bell(db, clock), Preferences(db, clock), Trail(db, DeadLetters(db)))
