"""``schoolos demo`` fills the database and says who to log in as."""

import os
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from cluster.demo_command import command, school_code
from core.access.passwords import Passwords
from core.adapters.postgres import PostgresDatabase


@pytest.fixture(autouse=True)
def _environment(database_url: str, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Name the test's database and a state folder that stays for the module."""
    folder: Path = tmp_path_factory.getbasetemp() / "demo-command-state"
    monkeypatch.setenv("SCHOOLOS_DATABASE_URL", database_url)
    monkeypatch.setenv("SCHOOLOS_STATE_DIR", str(folder))
    monkeypatch.setenv("COLUMNS", "200")


def run(*arguments: str) -> str:
    """Run the command and return what it says."""
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 0, result.exception
    return result.output


def test_schools_are_made_once_and_the_logins_are_told() -> None:
    """Two schools are made; a second run makes none and tells the same logins and password."""
    first = run("--schools", "2", "--students", "36", "--seed", "4")
    again = run("--schools", "2", "--students", "36", "--seed", "4")
    assert first.count(" made in ") == 2
    assert again.count(" there already in ") == 2
    told = [re.search(r"password (\S+)", output) for output in (first, again)]
    assert told[0] is not None
    assert told[1] is not None
    assert told[0][1] == told[1][1]
    for role in ("school admin", "principal", "head of department", "class teacher", "bursar", "guardian", "student"):
        assert role in first


async def test_the_password_it_tells_is_the_logins(db: PostgresDatabase) -> None:
    """What is printed opens the principal's account, and accounts that are not told have no password."""
    password = (Path(os.environ["SCHOOLOS_STATE_DIR"]) / "secrets" / "demo-password").read_text()
    async with db.directory() as tx:
        kept = await tx.fetchval(
            "SELECT u.password_hash FROM users u JOIN schools s ON s.id = u.school_id"
            " WHERE s.code = $1 AND u.username = 'principal@kcl.example'",
            school_code(0),
        )
        opened = await tx.fetchval(
            "SELECT count(*) FROM users WHERE password_hash IS NOT NULL AND school_id IS NOT NULL"
        )
    passwords = Passwords()
    assert await passwords.matches(kept, password)
    passwords.close()
    assert opened == 2 * 8


def test_a_wrong_world_or_size_is_refused() -> None:
    """Options out of bounds are refused before anything is made."""
    assert CliRunner().invoke(command, ["--world", "nowhere"]).exit_code == 2
    assert CliRunner().invoke(command, ["--students", "3"]).exit_code == 2
