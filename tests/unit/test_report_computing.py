"""What a class's marks come to: averages, positions, the session, promotion."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.ids import ClassArmId, MarkSheetId, PolicyId, SessionId, StaffId, StudentId, SubjectId, TermId
from core.reports.computing import ArmResults, decide, mean, places, school_day, weighted_mean, work_out
from core.reports.records import ArmRecord, EarlierScore, EarlierTerm, StudentRecord, SubjectRecord
from core.school.defaults import ASSESSMENT, JSS_LETTERS
from core.school.grading import ResultStatus
from core.school.marks.approval import SheetState
from core.school.marks.model import ABSENT, EXEMPT, Mark
from core.school.model import Gender, Stage
from core.school.report_policies import AbsentCounts, MissingCounts, Promotion, ReportPolicy, Ties

TERM = TermId(UUID(int=900))
SESSION = SessionId(UUID(int=800))
PARTS = ASSESSMENT.components
Cells = Mapping[int, Mapping[int, Sequence[Mark | None]]]
"""Marks by subject and student, component by component."""


def student(number: int) -> StudentRecord:
    """Return a student of a number."""
    return StudentRecord(
        id=StudentId(UUID(int=number)),
        class_arm_id=ClassArmId(UUID(int=700)),
        student_no=f"S/{number:03}",
        family_name=f"Family{number}",
        given_names="Adé",
        gender=Gender.FEMALE,
        photo_key=None,
    )


def subject(number: int, marks: Mapping[int, Sequence[Mark | None]], *, elective: bool = False) -> SubjectRecord:
    """Return a subject with marks."""
    return SubjectRecord(
        subject_id=SubjectId(UUID(int=100 + number)),
        code=f"S{number}",
        name=f"Subject {number}",
        elective=elective,
        teacher_id=StaffId(UUID(int=1)),
        teacher_name="",
        sheet_id=MarkSheetId(UUID(int=200 + number)),
        state=SheetState.APPROVED,
        components=PARTS,
        grading=JSS_LETTERS,
        grading_id=PolicyId(UUID(int=300)),
        grading_name="",
        grading_version=1,
        marks={
            StudentId(UUID(int=who)): {
                part.code: mark for part, mark in zip(PARTS, own, strict=True) if mark is not None
            }
            for who, own in marks.items()
        },
    )


def arm(cells: Cells, rules: ReportPolicy | None = None, *, students: int = 3) -> ArmRecord:
    """Return a class with marks."""
    return ArmRecord(
        id=ClassArmId(UUID(int=700)),
        session_id=SESSION,
        name="JSS 2 Ruby",
        stage=Stage.JSS,
        level_name="JSS 2",
        next_level_name="JSS 3",
        class_teacher_id=None,
        class_teacher_name="",
        students=tuple(student(number) for number in range(1, students + 1)),
        subjects=tuple(subject(number, marks) for number, marks in cells.items()),
        chosen=frozenset(),
        rules=rules or ReportPolicy(),
    )


def scored(total: int) -> list[Mark | None]:
    """Return four marks of a sum."""
    exam = min(60, total)
    ca = min(20, total - exam)
    note = min(10, total - exam - ca)
    return [Mark.scored(total - exam - ca - note), Mark.scored(note), Mark.scored(ca), Mark.scored(exam)]


def of(results: ArmResults, number: int) -> tuple[float | None, int | None]:
    """Return a student's average and position."""
    overall = results.overall[StudentId(UUID(int=number))]
    average = None if overall.average is None else float(overall.average)
    return average, overall.place.position if overall.place else None


totals = st.lists(st.integers(0, 100), min_size=1, max_size=25)


@given(totals=totals)
def test_a_total_is_the_sum_of_its_parts(totals: list[int]) -> None:
    """Whatever the parts are, the total is their sum."""
    cells = {0: {place: scored(total) for place, total in enumerate(totals, start=1)}}
    table = work_out(arm(cells, students=len(totals)), term_id=TERM, cumulative=False).tables[0]
    assert [table.results[StudentId(UUID(int=place))].total for place in range(1, len(totals) + 1)] == totals


@given(scores=st.dictionaries(st.integers(), st.integers(0, 20).map(Decimal), min_size=1, max_size=40))
def test_ties_share_a_position_and_the_next_is_skipped(scores: dict[int, Decimal]) -> None:
    """A position is one more than the number of those who are better; it is shared where another has the same score."""
    for who, place in places(scores).items():
        assert place.position == 1 + sum(score > scores[who] for score in scores.values())
        assert place.shared == (sum(score == scores[who] for score in scores.values()) > 1)


