"""Why there is no timetable: the rules that conflict, and no other."""

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from core.timetable.explaining import Explanation, explain
from core.timetable.lowering import lower
from core.timetable.model import Problem
from core.timetable.rules.base import Rule
from core.timetable.rules.order import Order
from core.timetable.rules.periods_a_day import PeriodsADay
from core.timetable.rules.selecting import EVERY, Lessons, People
from core.timetable.solvers.cpsat import CpSatFeasibility
from core.timetable.solvers.port import Budget, Status, unheard
from tests.factories.small_problems import small_problem
from tests.factories.tiny_school import SCHOOL, lesson

BUDGET = Budget(seconds=20)


def order(first: str, second: str) -> Order:
    """Return that one lesson comes before another."""
    return Order(first=Lessons(lessons=(first,)), second=Lessons(lessons=(second,)))


def school(*rules: Rule) -> Problem:
    """Return a school of three lessons with these rules."""
    return SCHOOL.model_copy(update={"lessons": tuple(lesson(name) for name in "abc"), "rules": rules})


def test_cycle_of_orders_is_the_conflict() -> None:
    """Three lessons in a circle conflict, and the rule beside them has no part in it."""
    bystander = PeriodsADay(people=People(teachers=EVERY), most=3)
    found = explain(school(order("a", "b"), bystander, order("b", "c"), order("c", "a")), BUDGET)
    assert (found.status, found.is_minimal) == (Status.INFEASIBLE, True)
    assert [reason.rule for reason in found.conflict] == [0, 2, 3]
    assert "ends before any block" in found.conflict[0].sentence


def test_absences_and_clashes_are_named() -> None:
    """A lesson that has to wait for one on the last day its teacher is there names the absence."""
    away = SCHOOL.teachers[0].model_copy(update={"unavailable": frozenset(range(2, 8))})
    problem = school(
        order("a", "b"), Order(first=Lessons(lessons=("a",)), second=Lessons(lessons=("b",)), between=1)
    ).model_copy(update={"teachers": (away, SCHOOL.teachers[1]), "lessons": (lesson("a"), lesson("b", "Biology"))})
    found = explain(problem, BUDGET)
    assert "Mrs Bello is away at times." in [reason.sentence for reason in found.conflict]
    assert [reason.rule for reason in found.conflict if reason.rule is not None] == [1]


def test_feasible_infeasible_timed_out_and_cancelled_are_different_answers() -> None:
    """Each end has its own status."""
    assert explain(school(order("a", "b")), BUDGET) == Explanation(status=Status.FEASIBLE)
    assert explain(school(), Budget(seconds=0)).status is Status.TIMED_OUT
    assert explain(school(), BUDGET, stopped=lambda: True).status is Status.CANCELLED


def test_counting_comes_first() -> None:
    """What counting proves needs no search."""
    many = tuple(lesson(f"l{i}") for i in range(9))
    found = explain(SCHOOL.model_copy(update={"lessons": many}), BUDGET)
    assert (found.status, found.conflict) == (Status.INFEASIBLE, ())
    assert "9 periods" in found.findings[0].sentence


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_rules_of_a_conflict_leave_no_timetable(seed: int) -> None:
    """The rules that are named are infeasible by themselves, beside those that tie lessons to one start."""
    problem = small_problem(Random(seed), rules=4)
    found = explain(problem, BUDGET)
    if found.status is Status.INFEASIBLE and not found.findings:
        assert found.is_minimal
        assert _status(problem, [reason.rule for reason in found.conflict if reason.rule is not None]) == found.status


def _is_tied(problem: Problem, rule: int) -> bool:
    return any(problem.rules[rule].links(problem))


def _status(problem: Problem, rules: list[int]) -> Status:
    tying = [i for i in range(len(problem.rules)) if problem.rules[i].hard and _is_tied(problem, i)]
    kept = tuple(problem.rules[i] for i in sorted({*rules, *tying}))
    program = lower(problem.model_copy(update={"rules": kept}))
    return CpSatFeasibility().solve(program, BUDGET, report=unheard, stopped=lambda: False).status
