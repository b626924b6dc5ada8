"""The simulated school's workbook is one that a school could send in."""

from datetime import UTC, date, datetime
from pathlib import Path

from core.access.principal import Role
from core.adapters.local_store import LocalObjectStore
from core.adapters.postgres import PostgresDatabase
from core.clock import FakeClock
from core.ids import SchoolId, new_id
from core.school.importing.service import Imports, UploadedFile
from core.school.simulator.catalogue import SUBJECTS
from core.school.simulator.identity import Identity
from core.school.simulator.simulation import Recipe, simulate
from core.school.simulator.spreadsheets import import_workbook
from core.school.simulator.worlds import WORLDS
from tests.factories.http import make_principal

NOW = datetime(2027, 9, 20, 8, 0, tzinfo=UTC)
TODAY = date(2027, 9, 20)


async def test_the_workbook_is_imported_without_a_fault(db: PostgresDatabase, tmp_path: Path) -> None:
    """An empty school that imports it has its people, classes, loads and options, as they were simulated."""
    identity = Identity(simulate(Recipe(world=WORLDS["steady"], seed=5, code="kcl", students=90, today=TODAY)))
    school = SchoolId(new_id())
    async with db.tenant(school) as tx:
        await tx.execute("INSERT INTO schools (id, code, name) VALUES ($1, 'import-demo', 'School')", school)
    imports = Imports(db, FakeClock(NOW), LocalObjectStore(tmp_path, links_url="http://x", clock=FakeClock(NOW)))
    admin = make_principal(school, Role.SCHOOL_ADMIN, Role.PRINCIPAL)
    report = await imports.run(admin, files=[UploadedFile.of("kcl.xlsx", import_workbook(identity))], dry_run=False)
    assert report.faults == ()
    made = identity.school
    options = sum(subject.is_elective("SSS") for subject in SUBJECTS)
    async with db.tenant(school) as tx:
        count = {
            table: await tx.fetchval(f"SELECT count(*) FROM {table}")
            for table in ("students", "enrolments", "class_arms", "staff", "teaching_loads", "elective_choices")
        }
        shared = await tx.fetchval(
            "SELECT count(*) FROM (SELECT FROM guardianships GROUP BY guardian_id HAVING count(*) > 1) g"
        )
    assert count == {
        "students": 90,
        "enrolments": 90,
        "class_arms": len(made.staffroom.arms),
        "staff": len(made.staffroom.staff),
        "teaching_loads": len(made.staffroom.loads),
        "elective_choices": int(made.years[-1].taken[made.years[-1].level >= 3][:, -options:].sum()),
    }
    assert shared > 5
