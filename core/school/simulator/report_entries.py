"""Ratings and remarks of the last two terms of a simulated school, its bank of remarks and its rules for cards."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, time

import numpy as np

from core.school.defaults import DEFAULT_POLICIES
from core.school.model import PolicyKind
from core.school.policies import as_body
from core.school.report_policies import Finding, MissingCounts, ReportPolicy
from core.school.simulator.batches import Batch, Kind, batch
from core.school.simulator.catalogue import COMPONENTS
from core.school.simulator.dice import Floats, Ints
from core.school.simulator.identity import Identity
from core.school.simulator.people import Student
from core.school.simulator.remarks import BANDS, CLASS_TEACHER, PRINCIPAL, SUBJECT, band_of, filled
from core.school.simulator.simulation import Year
from core.school.simulator.terms import Term

RULES = ReportPolicy(missing=MissingCounts.ZERO, blocks=(Finding.APPROVAL,))
"""Its children leave work undone, which counts as nothing scored."""
_WRITTEN = 0.6
"""How much of the running term is written already, so that a pre-flight has something to find."""
_TOPS = (100, 74, 59, 49, 39)
_REMARKS = 2
"""Columns of chance that choose the class teacher's and the principal's words."""


def report_batches(identity: Identity) -> Iterator[Batch]:
    """Yield what is written on cards. Not part of what a world is: worlds are marks, attendance and people."""
    yield batch("policies", "id kind stage version name body", [_rules(identity)])
    yield batch("comment_bank", "id kind from_score to_score text", _bank(identity))
    calendar = identity.school.calendar
    for year in identity.school.years:
        for term in calendar.terms[year.session * 3 : year.session * 3 + len(year.terms)]:
            if term.number >= calendar.current - 1:
                yield from _term(identity, year, term)


def _rules(identity: Identity) -> Sequence[object]:
    made = identity.ids.of(Kind.POLICY, len(DEFAULT_POLICIES))
    return made, PolicyKind.REPORT.value, "", 1, "Work not handed in counts as nothing", as_body(RULES)


def _bank(identity: Identity) -> list[Sequence[object]]:
    kinds = (("class_teacher", CLASS_TEACHER), ("principal", PRINCIPAL), ("subject", SUBJECT))
    texts = (
        (kind, floor, top, text)
        for kind, bands in kinds
        for floor, top, band in zip(BANDS, _TOPS, bands, strict=True)
        for text in band
    )
    return [(identity.ids.of(Kind.BANKED_COMMENT, number), *row) for number, row in enumerate(texts)]


def _term(identity: Identity, year: Year, term: Term) -> Iterator[Batch]:
    dice = identity.school.recipe.dice("report cards", term.number)
    scores = _percents(year.terms[term.number % 3].marks)
    averages = np.where(year.taken, scores, 0).sum(axis=1) / np.maximum(year.taken.sum(axis=1), 1)
    runs = term.number == identity.school.calendar.current
    written = dice.uniform(len(year.roll), 3) < (_WRITTEN if runs else 1.0)
    chance = dice.uniform(len(year.roll), _REMARKS + scores.shape[1] + len(RULES.affective + RULES.psychomotor))
    entries = _Entries(identity, year, term, averages, chance)
    yield entries.ratings(written[:, 0])
    yield entries.remarks("class_teacher", CLASS_TEACHER, written[:, 1], column=0)
    yield entries.remarks("principal", PRINCIPAL, written[:, 2], column=1)
    if not runs:
        yield entries.subject_remarks(scores)


def _percents(marks: Ints) -> Floats:
    """Return what the marks come to [students, subjects]; what is missing is nothing scored."""
    total: Floats = np.where(marks >= 0, marks, 0).sum(axis=2).astype(np.float64)
    return total * 100 / sum(component.maximum for component in COMPONENTS)


class _Entries:
    """The rows of one term."""

    def __init__(self, identity: Identity, year: Year, term: Term, averages: Floats, chance: Floats) -> None:
        self._identity = identity
        self._year = year
        self._term_id = identity.ids.of(Kind.TERM, term.number)
        self._at = datetime.combine(min(term.ends_on, identity.school.recipe.today), time(6), UTC)
        self._averages = averages.tolist()
        self._chance = chance

    def ratings(self, written: "np.ndarray[tuple[int], np.dtype[np.bool_]]") -> Batch:
        """Return a row for each student who is rated."""
        traits = RULES.affective + RULES.psychomotor
        # Those who do well are rated a little better; most of it is their own.
        base = np.array(self._averages)[:, None] / 25 + self._chance[:, -len(traits) :] * 2.2
        scores = np.clip(np.round(base), 2, 5).astype(np.int64).tolist()
        rows = [
            (self._term_id, self._id(place), dict(zip(traits, scores[place], strict=True)), self._at)
            for place in np.flatnonzero(written).tolist()
        ]
        return batch("report_ratings", "term_id student_id scores updated_at", rows)

    def remarks(
        self,
        kind: str,
        bands: Sequence[Sequence[str]],
        written: "np.ndarray[tuple[int], np.dtype[np.bool_]]",
        *,
        column: int,
    ) -> Batch:
        """Return a remark for each student who has one."""
        rows = []
        for place in np.flatnonzero(written).tolist():
            texts, student = bands[band_of(self._averages[place])], self._student(place)
            text = texts[int(self._chance[place, column] * len(texts))]
            rows.append((self._term_id, self._id(place), kind, filled(text, student.given, student.gender), self._at))
        return batch("report_comments", "term_id student_id kind text updated_at", rows)

    def subject_remarks(self, scores: Floats) -> Batch:
        """Return a remark for each subject that a student takes."""
        students, subjects = np.nonzero(self._year.taken)
        ids, rows = self._identity.ids, []
        for place, subject in zip(students.tolist(), subjects.tolist(), strict=True):
            texts = SUBJECT[band_of(float(scores[place, subject]))]
            text = texts[int(self._chance[place, _REMARKS + subject] * len(texts))]
            about = ids.of(Kind.SUBJECT, subject)
            rows.append((self._term_id, self._id(place), "subject", about, text, self._at))
        return batch("report_comments", "term_id student_id kind subject_id text updated_at", rows)

    def _student(self, place: int) -> Student:
        return self._identity.school.town.students[int(self._year.roll[place])]

    def _id(self, place: int) -> object:
        return self._identity.ids.of(Kind.STUDENT, int(self._year.roll[place]))
