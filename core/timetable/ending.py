"""Turns what a search came to into what is written down: a version, the job's result, or in words why there is none."""

from collections.abc import Sequence
from typing import Any

from core.timetable.checker import Verdict
from core.timetable.errands import Explained, Mended
from core.timetable.findings import Finding
from core.timetable.model import Problem, Timetable
from core.timetable.records import NewVersion, Race, RaceEnd, RaceResult
from core.timetable.solvers.port import Status
from core.timetable.solving import Solved
from core.timetable.wording import counted

_ENDS = {
    Status.INFEASIBLE: RaceEnd.INFEASIBLE,
    Status.TIMED_OUT: RaceEnd.TIMED_OUT,
    Status.CANCELLED: RaceEnd.CANCELLED,
}
MOST_REASONS = 50


def of_race(race: Race, found: Solved, why: Explained | None) -> RaceResult:
    """Return what a race came to; ``why`` explains that there is no timetable."""
    outcome, verdict = found.outcome, found.verdict
    if found.timetable is not None and verdict is not None and verdict.valid:
        version = NewVersion(
            problem_digest=race.problem_digest,
            hard=verdict.hard,
            soft=verdict.soft,
            bound=outcome.bound,
            solver=outcome.solver or "",
            note=race.request.note or _found_words(verdict.soft, outcome.bound),
        )
        summary = {"firstFeasibleS": _rounded(outcome.first_feasible_s), "attempts": outcome.attempts}
        end = RaceEnd.CANCELLED if outcome.cancelled else RaceEnd.DONE
        return RaceResult(end=end, version=version, timetable=found.timetable, summary=summary)
    if outcome.status is Status.INFEASIBLE:
        return infeasible(why)
    if outcome.status is Status.CANCELLED:
        return RaceResult(end=RaceEnd.CANCELLED)
    return _timed_out(race, found.problem, found.partial)


def of_repair(race: Race, mended: Mended | None, verdict: Verdict | None, *, stopped: bool) -> RaceResult:
    """Return what a repair came to; ``verdict`` is the checker's on its timetable."""
    if mended is None or mended.timetable is None or verdict is None or not verdict.valid:
        if stopped:
            return RaceResult(end=RaceEnd.CANCELLED)
        if mended is not None and mended.status is Status.INFEASIBLE:
            return infeasible(None)
        return _no_time(race, "There may be one: give it more seconds, or let more of the school's lessons move.")
    version = NewVersion(
        problem_digest=race.problem_digest,
        hard=verdict.hard,
        soft=verdict.soft,
        solver="repair",
        note=race.request.note or _moved_words(mended),
        based_on=race.request.based_on,
    )
    summary = {
        "moved": list(mended.moved),
        "roomsChanged": list(mended.rooms_changed),
        "fewestMoves": mended.bound,
        "isProven": mended.status is Status.OPTIMAL,
    }
    return RaceResult(end=RaceEnd.DONE, version=version, timetable=mended.timetable, summary=summary)


def of_explanation(race: Race, why: Explained | None, *, stopped: bool) -> RaceResult:
    """Return what an explanation came to: that there is none to give is a result too."""
    if why is None or why.status in {Status.TIMED_OUT, Status.CANCELLED}:
        if stopped:
            return RaceResult(end=RaceEnd.CANCELLED)
        return _no_time(race, "Whether there is a timetable was not settled; give it more seconds.")
    feasible = why.status is not Status.INFEASIBLE
    summary = {"feasible": feasible, "reasons": reasons_of(why), "isMinimal": why.is_minimal}
    return RaceResult(end=RaceEnd.DONE, summary=summary)


def infeasible(why: Explained | None) -> RaceResult:
    """Return that there is no timetable, with the reasons."""
    reasons = reasons_of(why) if why is not None else []
    told = " ".join(reason["sentence"] for reason in reasons[:5])
    problem = {
        "type": "/problems/infeasible",
        "title": "There is no such timetable",
        "detail": told or "It is proven that the rules can't all hold. Ask for an explanation to learn which.",
        "reasons": reasons,
        "isMinimal": why is not None and (why.is_minimal or bool(why.findings)),
    }
    return RaceResult(end=RaceEnd.INFEASIBLE, problem=problem)


def reasons_of(why: Explained) -> list[dict[str, Any]]:
    """Return the reasons: what counting finds, or what can't hold together."""
    conflict: list[dict[str, Any]] = [{"kind": "conflict", "sentence": each} for each in why.conflict]
    return [*findings_told(why.findings), *conflict][:MOST_REASONS]


def findings_told(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    """Return findings as they are shown."""
    return [
        {"kind": each.kind, "sentence": each.sentence, "needed": each.needed, "available": each.available}
        for each in findings
    ]


def failed(detail: str) -> RaceResult:
    """Return that the search broke."""
    return RaceResult(end=RaceEnd.FAILED, problem={"title": "The search failed", "detail": detail})


def _timed_out(race: Race, problem: Problem, partial: Timetable | None) -> RaceResult:
    placed = len(partial.placements) if partial is not None else 0
    told = f"{placed} of {counted(len(problem.lessons), 'lesson')} had a place at best. " if placed else ""
    return _no_time(race, f"{told}There may be a timetable: give it more seconds, or ask for an explanation.")


def _no_time(race: Race, detail: str) -> RaceResult:
    title = f"Nothing was found in {race.request.seconds:g} seconds"
    return RaceResult(end=RaceEnd.TIMED_OUT, problem={"type": "/problems/timed-out", "title": title, "detail": detail})


def _found_words(soft: int, bound: int | None) -> str:
    if bound == soft:
        return f"Generated; its cost of {soft} is proven to be the least."
    return f"Generated at a cost of {soft}." if bound is None else f"Generated at a cost of {soft}; at least {bound}."


def _moved_words(mended: Mended) -> str:
    moved = f"Moves {counted(len(mended.moved), 'lesson')}"
    if mended.status is Status.OPTIMAL:
        return f"{moved}, proven to be the fewest."
    return f"{moved}." if mended.bound is None else f"{moved}; fewer than {mended.bound} can't be."


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
