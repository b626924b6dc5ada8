"""The bodies of the policies that rule report cards: how results are put together, and when a card is withheld."""

from datetime import date
from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator

from core.school.policy_base import PolicyBase, refuse_repeats

Trait = Annotated[str, Field(min_length=1, max_length=40)]


class Ties(StrEnum):
    """Which place comes after a shared one."""

    COMPETITION = "competition"
    """1, 2, 2, 4."""
    DENSE = "dense"
    """1, 2, 2, 3."""


class AbsentCounts(StrEnum):
    """What a subject comes to in the overall average whose every part the student was absent from."""

    EXCLUDED = "excluded"
    ZERO = "zero"


class MissingCounts(StrEnum):
    """What becomes of a student of whom marks are missing."""

    UNRANKED = "unranked"
    """An average of what is there, and no position in class."""
    IGNORED = "ignored"
    """An average of what is there, and a position by it."""
    ZERO = "zero"
    """Work that was not handed in counts as nothing scored; the card shows that it is missing."""


class Finding(StrEnum):
    """What can stand in the way of a card."""

    MARKS = "marks"
    APPROVAL = "approval"
    CLASS_TEACHER_REMARK = "class_teacher_remark"
    PRINCIPAL_REMARK = "principal_remark"
    RATINGS = "ratings"
    PHOTO = "photo"
    ATTENDANCE = "attendance"


class Promotion(PolicyBase):
    """Who goes up at the end of the third term."""

    minimum_average: int = Field(default=40, ge=0, le=100)
    """The lowest cumulative average, unrounded, that is promoted."""
    must_pass: tuple[str, ...] = Field(default=(), max_length=10)
    """Codes of subjects whose cumulative score must reach the grading policy's pass mark."""
    most_failed: int | None = Field(default=None, ge=0, le=30)
    """More failed subjects than this, and the student repeats; None: not counted."""


_AFFECTIVE = (
    *("Punctuality", "Neatness", "Politeness", "Honesty", "Attentiveness", "Self-control", "Cooperation", "Leadership"),
)
_PSYCHOMOTOR = (
    *("Handwriting", "Verbal fluency", "Games and sports", "Handling of tools", "Drawing and painting", "Music"),
)


class ReportPolicy(PolicyBase):
    """How a term's results become a report card."""

    ties: Ties = Ties.COMPETITION
    absent: AbsentCounts = AbsentCounts.EXCLUDED
    missing: MissingCounts = MissingCounts.UNRANKED
    term_weights: tuple[int, int, int] = (1, 1, 1)
    """How much each term counts in the cumulative figures; a term without a result is left out of the mean."""
    promotion: Promotion | None = Promotion()
    """None: the school decides by hand, and the card leaves it open."""
    affective: tuple[Trait, ...] = Field(default=_AFFECTIVE, max_length=16)
    psychomotor: tuple[Trait, ...] = Field(default=_PSYCHOMOTOR, max_length=16)
    holidays: tuple[date, ...] = Field(default=(), max_length=200)
    """Weekdays without school: the next term is not said to begin on one."""
    blocks: tuple[Finding, ...] = (Finding.MARKS, Finding.APPROVAL)
    """What a card is not made without; everything else is a warning."""

    @field_validator("term_weights")
    @classmethod
    def _counted(cls, weights: tuple[int, int, int]) -> tuple[int, int, int]:
        if any(not 0 <= weight <= 100 for weight in weights) or not weights[2]:
            raise ValueError("weights are whole numbers from 0 to 100, and the third term counts something")
        return weights

    @model_validator(mode="after")
    def _once(self) -> Self:
        refuse_repeats("trait", [trait.casefold() for trait in (*self.affective, *self.psychomotor)])
        refuse_repeats("finding", list(self.blocks))
        return self


class ReportReleasePolicy(PolicyBase):
    """Whether a family that owes fees gets its card. Off unless a school says otherwise, and logged each time."""

    withhold_unpaid: bool = False
    overdue_only: bool = True
    """Count only fees past their due date."""
    tolerated_kobo: int = Field(default=0, ge=0, le=100_000_000_000)
    """A family that owes no more than this gets its card all the same."""
