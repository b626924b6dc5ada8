"""``schoolos import`` sets a school up from files of this machine."""

import asyncio
from pathlib import Path
from uuid import uuid4

import pytest
from click.testing import CliRunner, Result

from cluster.import_command import command
from core.adapters.postgres import PostgresDatabase
from core.errors import Conflict, InvalidInput, NotFound, NotPermitted
from core.ids import SchoolId
from tests.factories.spreadsheets import small_school, workbook


@pytest.fixture(autouse=True)
def _environment(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Name the test's database and a state folder of its own."""
    monkeypatch.setenv("SCHOOLOS_DATABASE_URL", database_url)
    monkeypatch.setenv("SCHOOLOS_STATE_DIR", str(tmp_path / "state"))


@pytest.fixture(scope="module")
async def school(db: PostgresDatabase) -> SchoolId:
    """A school without records, alone in its database."""
    made = SchoolId(uuid4())
    async with db.tenant(made) as tx:
        await tx.execute("INSERT INTO schools (id, code, name) VALUES ($1, 'kcl', 'School')", made)
    return made


def run(*arguments: object) -> Result:
    """Run the command; an error of ours comes out as it is, for the one place that tells errors."""
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


def test_files_are_checked_imported_and_taken_back(tmp_path: Path, school: SchoolId) -> None:
    """A dry run, an import and its undo each say what they did."""
    file = tmp_path / "school.xlsx"
    file.write_bytes(workbook(small_school()))
    checked = run(file, "--dry-run")
    assert checked.exit_code == 0, checked.exception
    assert "checked" in checked.output
    imported = run(file, "--school", "kcl")
    assert imported.exit_code == 0, imported.exception
    assert "applied" in imported.output
    import_id = imported.output.split("Import ")[1].split(":")[0]
    assert "undone" in run("--undo", import_id).output
    assert isinstance(run("--undo", import_id).exception, Conflict)


async def test_an_account_answers_for_its_import(tmp_path: Path, db: PostgresDatabase, school: SchoolId) -> None:
    """``--as`` imports with the rights of an account, whose id the import keeps; one that is not there is refused."""
    accounts = {"admin": (uuid4(), "school_admin"), "bursar": (uuid4(), "bursar")}
    async with db.tenant(school) as tx:
        for name, (account, role) in accounts.items():
            await tx.execute(
                "INSERT INTO users (id, school_id, username, display_name, roles) VALUES ($1, $2, $3, $3, $4)",
                *(account, school, name, [role]),
            )
    file = tmp_path / "school.xlsx"
    file.write_bytes(workbook(small_school()))
    done = await asyncio.to_thread(run, file, "--dry-run", "--as", "Admin")
    assert done.exit_code == 0, done.exception
    async with db.tenant(school) as tx:
        import_id = done.output.split("Import ")[1].split(":")[0]
        who = await tx.fetchval("SELECT imported_by FROM imports WHERE id = $1::text::uuid", import_id)
    assert who == accounts["admin"][0]
    for name, refusal in (("bursar", NotPermitted), ("nobody", NotFound)):
        assert isinstance((await asyncio.to_thread(run, file, "--as", name)).exception, refusal)


def test_faults_leave_a_marked_copy(tmp_path: Path, school: SchoolId) -> None:
    """Faults are printed with their cells, and a copy of the file that shows them lies beside it."""
    sheets = small_school()
    sheets["Students"][1][3] = "[x]"
    file = tmp_path / "school.xlsx"
    file.write_bytes(workbook(sheets))
    refused = run(file)
    assert isinstance(refused.exception, InvalidInput)
    assert "fault Students!D2: Gender: '[x]' is unknown" in refused.output
    assert (tmp_path / "school - what to mend.xlsx").stat().st_size > 0


def test_the_template_is_written(tmp_path: Path) -> None:
    """The workbook to fill in is written without any database."""
    assert run("--template", tmp_path / "t.xlsx").exit_code == 0
    assert (tmp_path / "t.xlsx").read_bytes().startswith(b"PK")


def test_an_unknown_school_and_an_empty_call_are_refused(tmp_path: Path, school: SchoolId) -> None:
    """A code that no school has, and a call without anything to do, say so."""
    file = tmp_path / "school.xlsx"
    file.write_bytes(workbook(small_school()))
    assert isinstance(run(file, "--school", "nobody").exception, NotFound)
    assert isinstance(run().exception, InvalidInput)
