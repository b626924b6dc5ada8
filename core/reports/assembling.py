"""From a class's results to its students' cards. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise

from core.ids import StudentId, SubjectId
from core.reports.card import (
    Card,
    CardAttendance,
    CardPolicy,
    CardSchool,
    CardStudent,
    CardStyle,
    Column,
    Cumulative,
    NotScored,
    PolicyBand,
    Signature,
    SubjectLine,
    TermAverage,
    TermScore,
)
from core.reports.computing import ArmResults, SubjectTable, decide, earlier_average, school_day
from core.reports.ratings import as_printed
from core.reports.records import ArmRecord, EarlierTerm, StudentRecord, SubjectRecord, TermHead
from core.school.grading import ResultStatus, band_of
from core.school.marks.model import Mark, MarkStatus
from core.school.policies import GradingPolicy

_TREND = 6
"""Points of the small chart, this term's included: two years."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entries:
    """What is written of one student's term beside marks."""

    attendance: CardAttendance | None = None
    ratings: Mapping[str, int] = field(default_factory=dict)
    class_teacher_remark: str = ""
    principal_remark: str = ""
    subject_remarks: Mapping[SubjectId, str] = field(default_factory=dict)


NOTHING_WRITTEN = Entries()


@dataclass(frozen=True, slots=True, kw_only=True)
class Class:
    """Everything that the cards of one class are made of."""

    head: TermHead
    arm: ArmRecord
    results: ArmResults
    style: CardStyle
    grading: SubjectRecord | None
    """The subject whose grading policy the card names; None where the class takes nothing."""


def assemble(school_class: Class, student: StudentRecord, entries: Entries) -> Card:
    """Return one student's card, not finalised."""
    head, arm, results = school_class.head, school_class.arm, school_class.results
    overall = results.overall[student.id]
    own = [table for table in results.tables if student.id in table.results]
    return Card(
        student=_student(student, arm),
        school=_school(school_class),
        session=head.session_name,
        term=head.term_name,
        term_number=head.term_number,
        columns=_columns(own),
        subjects=tuple(_line(school_class, table, student.id, entries) for table in own),
        attendance=entries.attendance,
        overall_average=overall.average,
        overall_grade=_grade(overall.average, school_class),
        class_position=overall.place.position if overall.place else None,
        position_shared=bool(overall.place and overall.place.shared),
        total_in_class=len(arm.students),
        ranked_in_class=results.ranked,
        class_average=results.class_average,
        principal_remark=entries.principal_remark,
        principal=head.principal_name,
        class_teacher_remark=entries.class_teacher_remark,
        class_teacher=arm.class_teacher_name,
        next_term_begins=school_day(head.next_starts_on, arm.rules.holidays) if head.next_starts_on else None,
        cumulative=_cumulative(school_class, student.id),
        ratings=as_printed(entries.ratings, arm.rules),
        signatures=_signatures(school_class),
        trend=_trend(school_class, student.id, overall.average),
        policy=_policy(school_class.grading),
    )


def _student(student: StudentRecord, arm: ArmRecord) -> CardStudent:
    return CardStudent(
        id=str(student.id),
        name=student.name,
        family_name=student.family_name,
        given_names=student.given_names,
        student_no=student.student_no,
        class_name=arm.name,
        gender=student.gender.value.capitalize(),
        avatar_url=student.photo_key,
    )


def _school(school_class: Class) -> CardSchool:
    head, style = school_class.head, school_class.style
    return CardSchool(
        name=head.school_name,
        logo=style.logo_key or head.logo_key,
        address="\n".join(style.address_lines) or head.address,
        phone=head.phone,
        email=head.email,
        motto=style.motto,
    )


def _columns(tables: Sequence[SubjectTable]) -> tuple[Column, ...]:
    found: dict[str, int] = {}
    for table in tables:
        for part in table.subject.components:
            found[part.name] = max(part.max, found.get(part.name, 0))
    return tuple(Column(name=name, max=most) for name, most in found.items())


