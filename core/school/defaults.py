"""The policies a new school begins with: Nigerian secondary school. A school adds versions of its own."""

from collections.abc import Mapping, Sequence

from core.access.principal import Role
from core.ids import PolicyId, SchoolId
from core.ports import Transaction
from core.school import policy_store
from core.school.model import PolicyKind, Stage
from core.school.policies import (
    ApprovalPolicy,
    AssessmentPolicy,
    Band,
    Component,
    FeeReminderPolicy,
    GradingPolicy,
    NotificationPolicy,
    PolicyBody,
    as_body,
)
from core.school.policy_store import NewPolicy

ASSESSMENT = AssessmentPolicy(
    components=(
        Component(code="assignment", name="Assignment", max=10),
        Component(code="note", name="Note", max=10),
        Component(code="ca", name="CA", max=20),
        Component(code="exam", name="Exam", max=60),
    )
)
"""Continuous assessment of 40 and an exam of 60: the components of the source's report card."""


def _bands(*bands: tuple[str, int, str]) -> tuple[Band, ...]:
    return tuple(Band(grade=grade, from_=floor, remark=remark) for grade, floor, remark in bands)


WAEC = GradingPolicy(
    pass_mark=40,
    bands=_bands(
        ("A1", 75, "Excellent"),
        ("B2", 70, "Very good"),
        ("B3", 65, "Good"),
        ("C4", 60, "Credit"),
        ("C5", 55, "Credit"),
        ("C6", 50, "Credit"),
        ("D7", 45, "Pass"),
        ("E8", 40, "Pass"),
        ("F9", 0, "Fail"),
    ),
)
"""The bands of the West African Senior School Certificate."""

JSS_LETTERS = GradingPolicy(
    pass_mark=40,
    bands=_bands(
        ("A", 70, "Excellent"),
        ("B", 60, "Very good"),
        ("C", 50, "Good"),
        ("D", 45, "Fair"),
        ("E", 40, "Pass"),
        ("F", 0, "Fail"),
    ),
)
"""The letters that junior schools use."""

APPROVAL = ApprovalPolicy(steps=(Role.HEAD_OF_DEPARTMENT, Role.PRINCIPAL))

FEE_REMINDER = FeeReminderPolicy(days_before=(7, 1), days_after=(7,), at_hour=9)

DEFAULT_POLICIES: tuple[tuple[PolicyKind, Stage | None, str, PolicyBody], ...] = (
    (PolicyKind.ASSESSMENT, None, "Continuous assessment 40, exam 60", ASSESSMENT),
    (PolicyKind.GRADING, Stage.SSS, "WAEC A1-F9", WAEC),
    (PolicyKind.GRADING, Stage.JSS, "JSS letters A-F", JSS_LETTERS),
    (PolicyKind.APPROVAL, None, "Head of department, then principal", APPROVAL),
    (PolicyKind.FEE_REMINDER, None, "A week and a day before, a week after", FEE_REMINDER),
)

FOUNDING_POLICIES = (
    *DEFAULT_POLICIES,
    (PolicyKind.NOTIFICATION, None, "Results wait 15 minutes, nights are quiet", NotificationPolicy()),
)
"""What a real school begins with. A school without rules for its messages, as a simulated one, sends them at once."""


async def insert_default_policies(
    tx: Transaction,
    school_id: SchoolId,
    policies: Sequence[tuple[PolicyKind, Stage | None, str, PolicyBody]] = DEFAULT_POLICIES,
) -> Mapping[tuple[PolicyKind, Stage | None], PolicyId]:
    """Add the default policies to a school, and return their ids by kind and stage."""
    new = [NewPolicy(kind=kind, stage=stage, name=name, body=as_body(body)) for kind, stage, name, body in policies]
    return {(policy.kind, policy.stage): policy.id for policy in await policy_store.add(tx, school_id, new)}
