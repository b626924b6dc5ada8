"""The independent checker: what is wrong with a timetable, who is concerned, when, and in words.

It knows nothing of how timetables are found, and nobody who finds one certifies it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from core.timetable.clashes import absences, clashes
from core.timetable.model import Problem, Timetable
from core.timetable.places import misplaced
from core.timetable.rules.base import Violation
from core.timetable.view import View


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the checker says of a timetable."""

    valid: bool
    """No law is broken."""
    hard: int
    soft: int
    violations: tuple[Violation, ...]
    """The hard ones first, then the dearest."""


def validate(problem: Problem, timetable: Timetable, *, complete: bool = False) -> Verdict:
    """Judge a timetable of a problem that ``check_problem`` finds nothing wrong with.

    A partial timetable is valid where what is placed breaks no law; with ``complete``, a lesson without a place or
    without its rooms breaks one too.
    """
    view = View(problem, timetable, complete=complete)
    violations = sorted(_violations(view, complete=complete), key=lambda v: (not v.hard, -v.cost))
    hard = sum(violation.cost for violation in violations if violation.hard)
    soft = sum(violation.cost for violation in violations if not violation.hard)
    return Verdict(hard == 0, hard, soft, tuple(violations))


def score(problem: Problem, timetable: Timetable) -> tuple[int, int]:
    """Return the (hard, soft) score of a timetable that has to be complete."""
    verdict = validate(problem, timetable, complete=True)
    return verdict.hard, verdict.soft


def _violations(view: View, *, complete: bool) -> Iterator[Violation]:
    by_law = view.problem.priced_by == "laws"
    yield from misplaced(view, complete=complete and by_law)
    if by_law:
        yield from clashes(view)
        yield from absences(view)
    for rule in view.problem.rules:
        yield from rule.check(view)
