"""The two faces of each rule, held to each other: what the checker says and what the solvers are given."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.timetable.checker import score, validate
from core.timetable.lowering import assignment_of, lower, timetable_of
from core.timetable.rules.registry import RULES
from tests.factories.program_cost import cost, faults, rules_cost
from tests.factories.small_problems import random_assignment, random_timetable, small_problem

SEEDS = st.integers(0, 2**32)
CLASHES = {"no_overlap", "one_at_a_time", "one_run_a_day"}
"""Clashes to solvers where they are hard, and what a clash costs is nobody's promise."""


@pytest.mark.parametrize("kind", sorted(RULES))
@settings(max_examples=60, deadline=None)
@given(seed=SEEDS)
def test_rule_costs_a_solver_what_it_costs_the_checker(kind: str, seed: int) -> None:
    """Where each block has a start and rooms that it may have, a rule's hard and soft cost are the same to both."""
    random = Random(seed)
    problem = small_problem(random, rules=2, kinds=[kind])
    program = lower(problem)
    assignment = random_assignment(random, program)
    verdict = validate(problem, timetable_of(problem, program, assignment), complete=True)
    hard, soft = rules_cost(program, assignment)
    if all(block.starts and all(block.needs) for block in program.blocks):
        of_rules = [violation for violation in verdict.violations if violation.rule in RULES]
        assert soft == verdict.soft
        if kind not in CLASHES:
            assert hard == sum(violation.cost for violation in of_rules if violation.hard)
    else:
        assert not verdict.valid


@settings(max_examples=400, deadline=None)
@given(seed=SEEDS, anywhere=st.booleans())
def test_what_is_feasible_to_a_solver_is_valid(seed: int, anywhere: bool) -> None:
    """An assignment costs nothing hard exactly where the checker finds no law broken, wherever the blocks are."""
    random = Random(seed)
    problem = small_problem(random, rules=random.randint(0, 3))
    program = lower(problem)
    assignment = random_assignment(random, program, anywhere=anywhere)
    verdict = validate(problem, timetable_of(problem, program, assignment), complete=True)
    hard, soft = cost(program, assignment)
    assert verdict.valid == (hard == 0)
    if faults(program, assignment) == 0:
        assert score(problem, timetable_of(problem, program, assignment)) == (hard, soft)


@settings(max_examples=100, deadline=None)
@given(seed=SEEDS)
def test_assignment_and_timetable_are_one(seed: int) -> None:
    """An assignment comes back from the timetable that it is."""
    random = Random(seed)
    problem = small_problem(random, rules=2)
    program = lower(problem)
    assignment = random_assignment(random, program)
    assert assignment_of(problem, program, timetable_of(problem, program, assignment)) == assignment


@settings(max_examples=200, deadline=None)
@given(seed=SEEDS)
def test_partial_timetable_is_judged_by_what_is_placed(seed: int) -> None:
    """Taking a lesson away never makes a valid timetable invalid, but for the rule that lessons lack their places."""
    random = Random(seed)
    problem = small_problem(random, rules=3)
    timetable = random_timetable(random, problem)
    verdict = validate(problem, timetable)
    fewer = timetable.model_copy(update={"placements": timetable.placements[1:]})
    assert validate(problem, fewer).valid or not verdict.valid
    assert all(violation.sentence.endswith(".") for violation in verdict.violations)
    assert all(violation.cost > 0 for violation in verdict.violations)
