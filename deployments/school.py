"""Routes of the school's profile and its calendar."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import Field

from core.ids import TermId
from deployments.ground.etags import IfMatch, require_match, set_etag
from deployments.ground.problem import PROBLEMS
from deployments.ground.security import Caller
from deployments.ground.wire import Wire, WireRequest
from deployments.school_family import FamilyRoutes, Filters, RecordId
from deployments.school_fields import UNSET, Contact, Line, SessionFilter
from deployments.services import ServicesDep

router = APIRouter(prefix="/api/school", tags=["school"], responses=PROBLEMS)

TermNumber = Annotated[int, Field(ge=1, le=3)]


class ProfileOut(Wire):
    """A school's profile."""

    id: UUID
    code: str
    name: str
    address: str
    phone: str | None
    email: str | None
    time_zone: str
    currency: str
    version: int


class ProfileChange(WireRequest):
    """What changes of the profile; what is left out stays."""

    name: Line = UNSET
    address: Annotated[str, Field(max_length=300)] = UNSET
    phone: Contact = None
    email: Contact = None
    time_zone: Annotated[str, Field(max_length=60, examples=["Africa/Lagos"])] = UNSET
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")] = UNSET


class SessionIn(WireRequest):
    """A school year."""

    name: Annotated[str, Field(max_length=9, examples=["2027/2028"])]
    starts_on: date
    ends_on: date


class SessionChange(WireRequest):
    """What changes of a school year."""

    name: Annotated[str, Field(max_length=9)] = UNSET
    starts_on: date = UNSET
    ends_on: date = UNSET


class SessionOut(Wire):
    """A school year."""

    id: UUID
    name: str
    starts_on: date
    ends_on: date
    version: int


class TermIn(WireRequest):
    """A term of a session."""

    session_id: UUID
    number: TermNumber
    name: Line
    starts_on: date
    ends_on: date


class TermChange(WireRequest):
    """What changes of a term."""

    number: TermNumber = UNSET
    name: Line = UNSET
    starts_on: date = UNSET
    ends_on: date = UNSET


class TermOut(Wire):
    """A term of a session."""

    id: UUID
    session_id: UUID
    number: int
    name: str
    starts_on: date
    ends_on: date
    closed_at: datetime | None
    version: int


class ClosureIn(WireRequest):
    """Days without school within a term."""

    name: Annotated[Line, Field(examples=["Independence Day"])]
    starts_on: date
    ends_on: Annotated[date, Field(description="The last day; that of `startsOn` for a single one.")]


class ClosureChange(WireRequest):
    """What changes of days without school."""

    name: Line = UNSET
    starts_on: date = UNSET
    ends_on: date = UNSET


class ClosureOut(Wire):
    """Days without school within a term: no lessons, and no cover for them."""

    id: UUID
    name: str
    starts_on: date
    ends_on: date
    version: int


@router.get("", operation_id="getSchool", summary="Read the school's profile")
async def get_school(caller: Caller, services: ServicesDep, response: Response) -> ProfileOut:
    """Return the profile of the caller's school."""
    school = await services.records.profile.get(caller)
    set_etag(response, school.version)
    return ProfileOut.model_validate(school)


@router.patch("", operation_id="changeSchool", summary="Change the school's profile")
async def change_school(
    caller: Caller, services: ServicesDep, response: Response, if_match: IfMatch, body: ProfileChange
) -> ProfileOut:
    """Change what is given of the profile."""
    changes = body.model_dump(exclude_unset=True)
    school = await services.records.profile.change(caller, require_match(if_match), changes)
    set_etag(response, school.version)
    return ProfileOut.model_validate(school)


@router.post("/terms/{id}/close", operation_id="closeTerm", summary="Close a term")
async def close_term(
    caller: Caller, services: ServicesDep, response: Response, if_match: IfMatch, record_id: RecordId
) -> TermOut:
    """Close a term; 409 while marks of it are unpublished."""
    term = await services.records.terms.close(caller, TermId(record_id), require_match(if_match))
    set_etag(response, term.version)
    return TermOut.model_validate(term)


@router.post("/terms/{id}/reopen", operation_id="reopenTerm", summary="Open a closed term again")
async def reopen_term(
    caller: Caller, services: ServicesDep, response: Response, if_match: IfMatch, record_id: RecordId
) -> TermOut:
    """Open a closed term again; 409 where it is open."""
    term = await services.records.terms.reopen(caller, TermId(record_id), require_match(if_match))
    set_etag(response, term.version)
    return TermOut.model_validate(term)


def _of_session(session_id: SessionFilter = None) -> Filters:
    return {"session_id": session_id}


def _between(
    since: Annotated[date | None, Query(alias="from")] = None,
    until: Annotated[date | None, Query(alias="to")] = None,
) -> Filters:
    return {"since": since, "until": until}


FamilyRoutes(
    path="sessions",
    operation="Session",
    operations="Sessions",
    one="a school year",
    many="school years, newest first",
    family=lambda records: records.sessions,
    new=SessionIn,
    change=SessionChange,
    answer=SessionOut,
).add_to(router)
FamilyRoutes(
    path="terms",
    operation="Term",
    operations="Terms",
    one="a term",
    many="terms, newest first",
    family=lambda records: records.terms,
    new=TermIn,
    change=TermChange,
    answer=TermOut,
    filters=_of_session,
).add_to(router)
FamilyRoutes(
    path="closures",
    operation="Closure",
    operations="Closures",
    one="a closure",
    many="days without school, newest first",
    family=lambda records: records.closures,
    new=ClosureIn,
    change=ClosureChange,
    answer=ClosureOut,
    filters=_between,
).add_to(router)
