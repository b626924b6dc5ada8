"""The page behind the link: what it shows, and what a guardian says there. Whoever holds the link needs no login."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from core.clock import Clock
from core.errors import Fault, InvalidInput, NotFound, TooMany
from core.ids import DeliveryId, SchoolId
from core.notifications import absence_link_store as store
from core.notifications.absence_link import AbsenceLinks, LinkExpired
from core.notifications.absence_words import language_or_none
from core.ports import Database, Row, Transaction
from core.school.model import Language
from core.telemetry import get_logger

log = get_logger("notifications")

NOTE_LENGTH = 200
_CHANGES = 20
"""How often a reason may be replaced: a link in the wrong hands can't fill the books."""


class AbsenceReason(StrEnum):
    """What a guardian can choose."""

    SICK = "sick"
    FAMILY = "family"
    TRANSPORT = "transport"
    RELIGIOUS = "religious"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class AbsencePage:
    """All that the page shows: whoever holds the phone may see it."""

    given_names: str
    day: date
    late: bool
    answered: bool
    """Whether a reason was given before; not which."""
    language: Language
    """The guardian's, in which the message was written."""


class AbsenceReasons:
    """The use cases of the link."""

    def __init__(self, db: Database, clock: Clock, links: AbsenceLinks) -> None:
        self._db = db
        self._clock = clock
        self._links = links

    def delivery_of(self, token: str) -> DeliveryId:
        """Return whose link it is or was. Raises ``NotFound``."""
        return self._links.delivery_of(token)

    async def language(self, token: str) -> Language | None:
        """Return the language of a link's guardian, also of one that has ended. Raises ``NotFound``."""
        async with self._db.dispatch() as every_school:
            return language_or_none(await store.language_of(every_school, self.delivery_of(token)))

    async def page(self, token: str) -> AbsencePage:
        """Return what the page shows. Raises ``NotFound``, or ``LinkExpired``: also where the register was mended."""
        delivery_id = self._links.read(token, self._clock.now())
        async with self._db.tenant(await self._school_of(delivery_id), read_only=True) as tx:
            return _shown(await _absence(tx, delivery_id))

    async def give(self, token: str, *, reason: str, note: str) -> AbsencePage:
        """Keep a guardian's reason; it replaces what the same guardian said before.

        Raises ``NotFound``, ``LinkExpired``, ``InvalidInput``, and ``TooMany`` where it was replaced too often.
        """
        chosen, note = _checked(reason, note)
        delivery_id = self._links.read(token, self._clock.now())
        async with self._db.tenant(await self._school_of(delivery_id)) as tx:
            row = await _absence(tx, delivery_id)
            if (row["reason"], row["note"]) != (chosen, note):
                if row["times"] >= _CHANGES:
                    raise TooMany("this was changed too often; call the school")
                await store.give(
                    tx,
                    register_id=row["register_id"],
                    student_id=row["student_id"],
                    recipient_id=row["recipient_id"],
                    delivery_id=delivery_id,
                    reason=chosen,
                    note=note,
                    now=self._clock.now(),
                )
        log.info("absence_reason_given", delivery_id=str(delivery_id), reason=chosen)
        return _shown({**row, "reason": chosen})

    async def _school_of(self, delivery_id: DeliveryId) -> SchoolId:
        async with self._db.dispatch() as every_school:
            school = await store.school_of(every_school, delivery_id)
        if school is None:
            raise NotFound("there is no such page")
        return school


async def _absence(tx: Transaction, delivery_id: DeliveryId) -> Row:
    row = await store.absence(tx, delivery_id)
    if row is None or not row["is_ward"]:
        raise NotFound("there is no such page")
    if row["status"] not in {"absent", "late"}:
        raise LinkExpired("the school has corrected the register")
    return row


def _checked(reason: str, note: str) -> tuple[AbsenceReason, str]:
    note = " ".join(note.split())
    if reason not in set(AbsenceReason):
        raise InvalidInput("choose a reason", [Fault("/reason", "choose one of the reasons", "unknown")])
    if len(note) > NOTE_LENGTH or not note.isprintable():
        what = f"the note may have {NOTE_LENGTH} letters"
        raise InvalidInput(what, [Fault("/note", what, "out_of_range")])
    return AbsenceReason(reason), note


def _shown(row: Row) -> AbsencePage:
    language = language_or_none(row["language"]) or Language.EN
    return AbsencePage(row["given_names"], row["day"], row["status"] == "late", row["reason"] is not None, language)
