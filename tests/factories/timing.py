"""A school's rules about its messages, and children who share a guardian, for tests of digests and quiet hours."""

from typing import Any

from core.ports import Database
from core.school import policy_store
from core.school.model import PolicyKind
from core.school.policies import as_body, parse_policy
from core.school.policy_store import NewPolicy
from tests.factories.school import MadeSchool


async def settle(db: Database, school: MadeSchool, kind: PolicyKind = PolicyKind.NOTIFICATION, **body: Any) -> None:
    """Add the next version of a policy to a school; what is not named is as by default."""
    checked = as_body(parse_policy(kind, body))
    async with db.tenant(school.id) as tx:
        await policy_store.add(tx, school.id, [NewPolicy(kind=kind, stage=None, name="Settled", body=checked)])


async def one_guardian(db: Database, school: MadeSchool) -> None:
    """Give every child of a school the first guardian, and no other."""
    async with db.tenant(school.id) as tx:
        await tx.execute("DELETE FROM guardianships")
        await tx.execute(
            "INSERT INTO guardianships (school_id, guardian_id, student_id, relationship)"
            " SELECT app_school(), $1, id, 'mother' FROM students",
            school.guardians[0],
        )
