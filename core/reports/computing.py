"""What the marks of a class come to, over all its subjects and the terms of its session. Pure.

A subject's total, score and grade are those of ``core.school.grading``. Here they become a class's results:

- An overall average is the mean of the scores of the subjects with a complete result, to two places. A subject
  that the student was absent from in every part is left out of it, or counts as 0 where the school's policy says so.
- Positions go by the figure that is printed. One of whom marks are missing has an average but no position, unless
  the policy ignores that, or counts what is missing as nothing scored. One without any result has neither.
- An elective counts for those who take it, and its positions are among them.
- A cumulative figure is the weighted mean of the session's terms that have one.
"""

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Literal, TypeVar

from core.ids import StudentId, SubjectId, TermId
from core.reports.records import ArmRecord, EarlierScore, SubjectRecord
from core.school.grading import ResultStatus, SubjectResult, average, positions, subject_result, whole
from core.school.marks.model import ABSENT, Mark
from core.school.policies import GradingPolicy
from core.school.report_policies import AbsentCounts, MissingCounts, Promotion, ReportPolicy, Ties

Key = TypeVar("Key", bound=Hashable)

_HUNDREDTH = Decimal("0.01")
_LAST_TERM = 3


@dataclass(frozen=True, slots=True)
class Place:
    """A position, and whether others have it too."""

    position: int
    shared: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectTable:
    """One subject's results over the class."""

    subject: SubjectRecord
    results: Mapping[StudentId, SubjectResult]
    """Of everyone who takes it."""
    places: Mapping[StudentId, Place]
    average: Decimal | None
    highest: Decimal | None
    lowest: Decimal | None
    size: int
    """How many have a complete result."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Overall:
    """One student's term over all subjects."""

    average: Decimal | None
    place: Place | None
    missing: bool
    """At least one mark of a subject is not recorded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectYear:
    """One subject of one student over the session."""

    scores: Mapping[TermId, Decimal | None]
    cumulative: Decimal | None
    absent: bool
    """Absent from everything in the last term."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StudentYear:
    """One student's session: the averages of its terms, and what they come to."""

    averages: Mapping[TermId, Decimal | None]
    cumulative: Decimal | None
    place: Place | None
    subjects: Mapping[SubjectId, SubjectYear]


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmResults:
    """A class's term, worked out."""

    tables: tuple[SubjectTable, ...]
    overall: Mapping[StudentId, Overall]
    class_average: Decimal | None
    """The mean of the averages of those who have a position."""
    ranked: int
    years: Mapping[StudentId, StudentYear]
    """Empty unless cumulative figures were asked for."""


def work_out(arm: ArmRecord, *, term_id: TermId, cumulative: bool) -> ArmResults:
    """Return the results of a class; ``cumulative`` for a third term, whose cards sum up the session."""
    tables = tuple(_table(arm, subject) for subject in arm.subjects)
    overall = _overall(arm, tables)
    ranked = [each.average for each in overall.values() if each.place and each.average is not None]
    years = _years(arm, tables, overall, term_id) if cumulative else {}
    return ArmResults(tables=tables, overall=overall, class_average=mean(ranked), ranked=len(ranked), years=years)


def mean(figures: Iterable[Decimal]) -> Decimal | None:
    """Return the mean to two places, half up; None of nothing."""
    return weighted_mean((figure, 1) for figure in figures)


def weighted_mean(figures: Iterable[tuple[Decimal | None, int]]) -> Decimal | None:
    """Return the mean of figures by their weights, to two places; one that is not there is left out."""
    known = [(figure, weight) for figure, weight in figures if figure is not None]
    weight = sum(weight for _, weight in known)
    if not weight:
        return None
    total = sum((figure * weight for figure, weight in known), Decimal(0))
    return (total / weight).quantize(_HUNDREDTH, ROUND_HALF_UP)


