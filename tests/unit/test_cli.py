"""The command line: quick help, one sentence an error, and what stops a start."""

import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner
from pydantic import SecretStr

from cluster import checks
from cluster.cli import schoolos
from cluster.embedded.process import ProcessMark
from cluster.outcome import exit_code, finish, sentence
from cluster.resolved import as_environment, with_values
from cluster.settings import Settings
from cluster.state import RunRecord, StateFolder
from core import errors
from core.errors import Conflict, Fault, InvalidInput, SchoolOSError, Unavailable

COMMANDS = ("up", "down", "status", "doctor", "migrate", "demo", "import")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str) -> None:
    """`schoolos COMMAND --help` says what it does."""
    told = CliRunner().invoke(schoolos, [command, "--help"])
    assert told.exit_code == 0, told.output
    assert f"{command} [OPTIONS]" in told.output


def test_help_imports_nothing_heavy() -> None:
    """The list of commands comes without Ray, the database driver or the web framework."""
    program = (
        "import sys, cluster.cli; cluster.cli.schoolos.main(['--help'], standalone_mode=False); print(*sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert all(f"  {command} " in told.stdout for command in COMMANDS)
    assert not {"ray", "asyncpg", "fastapi", "numpy", "boto3"} & set(told.stdout.split())


def test_an_error_of_ours_is_a_sentence_and_a_code(capsys: pytest.CaptureFixture[str]) -> None:
    """The message and its faults go to standard error, without a traceback."""

    def work() -> None:
        raise InvalidInput("the workbook has faults", [Fault("Marks!D7", "at most 60")])

    assert finish(work) == 2
    assert capsys.readouterr().err == "the workbook has faults\n  Marks!D7: at most 60\n"


@pytest.mark.parametrize(
    ("where", "told"), [("", "Name one: a, b."), ("/query/instance", "instance: Name one: a, b."), ("line 5", None)]
)
def test_a_mistake_that_is_the_whole_error_is_told_once(where: str, told: str | None) -> None:
    """Where the only fault repeats the message, there is one sentence, with its place where it has one."""
    error = InvalidInput("Name one: a, b.", [Fault(where, "Name one: a, b.")])
    assert sentence(error) == (told or f"{where}: Name one: a, b.")


def test_every_kind_of_error_has_a_code() -> None:
    """No error of the tree is left to the code for the unexpected."""
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, SchoolOSError)]
    assert {exit_code(kind("x")) > 1 for kind in kinds if kind is not SchoolOSError} == {True}


def test_an_unknown_setting_is_refused_by_name(tmp_path: Path) -> None:
    """A typing error in a variable is told, with the exit code of wrong usage."""
    told = subprocess.run(
        [sys.executable, "-m", "cluster.cli", "status"],
        env={**os.environ, "SCHOOLOS_REDIS_ULR": "x", "SCHOOLOS_STATE_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (told.returncode, "SCHOOLOS_REDIS_ULR" in told.stderr, "Traceback" in told.stderr) == (2, True, False)


def test_settings_survive_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one process resolved another reads back from its environment, secrets, tuples and times included."""
    given = with_values(
        Settings(),
        {
            "database": {"url": SecretStr("postgresql://a:b@h/d")},
            "http": {"cors_origins": ("https://a.example", "https://b.example")},
            "auth": {"signing_key": SecretStr("-----BEGIN\nKEY-----"), "access_ttl": timedelta(minutes=7)},
            "notifier": {"retry_delays": (timedelta(seconds=2), timedelta(minutes=1))},
        },
    )
    for name, value in as_environment(given).items():
        monkeypatch.setenv(name, value)
    assert Settings.from_environment() == given


def test_a_full_disk_is_told_before_it_hurts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Too little room is one sentence that names the setting to change."""
    monkeypatch.setattr("cluster.checks.shutil.disk_usage", lambda _: SimpleNamespace(free=10 * 1024**2))
    (told,) = checks.disk(tmp_path / "not" / "there" / "yet")
    assert told.startswith(f"The disk of {tmp_path} has 10 MB free")
    assert "SCHOOLOS_STATE_DIR" in told


def test_too_little_shared_memory_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A container's 64 MB of /dev/shm are too little, and the sentence has the command that helps."""
    monkeypatch.setattr("cluster.checks.shutil.disk_usage", lambda _: SimpleNamespace(free=64 * 1024**2))
    (told,) = checks.shared_memory(100 * 1024**2)
    assert "mount -o remount" in told
    assert "--shm-size" in told


def test_a_port_in_use_is_told_with_its_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each port that is taken is one sentence, with who has it and which setting moves ours."""
    monkeypatch.setattr(checks, "is_free", lambda port, _: port != 8000)
    told = [each for each in checks.problems(Settings()) if "Port" in each]
    assert len(told) == 1
    assert told[0].startswith("Port 8000 is in use")
    assert "SCHOOLOS_HTTP_PORT" in told[0]


def test_a_missing_tool_is_told_unless_an_address_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a Redis server of our own the sentence says both ways out; with an address none is needed."""

    def missing() -> Path:
        raise Unavailable("there is no redis-server; install one with `apt-get install redis-server`")

    monkeypatch.setattr(checks, "find_redis_server", missing)
    (told,) = checks.tools(Settings())
    assert "apt-get install redis-server" in told
    assert "SCHOOLOS_REDIS_URL" in told
    assert not list(checks.tools(with_values(Settings(), {"redis": {"url": SecretStr("redis://h")}})))


def test_a_folder_serves_one_system_at_a_time(tmp_path: Path) -> None:
    """A second start is refused by name while the first lives, and a dead one's lock is free."""
    folder = StateFolder(tmp_path)
    holder = folder.lock()
    with pytest.raises(Conflict, match=rf"already up .*\(process {os.getpid()}\)"):
        StateFolder(tmp_path).lock()
    os.close(holder)
    os.close(folder.lock())


def test_what_runs_is_kept_private(tmp_path: Path) -> None:
    """The record comes back as it was written, and no other user may read it."""
    folder = StateFolder(tmp_path)
    record = RunRecord(
        guard=ProcessMark(1, 2.5),
        environment={"SCHOOLOS_HTTP_PORT": "8000"},
        ray_environment={},
        processes={"Redis": ProcessMark(3, 4.5)},
    )
    folder.write_record(record)
    assert folder.read_record() == record
    assert (tmp_path / "run.json").stat().st_mode & 0o077 == 0


def test_status_says_that_nothing_runs(tmp_path: Path) -> None:
    """Without a system the command tells so, also to programs, and exits 1."""
    told = CliRunner().invoke(schoolos, ["status", "--json"], env={"SCHOOLOS_STATE_DIR": str(tmp_path)})
    assert told.exit_code == 1
    assert json.loads(told.output)["up"] is False
