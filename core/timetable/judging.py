"""What the checker says to those who ask, and changes by hand that it lets through (P8-16, P8-17)."""

import asyncio
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from core.access.principal import Principal, Scope
from core.errors import Conflict, Fault, InvalidInput, Stale
from core.ids import TimetableId
from core.timetable.checker import Verdict, validate
from core.timetable.formats.native import read_part, write_timetable
from core.timetable.model import Problem, Timetable
from core.timetable.records import NewVersion, Version, VersionRecord
from core.timetable.requesting import TimetableRequests
from core.timetable.swapping import Spot, swap
from core.timetable.versions import TimetableVersions
from core.timetable.view import label
from core.timetable.wording import listed

_MOST_TOLD = 50


class TimetableJudge:
    """Validates timetables, and swaps lessons where no law stands against it."""

    def __init__(self, requests: TimetableRequests, versions: TimetableVersions) -> None:
        self._requests = requests
        self._versions = versions

    async def validate(self, principal: Principal, *, body: Mapping[str, Any]) -> tuple[Verdict, Problem]:
        """Judge a partial or, with ``complete``, a complete timetable of a problem or of a kept timetable."""
        principal.require(Scope.TIMETABLES_MANAGE, Scope.TIMETABLES_READ)
        rest = dict(body)
        placed, complete, kept = rest.pop("timetable", None), rest.pop("complete", False), rest.pop("timetableId", None)
        if not isinstance(complete, bool):
            raise InvalidInput("complete is true or false", [Fault("/complete", "Say true or false.")])
        if kept is None:
            problem, known = await self._requests.problem(principal, body=rest), None
        else:
            _only("timetableId", rest)
            shown = await self._versions.get(principal, timetable=_id(kept))
            problem, known = shown.version.problem, shown.version.timetable
        timetable = known if placed is None else await asyncio.to_thread(_placed, placed, problem)
        if timetable is None:
            raise InvalidInput("no timetable is given", [Fault("/timetable", "This is missing.", "missing")])
        return await asyncio.to_thread(validate, problem, timetable, complete=complete), problem

    async def swap(
        self, principal: Principal, *, timetable: TimetableId, spots: tuple[Spot, Spot], latest_seen: int
    ) -> VersionRecord:
        """Let two lessons, or a lesson and a free period, change places in a new version.

        Raises ``NotFound``, ``Stale``, and ``Conflict`` with each law that would be broken, in words.
        """
        principal.require(Scope.TIMETABLES_MANAGE)
        shown = await self._versions.get(principal, timetable=timetable)
        base = shown.version
        if base.record.number != latest_seen:
            raise Stale(f"the timetable is at version {base.record.number} now; read it again")
        swapped = await asyncio.to_thread(swap, base.problem, base.timetable, *spots)
        broken = [violation for violation in swapped.broken if violation.hard]
        if broken:
            faults = [Fault("/slot1", violation.sentence, violation.rule) for violation in broken[:_MOST_TOLD]]
            raise Conflict(f"This can't be swapped. {broken[0].sentence}", faults)
        new, content = await asyncio.to_thread(_new_version, base, swapped.timetable)
        return await self._versions.add(
            principal, timetable=timetable, latest_seen=latest_seen, new=new, content=content
        )


def _new_version(base: Version, timetable: Timetable) -> tuple[NewVersion, str]:
    verdict = validate(base.problem, timetable, complete=True)
    old, lesson = base.timetable.by_lesson, base.problem.lesson
    moved = [label(base.problem, lesson[p.lesson]) for p in timetable.placements if old.get(p.lesson) != p]
    change = base.record.soft - verdict.soft
    cost = "at the same cost" if change == 0 else f"{abs(change)} {'better' if change > 0 else 'worse'}"
    new = NewVersion(
        problem_digest=base.record.problem_digest,
        hard=verdict.hard,
        soft=verdict.soft,
        bound=base.record.bound,
        solver="by hand",
        note=f"Swapped by hand, {cost}: {listed(moved)}"[:500],
        based_on=base.record.number,
    )
    return new, write_timetable(timetable).decode()


def _placed(placed: Any, problem: Problem) -> Timetable:
    content = {"placements": placed} if isinstance(placed, list) else placed
    if not isinstance(content, Mapping):
        raise InvalidInput("no timetable is given", [Fault("/timetable", "A list of placements is expected here.")])
    try:
        return read_part(Timetable, content, problem.calendar)
    except InvalidInput as error:
        faults = [Fault(f"/timetable{fault.where}", fault.what, fault.code) for fault in error.faults]
        raise InvalidInput(error.message, faults) from error


def _only(name: str, rest: Mapping[str, Any]) -> None:
    if rest:
        what = f"Beside {name} this is not known."
        raise InvalidInput(what, [Fault(f"/{other}", what, "extra_forbidden") for other in sorted(rest)])


def _id(kept: Any) -> TimetableId:
    try:
        return TimetableId(UUID(str(kept)))
    except ValueError as error:
        raise InvalidInput("this is no id", [Fault("/timetableId", "This is no id of a timetable.")]) from error
