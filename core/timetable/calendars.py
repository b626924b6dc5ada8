"""Calendars that people subscribe to: a signed address of a class, teacher or room, what it shows, and for how long.

An address follows a session, so that it outlives each version: it shows whatever is published. What it shows is asked
anew each time by the rights of the person it was made for: a guardian whose child has left the class, or somebody
whose account is closed, follows nothing any more.
"""

import asyncio
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.access.principal import Principal, Role, Scope, scopes_of
from core.clock import Clock
from core.errors import Conflict, Fault, InvalidInput, NotFound
from core.ids import CalendarLinkId, SchoolId, SessionId, TimetableId, new_id
from core.ports import Database, Row, Transaction
from core.telemetry import get_logger
from core.timetable import calendar_store, store
from core.timetable.calendar_store import Followed
from core.timetable.calendar_tokens import NO_CALENDAR, CalendarTokens
from core.timetable.outputs import Whose
from core.timetable.records import TimetableRecord, Version
from core.timetable.school_days import SchoolDays
from core.timetable.swapping import require_known
from core.timetable.versions import Shown, TimetableVersions, opened

log = get_logger("timetable")

_EDITION = "1"
"""Raised when the same timetable is written otherwise, so that programs fetch it again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """A calendar as a program fetches it."""

    tag: str
    """Changes whenever the content would."""
    content: bytes | None
    """None where the program has this content."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Standing:
    """All that a calendar is made of, but for the lessons."""

    whose: Whose
    days: SchoolDays
    record: TimetableRecord | None
    """The published timetable; None where none is."""

    @property
    def tag(self) -> str:
        record = self.record
        published = (record.id, record.name, record.published_version, record.published_at) if record else None
        told = repr((_EDITION, self.whose, self.days, published))
        return hashlib.sha256(told.encode()).hexdigest()[:32]


class TimetableCalendars:
    """Gives out addresses, takes them back, and answers programs that fetch them."""

    def __init__(
        self, db: Database, clock: Clock, versions: TimetableVersions, tokens: CalendarTokens | None = None
    ) -> None:
        self._db = db
        self._clock = clock
        self._versions = versions
        self._tokens = tokens

    async def link(
        self, principal: Principal, *, timetable: TimetableId, whose: Whose | None, renew: bool = False
    ) -> str:
        """Return the caller's address of somebody's lessons; ``renew`` ends the old one and returns another.

        Raises ``NotFound``, also for lessons that are not the caller's to follow; ``InvalidInput``, ``Conflict``.
        """
        shown, followed = await self._wanted(principal, timetable, whose)
        if self._tokens is None:
            raise Conflict("calendars can't be followed here: the installation has no key to sign their addresses")
        require_known(shown.version.problem, (followed.kind, followed.whose), _POINTERS[followed.kind])
        async with self._db.tenant(principal.school, actor=principal.user_id) as tx:
            if renew:
                await calendar_store.unlink(tx, followed, everyone=False)
            link = await calendar_store.link(tx, CalendarLinkId(new_id()), followed, self._clock.now())
        log.info("calendar_linked", link_id=str(link), kind=followed.kind, renewed=renew)
        return self._tokens.url(principal.school, link)

    async def unlink(
        self, principal: Principal, *, timetable: TimetableId, whose: Whose | None, everyone: bool = False
    ) -> None:
        """End the caller's address of somebody's lessons, or everyone's, which needs the right to make timetables."""
        if everyone:
            principal.require(Scope.TIMETABLES_MANAGE)
        _, followed = await self._wanted(principal, timetable, whose)
        async with self._db.tenant(principal.school, actor=principal.user_id) as tx:
            ended = await calendar_store.unlink(tx, followed, everyone=everyone)
        log.info("calendar_unlinked", kind=followed.kind, ended=ended)

    def read(self, token: str) -> CalendarLinkId:
        """Return which link a token names, without asking whether it holds. Raises ``NotFound``."""
        return self._parts(token)[1]

    async def feed(self, token: str, *, known: frozenset[str] = frozenset()) -> Feed:
        """Return the calendar behind a token, without content where its tag is known.

        Raises ``NotFound`` for a token that is not ours, whose link was ended, or whose owner may not see it any more.
        """
        school, link = self._parts(token)
        async with self._db.tenant(school, read_only=True) as tx:
            standing = await _standing(tx, school, link)
            if standing.tag in known:
                return Feed(tag=standing.tag, content=None)
            record = standing.record
            found = await store.version(tx, record.id, record.published_version or 0) if record else None
        version = await asyncio.to_thread(opened, *found) if found is not None else None
        return Feed(tag=standing.tag, content=await asyncio.to_thread(_written, standing, version))

    def _parts(self, token: str) -> tuple[SchoolId, CalendarLinkId]:
        if self._tokens is None:
            raise NotFound(NO_CALENDAR)
        return self._tokens.read(token)

    async def _wanted(
        self, principal: Principal, timetable: TimetableId, whose: Whose | None
    ) -> tuple[Shown, Followed]:
        shown = await self._versions.get(principal, timetable=timetable)
        if whose is None:
            what = "say whose: one of classArmId, teacherId and roomId"
            raise InvalidInput(what, [Fault("/classArmId", what, "missing")])
        if not may_follow(principal, whose, shown.only_classes or frozenset()):
            raise NotFound("there is no such timetable of one's own")
        session = shown.record.session_id
        if session is None:
            raise Conflict("this timetable belongs to no session, so that its dates are not known")
        return shown, Followed(user_id=principal.user_id, session_id=session, kind=whose.kind, whose=whose.id)


