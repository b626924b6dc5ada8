"""What marks come to: totals, grades, positions with ties, class averages. Pure.

- A total is the plain sum of the components; nothing is rounded in it.
- Absent counts as nothing scored; an exempt component does not count at all, neither in the total nor in what
  could be reached.
- A score is the total as a percentage of what could be reached, to two places. It equals the total where the
  components add up to 100 and none is exempt.
- The grade is that of the score rounded half up to a whole number, as bands are given in whole numbers.
- Positions go by the score; equals share a position and the next ones are skipped: 1, 2, 2, 4.
- One whose marks are not complete, or who was absent from everything, has no grade and no position, and does not
  count in the average.
"""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from typing import TypeVar

from core.school.marks.model import Mark, MarkStatus
from core.school.policies import Band, Component, GradingPolicy

Key = TypeVar("Key", bound=Hashable)

_HUNDREDTH = Decimal("0.01")
_TENTH = Decimal("0.1")


class ResultStatus(StrEnum):
    """Whether a student has a result in a subject, and why not."""

    COMPLETE = "complete"
    INCOMPLETE = "incomplete"
    """At least one component is missing."""
    ABSENT = "absent"
    """Absent from every component that counts."""
    EXEMPT = "exempt"
    """Exempt from every component."""


@dataclass(frozen=True, slots=True)
class SubjectResult:
    """What one student's marks in one subject come to."""

    status: ResultStatus
    total: Decimal
    """The sum of what is there, also where components are missing."""
    reachable: Decimal
    """The sum of the maxima that count."""
    missing: tuple[str, ...] = ()
    """Codes of the components without a mark."""
    score: Decimal | None = None
    """0-100, two places; None unless complete."""
    grade: str | None = None
    remark: str | None = None
    passed: bool | None = None


def subject_result(marks: Mapping[str, Mark], components: Sequence[Component], policy: GradingPolicy) -> SubjectResult:
    """Work out one student's result from the marks by component code."""
    there = {part.code: marks[part.code] for part in components if part.code in marks}
    missing = tuple(part.code for part in components if part.code not in there)
    total = sum((mark.value for mark in there.values() if mark.value is not None), Decimal(0))
    reachable = sum((Decimal(part.max) for part in components if not _is_exempt(there.get(part.code))), Decimal(0))
    status = _status(there.values(), missing)
    if status is not ResultStatus.COMPLETE:
        return SubjectResult(status, total, reachable, missing)
    score = percentage(total, reachable)
    band = band_of(score, policy)
    return SubjectResult(status, total, reachable, missing, score, band.grade, band.remark, passes(score, policy))


def percentage(total: Decimal, reachable: Decimal) -> Decimal:
    """Return a total as a percentage of what could be reached, two places, half up."""
    return (total * 100 / reachable).quantize(_HUNDREDTH, ROUND_HALF_UP)


def whole(score: Decimal) -> int:
    """Return a score rounded half up, as grades and the pass mark see it: 74.5 is 75."""
    return int(score.quantize(Decimal(1), ROUND_HALF_UP))


def band_of(score: Decimal, policy: GradingPolicy) -> Band:
    """Return the band of a score: the highest whose lower bound the rounded score reaches. The lowest begins at 0."""
    return next(band for band in policy.bands if whole(score) >= band.from_)


def passes(score: Decimal, policy: GradingPolicy) -> bool:
    """Tell whether the rounded score reaches the pass mark."""
    return whole(score) >= policy.pass_mark


def positions(scores: Mapping[Key, Decimal]) -> dict[Key, int]:
    """Return everyone's position, best first; equals share one and the next are skipped: 1, 2, 2, 4."""
    falling = sorted(scores, key=scores.__getitem__, reverse=True)
    placed: dict[Key, int] = {}
    for place, key in enumerate(falling, start=1):
        before = falling[place - 2] if place > 1 else None
        tied = before is not None and scores[before] == scores[key]
        placed[key] = placed[before] if tied and before is not None else place
    return placed


def average(scores: Iterable[Decimal]) -> Decimal | None:
    """Return the mean to one place, half up; None of nothing."""
    known = list(scores)
    if not known:
        return None
    return (sum(known, Decimal(0)) / len(known)).quantize(_TENTH, ROUND_HALF_UP)


def _is_exempt(mark: Mark | None) -> bool:
    return mark is not None and mark.status is MarkStatus.EXEMPT


def _status(marks: Iterable[Mark], missing: Sequence[str]) -> ResultStatus:
    statuses = {mark.status for mark in marks}
    if missing:
        return ResultStatus.INCOMPLETE
    if statuses <= {MarkStatus.EXEMPT}:
        return ResultStatus.EXEMPT
    if MarkStatus.SCORED not in statuses:
        return ResultStatus.ABSENT
    return ResultStatus.COMPLETE
