"""The rules whose costs are reckoned a point of application, each kept and broken, with costs worked out by hand.

Monday is slots 0 to 3 and Tuesday 4 to 7. Nothing costs anything here but what the one rule says.
"""

from typing import Any

import pytest

from core.errors import InvalidInput
from core.timetable.checker import validate
from core.timetable.lowering import assignment_of, lower
from core.timetable.model import Problem
from tests.factories.point_rules import POINT_RULES
from tests.factories.program_cost import rules_cost
from tests.factories.rule_cases import Case
from tests.factories.tiny_school import in_rooms, lesson, rule, school, timetable

MATHS = "Mathematics ruby"
TWO = (lesson("a"), lesson("b"))
THREE = (*TWO, lesson("c"))
DOUBLE = (lesson("d", "Biology", duration=2), lesson("e", "Biology", duration=2))
COURSE = {"courses": {"courses": [MATHS]}}
BIOLOGY = {"courses": {"courses": ["Biology ruby"]}}
BELLO = {"people": {"who": ["bello"]}}
ROOMY = (lesson("a", rooms=in_rooms("lab", "hall")), lesson("b", rooms=in_rooms("lab", "hall")))
DAYS = [[0, 1, 2, 3], [4, 5, 6, 7]]

CASES = (
    Case(
        "placed",
        TWO,
        kept={"a": 0, "b": 1},
        broken={"a": 0},
        deviation=1,
        sentence="JSS 1 Ruby Mathematics has 1 period without a place.",
        parameters=COURSE,
        to_solvers=False,
    ),
    Case(
        "room_given",
        ROOMY,
        kept={"a": (0, "lab"), "b": (1, "lab")},
        broken={"a": (0, "lab"), "b": 1},
        deviation=1,
        sentence="JSS 1 Ruby Mathematics has 1 period without a room that it needs.",
        parameters={"needs": {"needs": [{"course": MATHS, "need": 0}]}},
        to_solvers=False,
    ),
    Case(
        "room_among",
        ROOMY,
        kept={"a": (0, "lab"), "b": (1, "lab")},
        broken={"a": (0, "lab"), "b": (1, "hall")},
        deviation=1,
        sentence="JSS 1 Ruby Mathematics has 1 period in a room that is none for it.",
        parameters={"needs": {"needs": [{"course": MATHS, "need": 0}]}, "rooms": ["lab"]},
    ),
    Case(
        "one_room",
        ROOMY,
        kept={"a": (0, "lab"), "b": (1, "lab")},
        broken={"a": (0, "lab"), "b": (1, "hall")},
        deviation=1,
        sentence="JSS 1 Ruby Mathematics is in 2 rooms; one should do.",
        parameters={"needs": {"sets": [[{"course": MATHS, "need": 0}]]}},
    ),
    Case(
        "start_among",
        DOUBLE,
        kept={"d": 0, "e": 4},
        broken={"d": 1, "e": 4},
        deviation=2,
        sentence="JSS 1 Ruby Biology has 2 periods in blocks that start at other times than they should, first on "
        "Monday, period 2.",
        parameters={**BIOLOGY, "slots": [0, 4], "duration": 2},
    ),
    Case(
        "starts_in_windows",
        THREE,
        kept={"a": 0, "b": 1, "c": 4},
        broken={"a": 0, "b": 1, "c": 2},
        deviation=2,
        sentence="JSS 1 Ruby Mathematics has 3 blocks in the periods from Monday, period 1; from 1 to 2 may be.",
        parameters={
            "courses": {"sets": [[MATHS]]},
            "windows": [{"slots": day, "least": 1, "most": 2} for day in DAYS],
        },
    ),
    Case(
        "run_together",
        (lesson("a"), lesson("f", "French", groups=("french",))),
        kept={"a": 0, "f": 0},
        broken={"a": 0, "f": 5},
        deviation=2,
        sentence="JSS 1 Ruby Mathematics and what should run with it are not on together for 2 periods, first on "
        "Monday, period 1.",
        parameters={"courses": {"sets": [[MATHS, "French french"]]}},
    ),
    Case(
        "separation",
        (lesson("a"), DOUBLE[0]),
        kept={"a": 0, "d": 2},
        broken={"a": 0, "d": 1},
        deviation=1,
        sentence="JSS 1 Ruby Biology starts no periods after JSS 1 Ruby Mathematics; at least 1 should be.",
        parameters={"pairs": [{"first": MATHS, "second": "Biology ruby", "least": 1}], "cost": "step"},
    ),
    Case(
        "one_at_a_time",
        THREE,
        kept={"a": 0, "b": 1, "c": 2},
        broken={"a": 0, "b": 0, "c": 0},
        deviation=2,
        sentence="Mrs Bello has 2 lessons too many at the same time, first on Monday, period 1.",
        parameters=BELLO,
    ),
    Case(
        "in_windows",
        THREE,
        kept={"a": 0, "b": 1, "c": 4},
        broken={"a": 0, "b": 1, "c": 2},
        deviation=1,
        sentence="Mrs Bello has 1 busy period too many or too few; at most 2 may be.",
        parameters={**BELLO, "windows": DAYS, "most": 2},
    ),
    Case(
        "in_windows",
        TWO,
        kept={"a": 0, "b": 1},
        broken={"a": 0, "b": 3},
        deviation=2,
        sentence="Mrs Bello has 2 free periods too many or too few; at most 0 may be.",
        parameters={**BELLO, "what": "idle", "windows": DAYS, "most": 0},
    ),
    Case(
        "in_windows",
        TWO,
        kept={"a": 0, "b": 1},
        broken={"a": 0, "b": 4},
        deviation=1,
        sentence="Mrs Bello has 1 busy part of the week too many or too few; at most 1 may be.",
        parameters={**BELLO, "what": "active", "windows": DAYS, "most": 1},
    ),
    Case(
        "doubles",
        THREE,
        kept={"a": 0, "b": 1, "c": 4},
        broken={"a": 0, "b": 1, "c": 2},
        deviation=1,
        sentence="JSS 1 Ruby Mathematics has 2 lessons on a day that has one already; at most 1 may be.",
        parameters={**COURSE, "most": 1},
    ),
    Case(
        "one_run_a_day",
        TWO,
        kept={"a": 0, "b": 1},
        broken={"a": 1, "b": 2},
        deviation=1,
        sentence="JSS 1 Ruby Mathematics has 2 periods on Monday, in runs of 2; one run of 2 at most may be.",
        parameters={**COURSE, "notOver": [1, 5]},
    ),
)