_POINTERS = {"group": "/classArmId", "teacher": "/teacherId", "room": "/roomId"}


def may_follow(principal: Principal, whose: Whose, own_classes: frozenset[str]) -> bool:
    """Tell whether somebody may follow lessons: those who make timetables anyone's, others what is their own."""
    if principal.may(Scope.TIMETABLES_MANAGE):
        return True
    if whose.kind == "teacher":
        return principal.staff_id is not None and whose.id == str(principal.staff_id)
    return whose.kind == "group" and whose.id in own_classes


async def _standing(tx: Transaction, school: SchoolId, link: CalendarLinkId) -> _Standing:
    row = await calendar_store.followed(tx, link)
    if row is None:
        raise NotFound(NO_CALENDAR)
    session, whose, owner = SessionId(row["session_id"]), Whose(row["kind"], row["whose"]), _owner(school, row)
    if not may_follow(owner, whose, await store.own_arms(tx, session, owner.student_id, owner.guardian_id)):
        raise NotFound(NO_CALENDAR)
    timetable = await calendar_store.published_in(tx, session)
    record = await store.read(tx, TimetableId(timetable)) if timetable is not None else None
    return _Standing(whose=whose, days=await calendar_store.school_days(tx, session), record=record)


def _owner(school: SchoolId, row: Row) -> Principal:
    """Return who follows, with the rights that they have now."""
    roles = frozenset(Role(role) for role in row["roles"])
    ids: Mapping[str, Any] = {name: row[name] for name in ("user_id", "staff_id", "guardian_id", "student_id")}
    return Principal(school_id=school, roles=roles, scopes=scopes_of(roles), **ids)


def _written(standing: _Standing, version: Version | None) -> bytes:
    """Return the calendar; without lessons where nothing is published, or nothing of theirs: programs keep asking."""
    from core.timetable.ics import calendar_of, empty_calendar  # noqa: PLC0415 - only who asks for a calendar

    record, whose, dates = standing.record, standing.whose, standing.days.dates
    name = _name(version, whose)
    if version is None or record is None or record.published_at is None or name is None:
        return empty_calendar(f"Timetable {standing.days.session.name}", dates)
    return calendar_of(
        version.problem,
        version.timetable,
        whose.pair,
        dates,
        name=f"{name}, {record.name}",
        source=str(record.id),
        version=version.record.number,
        published_at=record.published_at,
    )


def _name(version: Version | None, whose: Whose) -> str | None:
    """Return what a class, teacher or room is called in a version; None where it has none of that id."""
    if version is None:
        return None
    there: Mapping[str, Mapping[str, Any]] = {
        "group": version.problem.group,
        "teacher": version.problem.teacher,
        "room": version.problem.room,
    }
    found = there[whose.kind].get(whose.id)
    return str(found.name) if found is not None else None