@given(scores=st.dictionaries(st.integers(), st.integers(0, 20).map(Decimal), min_size=1, max_size=40))
def test_dense_positions_skip_none(scores: dict[int, Decimal]) -> None:
    """By the dense rule a position is one more than the number of better scores, whoever has them."""
    for who, place in places(scores, Ties.DENSE).items():
        assert place.position == 1 + len({score for score in scores.values() if score > scores[who]})


@settings(max_examples=30)
@given(data=st.data(), rows=st.lists(st.tuples(st.integers(0, 100), st.integers(0, 100)), min_size=2, max_size=12))
def test_the_order_of_a_class_changes_nothing(data: st.DataObject, rows: list[tuple[int, int]]) -> None:
    """Students in any order get the same averages and positions."""
    cells = {number: {place: scored(row[number]) for place, row in enumerate(rows, start=1)} for number in range(2)}
    record = arm(cells, students=len(rows))
    shuffled = data.draw(st.permutations(record.students))
    again = replace(record, students=tuple(shuffled))
    assert work_out(record, term_id=TERM, cumulative=False) == work_out(again, term_id=TERM, cumulative=False)


def test_absent_and_missing_are_two_things() -> None:
    """An absence is a result without a grade; a missing mark keeps the student out of the order of the class."""
    absent: list[Mark | None] = [ABSENT] * 4
    missing = [*scored(70)[:3], None]
    cells: Cells = {0: {1: scored(80), 2: absent, 3: missing}, 1: {1: scored(60), 2: scored(60), 3: scored(90)}}
    results = work_out(arm(cells), term_id=TERM, cumulative=False)
    statuses = [results.tables[0].results[StudentId(UUID(int=number))].status for number in (1, 2, 3)]
    assert statuses == [ResultStatus.COMPLETE, ResultStatus.ABSENT, ResultStatus.INCOMPLETE]
    assert results.tables[0].size == 1
    assert [of(results, number) for number in (1, 2, 3)] == [(70, 1), (60, 2), (90, None)]
    assert (results.ranked, results.class_average) == (2, Decimal(65))


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        (ReportPolicy(absent=AbsentCounts.ZERO), [(70, 1), (30, 2), (90, None)]),
        (ReportPolicy(missing=MissingCounts.IGNORED), [(70, 2), (60, 3), (90, 1)]),
    ],
)
def test_the_policy_says_how_absent_and_missing_count(
    rules: ReportPolicy, expected: list[tuple[float, int | None]]
) -> None:
    """Absence may count as nothing scored, and missing marks may be ignored, where the school says so."""
    cells: Cells = {
        0: {1: scored(80), 2: [ABSENT] * 4, 3: [*scored(70)[:3], None]},
        1: {1: scored(60), 2: scored(60), 3: scored(90)},
    }
    results = work_out(arm(cells, rules), term_id=TERM, cumulative=False)
    assert [of(results, number) for number in (1, 2, 3)] == expected


def test_a_student_without_any_result_has_no_average() -> None:
    """Nothing recorded, absent from all or exempt from all: neither average nor position."""
    cells: Cells = {0: {1: scored(50), 2: [EXEMPT] * 4, 3: [ABSENT] * 4}}
    results = work_out(arm(cells), term_id=TERM, cumulative=False)
    assert [of(results, number) for number in (1, 2, 3)] == [(50, 1), (None, None), (None, None)]


def test_an_elective_is_of_those_who_chose_it() -> None:
    """Who does not take an elective is neither in its table nor measured by it."""
    taken = subject(1, {1: scored(90)}, elective=True)
    chosen = frozenset({(StudentId(UUID(int=1)), taken.subject_id)})
    record = arm({0: {1: scored(50), 2: scored(60)}}, students=2)
    record = replace(record, subjects=(*record.subjects, taken), chosen=chosen)
    results = work_out(record, term_id=TERM, cumulative=False)
    assert [of(results, number) for number in (1, 2)] == [(70, 1), (60, 2)]
    assert set(results.tables[1].results) == {StudentId(UUID(int=1))}


def session(first: int | None, second: int | None, third: int, rules: ReportPolicy) -> ArmRecord:
    """Return a class of one student and subject with a score in each term; None: no result."""
    terms = tuple(
        EarlierTerm(
            id=TermId(UUID(int=900 - 3 + number)), name=f"Term {number}", number=number, session_id=SESSION,
            session_name="2027/2028",
        )
        for number in (1, 2)
    )  # fmt: skip
    mathematics = SubjectId(UUID(int=100))
    earlier = {
        StudentId(UUID(int=1)): {
            term.id: {mathematics: EarlierScore(Decimal(score), absent=False)}
            for term, score in zip(terms, (first, second), strict=True)
            if score is not None
        }
    }
    return replace(arm({0: {1: scored(third)}}, rules, students=1), earlier_terms=terms, earlier=earlier)


