"""Use cases of the calendar: sessions, their three terms, and the days without school."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, ClassVar

from typing_extensions import override

from core.access.principal import Principal, Scope
from core.errors import Conflict, NotFound
from core.ids import TermId
from core.ports import Transaction
from core.school.model import AcademicSession, Closure, Term
from core.school.records import calendar_store as store
from core.school.records import table as sql
from core.school.records.family import Family
from core.school.records.table import Values, Where, where
from core.school.records.values import refuse

_LONGEST_CLOSURE = 366
_SESSION_NAME = re.compile(r"(\d{4})/(\d{4})")


class Sessions(Family[AcademicSession]):
    """School years. Everyone of the school may read them."""

    table = store.SESSIONS
    readers = (Scope.RECORDS_READ, Scope.OWN_READ)

    @override
    async def _check(self, tx: Transaction, values: Values, before: AcademicSession | None) -> None:
        check_session_name(_after("name", values, before))
        starts_on, ends_on = _after("starts_on", values, before), _after("ends_on", values, before)
        check_dates(starts_on, ends_on)
        other = await store.overlapping_session(tx, starts_on, ends_on, before.id if before else None)
        if other:
            raise refuse("starts_on", f"these days overlap those of session {other}", "overlap")
        for term in await store.terms_of(tx, before.id) if before else ():
            if term.starts_on < starts_on or term.ends_on > ends_on:
                raise refuse("starts_on", f"{term.name} would lie outside the session; move the term first")


class Terms(Family[Term]):
    """The terms of sessions. Everyone of the school may read them."""

    table = store.TERMS
    readers = (Scope.RECORDS_READ, Scope.OWN_READ)
    references: ClassVar[Mapping[str, str]] = {"session_id": "academic_sessions"}

    async def close(self, principal: Principal, term_id: TermId, version: int) -> Term:
        """Close a term. Raises ``Conflict`` while marks of it are unpublished, or where it is closed."""
        principal.require(Scope.RECORDS_WRITE)
        async with self._db.tenant(principal.school, actor=principal.user_id) as tx:
            term = await self._found(tx, term_id)
            _refuse_closed(term)
            waiting = await store.unpublished_sheets(tx, term_id)
            if waiting:
                raise Conflict(f"{waiting} mark sheets of {term.name} are not published; publish or remove them first")
            await self._update(tx, term_id, version, {"closed_at": self._clock.now()})
            return await self._found(tx, term_id)

    async def reopen(self, principal: Principal, term_id: TermId, version: int) -> Term:
        """Open a closed term again. Raises ``Conflict`` where it is not closed."""
        principal.require(Scope.RECORDS_WRITE)
        async with self._db.tenant(principal.school, actor=principal.user_id) as tx:
            term = await self._found(tx, term_id)
            if term.closed_at is None:
                raise Conflict(f"{term.name} is not closed")
            await self._update(tx, term_id, version, {"closed_at": None})
            return await self._found(tx, term_id)

    @override
    async def _check(self, tx: Transaction, values: Values, before: Term | None) -> None:
        if before:
            _refuse_closed(before)
        session_id = _after("session_id", values, before)
        session = await sql.get(tx, store.SESSIONS, where("r.id = {}", session_id))
        if session is None:
            raise NotFound("there is no such session")
        starts_on, ends_on = _after("starts_on", values, before), _after("ends_on", values, before)
        check_dates(starts_on, ends_on)
        if starts_on < session.starts_on or ends_on > session.ends_on:
            raise refuse("starts_on", f"the term must lie within the session: {session.starts_on} to {session.ends_on}")
        others = [term for term in await store.terms_of(tx, session.id) if before is None or term.id != before.id]
        check_place(_after("number", values, before), starts_on, ends_on, others)


class Closures(Family[Closure]):
    """Days on which there is no school within a term. Everyone of the school may read them."""

    table = store.CLOSURES
    readers = (Scope.RECORDS_READ, Scope.OWN_READ)

    @override
    async def _conditions(self, tx: Transaction, principal: Principal, filters: Values) -> Sequence[Where]:
        spelt = {"since": "r.ends_on >= {}", "until": "r.starts_on <= {}"}
        return [where(spelt[name], value) for name, value in filters.items()]

    @override
    async def _check(self, tx: Transaction, values: Values, before: Closure | None) -> None:
        starts_on, ends_on = _after("starts_on", values, before), _after("ends_on", values, before)
        if not 0 <= (ends_on - starts_on).days < _LONGEST_CLOSURE:
            raise refuse("ends_on", f"the last day lies on the first, {starts_on}, or within a year after it")


def check_session_name(name: str) -> None:
    """Raise ``InvalidInput`` unless the name is two years that follow each other: 2027/2028."""
    found = _SESSION_NAME.fullmatch(name)
    if not found or int(found[2]) != int(found[1]) + 1:
        raise refuse("name", "a session is named by its two years, like 2027/2028")


def check_dates(starts_on: date, ends_on: date) -> None:
    """Raise ``InvalidInput`` unless the end comes after the start."""
    if ends_on <= starts_on:
        raise refuse("ends_on", f"the end must come after the start, {starts_on}")


def check_place(number: int, starts_on: date, ends_on: date, others: Iterable[Term]) -> None:
    """Raise ``InvalidInput`` unless the term comes after those of lower number and before those of higher."""
    for other in others:
        in_order = other.ends_on < starts_on if other.number < number else ends_on < other.starts_on
        if other.number != number and not in_order:
            raise refuse(
                "starts_on", f"the days do not fit those of {other.name}: {other.starts_on} to {other.ends_on}"
            )


def _after(field: str, values: Values, before: AcademicSession | Term | Closure | None) -> Any:
    return values[field] if field in values else getattr(before, field)


def _refuse_closed(term: Term) -> None:
    if term.closed_at is not None:
        raise Conflict(f"{term.name} is closed; open it again first")
