"""Each rule in the smallest school in which it can be kept and broken, with costs worked out by hand.

Monday is slots 0 to 3 and Tuesday 4 to 7, with a break after each day's second period.
"""

from dataclasses import dataclass, field
from typing import Any

import pytest

from core.timetable.checker import validate
from core.timetable.lowering import assignment_of, lower
from core.timetable.model import Lesson
from core.timetable.rules.registry import RULES
from tests.factories.point_rules import POINT_RULES
from tests.factories.program_cost import cost
from tests.factories.tiny_school import in_rooms, lesson, rule, school, timetable

Places = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """A rule, the lessons it meets, where it is kept, where it is broken, how dearly, and in which words."""

    kind: str
    lessons: tuple[Lesson, ...]
    kept: Places
    broken: Places
    deviation: int
    sentence: str
    parameters: dict[str, Any] = field(default_factory=dict)


BELLO = {"people": {"teachers": ["bello"]}}
RUBY = {"people": {"groups": ["ruby"]}}
TWO = (lesson("a"), lesson("b"))
THREE = (*TWO, lesson("c"))
DOUBLE = lesson("d", "Biology", duration=2)
PE = lesson("p", "PE", teachers=())
FRENCH = lesson("f", "French", groups=("french",))
IGBO = lesson("i", "Igbo", groups=("igbo",), teachers=("okafor",))
LAB_OR_HALL = in_rooms("lab", "hall")

