"""Constraint programming with clause learning: Google OR-tools' CP-SAT over the program's model."""

from dataclasses import replace
from itertools import count
from typing import Any

from ortools.sat.python import cp_model

from core.timetable.program import Assignment, Program
from core.timetable.solvers.cpsat_costs import has_soft_pieces
from core.timetable.solvers.cpsat_improving import FixAndOptimise, start_from
from core.timetable.solvers.cpsat_model import BuildingStopped, Formulation
from core.timetable.solvers.cpsat_run import CpSatRun
from core.timetable.solvers.cpsat_search import Found
from core.timetable.solvers.port import Budget, Outcome, Report, Status, Stopped

_Kept = tuple[Program, Formulation]

FEASIBILITY: dict[str, Any] = {
    "linearization_level": 0,
    # What CP-SAT would add on two threads is local search, which finds nothing in a full school.
    "ignore_subsolvers": ["fj", "fs_random", "fs_random_quick_restart"],
}
_TURN = 4.0
"""Deterministic time, about seconds of a quiet core: a full school takes 3 or luckless minutes, as the seed falls."""
IMPROVING: dict[str, Any] = {"linearization_level": 0}
_PROVING: dict[str, Any] = {"linearization_level": 1, "optimize_with_core": True}
"""On one thread the whole search is there for its bound, which without linear relaxation stays at 0."""
_BOUND_SHARE, _BOUND_MOST_S = 0.2, 30.0
"""Of the time for improving, what goes to the search of everything: it proves bounds, and small schools optimal."""


class CpSat:
    """Finds a timetable in the model of the hard rules alone, then improves it in the model of all.

    Its word that there is no timetable, or no better one, is proof.
    """

    name = "cp-sat"

    def solve(
        self, program: Program, budget: Budget, *, report: Report, stopped: Stopped, hint: Assignment | None = None
    ) -> Outcome:
        """Search until optimal, infeasible, stopped or out of time. A whole hint is taken to be nearly feasible."""
        run = CpSatRun(self.name, program, budget, report, stopped)
        try:
            status = _find(run, hint)
            if status is Status.FEASIBLE and not budget.feasibility_only:
                status = improve(run)
        except BuildingStopped:
            status = run.ended()
        return run.outcome(status)


class CpSatFeasibility:
    """Finds a timetable that breaks no hard rule, or proves that there is none."""

    name = "cp-sat feasibility"

    def solve(
        self, program: Program, budget: Budget, *, report: Report, stopped: Stopped, hint: Assignment | None = None
    ) -> Outcome:
        """Search until feasible, infeasible, stopped or out of time."""
        outcome = CpSat().solve(
            program, replace(budget, feasibility_only=True), report=report, stopped=stopped, hint=hint
        )
        return replace(outcome, solver=self.name)


class CpSatProof:
    """Searches everything for a share of the time, for bounds and for the best timetables of small schools."""

    name = "cp-sat proof"

    def solve(
        self, program: Program, budget: Budget, *, report: Report, stopped: Stopped, hint: Assignment | None = None
    ) -> Outcome:
        """Search until optimal, infeasible, stopped or the share is over. ``hint`` says where to look first."""
        run = CpSatRun(self.name, program, budget, report, stopped)
        try:
            model = run.formulate(soft=True)
            if hint is not None:
                model.hint(hint)
            status = run.settle(model, _proving(run), _bound_s(run))
        except BuildingStopped:
            status = run.ended()
        return run.outcome(status)


class CpSatNeighbourhoods:
    """Improves a timetable part by part. Sent in again on the same program, it has its model still."""

    name = "fix and optimise"

    def __init__(self) -> None:
        self._kept: _Kept | None = None

    def solve(
        self, program: Program, budget: Budget, *, report: Report, stopped: Stopped, hint: Assignment | None = None
    ) -> Outcome:
        """Search until proven optimal, stopped or out of time, from the hint where that is feasible."""
        run = CpSatRun(self.name, program, budget, report, stopped)
        try:
            status = self._improve(run, hint)
        except BuildingStopped:
            status = run.ended()
        return run.outcome(status)

    def _improve(self, run: CpSatRun, hint: Assignment | None) -> Status:
        model = self._model(run)
        if hint is not None and model.is_whole(hint):
            start_from(run, model, hint)
        if run.best is None and (status := _find(run, hint)) is not Status.FEASIBLE:
            return status
        assert run.best is not None  # noqa: S101 - found, or the hint
        run.soft = model.reckon(run.best)
        return FixAndOptimise(run, model).loop()

    def _model(self, run: CpSatRun) -> Formulation:
        if self._kept is None or self._kept[0] is not run.program:
            self._kept = run.program, run.formulate(soft=True)
        return self._kept[1]


def _find(run: CpSatRun, hint: Assignment | None) -> Status:
    model = run.formulate(soft=False)
    if hint is not None:
        model.hint(hint)
    found = _found_in_turns(run, model)
    if found.status == cp_model.INFEASIBLE:
        return Status.INFEASIBLE
    if found.values is None:
        return run.ended()
    run.keep(model, found.values)
    if has_soft_pieces(run.program):
        return Status.FEASIBLE
    run.soft = 0
    return Status.OPTIMAL


def _found_in_turns(run: CpSatRun, model: Formulation) -> Found:
    """Search again from another seed after each turn, every second turn twice as long, so that a proof is in reach."""
    found = Found()
    for turn in count():
        more = {"random_seed": (run.budget.seed + turn) % 2**31, "max_deterministic_time": _TURN * 2 ** (turn // 2)}
        found = run.search(model, {**FEASIBILITY, **more})
        if found.values is not None or found.status == cp_model.INFEASIBLE or run.is_over():
            break
    return found


def improve(run: CpSatRun) -> Status:
    """Improve the best of a run until it is proven optimal or the run is over."""
    model = run.formulate(soft=True)
    if run.best is not None:
        run.soft = model.reckon(run.best)
        model.hint(run.best)
    found = run.search(model, _proving(run), _bound_s(run))
    run.raise_bound(found.bound)
    if found.values is not None:
        run.keep(model, found.values)
    if found.status == cp_model.OPTIMAL or run.best is None:
        return Status.OPTIMAL if found.status == cp_model.OPTIMAL else run.ended()
    return FixAndOptimise(run, model).loop()


def _proving(run: CpSatRun) -> dict[str, Any]:
    return _PROVING if run.budget.workers == 1 else IMPROVING


def _bound_s(run: CpSatRun) -> float:
    return min(_BOUND_MOST_S, run.left_s * _BOUND_SHARE)
