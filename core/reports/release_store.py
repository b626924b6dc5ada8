"""The SQL of the release gate: which policy holds for whom, and the log of what was withheld and set aside."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from core.ids import PolicyId, StudentId, TermId, UserId
from core.ports import Transaction
from core.reports.record_store import IN_FORCE
from core.school.report_policies import ReportReleasePolicy

_GATES = f"""
SELECT e.student_id, gate.id AS policy_id, gate.body,
       coalesce((SELECT log.action = 'overridden' FROM report_release_log log
                 WHERE (log.school_id, log.term_id, log.student_id) = (t.school_id, t.id, e.student_id)
                   AND log.action IN ('overridden', 'restored') ORDER BY log.id DESC LIMIT 1), false) AS overridden
FROM terms t
JOIN enrolments e ON (e.school_id, e.session_id) = (t.school_id, t.session_id)
JOIN class_arms arm ON (arm.school_id, arm.id) = (e.school_id, e.class_arm_id)
JOIN levels level ON (level.school_id, level.id) = (arm.school_id, arm.level_id)
{IN_FORCE.format(of="level", kind="report_release", name="gate")}
WHERE t.id = $1 AND e.student_id = ANY ($2::uuid[])
"""

_LOG = """
INSERT INTO report_release_log (school_id, term_id, student_id, action, owed_kobo, policy_id, reason, actor_id, at)
SELECT app_school(), $1, new.student_id, $2, new.owed, new.policy_id, $3, app_actor(), $4
FROM unnest($5::uuid[], $6::bigint[], $7::uuid[]) AS new (student_id, owed, policy_id)
"""

_ENTRIES = """
SELECT log.id, log.student_id, s.student_no, s.family_name, s.given_names, log.action, log.owed_kobo, log.reason,
       log.actor_id, log.at
FROM report_release_log log JOIN students s ON (s.school_id, s.id) = (log.school_id, log.student_id)
WHERE log.term_id = $1 AND ($2::bigint IS NULL OR log.id < $2)
ORDER BY log.id DESC LIMIT $3
"""


class ReleaseAction(StrEnum):
    """What happened at the gate."""

    WITHHELD = "withheld"
    OVERRIDDEN = "overridden"
    RESTORED = "restored"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """What holds for one student's card."""

    student_id: StudentId
    policy_id: PolicyId | None
    policy: ReportReleasePolicy
    overridden: bool
    """Somebody let the card out for this term, whatever is owed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseEntry:
    """One line of the log."""

    id: int
    student_id: StudentId
    student_no: str
    family_name: str
    given_names: str
    action: ReleaseAction
    owed_kobo: int | None
    reason: str
    actor_id: UserId | None
    at: datetime


async def gates(tx: Transaction, term_id: TermId, students: Sequence[StudentId]) -> list[Gate]:
    """Return what holds for each of the students enrolled in a term."""
    found = []
    for row in await tx.fetch(_GATES, term_id, list(students)):
        fields = dict(row)
        body = fields.pop("body")
        policy = ReportReleasePolicy.model_validate(body) if body else ReportReleasePolicy()
        found.append(Gate(**fields, policy=policy))
    return found


async def time_zone(tx: Transaction) -> str:
    """Return the school's time zone."""
    return str(await tx.fetchval("SELECT time_zone FROM schools"))


async def write(
    tx: Transaction,
    term_id: TermId,
    *,
    action: ReleaseAction,
    reason: str,
    at: datetime,
    owed: Mapping[StudentId, int | None],
    policies: Mapping[StudentId, PolicyId | None],
) -> None:
    """Write a line a student into the log."""
    who = list(owed)
    amounts = [owed[student] for student in who]
    by = [policies.get(student) for student in who]
    await tx.execute(_LOG, term_id, action.value, reason, at, who, amounts, by)


async def entries(tx: Transaction, term_id: TermId, *, below: int | None, limit: int) -> list[ReleaseEntry]:
    """Return the log of a term, newest first."""
    rows = await tx.fetch(_ENTRIES, term_id, below, limit)
    return [ReleaseEntry(**{**dict(row), "action": ReleaseAction(row["action"])}) for row in rows]
