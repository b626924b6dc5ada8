"""Which solvers race on so many cores, and the judge that accepts their results."""

from dataclasses import replace

from core.timetable.checker import validate
from core.timetable.lowering import timetable_of
from core.timetable.model import Problem
from core.timetable.program import Assignment, Program
from core.timetable.race_result import Judge, Lineup, Score
from core.timetable.racers import Racer

_MANY = 4
"""Cores enough to start everything at once."""
_SOLVERS = "core.timetable.solvers"
EJECTION = Racer(name="ejection chain", solver=f"{_SOLVERS}.native:EjectionChain")
ANNEALING = Racer(name="annealing", solver=f"{_SOLVERS}.native:Annealing")
CP_SAT = Racer(name="cp-sat", solver=f"{_SOLVERS}.cpsat:CpSat", exact=True)
PROOF = Racer(name="cp-sat proof", solver=f"{_SOLVERS}.cpsat:CpSatProof", exact=True, once=True)
NEIGHBOURHOODS = Racer(name="fix and optimise", solver=f"{_SOLVERS}.cpsat:CpSatNeighbourhoods", exact=True)
MRV = Racer(name="mrv", solver=f"{_SOLVERS}.mrv:Mrv", exact=True)
"""Restarts of one solver with different seeds race as racers of their own: ``_seeded``."""


def lineup(cores: int) -> Lineup:
    """Return who races on so many cores: on two, a constructor beside CP-SAT, then annealing beside CP-SAT.

    With more, one exact racer takes a thread of every three, the others are seeds of the heuristics. When the proof
    has had its share of the time, those who improve part by part get its places, as they get that of who lies behind.
    """
    threads = max(1, cores // 3)
    seeds = max(1, cores - threads - 1)
    pairs = zip(_seeded(ANNEALING, seeds // 2), _seeded(NEIGHBOURHOODS, seeds // 2), strict=True)
    later = _seeded(NEIGHBOURHOODS, seeds // 2 + threads)[seeds // 2 :]
    return Lineup(
        finders=(EJECTION, _threaded(CP_SAT, threads), MRV, *_seeded(EJECTION, seeds - 1)),
        improvers=(
            ANNEALING,
            _threaded(PROOF, threads),
            NEIGHBOURHOODS,
            *(racer for pair in pairs for racer in pair),
            *later,
        ),
    )


def warm_on(cores: int) -> tuple[str, ...]:
    """Return the solvers whose processes are worth starting before the problem is read.

    On few cores the constructor alone: it has most often found a timetable before CP-SAT has loaded, which would keep
    this process from reading meanwhile.
    """
    return tuple(racer.solver for racer in lineup(cores).finders[: 1 if cores < _MANY else 2])


def judge_of(problem: Problem, program: Program) -> Judge:
    """Return the independent checker as the race asks it."""

    def judge(assignment: Assignment) -> Score:
        verdict = validate(problem, timetable_of(problem, program, assignment), complete=True)
        hard = tuple(violation.sentence for violation in verdict.violations if violation.hard)
        return Score(verdict.hard, verdict.soft, hard)

    return judge


def _threaded(racer: Racer, threads: int) -> Racer:
    return replace(racer, workers=threads)


def _seeded(racer: Racer, count: int) -> tuple[Racer, ...]:
    """Return more racers of one solver; each run has a seed of its own."""
    return tuple(replace(racer, name=f"{racer.name} {i + 2}") for i in range(count))
