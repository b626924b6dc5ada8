"""What is asked for, before any search: read, named, counted through, and queued as a job."""

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

from core.access.principal import Principal, Scope
from core.clock import Clock, local_date
from core.errors import Fault, InvalidInput, TooMany
from core.ids import JobId, TimetableId, new_id
from core.jobs import store as job_store
from core.jobs.model import Job
from core.ports import Database, Transaction
from core.telemetry import current_traceparent
from core.timetable import race_store, store
from core.timetable.changes import Changes, changed
from core.timetable.findings import Finding
from core.timetable.formats.native import LIMIT_BYTES, read_part, read_problem, write_problem
from core.timetable.formats.school import problem_of
from core.timetable.formats.school_request import SchoolRequest
from core.timetable.model import Frozen, Name, Problem
from core.timetable.records import RaceKind, RaceRequest
from core.timetable.versions import latest

_OPTIONS = ("name", "sessionId", "seconds", "seed", "note")
_MOST_OPEN = 5
_MOST_TOLD = 50


class _Named(Frozen):
    """A name of a timetable as it is asked for."""

    name: Name


class TimetableRequests:
    """Queues searches."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def generate(self, principal: Principal, *, body: Mapping[str, Any]) -> Job:
        """Queue a search for a new timetable, for the portals' request or for ``{"problem": ...}``.

        Raises ``InvalidInput`` where the request is wrong, or where counting shows that there can't be one.
        """
        principal.require(Scope.TIMETABLES_MANAGE)
        problem, request, where = await self._read(principal, body)
        _refuse(await asyncio.to_thread(_counted, problem), where)
        return await self._queue(principal, RaceKind.GENERATE, TimetableId(new_id()), problem, request)

    async def explain(self, principal: Principal, *, body: Mapping[str, Any]) -> Job:
        """Queue a search for the smallest set of rules that can't hold together, where there is one."""
        principal.require(Scope.TIMETABLES_MANAGE)
        problem, request, _ = await self._read(principal, body)
        return await self._queue(principal, RaceKind.EXPLAIN, None, problem, request)

    async def resolve(self, principal: Principal, *, timetable: TimetableId, body: Mapping[str, Any]) -> Job:
        """Queue the repair of a timetable after a change, with the fewest moves (P8-22).

        Raises ``NotFound``, or ``InvalidInput`` where the change is wrong or can't be met.
        """
        principal.require(Scope.TIMETABLES_MANAGE)
        async with self._db.tenant(principal.school, read_only=True) as tx:
            version = await latest(tx, timetable)
        options, rest = await asyncio.to_thread(_options, body)
        changes = await asyncio.to_thread(read_part, Changes, rest, version.problem.calendar)
        problem = await asyncio.to_thread(changed, version.problem, changes)
        _refuse(await asyncio.to_thread(_counted, problem), "")
        bound = {"pins": changes.pins, "only_groups": changes.only_classes, "based_on": version.record.number}
        return await self._queue(principal, RaceKind.RESOLVE, timetable, problem, options.model_copy(update=bound))

    async def problem(self, principal: Principal, *, body: Mapping[str, Any]) -> Problem:
        """Return the problem of a request. Raises ``InvalidInput`` with the place of each mistake."""
        return (await self._read(principal, body))[0]

    async def _read(self, principal: Principal, body: Mapping[str, Any]) -> tuple[Problem, RaceRequest, str]:
        options, rest = await asyncio.to_thread(_options, body)
        async with self._db.tenant(principal.school, read_only=True) as tx:
            options = await self._in_session(tx, options)
        if "problem" in rest:
            return await asyncio.to_thread(_native, rest), options, "/problem"
        asked = await asyncio.to_thread(read_part, SchoolRequest, rest, strict=False)
        names = await self._names(principal, asked)
        return await asyncio.to_thread(problem_of, asked, names), options, "/constraints"

    async def _in_session(self, tx: Transaction, options: RaceRequest) -> RaceRequest:
        """Return the options with the session that is meant, and a name."""
        session = options.session
        if session is None:
            zone = await tx.fetchval("SELECT time_zone FROM schools")
            session = await store.session_on(tx, local_date(self._clock.now(), zone or "UTC"))
        known = await store.session_name(tx, session) if session is not None else None
        if session is not None and known is None:
            raise InvalidInput(
                "there is no such session", [Fault("/sessionId", "There is no such session.", "unknown")]
            )
        name = options.name or f"Timetable {known or ''}".strip()
        return options.model_copy(update={"name": name, "session_id": str(session) if session else None})

    async def _names(self, principal: Principal, asked: SchoolRequest) -> dict[str, str]:
        """Return the school's names of the ids in a request. Raises ``InvalidInput`` for ids of others."""
        places = list(_ids(asked))
        ids = {one for _, _, one in places}
        async with self._db.tenant(principal.school, read_only=True) as tx:
            found = await store.names(tx, [UUID(one) for one in ids])
        known = {one: found[str(UUID(one))] for one in ids if str(UUID(one)) in found}
        faults = [
            Fault(where, f"There is no {kind} with this id in the school.", "unknown")
            for where, kind, one in places
            if known.get(one, ("", ""))[0] != kind
        ]
        if faults:
            raise InvalidInput(f"{faults[0].where}: {faults[0].what}", faults[:_MOST_TOLD])
        return {one: name for one, (_, name) in known.items()}

    async def _queue(
        self,
        principal: Principal,
        kind: RaceKind,
        timetable: TimetableId | None,
        problem: Problem,
        request: RaceRequest,
    ) -> Job:
        content, now = (await asyncio.to_thread(write_problem, problem)).decode(), self._clock.now()
        async with self._db.tenant(principal.school, actor=principal.user_id) as tx:
            if await race_store.open_races(tx) >= _MOST_OPEN:
                raise TooMany(f"{_MOST_OPEN} searches of the school wait or run already", 10.0)
            job = await job_store.insert(
                tx,
                principal.school,
                JobId(new_id()),
                f"timetable-{kind.value}",
                total=round(request.seconds),
                detail={},
                created_by=principal.user_id,
                now=now,
            )
            await race_store.add(
                tx,
                job.id,
                kind,
                timetable=timetable,
                digest=await store.keep_problem(tx, content),
                request=request,
                traceparent=current_traceparent(),
                created_by=principal.user_id,
                now=now,
            )
        return job


