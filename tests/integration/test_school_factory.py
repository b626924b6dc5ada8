"""The made school that every other test stands on."""

from core.access.principal import Role
from core.adapters.postgres import PostgresDatabase
from core.school import policy_store
from core.school.model import PolicyKind, Stage
from tests.factories.school import make_school


async def test_a_made_school_is_whole(db: PostgresDatabase) -> None:
    """A made school has its arms, students, guardians, loads, an account for each person and the default policies."""
    school = await make_school(db, arms=2, students=4, guardians_per_student=2)
    async with db.tenant(school.id) as tx:
        counts = {
            table: await tx.fetchval(f"SELECT count(*) FROM {table}")
            for table in ("class_arms", "students", "guardians", "consents", "users", "teaching_loads", "policies")
        }
    assert counts == {
        "class_arms": 2,
        "students": 8,
        "guardians": 16,
        "consents": 48,
        "users": 30,
        "teaching_loads": 4,
        "policies": 5,
    }
    assert school.as_(Role.GUARDIAN).guardian_id == school.guardians_of[school.students[0]][0]


async def test_the_policy_of_a_stage_goes_before_the_one_for_all(db: PostgresDatabase) -> None:
    """Grading differs between JSS and SSS, assessment holds for both."""
    school = await make_school(db)
    async with db.tenant(school.id) as tx:
        jss = await policy_store.in_force(tx, PolicyKind.GRADING, Stage.JSS)
        sss = await policy_store.in_force(tx, PolicyKind.GRADING, Stage.SSS)
        assessment = await policy_store.in_force(tx, PolicyKind.ASSESSMENT, Stage.SSS)
    assert jss is not None
    assert sss is not None
    assert assessment is not None
    assert (len(jss.body["bands"]), len(sss.body["bands"]), assessment.stage) == (6, 9, None)
