"""A class's results in one table, from its cards: every student, every subject, and what the class came to. Pure."""

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from core.errors import InvalidInput
from core.reports.card import Card, CardPolicy, CardSchool, SubjectLine
from core.school.grading import average, whole


@dataclass(frozen=True, slots=True)
class Row:
    """One student's line."""

    name: str
    student_no: str
    lines: tuple[SubjectLine | None, ...]
    """In the order of the broadsheet's subjects; None: does not take the subject."""
    average: Decimal | None
    grade: str | None
    position: int | None
    position_shared: bool


@dataclass(frozen=True, slots=True)
class SubjectFigures:
    """What a subject came to in the class; None where nobody has a result."""

    sat: int
    passed: int
    average: Decimal | None
    highest: Decimal | None
    lowest: Decimal | None


@dataclass(frozen=True, slots=True)
class Broadsheet:
    """The results of a class in a term."""

    school: CardSchool
    class_name: str
    session: str
    term: str
    policy: CardPolicy | None
    subjects: tuple[str, ...]
    rows: tuple[Row, ...]
    """By position, then by name; those without a position last."""
    figures: tuple[SubjectFigures, ...]
    """In the order of the subjects."""


def broadsheet_of(cards: Sequence[Card]) -> Broadsheet:
    """Return the broadsheet of the cards of one class and term. Raises ``InvalidInput`` for none."""
    if not cards:
        raise InvalidInput("there are no results of this class in this term yet")
    first = cards[0]
    subjects = tuple(dict.fromkeys(line.name for card in cards for line in card.subjects))
    rows = tuple(sorted((_row(card, subjects) for card in cards), key=_by_position))
    columns = zip(*(row.lines for row in rows), strict=True)
    return Broadsheet(
        school=first.school,
        class_name=first.student.class_name,
        session=first.session,
        term=first.term,
        policy=first.policy,
        subjects=subjects,
        rows=rows,
        figures=tuple(_figures(column, first.policy) for column in columns),
    )


def name_key(name: str) -> str:
    """Return what a name is sorted by: its letters without marks and case, so that Ọlá stands among the Os."""
    plain = unicodedata.normalize("NFD", name.casefold())
    return "".join(_HOOKED.get(char, char) for char in plain if not unicodedata.combining(char))


_HOOKED = {"ɓ": "b~", "ɗ": "d~", "ƙ": "k~", "ƴ": "y~"}
"""Letters of Hausa that have no mark to take off: each comes after its plain letter."""


def _row(card: Card, subjects: Iterable[str]) -> Row:
    lines = {line.name: line for line in card.subjects}
    return Row(
        name=card.student.name,
        student_no=card.student.student_no,
        lines=tuple(lines.get(subject) for subject in subjects),
        average=card.overall_average,
        grade=card.overall_grade,
        position=card.class_position,
        position_shared=card.position_shared,
    )


def _by_position(row: Row) -> tuple[bool, int, str]:
    return (row.position is None, row.position or 0, name_key(row.name))


def _figures(lines: Iterable[SubjectLine | None], policy: CardPolicy | None) -> SubjectFigures:
    scores = [line.score for line in lines if line is not None and line.score is not None]
    passed = sum(1 for score in scores if policy is not None and whole(score) >= policy.pass_mark)
    return SubjectFigures(len(scores), passed, average(scores), max(scores, default=None), min(scores, default=None))
