"""What anyone who holds a card may learn by its serial: that it is genuine, and no more than is needed to see it."""

import unicodedata
from dataclasses import dataclass
from datetime import date

from core.errors import NotFound
from core.ports import Database
from core.reports import snapshot_store as store
from core.reports.card import Card
from core.reports.serials import normal


@dataclass(frozen=True, slots=True, kw_only=True)
class Genuine:
    """A card that was issued."""

    serial: str
    school: str
    student: str
    """Initials, to be compared with the name on the card."""
    session: str
    term: str
    issued_on: date
    fingerprint: str
    """The first digits of the content's hash, as printed on the card."""
    replaced: bool
    """A later version of this card was issued."""


class Verification:
    """Answers for serials, without a login."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def genuine(self, typed: str) -> Genuine:
        """Return the card of a serial. Raises ``NotFound``, the same for what no school has issued and what is none."""
        serial = normal(typed)
        school_id = await store.school_of_serial(self._db, serial) if serial else None
        if serial is None or school_id is None:
            raise NotFound("no card has this serial")
        async with self._db.tenant(school_id, read_only=True) as tx:
            found = await store.verified(tx, serial)
        if found is None:
            raise NotFound("no card has this serial")
        return _shown(found)


def _shown(found: store.VerifiedRow) -> Genuine:
    card = Card.model_validate_json(found.content)
    return Genuine(
        serial=found.serial,
        school=found.school_name,
        student=_initials(card.student.name),
        session=card.session,
        term=card.term,
        issued_on=found.finalised_on,
        fingerprint=found.content_hash[:8],
        replaced=found.newest > found.version,
    )


def _initials(name: str) -> str:
    """Return the initials of a name with their marks: ``Ọ. T.``."""
    return " ".join(f"{unicodedata.normalize('NFC', word)[0]}." for word in name.split())