def _problem(case: Case, **more: Any) -> Problem:
    problem = school(*case.lessons, rules=(rule(case.kind, **{**case.parameters, **more}),))
    return problem.model_copy(update={"priced_by": "rules"})


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.kind)
def test_kept_rule_costs_nothing(case: Case) -> None:
    """A timetable that keeps the rule has no violation, to the checker and to solvers."""
    problem = _problem(case)
    kept = timetable(**case.kept)
    assert validate(problem, kept, complete=True).violations == ()
    program = lower(problem)
    assert rules_cost(program, assignment_of(problem, program, kept)) == (0, 0)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.kind)
def test_broken_rule_costs_its_weight_a_deviation(case: Case) -> None:
    """A timetable that breaks the rule costs what was worked out by hand, and says why; to solvers too."""
    problem = _problem(case, **{"cost": "linear", **case.parameters}, hard=False, weight=10)
    broken = timetable(**case.broken)
    verdict = validate(problem, broken, complete=True)
    assert (verdict.hard, verdict.soft) == (0, 10 * case.deviation)
    assert verdict.violations[0].sentence == case.sentence
    if case.to_solvers:
        program = lower(problem)
        assert rules_cost(program, assignment_of(problem, program, broken)) == (0, 10 * case.deviation)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.kind)
def test_broken_rule_counts_as_hard_where_it_is(case: Case) -> None:
    """The same breach of the same rule as a law makes the timetable invalid, squared where the rule says so."""
    verdict = validate(_problem(case, hard=True, weight=3, cost="quadratic"), timetable(**case.broken), complete=True)
    assert (verdict.valid, verdict.hard) == (False, 3 * case.deviation**2)


def test_every_rule_of_points_has_a_case() -> None:
    """No rule of points is without its smallest school; how a course is cut and what it amounts to stand below."""
    assert {case.kind for case in CASES} | {"parts", "workload"} == POINT_RULES.keys()


@pytest.mark.parametrize(
    ("durations", "parameters", "deviation"),
    [
        ((2, 1), {"longest": 2, "most": 2}, 0),
        ((3,), {"longest": 2, "least": 2}, 2),
        ((1, 1, 1), {"longest": 2, "most": 2}, 1),
        ((2, 1), {"shortest": 2, "longest": 2, "least": 1, "most": 1, "others": True}, 0),
        ((2, 2), {"shortest": 2, "longest": 2, "least": 1, "most": 1, "others": True}, 1),
        ((1, 1), {"shortest": 2, "longest": 2, "least": 1, "most": 1, "others": True}, 1),
    ],
)
def test_cut_of_a_course_has_its_price(durations: tuple[int, ...], parameters: dict[str, Any], deviation: int) -> None:
    """Blocks too long or too short, too few or too many, cost the same to checker and solvers wherever they are."""
    lessons = [lesson(f"l{i}", duration=duration) for i, duration in enumerate(durations)]
    of_course = rule("parts", **COURSE, **parameters, hard=False, weight=7)
    problem = school(*lessons, rules=(of_course,)).model_copy(update={"priced_by": "rules"})
    placed = timetable(**{one.id: 4 for one in lessons})
    assert validate(problem, placed, complete=True).soft == 7 * deviation
    program = lower(problem)
    assert rules_cost(program, assignment_of(problem, program, placed)) == (0, 7 * deviation)


def test_load_counts_as_it_is_told() -> None:
    """A lesson counts its share of its course's load, and a load over the most is rounded up."""
    loads = [{"course": MATHS, "load": 9}]
    too_much = rule("workload", **BELLO, most=10, loads=loads, hard=False, weight=2)
    lessons = (*TWO, lesson("d", "Biology", duration=3))
    problem = school(*lessons, rules=(too_much,)).model_copy(update={"priced_by": "rules"})
    placed = timetable(a=0, b=1, d=4)
    assert validate(problem, placed, complete=True).soft == 2 * (9 + 3 - 10)
    program = lower(problem)
    assert rules_cost(program, assignment_of(problem, program, placed)) == (0, 4)


def test_what_solvers_cannot_follow_is_named_with_its_count() -> None:
    """A rule that the primitives can't say is refused by name and number, never dropped."""
    rules = [rule("in_windows", people={"who": ["lab"]}, windows=DAYS, most=1) for _ in range(2)]
    problem = school(*ROOMY, rules=tuple(rules)).model_copy(update={"priced_by": "rules"})
    with pytest.raises(InvalidInput, match=r"“in_windows” is used 2 times in a way that the solvers can't follow\."):
        lower(problem)


def test_only_rules_cost_where_they_price_all() -> None:
    """Clashes, absences and what has no place cost nothing where rules price a problem and none names them."""
    problem = school(*THREE).model_copy(update={"priced_by": "rules"})
    assert validate(problem, timetable(a=0, b=0), complete=True).violations == ()
    assert not validate(school(*THREE), timetable(a=0, b=0), complete=True).valid
