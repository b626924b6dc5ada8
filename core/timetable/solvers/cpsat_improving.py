"""Fix and optimise: most of a timetable stays as it is while CP-SAT finds the best for the rest, over and over."""

import time
from random import Random
from typing import Any

from ortools.sat.python import cp_model

from core.timetable.program import Assignment
from core.timetable.solvers.cpsat_logic import Values
from core.timetable.solvers.cpsat_model import Formulation
from core.timetable.solvers.cpsat_neighbourhoods import Freed, Neighbourhoods
from core.timetable.solvers.cpsat_run import CpSatRun
from core.timetable.solvers.port import Status

_NEIGHBOURHOOD: dict[str, Any] = {
    "linearization_level": 0,
    "num_workers": 1,
    "symmetry_level": 0,
    "cp_model_probing_level": 0,
    # About a second of a quiet core: what is not searched through by then was too large.
    "max_deterministic_time": 0.5,
}
_EASY_SHARE = 0.3


def start_from(run: CpSatRun, model: Formulation, hint: Assignment) -> None:
    """Take a whole hint as a run's best where the model, bound to it, finds it feasible; its rooms may differ."""
    chosen = model.complete(hint)
    for literal in model.choices():
        model.logic.domains.set(literal.index, (chosen[literal.index],) * 2)
    found = run.search(model, _NEIGHBOURHOOD, listen=False)
    for literal in model.choices():
        model.logic.domains.set(literal.index, (0, 1))
    if found.values is not None:
        run.keep(model, found.values)


class FixAndOptimise:
    """The loop over neighbourhoods of one model."""

    def __init__(self, run: CpSatRun, model: Formulation) -> None:
        assert run.best is not None  # noqa: S101 - only a timetable can be improved
        self._run = run
        self._model = model
        self._random = Random(run.budget.seed)  # noqa: S311 - nothing secret, and the same again with the same seed
        self._neighbourhoods = Neighbourhoods(run.program, model.starts.bundles, self._random)
        self._values = model.complete(run.best)
        self._cost = model.objective.of(self._values)

    def loop(self) -> Status:
        """Improve until the run is over, or all was free and searched through."""
        while not self._run.is_over():
            kind, freed = self._neighbourhoods.choose(self._model.costs.spots(self._values))
            before = time.process_time()
            status = self._solve(freed)
            if status == cp_model.OPTIMAL and self._neighbourhoods.is_everything(freed):
                return Status.OPTIMAL
            solved = status == cp_model.OPTIMAL
            self._neighbourhoods.learn(
                kind, was_easy=solved and time.process_time() - before < _EASY_SHARE, was_solved=solved
            )
        return self._run.ended()

    def _solve(self, freed: Freed) -> Any:
        self._free(freed)
        self._model.logic.hint(dict(enumerate(self._values)))
        seed = {"random_seed": self._random.randrange(2**31)}
        found = self._run.search(self._model, {**_NEIGHBOURHOOD, **seed}, listen=False)
        if found.values is not None:
            self._accept(found.values)
        return found.status

    def _accept(self, values: Values) -> None:
        """Go on from what is as good: a plateau is left by walking on it."""
        whole = self._model.complete(self._model.assignment(values))
        cost = self._model.objective.of(whole)
        if cost <= self._cost:
            self._values, self._cost = whole, cost
            self._run.keep(self._model, whole)

    def _free(self, freed: Freed) -> None:
        day_of = self._run.program.day_of
        for bundle, at in enumerate(self._model.starts.at):
            for start, literal in at.items() if not self._model.starts.is_settled(bundle) else ():
                value = self._values[literal.index]
                is_free = bundle in freed.bundles and (freed.days is None or day_of[start] in freed.days)
                self._model.logic.domains.set(literal.index, (0, 1) if is_free else (value, value))
