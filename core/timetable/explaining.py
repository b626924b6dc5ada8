"""Says why there is no timetable: what counting finds, or the smallest set of rules that can't hold together.

CP-SAT solves the hard rules with a literal for each rule, for each person's clashes and absences, for each lock and
each kind of room. Of those that it names as the cause, one after the other is left out: what is possible without it
needs it.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

from ortools.sat.python import cp_model

from core.timetable.findings import Finding
from core.timetable.lowering import lower
from core.timetable.model import Problem
from core.timetable.prechecking import precheck
from core.timetable.program import LOCKED, OVER_END, UNAVAILABLE, Program
from core.timetable.solvers.cpsat import CpSatFeasibility
from core.timetable.solvers.cpsat_logic import Literal, Logic
from core.timetable.solvers.cpsat_model import Formulation, Scope
from core.timetable.solvers.cpsat_search import Found, Search
from core.timetable.solvers.port import Budget, Status, Stopped, unheard

_QUICK_SHARE = 0.5
"""Of the time, what the search may take that only tells whether there is a timetable."""

Source = tuple[int, str]
"""(source as in ``program.py``, whom it is about)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One of the things that can't all hold."""

    rule: int | None
    """The rule's place in the problem's list; None for what always holds."""
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What an explanation came to."""

    status: Status
    """FEASIBLE: there is a timetable, so nothing to explain. INFEASIBLE, TIMED_OUT and CANCELLED are different."""
    findings: tuple[Finding, ...] = ()
    """What counting proves; then nothing was searched."""
    conflict: tuple[Reason, ...] = ()
    """These can't hold together."""
    is_minimal: bool = False
    """Proven: without any one of the conflict's reasons, the others can hold together."""


def explain(problem: Problem, budget: Budget, *, stopped: Stopped = lambda: False) -> Explanation:
    """Tell whether there is a timetable, and where there is none, why."""
    program = lower(problem)
    findings = precheck(problem, program)
    if findings:
        return Explanation(status=Status.INFEASIBLE, findings=findings)
    ends_at = time.monotonic() + budget.seconds
    quick = replace(budget, seconds=budget.seconds * _QUICK_SHARE)
    outcome = CpSatFeasibility().solve(program, quick, report=unheard, stopped=stopped)
    if outcome.best is not None:
        return Explanation(status=Status.FEASIBLE)
    if outcome.status is not Status.INFEASIBLE:
        return Explanation(status=outcome.status)
    return _Conflict(problem, program, budget, ends_at, stopped).smallest()


class _Conflict:
    """The model with a literal for each source, and the search for few that conflict."""

    def __init__(self, problem: Problem, program: Program, budget: Budget, ends_at: float, stopped: Stopped) -> None:
        self._problem = problem
        self._program = program
        self._seed = budget.seed % 2**31
        self._ends_at = ends_at
        self._stopped = stopped
        self._logic = Logic()
        self._literals: dict[Source, Literal] = {}
        self._model = Formulation(self._opened(), Scope(soft=False, guards=self._literal), logic=self._logic)
        for bundle, members in enumerate(self._model.starts.bundles.members):
            at = self._model.starts.at[bundle]
            for source, start in set(self._cuts(members[0])):
                if start in at:
                    self._logic.forbid(at[start], self._literal(*source))

    def _literal(self, source: int, whom: str) -> Literal:
        if (source, whom) not in self._literals:
            self._literals[source, whom] = self._logic.choice()
        return self._literals[source, whom]

    def _opened(self) -> Program:
        """Return the program without its cuts, but for the day's end."""
        every = range(self._program.slots)
        over = {(cut.block, start) for cut in self._program.cuts if cut.source == OVER_END for start in cut.starts}
        blocks = tuple(
            replace(block, starts=tuple(s for s in every if (b, s) not in over), start_cost={})
            for b, block in enumerate(self._program.blocks)
        )
        return replace(self._program, blocks=blocks)

    def _cuts(self, block: int) -> Iterator[tuple[Source, int]]:
        for cut in self._program.cuts:
            if cut.block != block or cut.source == OVER_END:
                continue
            if cut.source == UNAVAILABLE:
                yield from self._absences(block)
            else:
                yield from (((cut.source, self._whom(cut.source, block)), start) for start in cut.starts)

    def _whom(self, source: int, block: int) -> str:
        return self._problem.lessons[self._program.blocks[block].lessons[0]].id if source == LOCKED else ""

    def _absences(self, block: int) -> Iterator[tuple[Source, int]]:
        for lesson in (self._problem.lessons[i] for i in self._program.blocks[block].lessons):
            away = [(f"teacher:{t}", self._problem.teacher[t].unavailable) for t in lesson.teachers]
            away += [(f"group:{g}", self._problem.group[g].unavailable) for g in lesson.groups]
            for whom, slots in away:
                for start in {slot - k for slot in slots for k in range(lesson.duration)}:
                    yield (UNAVAILABLE, whom), start

    def smallest(self) -> Explanation:
        """Return the smallest conflict that is found in time."""
        found = self._search(list(self._literals))
        if found.status != cp_model.INFEASIBLE:
            return Explanation(status=Status.INFEASIBLE)
        tried, needed, is_minimal = self._core(found), list[Source](), True
        while tried:
            left_out = tried.pop()
            found = self._search([*needed, *tried])
            if found.status == cp_model.INFEASIBLE:
                core = set(self._core(found))
                tried = [source for source in tried if source in core]
                needed = [source for source in needed if source in core]
                continue
            is_minimal = is_minimal and found.values is not None
            needed.append(left_out)
        reasons = tuple(self._reason(source, whom) for source, whom in sorted(needed))
        return Explanation(status=Status.INFEASIBLE, conflict=reasons, is_minimal=is_minimal)

    def _search(self, sources: list[Source]) -> Found:
        left_s = self._ends_at - time.monotonic()
        if left_s <= 0 or self._stopped():
            return Found()
        model = self._logic.model
        model.clear_assumptions()
        model.add_assumptions([self._literals[source] for source in sources])
        settings = {"num_workers": 1, "linearization_level": 0, "random_seed": self._seed}
        return Search(model, settings, left_s).run(self._stopped)

    def _core(self, found: Found) -> list[Source]:
        named = set(found.core)
        return [source for source, literal in self._literals.items() if literal.index in named]

    def _reason(self, source: int, whom: str) -> Reason:
        if source >= 0:
            return Reason(rule=source, sentence=self._problem.rules[source].sentence(self._problem))
        return Reason(rule=None, sentence=self._always(source, whom))

    def _always(self, source: int, whom: str) -> str:
        kind, _, one = whom.partition(":")
        if kind == "rooms":
            return "There are no more rooms than there are, and some of them are closed at times."
        if source == LOCKED:
            return f"Lesson {whom} is locked to its time."
        person = self._problem.teacher.get(one) if kind == "teacher" else self._problem.group.get(one)
        who = person.name if person is not None else "Somebody"
        return f"{who} is away at times." if source == UNAVAILABLE else f"{who} can't be in two lessons at once."