@pytest.mark.parametrize(
    ("scores", "weights", "cumulative"),
    [
        ((40, 50, 60), (1, 1, 1), "50.00"),
        ((40, 50, 61), (1, 1, 1), "50.33"),
        ((40, 50, 60), (1, 1, 2), "52.50"),
        ((40, 50, 60), (0, 0, 1), "60.00"),
        ((None, 50, 61), (1, 1, 1), "55.50"),
        ((None, None, 61), (1, 1, 1), "61.00"),
    ],
)
def test_the_session_is_the_weighted_mean_of_its_terms(
    scores: tuple[int | None, int | None, int], weights: tuple[int, int, int], cumulative: str
) -> None:
    """A term without a result is left out of the mean, for the average and for each subject."""
    record = session(*scores, ReportPolicy(term_weights=weights))
    year = work_out(record, term_id=TERM, cumulative=True).years[StudentId(UUID(int=1))]
    assert year.cumulative == Decimal(cumulative)
    assert [each.cumulative for each in year.subjects.values()] == [Decimal(cumulative)]


@pytest.mark.parametrize(
    ("rule", "missing", "promotion", "sentence"),
    [
        (Promotion(minimum_average=50), False, "promoted", "Promoted to JSS 3."),
        (
            Promotion(minimum_average=51),
            False,
            "repeat",
            "To repeat JSS 2: the cumulative average 50.00 is below 51.",
        ),
        (Promotion(must_pass=("S0",)), False, "promoted", "Promoted to JSS 3."),
        (Promotion(most_failed=0), False, "promoted", "Promoted to JSS 3."),
        (Promotion(), True, None, "Promotion is decided when all marks are recorded."),
        (None, False, None, ""),
    ],
)
def test_the_promotion_rule_decides_and_says_why(
    rule: Promotion | None, missing: bool, promotion: str | None, sentence: str
) -> None:
    """Who reaches the average and passes what has to be passed goes up; the card says the reason otherwise."""
    record = session(40, 50, 60, ReportPolicy(promotion=rule))
    year = work_out(record, term_id=TERM, cumulative=True).years[StudentId(UUID(int=1))]
    decision = decide(record, year, JSS_LETTERS, missing=missing)
    assert (decision.promotion, decision.sentence) == (promotion, sentence)


def test_a_failed_core_subject_keeps_a_student_down() -> None:
    """A subject that must be passed and is not, or too many failed ones, are said by name and number."""
    rules = ReportPolicy(promotion=Promotion(minimum_average=0, must_pass=("S0",), most_failed=0))
    record = session(30, 30, 30, rules)
    year = work_out(record, term_id=TERM, cumulative=True).years[StudentId(UUID(int=1))]
    assert decide(record, year, JSS_LETTERS, missing=False).sentence == (
        "To repeat JSS 2: Subject 0 is not passed; 1 subjects are not passed, and at most 0 may be."
    )


def test_the_next_term_begins_on_a_school_day() -> None:
    """A day of a weekend or holiday is moved to the next school day: the source's 15/01/2028 is a Saturday (C-40)."""
    assert school_day(date(2028, 1, 15)) == date(2028, 1, 17)
    assert school_day(date(2028, 1, 15), [date(2028, 1, 17)]) == date(2028, 1, 18)
    assert school_day(date(2028, 1, 14)) == date(2028, 1, 14)


@given(figures=st.lists(st.decimals(0, 100, places=2), max_size=20))
def test_a_mean_lies_between_its_figures(figures: list[Decimal]) -> None:
    """The mean of some figures is none below the least and none above the most; that of nothing is None."""
    found = mean(figures)
    assert found is None if not figures else min(figures) <= (found or Decimal(0)) <= max(figures)
    assert weighted_mean((figure, 0) for figure in figures) is None


def test_what_is_missing_may_count_as_nothing_scored() -> None:
    """Where the school says so, work not handed in is nothing scored; a subject without any mark has no result."""
    cells: Cells = {0: {1: scored(80), 2: [None, *scored(70)[1:]], 3: [None] * 4}}
    results = work_out(arm(cells, ReportPolicy(missing=MissingCounts.ZERO)), term_id=TERM, cumulative=False)
    assert [of(results, number) for number in (1, 2, 3)] == [(80, 1), (70, 2), (None, None)]
    assert results.tables[0].results[StudentId(UUID(int=2))].missing == ()