def _options(body: Mapping[str, Any]) -> tuple[RaceRequest, dict[str, Any]]:
    """Return what a body says about the search, and the rest."""
    if "\\u0000" in json.dumps(body):
        raise InvalidInput("NUL can't be kept", [Fault("", "A text holds the character NUL.", "invalid")])
    options = read_part(RaceRequest, {name: body[name] for name in _OPTIONS if name in body})
    if options.name:
        read_part(_Named, {"name": options.name})
    if options.session_id is not None:
        _require_uuid(options.session_id)
    return options, {name: value for name, value in body.items() if name not in _OPTIONS}


def _require_uuid(session: str) -> None:
    try:
        UUID(session)
    except ValueError as error:
        raise InvalidInput("there is no such session", [Fault("/sessionId", "This is no id of a session.")]) from error


def _native(rest: Mapping[str, Any]) -> Problem:
    strangers = rest.keys() - {"problem", "schoolId"}
    if strangers:
        what = "Beside a problem this is not known; it belongs to the portals' request."
        raise InvalidInput(what, [Fault(f"/{name}", what, "extra_forbidden") for name in sorted(strangers)])
    try:
        return read_problem(json.dumps(rest["problem"]).encode(), limit_bytes=2 * LIMIT_BYTES)
    except InvalidInput as error:
        raise InvalidInput(
            f"/problem{error.message}" if error.message.startswith("/") else error.message,
            [Fault(f"/problem{fault.where}", fault.what, fault.code) for fault in error.faults],
        ) from error


def _ids(asked: SchoolRequest) -> Iterator[tuple[str, str, str]]:
    """Yield (place, kind, id) of each id of the loads that looks like one of ours; other words are the caller's own."""
    for where, kind, one in asked.named():
        try:
            UUID(one)
        except ValueError:
            continue
        yield where, kind, one


def _counted(problem: Problem) -> Sequence[Finding]:
    from core.timetable.prechecking import precheck  # noqa: PLC0415 - 30 MB that a replica needs only for this

    return precheck(problem)


def _refuse(findings: Sequence[Finding], where: str) -> None:
    once = list({each.sentence: each for each in findings}.values())  # the lessons of a course say the same
    if once:
        told = " ".join(finding.sentence for finding in once[:3])
        faults = [Fault(where, finding.sentence, finding.kind) for finding in once[:_MOST_TOLD]]
        raise InvalidInput(f"There can be no such timetable. {told}", faults)
