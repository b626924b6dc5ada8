"""An import is taken back, where nothing came after it, and is nobody else's."""

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from core.access.principal import Role
from core.adapters.postgres import PostgresDatabase
from core.ids import SchoolId
from tests.factories.http import bearer, make_client, make_principal, settings_for
from tests.factories.imports import IMPORTS, Office, make_office
from tests.factories.spreadsheets import small_school


@pytest.fixture(scope="module")
async def client(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[httpx.AsyncClient]:
    """The whole application in process, its files in a folder of this module."""
    folder: Path = tmp_path_factory.mktemp("state")
    async with make_client(settings_for(database_url, folder)) as made:
        yield made


@pytest.fixture
async def office(client: httpx.AsyncClient, db: PostgresDatabase) -> Office:
    """The office of a school without records."""
    return await make_office(client, db)


async def test_undo_restores_what_was(office: Office) -> None:
    """Undoing an import removes what it made and restores what it changed, to the last field."""
    assert (await office.send(small_school())).status_code == 201
    before = await office.records()
    sheets = small_school()
    sheets["Students"][1][1] = "Adéwálé"
    sheets["Students"].append(["S/4", "Bello", "Amina", "F", None, "JSS 3 Gold", None])
    sheets["Classes"].append(["JSS 3", "Gold", "T/3"])
    sheets["Staff"].append(["T/3", None, "Eze", "Ifeoma", None, None, "class teacher", "Languages"])
    sheets["Guardians"].append(["Mr", "Bello", "Sani", "father", "S/4; S/1", "08035550300", *[None] * 3, "yes"])
    second = await office.send(sheets)
    assert second.status_code == 201, second.text
    assert (await office.records()) != before
    undone = await office.undo(second.json()["id"])
    assert undone.status_code == 200, undone.text
    assert undone.json()["state"] == "undone"
    assert await office.records() == before
    assert (await office.undo(second.json()["id"])).status_code == 409


async def test_undo_of_the_first_import_leaves_an_empty_school(office: Office) -> None:
    """What a school was set up with can be taken back whole."""
    first = await office.send(small_school())
    assert (await office.undo(first.json()["id"])).status_code == 200
    assert not any((await office.records()).values())


async def test_undo_gives_an_earlier_consent_again(office: Office) -> None:
    """A consent that an import changed is what it was before, by a new row: none is taken out of the record."""
    await office.send(small_school())
    sheets = small_school()
    sheets["Guardians"][1][9] = "no"
    second = await office.send(sheets)
    assert (await office.undo(second.json()["id"])).status_code == 200
    rows = await office.fetch(
        "SELECT granted, source FROM consents c JOIN guardians g ON g.id = c.guardian_id"
        " WHERE g.given_names = 'Yétúndé' AND channel = 'sms' ORDER BY recorded_at, c.id"
    )
    assert [tuple(row.values()) for row in rows] == [(True, "import"), (False, "import"), (True, "undo")]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("UPDATE students SET given_names = 'Later' WHERE student_no = 'S/1'", "students S/1 was changed since"),
        ("UPDATE users SET password_hash = 'x' WHERE username = 's/1'", "users s/1 was changed since"),
        (
            """INSERT INTO guardianships (school_id, guardian_id, student_id, relationship)
               SELECT app_school(), g.id, s.id, 'aunt' FROM guardians g, students s
               WHERE g.given_names = 'Adaeze' AND s.student_no = 'S/1'""",
            "students S/1 1 of guardianships refer to it",
        ),
    ],
)
async def test_undo_is_refused_where_something_came_later(office: Office, change: str, said: str) -> None:
    """An import whose records were changed since, or are referred to, stays, and the answer says by what."""
    first = await office.send(small_school())
    await office.execute(change)
    before = await office.records()
    answer = await office.undo(first.json()["id"])
    assert answer.status_code == 409
    assert said in [
        f"{fault['pointer'][1:].replace('/', ' ', 1)} {fault['detail']}" for fault in answer.json()["errors"]
    ]
    assert await office.records() == before


async def test_another_schools_import_is_not_there(office: Office, db: PostgresDatabase) -> None:
    """Another school's import answers 404 to reading and undoing, and stays as it is."""
    import_id = (await office.send(small_school())).json()["id"]
    other = bearer(make_principal(SchoolId(uuid4()), Role.SCHOOL_ADMIN))
    assert (await office.client.get(f"{IMPORTS}/{import_id}", headers=other)).status_code == 404
    assert (await office.client.get(f"{IMPORTS}/{import_id}/annotated.xlsx", headers=other)).status_code == 404
    assert (await office.client.post(f"{IMPORTS}/{import_id}/undo", headers=other)).status_code == 404
    assert (await office.get(f"/{import_id}")).json()["state"] == "applied"
