"""Each rule in the smallest school in which it can be kept and broken, with costs worked out by hand.

Monday is slots 0 to 3 and Tuesday 4 to 7, with a break after each day's second period.
"""

import pytest

from core.timetable.checker import validate
from core.timetable.lowering import assignment_of, lower
from core.timetable.rules.registry import RULES
from tests.factories.more_rule_cases import MORE_CASES
from tests.factories.point_rules import POINT_RULES
from tests.factories.program_cost import cost
from tests.factories.rule_cases import FIRST_CASES, Case
from tests.factories.tiny_school import rule, school, timetable

CASES = (*FIRST_CASES, *MORE_CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.kind)
def test_kept_rule_costs_nothing(case: Case) -> None:
    """A timetable that keeps the rule has no violation, to the checker and to solvers."""
    problem = school(*case.lessons, rules=(rule(case.kind, **case.parameters),))
    kept = timetable(**case.kept)
    assert validate(problem, kept, complete=True).violations == ()
    program = lower(problem)
    assert cost(program, assignment_of(problem, program, kept)) == (0, 0)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.kind)
def test_broken_soft_rule_costs_its_weight_a_deviation(case: Case) -> None:
    """A timetable that breaks the rule alone costs what was worked out by hand, and says why."""
    problem = school(*case.lessons, rules=(rule(case.kind, **case.parameters, hard=False, weight=10, cost="linear"),))
    broken = timetable(**case.broken)
    verdict = validate(problem, broken, complete=True)
    assert (verdict.valid, verdict.hard, verdict.soft) == (True, 0, 10 * case.deviation)
    assert verdict.violations[0].sentence == case.sentence
    program = lower(problem)
    assert cost(program, assignment_of(problem, program, broken)) == (0, 10 * case.deviation)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.kind)
def test_broken_hard_rule_makes_a_timetable_invalid(case: Case) -> None:
    """The same breach of the same rule as a law makes the timetable invalid, by that rule alone."""
    problem = school(*case.lessons, rules=(rule(case.kind, **case.parameters),))
    verdict = validate(problem, timetable(**case.broken))
    assert not verdict.valid
    assert {violation.rule for violation in verdict.violations} == {case.kind}
    if case.kind != "same_start":  # lessons that are tied to one start have no assignment with two
        program = lower(problem)
        assert cost(program, assignment_of(problem, program, timetable(**case.broken)))[0] > 0


def test_every_rule_has_a_case() -> None:
    """No rule is without its smallest school; those of points have theirs in ``test_timetable_point_rules``."""
    assert {case.kind for case in CASES} | POINT_RULES.keys() == RULES.keys()
