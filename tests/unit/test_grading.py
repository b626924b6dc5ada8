"""Totals, grades, positions and averages."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.school.defaults import ASSESSMENT, JSS_LETTERS, WAEC
from core.school.grading import ResultStatus, average, band_of, passes, positions, subject_result
from core.school.marks.model import ABSENT, EXEMPT, Mark
from core.school.policies import Component, GradingPolicy

COMPONENTS = ASSESSMENT.components
POLICIES = st.sampled_from([WAEC, JSS_LETTERS])
SCORES = st.decimals(0, 100, places=2)


def marks_up_to(component: Component) -> st.SearchStrategy[Mark]:
    """Any mark a component may have."""
    return st.decimals(0, component.max, places=2).map(Mark.scored)


FULL_MARKS = st.fixed_dictionaries({part.code: marks_up_to(part) for part in COMPONENTS})
ANY_MARKS = st.fixed_dictionaries(
    {}, optional={part.code: marks_up_to(part) | st.sampled_from([ABSENT, EXEMPT]) for part in COMPONENTS}
)


def scored(*values: str) -> dict[str, Mark]:
    """Return marks of the components in order."""
    return {part.code: Mark.scored(value) for part, value in zip(COMPONENTS, values, strict=True)}


@given(FULL_MARKS, POLICIES)
def test_total_is_the_sum_of_the_components(marks: dict[str, Mark], policy: GradingPolicy) -> None:
    """The total of complete marks is their plain sum, and the score with it."""
    result = subject_result(marks, COMPONENTS, policy)
    assert result.total == sum(mark.value for mark in marks.values() if mark.value is not None)
    assert result.score == result.total
    assert result.status is ResultStatus.COMPLETE


@given(SCORES, SCORES, POLICIES)
def test_a_higher_score_never_earns_a_lower_grade(one: Decimal, other: Decimal, policy: GradingPolicy) -> None:
    """Grades and passing are monotone in the score."""
    low, high = sorted((one, other))
    assert band_of(low, policy).from_ <= band_of(high, policy).from_
    assert passes(low, policy) <= passes(high, policy)


@given(ANY_MARKS, POLICIES)
def test_only_complete_marks_have_a_grade(marks: dict[str, Mark], policy: GradingPolicy) -> None:
    """A score, a grade and a verdict are there together, and only where nothing is missing and something was sat."""
    result = subject_result(marks, COMPONENTS, policy)
    there = {result.score is not None, result.grade is not None, result.passed is not None}
    assert there == {result.status is ResultStatus.COMPLETE}
    assert set(result.missing) == {part.code for part in COMPONENTS} - set(marks)
    assert result.score is None or 0 <= result.score <= 100


@pytest.mark.parametrize(
    ("score", "grade"),
    [("100", "A1"), ("75", "A1"), ("74.5", "A1"), ("74.49", "B2"), ("49.5", "C6"), ("39.49", "F9"), ("0", "F9")],
)
def test_grades_are_of_the_score_rounded_half_up(score: str, grade: str) -> None:
    """WAEC bands hold for the whole number that a score rounds to."""
    assert band_of(Decimal(score), WAEC).grade == grade


def test_absent_counts_as_nothing_scored() -> None:
    """One who missed the exam has the rest, out of the full hundred."""
    result = subject_result(scored("10", "10", "20", "0") | {"exam": ABSENT}, COMPONENTS, WAEC)
    assert (int(result.total), int(result.reachable), result.score, result.grade) == (40, 100, Decimal(40), "E8")


def test_exempt_does_not_count_at_all() -> None:
    """One who is exempt from the exam is graded on the rest."""
    result = subject_result(scored("9", "8", "13", "0") | {"exam": EXEMPT}, COMPONENTS, WAEC)
    assert (int(result.total), int(result.reachable), result.score, result.grade) == (30, 40, Decimal(75), "A1")


def test_absent_from_everything_is_no_nought() -> None:
    """One who sat nothing has no grade, and neither has one who is exempt from all."""
    absent = subject_result({part.code: ABSENT for part in COMPONENTS}, COMPONENTS, WAEC)
    exempt = subject_result({part.code: EXEMPT for part in COMPONENTS}, COMPONENTS, WAEC)
    assert (absent.status, absent.grade) == (ResultStatus.ABSENT, None)
    assert (exempt.status, exempt.grade) == (ResultStatus.EXEMPT, None)


def test_equals_share_a_position_and_the_next_are_skipped() -> None:
    """Positions with a tie for the second place are 1, 2, 2, 4."""
    scores = {"ada": Decimal(90), "bola": Decimal("71.50"), "chidi": Decimal("71.5"), "dayo": Decimal(12)}
    assert positions(scores) == {"ada": 1, "bola": 2, "chidi": 2, "dayo": 4}


@given(st.dictionaries(st.integers(), SCORES, max_size=40))
def test_a_position_is_one_more_than_the_number_who_are_better(scores: dict[int, Decimal]) -> None:
    """Positions agree with counting, for any class."""
    counted = {who: 1 + sum(other > score for other in scores.values()) for who, score in scores.items()}
    assert positions(scores) == counted


def test_an_average_has_one_place() -> None:
    """The mean is rounded half up to a tenth; of nobody there is none."""
    assert average([Decimal("72.45"), Decimal("72.45")]) == Decimal("72.5")
    assert average([]) is None