def _line(school_class: Class, table: SubjectTable, student_id: StudentId, entries: Entries) -> SubjectLine:
    subject, result = table.subject, table.results[student_id]
    marks = subject.marks.get(student_id, {})
    place = table.places.get(student_id)
    return SubjectLine(
        name=subject.name,
        assessments={part.name: _value(marks.get(part.code)) for part in subject.components},
        not_scored={
            part.name: why for part in subject.components if (why := _why_not(marks.get(part.code))) is not None
        },
        total=result.total if any(mark.value is not None for mark in marks.values()) else None,
        score=result.score,
        grade=result.grade,
        position=place.position if place else None,
        position_shared=bool(place and place.shared),
        class_average=table.average,
        highest=table.highest,
        lowest=table.lowest,
        subject_class_size=table.size,
        absent=result.status is ResultStatus.ABSENT,
        missing=result.status is ResultStatus.INCOMPLETE,
        exempt=result.status is ResultStatus.EXEMPT,
        remark=result.remark or "",
        teacher_remark=entries.subject_remarks.get(subject.subject_id, ""),
        teacher=subject.teacher_name,
        **_session_of(school_class, subject, student_id),
    )


def _session_of(school_class: Class, subject: SubjectRecord, student_id: StudentId) -> dict[str, object]:
    year = school_class.results.years.get(student_id)
    if year is None:
        return {}
    own = year.subjects[subject.subject_id]
    return {
        "terms": tuple(
            TermScore(term=_term_name(school_class, term), score=score) for term, score in own.scores.items()
        ),
        "cumulative": own.cumulative,
        "cumulative_grade": _graded(own.cumulative, subject.grading),
    }


def _value(mark: Mark | None) -> Decimal | None:
    return mark.value if mark else None


def _why_not(mark: Mark | None) -> NotScored | None:
    if mark is None:
        return NotScored.MISSING
    if mark.status is MarkStatus.SCORED:
        return None
    return NotScored.ABSENT if mark.status is MarkStatus.ABSENT else NotScored.EXEMPT


def _cumulative(school_class: Class, student_id: StudentId) -> Cumulative | None:
    year = school_class.results.years.get(student_id)
    if year is None or school_class.grading is None:
        return None
    missing = school_class.results.overall[student_id].missing
    decision = decide(school_class.arm, year, school_class.grading.grading, missing=missing)
    return Cumulative(
        terms=tuple(
            TermScore(term=_term_name(school_class, term), score=figure) for term, figure in year.averages.items()
        ),
        average=year.cumulative,
        grade=_grade(year.cumulative, school_class),
        position=year.place.position if year.place else None,
        position_shared=bool(year.place and year.place.shared),
        promotion=decision.promotion,
        sentence=decision.sentence,
    )


def _term_name(school_class: Class, term_id: object) -> str:
    names = {term.id: term.name for term in school_class.arm.earlier_terms}
    return next((name for term, name in names.items() if term == term_id), school_class.head.term_name)


def _grade(figure: Decimal | None, school_class: Class) -> str | None:
    return _graded(figure, school_class.grading.grading) if school_class.grading else None


def _graded(figure: Decimal | None, grading: GradingPolicy) -> str | None:
    return None if figure is None else band_of(figure, grading).grade


def _signatures(school_class: Class) -> tuple[Signature, ...]:
    names = {"class_teacher": school_class.arm.class_teacher_name, "principal": school_class.head.principal_name}
    return tuple(
        Signature(title=line.title, name=names.get(line.signer, line.name), image_key=line.image_key)
        for line in school_class.style.signature_lines
    )


def _trend(school_class: Class, student_id: StudentId, average: Decimal | None) -> tuple[TermAverage, ...]:
    arm, head = school_class.arm, school_class.head
    points = [(_label(term), earlier_average(arm, student_id, term.id)) for term in arm.earlier_terms]
    points.append((f"Term {head.term_number} {head.session_name}", average))
    return tuple(TermAverage(term=term, average=figure) for term, figure in points if figure is not None)[-_TREND:]


def _label(term: EarlierTerm) -> str:
    return f"Term {term.number} {term.session_name}"


def _policy(subject: SubjectRecord | None) -> CardPolicy | None:
    if subject is None:
        return None
    bands = subject.grading.bands
    tops = [100, *[above.from_ - 1 for above, _ in pairwise(bands)]]
    return CardPolicy(
        name=subject.grading_name,
        version=subject.grading_version,
        pass_mark=subject.grading.pass_mark,
        bands=tuple(
            PolicyBand(grade=band.grade, from_=band.from_, to=top, remark=band.remark)
            for band, top in zip(bands, tops, strict=True)
        ),
    )