def places(scores: Mapping[Key, Decimal], ties: Ties = Ties.COMPETITION) -> dict[Key, Place]:
    """Return everyone's position, best first; equals share one, and the policy says which comes next."""
    placed = positions(scores) if ties is Ties.COMPETITION else _dense(scores)
    holders = Counter(placed.values())
    return {key: Place(position, holders[position] > 1) for key, position in placed.items()}


def school_day(day: date, holidays: Iterable[date] = ()) -> date:
    """Return the day, or the next one that is neither of a weekend nor a holiday of the school."""
    free = frozenset(holidays)
    while day.weekday() >= 5 or day in free:
        day += timedelta(days=1)
    return day


def _dense(scores: Mapping[Key, Decimal]) -> dict[Key, int]:
    place = {score: number for number, score in enumerate(sorted(set(scores.values()), reverse=True), start=1)}
    return {key: place[score] for key, score in scores.items()}


def _table(arm: ArmRecord, subject: SubjectRecord) -> SubjectTable:
    results = {
        student.id: subject_result(_marks(subject, student.id, arm.rules), subject.components, subject.grading)
        for student in arm.students
        if arm.takes(student.id, subject)
    }
    scores = {who: result.score for who, result in results.items() if result.score is not None}
    return SubjectTable(
        subject=subject,
        results=results,
        places=places(scores, arm.rules.ties),
        average=average(scores.values()),
        highest=max(scores.values(), default=None),
        lowest=min(scores.values(), default=None),
        size=len(scores),
    )


def _marks(subject: SubjectRecord, student_id: StudentId, rules: ReportPolicy) -> Mapping[str, Mark]:
    """Return a student's marks as they count: what is missing beside others may be nothing scored."""
    marks = subject.marks.get(student_id, {})
    if not marks or rules.missing is not MissingCounts.ZERO:
        return marks
    return {part.code: marks.get(part.code, ABSENT) for part in subject.components}


def _overall(arm: ArmRecord, tables: Sequence[SubjectTable]) -> dict[StudentId, Overall]:
    averages: dict[StudentId, Decimal | None] = {}
    missing: dict[StudentId, bool] = {}
    for student in arm.students:
        own = [table.results[student.id] for table in tables if student.id in table.results]
        averages[student.id] = mean(_counted([_as_earlier(result) for result in own], arm.rules))
        missing[student.id] = any(result.status is ResultStatus.INCOMPLETE for result in own)
    in_order = {
        who: figure
        for who, figure in averages.items()
        if figure is not None and (not missing[who] or arm.rules.missing is MissingCounts.IGNORED)
    }
    placed = places(in_order, arm.rules.ties)
    return {
        who: Overall(average=figure, place=placed.get(who), missing=missing[who]) for who, figure in averages.items()
    }


def _as_earlier(result: SubjectResult) -> EarlierScore:
    return EarlierScore(result.score, result.status is ResultStatus.ABSENT)


def _counted(results: Iterable[EarlierScore], rules: ReportPolicy) -> list[Decimal]:
    scores = (_score(result, rules) for result in results)
    return [score for score in scores if score is not None]


def _score(result: EarlierScore, rules: ReportPolicy) -> Decimal | None:
    """Return what a subject counts by the school's rules; None where it does not."""
    if not result.complete and rules.missing is not MissingCounts.ZERO:
        return None
    if result.absent:
        return Decimal(0) if rules.absent is AbsentCounts.ZERO else None
    return result.score


def earlier_average(arm: ArmRecord, student_id: StudentId, term_id: TermId) -> Decimal | None:
    """Return a student's overall average of an earlier term, by the rules that hold now."""
    return mean(_counted(arm.earlier.get(student_id, {}).get(term_id, {}).values(), arm.rules))


