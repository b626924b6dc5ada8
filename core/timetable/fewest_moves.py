"""Finds a timetable that few lessons have to leave their places for, and proves that fewer can't, side by side.

From above: ejection chains from the old timetable, the best of many, made better part by part. From below, in a thread
of its own: CP-SAT's cores, which raise the bound from 0 and find no timetable before they meet the fewest moves. So
there is a timetable soon, and where the time is too short for the proof, it comes with what was proven by then.
"""

import time
from dataclasses import replace
from threading import Event, Thread
from typing import Any

from core.timetable.program import Assignment, Program
from core.timetable.solvers.cpsat import CpSatFeasibility
from core.timetable.solvers.cpsat_improving import FixAndOptimise
from core.timetable.solvers.cpsat_model import BuildingStopped
from core.timetable.solvers.cpsat_run import CpSatRun
from core.timetable.solvers.kernels import are_compiled
from core.timetable.solvers.port import Budget, Report, Status, Stopped, unheard

_FROM_BELOW: dict[str, Any] = {
    "linearization_level": 0,
    # Few of many lessons move, so the bound is raised from below: cores prove 8 moves where others find no timetable.
    "num_workers": 1,
    "optimize_with_core": True,
}
_CHAINS = 24
_CHAINS_SHARE = 0.1
"""Of the time. A chain takes a twentieth of a second in a school of 20 classes; the best of many moves half as much."""
_WAIT_S = 0.02


class FewestMoves:
    """The search in a program whose only soft cost is that of lessons that move."""

    def __init__(self, program: Program, before: Assignment, budget: Budget, report: Report, stopped: Stopped) -> None:
        self._before = before
        self._told_to_stop = stopped
        self._proof = _Proof(program, before, budget)
        self.run = CpSatRun("repair", program, budget, report, self._is_over)
        """The best so far and its bound."""

    def search(self) -> Status:
        """Search until the fewest moves are proven, stopped or out of time."""
        self._proof.start()
        try:
            status = self._from_above()
            while not self.run.is_over() and status is not Status.OPTIMAL:
                self._proof.wait(_WAIT_S)
        except BuildingStopped:
            status = self.run.ended()
        finally:
            self._proof.stop()
        return self._concluded(status)

    def _from_above(self) -> Status:
        draft = self._draft()
        if draft is None:
            return Status.TIMED_OUT
        model = self.run.formulate(soft=True)
        self.run.keep(model, model.complete(draft))
        return FixAndOptimise(self.run, model).loop()

    def _draft(self) -> Assignment | None:
        """Return any timetable that moves not too many lessons."""
        drafts = self._chained() if are_compiled() else []
        if drafts:
            return min(drafts, key=self._moves)
        left = replace(self.run.budget, seconds=self.run.left_s, workers=1)
        solver = CpSatFeasibility()
        return solver.solve(self.run.program, left, report=unheard, stopped=self.run.is_over, hint=self._before).best

    def _chained(self) -> list[Assignment]:
        from core.timetable.solvers.native import EjectionChain  # noqa: PLC0415 - loads the kernels

        ends_at = time.monotonic() + self.run.left_s * _CHAINS_SHARE
        found: list[Assignment] = []
        for seed in range(_CHAINS):
            left_s = ends_at - time.monotonic()
            if left_s <= 0 or self.run.is_over():
                break
            budget = replace(self.run.budget, seconds=left_s, seed=self.run.budget.seed + seed, feasibility_only=True)
            outcome = EjectionChain().solve(
                self.run.program, budget, report=unheard, stopped=self.run.is_over, hint=self._before
            )
            found += [] if outcome.best is None else [outcome.best]
        return found

    def _moves(self, draft: Assignment) -> int:
        placed = zip(self.run.program.blocks, draft.starts, strict=True)
        return sum(block.start_cost.get(start, 0) for block, start in placed)

    def _is_over(self) -> bool:
        """Tell whether to end: both sides have met, or one of them has nothing left to do."""
        self.run.raise_bound(self._proof.run.bound)
        met = self.run.soft is not None and self.run.soft <= (self.run.bound or 0)
        return met or self._proof.is_settled or self._told_to_stop()

    def _concluded(self, status: Status) -> Status:
        run, proof = self.run, self._proof.run
        if proof.best is not None and (run.soft is None or (proof.soft or 0) < run.soft):
            run.best, run.soft = proof.best, proof.soft
        run.raise_bound(proof.bound)
        if Status.INFEASIBLE in {self._proof.status, status} and run.best is None:
            return Status.INFEASIBLE
        if run.best is None:
            return Status.CANCELLED if self._told_to_stop() else Status.TIMED_OUT
        is_proven = Status.OPTIMAL in {self._proof.status, status} or (run.soft or 0) <= (run.bound or 0)
        return Status.OPTIMAL if is_proven else Status.FEASIBLE


class _Proof:
    """The search from below, in a thread: CP-SAT lets go of Python while it searches."""

    def __init__(self, program: Program, before: Assignment, budget: Budget) -> None:
        self._over = Event()
        self._before = before
        self._thread = Thread(target=self._prove, daemon=True)
        self.run = CpSatRun("proof", program, replace(budget, workers=1), unheard, self._over.is_set)
        self.status: Status | None = None

    @property
    def is_settled(self) -> bool:
        """Tell whether it has said the last word."""
        return self.status in {Status.OPTIMAL, Status.INFEASIBLE}

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def wait(self, seconds: float) -> None:
        """Wait for its end so long."""
        self._thread.join(seconds)

    def stop(self) -> None:
        """End it."""
        self._over.set()
        self._thread.join()

    def _prove(self) -> None:
        try:
            model = self.run.formulate(soft=True)
            model.hint(self._before)
            self.status = self.run.settle(model, _FROM_BELOW)
        except BuildingStopped:
            self.status = self.run.ended()
