"""One run of a CP-SAT solver: what it has found so far, and what it tells."""

import time
from dataclasses import dataclass, field
from typing import Any

from ortools.sat.python import cp_model

from core.timetable.program import Assignment, Program
from core.timetable.solvers.cpsat_logic import Values
from core.timetable.solvers.cpsat_model import Formulation, Scope
from core.timetable.solvers.cpsat_search import Found, News, Search
from core.timetable.solvers.port import Budget, Outcome, Progress, Report, Status, Stopped


@dataclass(slots=True)
class CpSatRun:
    """The state of a run."""

    name: str
    program: Program
    budget: Budget
    report: Report
    stopped: Stopped
    best: Assignment | None = None
    soft: int | None = None
    bound: int | None = None
    attempts: int = 0
    began_s: float = field(default_factory=time.monotonic)
    cpu_began_s: float = field(default_factory=time.process_time)

    @property
    def elapsed_s(self) -> float:
        """Wall time since the start."""
        return time.monotonic() - self.began_s

    @property
    def left_s(self) -> float:
        """Wall time that is left."""
        return self.budget.seconds - self.elapsed_s

    def is_over(self) -> bool:
        """Tell whether to end now."""
        return self.left_s <= 0 or self.stopped()

    def formulate(self, *, soft: bool) -> Formulation:
        """Write the model; raises ``BuildingStopped`` where the run is over before."""
        return Formulation(self.program, Scope(soft=soft), self.is_over)

    def search(
        self, model: Formulation, parameters: dict[str, Any], seconds: float | None = None, *, listen: bool = True
    ) -> Found:
        """Search a model, telling what is found where one listens: of a neighbourhood, the bound says nothing."""
        settings = {"num_workers": self.budget.workers, "random_seed": self.budget.seed % 2**31, **parameters}
        search = Search(model.logic.model, settings, min(self.left_s, seconds or self.left_s))
        found = search.run(self.stopped, lambda news: self._hear(model, news) if listen else None)
        self.attempts += found.conflicts
        return found

    def settle(self, model: Formulation, parameters: dict[str, Any], seconds: float | None = None) -> Status:
        """Search everything; return how that ended."""
        found = self.search(model, parameters, seconds)
        if found.status == cp_model.INFEASIBLE:
            return Status.INFEASIBLE
        self.raise_bound(found.bound)
        if found.values is not None:
            self.keep(model, found.values)
        return Status.OPTIMAL if found.status == cp_model.OPTIMAL else self.ended()

    def keep(self, model: Formulation, values: Values) -> bool:
        """Take a solution where it is better than the best, and tell it."""
        assignment = model.assignment(values)
        soft = model.reckon(assignment) if model.scope.soft else None
        if self.best is not None and (soft is None or (self.soft is not None and soft >= self.soft)):
            return False
        self.best, self.soft = assignment, soft
        self._tell(self.best)
        return True

    def raise_bound(self, bound: int | None) -> None:
        """Take a bound where it is better, and tell it."""
        if bound is not None and bound > max(self.bound or 0, 0):
            self.bound = bound
            self._tell(None)

    def ended(self) -> Status:
        """Return how a run ended that came to no proof."""
        if self.best is not None:
            return Status.FEASIBLE
        return Status.CANCELLED if self.stopped() else Status.TIMED_OUT

    def outcome(self, status: Status) -> Outcome:
        """Return how the run ended."""
        if status is Status.OPTIMAL:
            self.bound = self.soft
        return Outcome(
            solver=self.name,
            status=status,
            best=self.best,
            soft=self.soft,
            bound=self.bound if status is not Status.INFEASIBLE else None,
            attempts=self.attempts,
            cpu_s=time.process_time() - self.cpu_began_s,
        )

    def _hear(self, model: Formulation, news: News) -> None:
        if news.values is not None:
            self.keep(model, news.values)
        if model.scope.soft:
            self.raise_bound(news.bound)

    def _tell(self, best: Assignment | None) -> None:
        self.report(
            Progress(
                solver=self.name,
                attempts=self.attempts,
                elapsed_s=self.elapsed_s,
                best=best,
                soft=self.soft,
                bound=self.bound,
            )
        )