def _years(
    arm: ArmRecord, tables: Sequence[SubjectTable], overall: Mapping[StudentId, Overall], term_id: TermId
) -> dict[StudentId, StudentYear]:
    weights = _weights(arm, term_id)
    averages = {
        student.id: {
            **{term: earlier_average(arm, student.id, term) for term in weights if term != term_id},
            term_id: overall[student.id].average,
        }
        for student in arm.students
    }
    cumulative = {who: _by_weight(figures, weights) for who, figures in averages.items()}
    placed = places({who: figure for who, figure in cumulative.items() if figure is not None}, arm.rules.ties)
    return {
        who: StudentYear(
            averages=averages[who],
            cumulative=cumulative[who],
            place=placed.get(who),
            subjects=_subject_years(arm, tables, who, weights, term_id),
        )
        for who in averages
    }


def _weights(arm: ArmRecord, term_id: TermId) -> dict[TermId, int]:
    """Return what each term of the session counts, first to last."""
    session = {term.id: term.number for term in arm.earlier_terms if term.session_id == arm.session_id}
    by_number = arm.rules.term_weights
    return {**{term: by_number[number - 1] for term, number in session.items()}, term_id: by_number[_LAST_TERM - 1]}


def _by_weight(figures: Mapping[TermId, Decimal | None], weights: Mapping[TermId, int]) -> Decimal | None:
    return weighted_mean((figure, weights[term]) for term, figure in figures.items())


def _subject_years(
    arm: ArmRecord,
    tables: Sequence[SubjectTable],
    student_id: StudentId,
    weights: Mapping[TermId, int],
    term_id: TermId,
) -> dict[SubjectId, SubjectYear]:
    before = arm.earlier.get(student_id, {})
    found: dict[SubjectId, SubjectYear] = {}
    for table in tables:
        if student_id not in table.results:
            continue
        subject_id = table.subject.subject_id
        scores: dict[TermId, Decimal | None] = {}
        for term in weights:
            earlier = before.get(term, {}).get(subject_id)
            scores[term] = _score(earlier, arm.rules) if earlier and not earlier.absent else None
        scores[term_id] = table.results[student_id].score
        absent = table.results[student_id].status is ResultStatus.ABSENT
        found[subject_id] = SubjectYear(scores=scores, cumulative=_by_weight(scores, weights), absent=absent)
    return found


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a student goes up, and why."""

    promotion: Literal["promoted", "repeat"] | None
    sentence: str


def decide(arm: ArmRecord, year: StudentYear, grading: GradingPolicy, *, missing: bool) -> Decision:
    """Return what the promotion rule says of a student's session."""
    rule = arm.rules.promotion
    if rule is None:
        return Decision(None, "")
    if year.cumulative is None or missing:
        return Decision(None, "Promotion is decided when all marks are recorded.")
    against = _against(arm, year, rule, grading)
    if against:
        return Decision("repeat", f"To repeat {arm.level_name}: {'; '.join(against)}.")
    up = f"Promoted to {arm.next_level_name}." if arm.next_level_name else f"Has completed {arm.level_name}."
    return Decision("promoted", up)


def _against(arm: ArmRecord, year: StudentYear, rule: Promotion, grading: GradingPolicy) -> list[str]:
    reasons = []
    cumulative = year.cumulative or Decimal(0)
    if cumulative < rule.minimum_average:
        reasons.append(f"the cumulative average {cumulative} is below {rule.minimum_average}")
    taken = [subject for subject in arm.subjects if subject.subject_id in year.subjects]
    failed = [subject for subject in taken if not _passed(year.subjects[subject.subject_id], grading)]
    reasons += [f"{subject.name} is not passed" for subject in failed if subject.code in rule.must_pass]
    if rule.most_failed is not None and len(failed) > rule.most_failed:
        reasons.append(f"{len(failed)} subjects are not passed, and at most {rule.most_failed} may be")
    return reasons


def _passed(subject: SubjectYear, grading: GradingPolicy) -> bool:
    """Tell whether a subject's session passes; one exempt from counts as passed, one absent from throughout not."""
    return not subject.absent if subject.cumulative is None else whole(subject.cumulative) >= grading.pass_mark
