"""SQL of the days of school and of the links by which calendars are followed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from core.ids import CalendarLinkId, SessionId, UserId
from core.ports import Row, Transaction
from core.timetable.school_days import Days, SchoolDays

_TERMS = "SELECT name, starts_on, ends_on FROM terms WHERE session_id = $1 ORDER BY starts_on"
_CLOSURES = (
    "SELECT name, starts_on, ends_on FROM school_closures WHERE starts_on <= $2 AND ends_on >= $1"
    " ORDER BY starts_on, id"
)
_FOLLOWED = """
SELECT l.kind, l.whose, l.session_id, u.id AS user_id, u.roles, u.staff_id, u.guardian_id, u.student_id
FROM calendar_links l JOIN users u ON (u.school_id, u.id) = (l.school_id, l.user_id)
WHERE l.id = $1 AND u.active
"""
_ADD_LINK = """
INSERT INTO calendar_links (school_id, id, user_id, session_id, kind, whose, created_at)
VALUES (app_school(), $1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """Whose lessons of a session are followed, and by whom."""

    user_id: UserId
    session_id: SessionId
    kind: str
    whose: str


async def school_days(tx: Transaction, session: SessionId) -> SchoolDays:
    """Return the days of a session."""
    row = await tx.fetchrow(
        "SELECT s.name, s.starts_on, s.ends_on, school.time_zone FROM academic_sessions s"
        " JOIN schools school ON school.id = s.school_id WHERE s.id = $1",
        session,
    )
    assert row is not None  # noqa: S101 - a timetable's session is not removed
    terms = await tx.fetch(_TERMS, session)
    closures = await tx.fetch(_CLOSURES, row["starts_on"], row["ends_on"])
    return SchoolDays(session=_days(row), time_zone=row["time_zone"], terms=_all(terms), closures=_all(closures))


async def link(tx: Transaction, new: CalendarLinkId, followed: Followed, now: datetime) -> CalendarLinkId:
    """Return the link by which somebody follows somebody's lessons, the one that is there or a new one."""
    which = (followed.user_id, followed.session_id, followed.kind, followed.whose)
    await tx.execute(_ADD_LINK, new, *which, now)
    found: UUID | None = await tx.fetchval(
        "SELECT id FROM calendar_links WHERE user_id = $1 AND session_id = $2 AND kind = $3 AND whose = $4", *which
    )
    return CalendarLinkId(found or new)  # removed between the two: as if it had been after them


async def unlink(tx: Transaction, followed: Followed, *, everyone: bool) -> int:
    """Remove somebody's link, or everyone's to the same lessons, and return how many there were."""
    return await tx.execute(
        "DELETE FROM calendar_links WHERE session_id = $1 AND kind = $2 AND whose = $3 AND ($5 OR user_id = $4)",
        followed.session_id,
        followed.kind,
        followed.whose,
        followed.user_id,
        everyone,
    )


async def followed(tx: Transaction, one: CalendarLinkId) -> Row | None:
    """Return what a link shows and the account of who follows it; None for a removed link or a closed account."""
    return await tx.fetchrow(_FOLLOWED, one)


async def published_in(tx: Transaction, session: SessionId) -> UUID | None:
    """Return the timetable of which a version is published in a session, or None."""
    found: UUID | None = await tx.fetchval(
        "SELECT id FROM timetables WHERE session_id = $1 AND published_version IS NOT NULL", session
    )
    return found


def _days(row: Row) -> Days:
    return Days(row["name"], row["starts_on"], row["ends_on"])


def _all(rows: Sequence[Row]) -> tuple[Days, ...]:
    return tuple(_days(row) for row in rows)
