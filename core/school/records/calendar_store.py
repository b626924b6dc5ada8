"""The SQL of sessions and terms."""

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

from core.ids import ClosureId, SessionId, TermId
from core.ports import Row, Transaction
from core.school.model import AcademicSession, Closure, Term
from core.school.records.table import SortKey, Table


def _session(row: Row) -> AcademicSession:
    return AcademicSession(
        id=SessionId(row["id"]),
        name=row["name"],
        starts_on=row["starts_on"],
        ends_on=row["ends_on"],
        version=row["version"],
    )


def _term(row: Row) -> Term:
    return Term(
        id=TermId(row["id"]),
        session_id=SessionId(row["session_id"]),
        number=row["number"],
        name=row["name"],
        starts_on=row["starts_on"],
        ends_on=row["ends_on"],
        closed_at=row["closed_at"],
        version=row["version"],
    )


def _closure(row: Row) -> Closure:
    return Closure(
        id=ClosureId(row["id"]),
        name=row["name"],
        starts_on=row["starts_on"],
        ends_on=row["ends_on"],
        version=row["version"],
    )


_BY_START = (SortKey("r.starts_on", "starts_on", date), SortKey("r.id", "id", UUID))

SESSIONS = Table(
    name="academic_sessions",
    noun="session",
    select="SELECT r.* FROM academic_sessions r",
    order=_BY_START,
    build=_session,
    newest_first=True,
)
TERMS = Table(
    name="terms", noun="term", select="SELECT r.* FROM terms r", order=_BY_START, build=_term, newest_first=True
)
CLOSURES = Table(
    name="school_closures",
    noun="closure",
    select="SELECT r.* FROM school_closures r",
    order=_BY_START,
    build=_closure,
    newest_first=True,
)


async def terms_of(tx: Transaction, session_id: SessionId) -> Sequence[Term]:
    """Return a session's terms in order."""
    rows = await tx.fetch("SELECT * FROM terms WHERE session_id = $1 ORDER BY number", session_id)
    return [_term(row) for row in rows]


async def overlapping_session(tx: Transaction, starts_on: date, ends_on: date, besides: SessionId | None) -> str | None:
    """Return the name of a session that shares days with these, or None."""
    name: str | None = await tx.fetchval(
        "SELECT name FROM academic_sessions WHERE starts_on <= $2 AND ends_on >= $1 AND id IS DISTINCT FROM $3 LIMIT 1",
        starts_on,
        ends_on,
        besides,
    )
    return name


async def present_session(tx: Transaction, moment: datetime) -> SessionId | None:
    """Return the newest session that has begun by the school's own calendar day."""
    found: UUID | None = await tx.fetchval(
        """
        SELECT s.id FROM academic_sessions s JOIN schools ON schools.id = s.school_id
        WHERE s.starts_on <= ($1::timestamptz AT TIME ZONE schools.time_zone)::date
        ORDER BY s.starts_on DESC LIMIT 1
        """,
        moment,
    )
    return SessionId(found) if found else None


async def unpublished_sheets(tx: Transaction, term_id: TermId) -> int:
    """Return how many mark sheets of a term are not published."""
    count: int = await tx.fetchval(
        "SELECT count(*) FROM mark_sheets WHERE term_id = $1 AND state <> 'published'", term_id
    )
    return count
