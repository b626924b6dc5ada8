"""One search by CP-SAT that can be watched and stopped."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from math import ceil
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

from ortools.sat.python import cp_model

from core.timetable.solvers.cpsat_logic import Values
from core.timetable.solvers.port import Stopped

_POLL_S = 0.01
"""How often the search is looked after; it may be asked to stop at this rate."""


@dataclass(frozen=True, slots=True)
class News:
    """Something a running search found."""

    values: Values | None = None
    bound: int | None = None


@dataclass(slots=True)
class Found:
    """What a search ended with."""

    status: Any = cp_model.UNKNOWN
    values: Values | None = None
    objective: int | None = None
    bound: int | None = None
    conflicts: int = 0
    was_stopped: bool = False
    core: list[int] = field(default_factory=list)
    """Where assumptions can't hold together: the indices of some that can't."""


class _Listener(cp_model.CpSolverSolutionCallback):
    def __init__(self, news: SimpleQueue[News]) -> None:
        super().__init__()
        self._news = news

    def on_solution_callback(self) -> None:
        response = self.response_proto
        self._news.put(News(values=list(response.solution), bound=_whole(response.best_objective_bound)))


class Search:
    """A run of CP-SAT over a model. ``stop_search`` before the search proper is lost, so it is said until it ends."""

    def __init__(self, model: cp_model.CpModel, parameters: dict[str, Any], seconds: float) -> None:
        self._model = model
        self._solver = cp_model.CpSolver()
        self._news: SimpleQueue[News] = SimpleQueue()
        self._ends_at = time.monotonic() + seconds
        for name, value in {**parameters, "max_time_in_seconds": max(seconds, 0.01)}.items():
            _set(self._solver.parameters, name, value)
        self._solver.best_bound_callback = lambda bound: self._news.put(News(bound=_whole(bound)))

    def run(self, stopped: Stopped, hear: Callable[[News], None] | None = None) -> Found:
        """Search to the end; tell each find in the caller's thread."""
        thread = Thread(target=self._solve, daemon=True)
        thread.start()
        was_stopped = False
        while thread.is_alive():
            was_stopped = was_stopped or stopped()
            if was_stopped or time.monotonic() > self._ends_at:
                self._solver.stop_search()
            thread.join(_POLL_S)
            for news in self._heard():
                if hear is not None:
                    hear(news)
        found = self._found()
        found.was_stopped = was_stopped
        return found

    def _solve(self) -> None:
        self._solver.solve(self._model, _Listener(self._news))

    def _heard(self) -> Iterator[News]:
        try:
            while True:
                yield self._news.get_nowait()
        except Empty:
            return

    def _found(self) -> Found:
        response = self._solver.response_proto
        has_values = response.status in (cp_model.OPTIMAL, cp_model.FEASIBLE)
        return Found(
            status=response.status,
            values=list(response.solution) if has_values else None,
            objective=round(response.objective_value) if has_values else None,
            bound=_whole(response.best_objective_bound),
            conflicts=response.num_conflicts,
            core=list(response.sufficient_assumptions_for_infeasibility),
        )


def _whole(bound: float) -> int | None:
    """Return a bound on whole costs as one; CP-SAT's first is minus infinity."""
    return ceil(bound - 1e-6) if abs(bound) < 1e15 else None


def _set(parameters: Any, name: str, value: Any) -> None:
    if isinstance(value, (list, tuple)):
        getattr(parameters, name).extend(value)
    else:
        setattr(parameters, name, value)
