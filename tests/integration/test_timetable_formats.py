"""Timetables from and for other programs, over HTTP and by the command."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from cluster.settings import Settings
from cluster.timetable_command import command
from core.access.principal import Role
from core.adapters.postgres import PostgresDatabase
from core.errors import InvalidInput
from core.timetable.formats import FORMATS, format_of
from core.timetable.formats.fet.reader import read_fet
from deployments.timetable_formats import FormName
from tests.factories.archives import archive
from tests.factories.fet_files import about, activity, constraint, fet_file
from tests.factories.http import make_client, settings_for
from tests.factories.school import MadeSchool, make_school
from tests.factories.timetable_people import Person
from tests.factories.timetable_requests import keep_timetable

FET = fet_file(
    activity(1),
    activity(2, subject="PE"),
    time=(
        constraint("TwoActivitiesConsecutive", ("First_Activity_Id", "1"), ("Second_Activity_Id", "2")),
        constraint("TeachersMaxWonder", *about(1)),
    ),
)


@pytest.fixture(scope="module")
def settings(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings on the test database."""
    state: Path = tmp_path_factory.mktemp("state")
    return settings_for(database_url, state)


@pytest.fixture(scope="module")
async def client(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application."""
    async with make_client(settings) as made:
        yield made


@pytest.fixture
async def school(db: PostgresDatabase) -> MadeSchool:
    """A school of two arms."""
    return await make_school(db, arms=2)


@pytest.fixture
def admin(client: httpx.AsyncClient, settings: Settings, school: MadeSchool) -> Person:
    """The school's administrator."""
    return Person(client, settings, school, Role.SCHOOL_ADMIN)


async def sent(person: Person, name: str, content: bytes, status: int = 200, **query: str) -> Any:
    """Return the answer of this status to an upload."""
    answer = await person.client.post(
        "/api/timetable/import", files={"file": (name, content)}, params=query, headers=person.headers
    )
    assert answer.status_code == status, answer.text
    return answer.json()


async def test_a_file_becomes_a_problem(admin: Person) -> None:
    """What is read can be judged as it came; what is not supported is noted, a law that is lost as one."""
    read = await sent(admin, "school.fet", FET)
    assert (read["format"], read["whole"]) == ("fet", False)
    assert read["notes"] == [{"what": "not supported: TeachersMaxWonder (1 time)", "hard": True}]
    places = {"placements": [{"lesson": "1", "slot": 1}, {"lesson": "2", "slot": 0}]}
    judged = await admin.post("/validate", {"problem": read["problem"], "timetable": places})
    assert not judged["valid"]
    assert await sent(admin, "unnamed", FET, format="fet") == read


async def test_mistakes_in_a_file_are_told_by_their_place(admin: Person) -> None:
    """A file that can't be read answers 422 with its line; one of no known form names the forms."""
    cut = await sent(admin, "school.fet", FET[:-20], 422)
    assert "line" in cut["errors"][0]["detail"]
    unknown = await sent(admin, "school.doc", FET, 422)
    assert "xhstt" in unknown["detail"]


async def test_one_instance_of_an_archive_is_asked_for_by_its_id(admin: Person) -> None:
    """Of an archive of several the one named is read; without a name, or with no such, 422 lists them, cut short."""
    several = archive(more_instances=("other",))
    assert (await sent(admin, "a.xml", several, instance="other"))["problem"]["lessons"]
    for query, code in (({}, "missing"), ({"instance": "third"}, "unknown")):
        refused = await sent(admin, "a.xml", several, 422, **query)
        assert refused["detail"] == "Name one of the instances in the archive: small, other."
        assert [(each["pointer"], each["code"]) for each in refused["errors"]] == [("/query/instance", code)]
    many = await sent(admin, "a.xml", archive(more_instances=[f"{n:0200d}" for n in range(70)]), 422)
    assert many["detail"].endswith(" and 21 more.")
    assert len(many["detail"]) < 50 * 70
    single = await sent(admin, "school.fet", FET, 422, instance="small")
    assert "hold one problem each" in single["detail"]


async def test_only_who_makes_timetables_reads_files(
    client: httpx.AsyncClient, settings: Settings, school: MadeSchool
) -> None:
    """A teacher may not import, as they may not generate."""
    await sent(Person(client, settings, school, Role.SUBJECT_TEACHER), "school.fet", FET, 403)


async def test_a_kept_timetable_is_written_for_other_programs(
    db: PostgresDatabase, client: httpx.AsyncClient, settings: Settings, school: MadeSchool, admin: Person
) -> None:
    """FET, Excel, CSV and our own form read back with every lesson in its place; families get no file of the school."""
    kept = await keep_timetable(db, school)
    for name in ("fet", "xlsx", "csv", "schoolos"):
        path = f"/api/timetable/{kept}/export?format={name}"
        answer = await client.get(path, headers=admin.headers)
        assert answer.status_code == 200, answer.text
        read = format_of("", answer.content, name).read(answer.content)
        locked = [lesson for lesson in read.problem.lessons if lesson.locked_slot is not None]
        placed = len(read.timetable.placements) if read.timetable else len(locked)
        assert placed == len(read.problem.lessons) > 0
        assert "Ruby" in " ".join(group.name for group in read.problem.groups)
    guardian = Person(client, settings, school, Role.GUARDIAN)
    refused = await client.get(f"/api/timetable/{kept}/export?format=csv", headers=guardian.headers)
    assert refused.status_code in {403, 404}
    without = await client.get(f"/api/timetable/{kept}/export?format=xhstt", headers=admin.headers)
    assert without.status_code == 422


def test_the_routes_know_every_form() -> None:
    """A new form is a new name in the document too."""
    assert {each.value for each in FormName} == {form.name for form in FORMATS}


def test_the_command_converts(tmp_path: Path) -> None:
    """A file of one program becomes one of another, with its timetable locked, and what is lost is named."""
    source, out, book = tmp_path / "a.fet", tmp_path / "b.fet", tmp_path / "c.xlsx"
    source.write_bytes(FET)
    places = tmp_path / "places.json"
    places.write_text(json.dumps({"placements": [{"lesson": "1", "slot": 0}, {"lesson": "2", "slot": 1}]}))
    done = CliRunner().invoke(command, ["convert", str(source), str(out), "--solution", str(places), "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.output)
    assert (told["placed"], told["whole"], len(told["notes"])) == (2, False, 1)
    assert [lesson.locked_slot for lesson in read_fet(out.read_bytes()).problem.lessons] == [0, 1]
    said = CliRunner().invoke(command, ["convert", str(source), str(book)])
    assert said.exit_code == 0, said.output
    assert "TeachersMaxWonder" in said.output
    assert "next_to" in said.output
    assert format_of(book.name, book.read_bytes()).read(book.read_bytes()).problem.lessons


@pytest.mark.parametrize("said", [("check",), ("explain", "--seconds", "5"), ("convert", "out.json")])
def test_the_command_takes_one_instance_of_an_archive(tmp_path: Path, said: tuple[str, ...]) -> None:
    """Of several instances the named one is meant; without a name, or with a wrong one, all are told."""
    file = tmp_path / "a.xml"
    file.write_bytes(archive(more_instances=("other",)))
    verb, *rest = said
    arguments = [verb, str(file), *(str(tmp_path / one) if one.endswith(".json") else one for one in rest)]
    done = CliRunner().invoke(command, [*arguments, "--instance", "other"])
    assert done.exit_code == 0, done.output
    for unknown in ([], ["--instance", "third"]):
        refused = CliRunner().invoke(command, [*arguments, *unknown])
        assert isinstance(refused.exception, InvalidInput)
        assert "small, other" in refused.exception.message
