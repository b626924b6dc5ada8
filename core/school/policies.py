"""The bodies of policies: what each may say, and what it works out."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic.alias_generators import to_camel

from core.access.principal import ROLE_SCOPES, Role, Scope
from core.errors import Fault, InvalidInput
from core.school.model import PolicyKind

APPROVERS = frozenset(role for role, scopes in ROLE_SCOPES.items() if Scope.MARKS_APPROVE in scopes)
"""Roles that may stand in an approval chain."""


class _Body(BaseModel):
    """Base of every policy body; an unknown field is refused."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, frozen=True, extra="forbid", str_strip_whitespace=True
    )


class Component(_Body):
    """One part of a subject's mark, such as the exam."""

    code: str = Field(pattern=r"^[a-z][a-z0-9_]{0,30}$")
    name: str = Field(min_length=1, max_length=40)
    max: int = Field(ge=1, le=100)
    """The highest mark of this part."""


class AssessmentPolicy(_Body):
    """The parts a subject's mark is made of; their maxima sum to 100."""

    components: tuple[Component, ...] = Field(min_length=1, max_length=12)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        _refuse_repeats("code", [component.code for component in self.components])
        _refuse_repeats("name", [component.name.casefold() for component in self.components])
        total = sum(component.max for component in self.components)
        if total != 100:
            raise ValueError(f"the maxima sum to {total}; they must sum to 100")
        return self

    def component(self, code: str) -> Component | None:
        """Return the component of a code, or None."""
        return next((component for component in self.components if component.code == code), None)


class Band(_Body):
    """A grade and the lowest total that earns it; it reaches up to the next band."""

    grade: str = Field(min_length=1, max_length=8)
    from_: int = Field(alias="from", ge=0, le=100)
    remark: str = Field(default="", max_length=60)


class GradingPolicy(_Body):
    """The bands of totals, highest first, and the lowest total that passes."""

    bands: tuple[Band, ...] = Field(min_length=2, max_length=20)
    pass_mark: int = Field(alias="pass", ge=0, le=100)

    @field_validator("bands")
    @classmethod
    def _cover(cls, bands: tuple[Band, ...]) -> tuple[Band, ...]:
        _refuse_repeats("grade", [band.grade for band in bands])
        floors = [band.from_ for band in bands]
        if any(higher <= lower for higher, lower in pairwise(floors)):
            raise ValueError("each band must begin below the one before it, so that no two overlap")
        if floors[-1] != 0:
            raise ValueError(
                f"the lowest band begins at {floors[-1]}; it must begin at 0, so that no total is left out"
            )
        return bands


class ApprovalPolicy(_Body):
    """The roles that approve a mark sheet, in order."""

    steps: tuple[Role, ...] = Field(min_length=1, max_length=4)

    @field_validator("steps")
    @classmethod
    def _approvers(cls, steps: tuple[Role, ...]) -> tuple[Role, ...]:
        _refuse_repeats("step", list(steps))
        strangers = [role for role in steps if role not in APPROVERS]
        if strangers:
            raise ValueError(f"{', '.join(strangers)} can't approve marks; allowed: {', '.join(sorted(APPROVERS))}")
        return steps


class FeeReminderPolicy(_Body):
    """On which days around a fee's due date, and at which hour of the school's day, reminders go out."""

    days_before: tuple[int, ...] = Field(max_length=10)
    days_after: tuple[int, ...] = Field(max_length=10)
    at_hour: int = Field(ge=0, le=23)

    @field_validator("days_before", "days_after")
    @classmethod
    def _days(cls, days: tuple[int, ...]) -> tuple[int, ...]:
        _refuse_repeats("day", [str(day) for day in days])
        if any(not 0 <= day <= 90 for day in days):
            raise ValueError("days are counted from 0 to 90")
        return days


PolicyBody = AssessmentPolicy | GradingPolicy | ApprovalPolicy | FeeReminderPolicy

_BODIES: Mapping[PolicyKind, type[PolicyBody]] = {
    PolicyKind.ASSESSMENT: AssessmentPolicy,
    PolicyKind.GRADING: GradingPolicy,
    PolicyKind.APPROVAL: ApprovalPolicy,
    PolicyKind.FEE_REMINDER: FeeReminderPolicy,
}


def parse_policy(kind: PolicyKind, body: Mapping[str, Any]) -> PolicyBody:
    """Return the body of a policy, checked. Raises ``InvalidInput`` with a fault for each place."""
    try:
        return _BODIES[kind].model_validate(dict(body))
    except ValidationError as error:
        faults = _faults(error)
        raise InvalidInput(f"this is no {kind.replace('_', ' ')} policy: {faults[0].what}", faults) from error


def as_body(policy: PolicyBody) -> dict[str, Any]:
    """Return the body as it is stored and sent."""
    return policy.model_dump(mode="json", by_alias=True)


def _refuse_repeats(what: str, values: list[str]) -> None:
    repeated = sorted({value for value in values if values.count(value) > 1})
    if repeated:
        raise ValueError(f"each {what} may stand once; repeated: {', '.join(repeated)}")


def _faults(error: ValidationError) -> list[Fault]:
    """Return the innermost faults: a whole can't be judged while a part of it is wrong."""
    found = error.errors(include_url=False, include_context=False)
    outer = {fault["loc"][:depth] for fault in found for depth in range(len(fault["loc"]))}
    return [
        Fault(
            "/".join(["/body", *map(str, fault["loc"])]),
            fault["msg"].removeprefix("Value error, "),
            fault["type"],
        )
        for fault in found
        if fault["loc"] not in outer
    ]