CASES = (
    Case(
        "one_block_a_day",
        TWO,
        kept={"a": 0, "b": 4},
        broken={"a": 0, "b": 2},
        deviation=1,
        sentence="JSS 1 Ruby Mathematics has 2 blocks on Monday; at most 1 may be.",
    ),
    Case(
        "one_block_a_day",
        (lesson("a", course="x"), lesson("b", course="y")),
        kept={"a": 0, "b": 4},
        broken={"a": 0, "b": 2},
        deviation=1,
        sentence="JSS 1 Ruby Mathematics has 2 blocks on Monday; at most 1 may be.",
        parameters={"by": "subject_and_group"},
    ),
    Case(
        "days_apart",
        TWO,
        kept={"a": 3, "b": 4},
        broken={"a": 0, "b": 3},
        deviation=1,
        sentence="JSS 1 Ruby Mathematics comes twice on Monday; its days should be at least 1 day apart.",
    ),
    Case(
        "blocks_within_breaks",
        (DOUBLE,),
        kept={"d": 2},
        broken={"d": 1},
        deviation=1,
        sentence="JSS 1 Ruby Biology runs across a break on Monday, period 2.",
    ),
    Case(
        "periods_a_day",
        THREE,
        kept={"a": 0, "b": 1, "c": 4},
        broken={"a": 0, "b": 1, "c": 2},
        deviation=1,
        sentence="Mrs Bello has 3 periods on Monday; at most 2 may be.",
        parameters={**BELLO, "most": 2},
    ),
    Case(
        "periods_a_day",
        THREE,
        kept={"a": 0, "b": 1, "c": 3},
        broken={"a": 0, "b": 1, "c": 4},
        deviation=1,
        sentence="Mrs Bello has 1 period on Tuesday; at least 2 should be.",
        parameters={**BELLO, "least": 2},
    ),
    Case(
        "periods_in_a_row",
        THREE,
        kept={"a": 1, "b": 2, "c": 4},
        broken={"a": 4, "b": 5, "c": 6},
        deviation=1,
        sentence="Mrs Bello has 2 periods in a row from Tuesday, period 1; at most 1 may be.",
        parameters={**BELLO, "most": 1},
    ),
    Case(
        "working_days",
        TWO,
        kept={"a": 0, "b": 3},
        broken={"a": 0, "b": 4},
        deviation=1,
        sentence="Mrs Bello has lessons on 2 days (Monday, Tuesday); at most 1 may be.",
        parameters={**BELLO, "most": 1},
    ),
    Case(
        "gaps",
        TWO,
        kept={"a": 2, "b": 3},
        broken={"a": 0, "b": 3},
        deviation=2,
        sentence="Mrs Bello has 2 free periods between lessons on Monday; at most 0 may be.",
    ),
    Case(
        "gaps",
        THREE,
        kept={"a": 0, "b": 2, "c": 4},
        broken={"a": 0, "b": 3, "c": 4},
        deviation=1,
        sentence="Mrs Bello has 2 free periods between lessons in the week; at most 1 may be.",
        parameters={"most": 1, "each": "week"},
    ),
    Case(
        "gaps",
        TWO,
        kept={"a": 4, "b": 7},
        broken={"a": 0, "b": 2},
        deviation=1,
        sentence="Mrs Bello has 1 free period between lessons on Monday; at most 0 may be.",
        parameters={"days": [0], "overAbsence": False},
    ),
    Case(
        "order_on_day",
        (lesson("a"), PE),
        kept={"a": 1, "p": 4},
        broken={"a": 3, "p": 0},
        deviation=1,
        sentence="JSS 1 Ruby Mathematics on Monday, period 4 should come before JSS 1 Ruby PE on Monday, period 1 of "
        "that day.",
        parameters={"first": {}, "second": {"subjects": ["PE"]}, "whoShare": True},
    ),
    Case(
        "adjacent_on_day",
        TWO,
        kept={"a": 1, "b": 0},
        broken={"a": 0, "b": 3},
        deviation=1,
        sentence="JSS 1 Ruby Mathematics and JSS 1 Ruby Mathematics are both on Monday and don't follow one another.",
    ),
    Case(
        "no_lone_period",
        THREE,
        kept={"a": 0, "b": 1, "c": 2},
        broken={"a": 0, "b": 1, "c": 6},
        deviation=1,
        sentence="Mrs Bello has 1 period alone on Tuesday; each should have a neighbour.",
        parameters=BELLO,
    ),
    Case(
        "apart_on_day",
        TWO,
        kept={"a": 0, "b": 2},
        broken={"a": 1, "b": 2},
        deviation=1,
        sentence="JSS 1 Ruby Mathematics and JSS 1 Ruby Mathematics are both on Monday, with less than 1 period "
        "between.",
        parameters={"lessons": {}},
    ),
    Case(
        "days_within",
        TWO,
        kept={"a": 0, "b": 2},
        broken={"a": 0, "b": 4},
        deviation=1,
        sentence="JSS 1 Ruby Mathematics and what belongs to it are on Monday and Tuesday, more than no days apart.",
        parameters={"lessons": {}, "atMost": 0},
    ),
    Case(
        "not_together",
        (FRENCH, IGBO),
        kept={"f": 0, "i": 1},
        broken={"f": 0, "i": 0},
        deviation=1,
        sentence="JSS 1 Ruby (French) French and JSS 1 Ruby (Igbo) Igbo should not be at the same time, and are for "
        "1 period from Monday, period 1.",
        parameters={"first": {"subjects": ["French"]}, "second": {"subjects": ["Igbo"]}},
    ),
    Case(
        "preferred_starts",
        TWO,
        kept={"a": 0, "b": 4},
        broken={"a": 0, "b": 1},
        deviation=1,
        sentence="JSS 1 Ruby Mathematics starts on Monday, period 2, which is none of its times.",
        parameters={"lessons": {}, "slots": [0, 4]},
    ),
    Case(
        "begins_early",
        TWO,
        kept={"a": 0, "b": 5},
        broken={"a": 0, "b": 6},
        deviation=1,
        sentence="JSS 1 Ruby begins too late before Tuesday, period 3.",
        parameters={**RUBY, "most": 1},
    ),
    Case(
        "begins_early",
        TWO,
        kept={"a": 0, "b": 5},
        broken={"a": 1, "b": 5},
        deviation=1,
        sentence="JSS 1 Ruby begins 2 days of a week with the second period; at most 1 may be.",
        parameters={**RUBY, "most": 1},
    ),
    Case(
        "occupancy",
        THREE,
        kept={"a": 0, "b": 1, "c": 4},
        broken={"a": 0, "b": 1, "c": 2},
        deviation=1,
        sentence="JSS 1 Ruby Mathematics and 2 other lessons take 3 periods from Monday, period 1; at most 2 may be.",
        parameters={"windows": [[0, 1, 2, 3]], "most": 2},
    ),
    Case(
        "occupancy",
        THREE,
        kept={"a": 0, "b": 1, "c": 2},
        broken={"a": 0, "b": 1, "c": 5},
        deviation=1,
        sentence="JSS 1 Ruby Mathematics and 2 other lessons take 2 parts from Monday, period 1; at most 1 may be.",
        parameters={"windows": [[0, 1, 2, 3], [4, 5, 6, 7]], "most": 1, "what": "parts"},
    ),
    Case(
        "room_stability",
        (lesson("x", rooms=LAB_OR_HALL), lesson("y", "PE", rooms=LAB_OR_HALL)),
        kept={"x": (0, "lab"), "y": (1, "lab")},
        broken={"x": (0, "lab"), "y": (1, "hall")},
        deviation=1,
        sentence="JSS 1 Ruby Mathematics is in 2 rooms (Hall and Laboratory); at most 1 may be.",
        parameters={"by": "selection"},
    ),
    Case(
        "compact_day",
        TWO,
        kept={"a": 0, "b": 1},
        broken={"a": 2, "b": 3},
        deviation=2,
        sentence="JSS 1 Ruby has 2 free periods before the last lesson on Monday.",
        parameters=RUBY,
    ),
    Case(
        "compact_day",
        (*TWO, FRENCH),
        kept={"a": 0, "f": 1, "b": 2},
        broken={"a": 0, "f": 4, "b": 2},
        deviation=1,
        sentence="JSS 1 Ruby has 1 free period before the last lesson on Monday.",
        parameters=RUBY,
    ),
    Case(
        "same_start",
        (FRENCH, IGBO),
        kept={"f": 5, "i": 5},
        broken={"f": 5, "i": 6},
        deviation=1,
        sentence="JSS 1 Ruby (French) French on Tuesday, period 2 and JSS 1 Ruby (Igbo) Igbo on Tuesday, period 3 "
        "should start together.",
        parameters={"lessons": {"subjects": ["French", "Igbo"]}},
    ),
    Case(
        "same_day",
        TWO,
        kept={"a": 4, "b": 6},
        broken={"a": 0, "b": 6},
        deviation=1,
        sentence="JSS 1 Ruby Mathematics should be on one day, and are on Monday and Tuesday.",
        parameters={"lessons": {"subjects": ["Mathematics"]}},
    ),
    Case(
        "order",
        (lesson("a"), DOUBLE),
        kept={"a": 0, "d": 2},
        broken={"a": 0, "d": 1},
        deviation=1,
        sentence="JSS 1 Ruby Mathematics on Monday, period 1 should come before JSS 1 Ruby Biology on Monday, period 2 "
        "with 1 period between.",
        parameters={"first": {"subjects": ["Mathematics"]}, "second": {"subjects": ["Biology"]}, "between": 1},
    ),
    Case(
        "no_overlap",
        (lesson("d", "Biology", duration=2), lesson("e", "PE", teachers=(), groups=("art",), duration=2)),
        kept={"d": 0, "e": 2},
        broken={"d": 0, "e": 0},
        deviation=2,
        sentence="JSS 1 Ruby Biology and SSS 2 Art PE should not be at the same time, and are for 2 periods from "
        "Monday, period 1.",
        parameters={"lessons": {}},
    ),
    Case(
        "next_to",
        (lesson("a"), DOUBLE),
        kept={"a": 1, "d": 2},
        broken={"a": 3, "d": 4},
        deviation=1,
        sentence="JSS 1 Ruby Biology on Tuesday, period 1 should come right after JSS 1 Ruby Mathematics, which is on "
        "Monday, period 4.",
        parameters={"first": {"lessons": ["a"]}, "second": {"lessons": ["d"]}},
    ),
    Case(
        "slots_apart",
        TWO,
        kept={"a": 1, "b": 5},
        broken={"a": 1, "b": 6},
        deviation=1,
        sentence="JSS 1 Ruby Mathematics on Tuesday, period 3 should be on Tuesday, period 2, because JSS 1 Ruby "
        "Mathematics is on Monday, period 2.",
        parameters={"first": {"lessons": ["a"]}, "second": {"lessons": ["b"]}, "slots": 4},
    ),
    Case(
        "preferred_slots",
        (DOUBLE,),
        kept={"d": 0},
        broken={"d": 1},
        deviation=1,
        sentence="JSS 1 Ruby Biology is on Monday, period 3, which is 1 period outside its preferred time.",
        parameters={"lessons": {}, "slots": [0, 1, 4, 5]},
    ),
    Case(
        "avoided_slots",
        (DOUBLE,),
        kept={"d": 0},
        broken={"d": 2},
        deviation=2,
        sentence="JSS 1 Ruby Biology is on Monday, period 3, with 2 periods in a time to avoid.",
        parameters={"lessons": {}, "slots": [2, 3, 6, 7]},
    ),
    Case(
        "not_right_after",
        (PE, DOUBLE),
        kept={"d": 0, "p": 2},
        broken={"p": 1, "d": 2},
        deviation=1,
        sentence="JSS 1 Ruby Biology comes right after JSS 1 Ruby PE on Monday, period 3.",
        parameters={"first": {"subjects": ["PE"]}, "second": {"subjects": ["Biology"]}},
    ),
    Case(
        "room_suitability",
        (lesson("a", rooms=in_rooms("lab", "hall", best="lab")),),
        kept={"a": (0, "lab")},
        broken={"a": (0, "hall")},
        deviation=3,
        sentence="JSS 1 Ruby Mathematics is in Hall on Monday, period 1, which is not its best room.",
    ),
    Case(
        "room_capacity",
        (lesson("a", rooms=LAB_OR_HALL),),
        kept={"a": (0, "hall")},
        broken={"a": (0, "lab")},
        deviation=6,
        sentence="Laboratory seats 24, and JSS 1 Ruby Mathematics on Monday, period 1 has 30 students.",
    ),
    Case(
        "room_stability",
        (lesson("a", rooms=LAB_OR_HALL), lesson("b", rooms=LAB_OR_HALL)),
        kept={"a": (0, "hall"), "b": (1, "hall")},
        broken={"a": (0, "hall"), "b": (1, "lab")},
        deviation=1,
        sentence="JSS 1 Ruby Mathematics is in 2 rooms (Hall and Laboratory); at most 1 may be.",
    ),
    Case(
        "travel",
        (lesson("a", rooms=LAB_OR_HALL), lesson("b", rooms=LAB_OR_HALL)),
        kept={"a": (1, "hall"), "b": (2, "lab")},
        broken={"a": (0, "hall"), "b": (1, "lab")},
        deviation=1,
        sentence="Mrs Bello has JSS 1 Ruby Mathematics in Annex and then JSS 1 Ruby Mathematics in Main on Monday, "
        "period 2, 1 period too soon for the way.",
        parameters=BELLO,
    ),
    Case(
        "travel",
        (lesson("a", rooms=LAB_OR_HALL), lesson("b")),
        kept={"a": (0, "hall"), "b": 2},
        broken={"a": (1, "hall"), "b": 2},
        deviation=5,
        sentence="Mrs Bello has JSS 1 Ruby Mathematics in Annex and then JSS 1 Ruby Mathematics in Main on Monday, "
        "period 3, 5 minutes too soon for the way.",
        parameters={**BELLO, "time": 25, "unit": "minutes", "home": "Main"},
    ),
    Case(
        "lunch",
        TWO,
        kept={"a": 1, "b": 3},
        broken={"a": 1, "b": 2},
        deviation=1,
        sentence="Mrs Bello has no free periods for lunch on Monday; 1 should be.",
        parameters={**BELLO, "slots": [1, 2, 5, 6]},
    ),
    Case(
        "spread",
        THREE,
        kept={"a": 0, "b": 1, "c": 4},
        broken={"a": 0, "b": 1, "c": 2},
        deviation=2,
        sentence="JSS 1 Ruby Mathematics has 3 blocks on Monday; from 1 to 2 may be.",
    ),
    Case(
        "daily_balance",
        THREE,
        kept={"a": 0, "b": 1, "c": 4},
        broken={"a": 0, "b": 1, "c": 2},
        deviation=2,
        sentence="Mrs Bello has 3 periods on Monday; from 1 to 2 may be.",
        parameters=BELLO,
    ),
    Case(
        "fairness",
        TWO,
        kept={"a": 0, "b": 2},
        broken={"a": 0, "b": 3},
        deviation=1,
        sentence="Mrs Bello has 2 free periods in the cycle; 1 would be fair.",
        parameters={"allowance": 1},
    ),
    Case(
        "fairness",
        TWO,
        kept={"a": 0, "b": 2},
        broken={"a": 0, "b": 7},
        deviation=1,
        sentence="Mrs Bello has 2 first or last periods in the cycle; 1 would be fair.",
        parameters={"what": "edge_slots", "allowance": 1},
    ),
    Case(
        "stays",
        TWO,
        kept={"a": 0, "b": 4},
        broken={"a": 0, "b": 5},
        deviation=1,
        sentence="JSS 1 Ruby Mathematics moved from Tuesday, period 1 to Tuesday, period 2.",
        parameters={"previous": [{"lesson": "a", "slot": 0}, {"lesson": "b", "slot": 4}, {"lesson": "x", "slot": 0}]},
    ),
    Case(
        "stays",
        (lesson("a", rooms=LAB_OR_HALL),),
        kept={"a": (0, "lab")},
        broken={"a": (0, "hall")},
        deviation=1,
        sentence="JSS 1 Ruby Mathematics on Monday, period 1 moved from Laboratory to Hall.",
        parameters={"previous": [{"lesson": "a", "slot": 0, "rooms": ["lab"]}], "rooms": True},
    ),
)


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
