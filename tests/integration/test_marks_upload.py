"""A class sheet goes out as a workbook and comes back as marks, whole or not at all."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from core.access.principal import Role
from core.adapters.postgres import PostgresDatabase
from tests.factories.http import make_client, settings_for
from tests.factories.marks import Desk, fill, open_desk, page_of, saved
from tests.factories.school import make_school


@pytest.fixture(scope="module")
async def client(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[httpx.AsyncClient]:
    """The whole application in process, its files in a folder of this module."""
    folder: Path = tmp_path_factory.mktemp("state")
    async with make_client(settings_for(database_url, folder)) as made:
        yield made


@pytest.fixture
async def desk(client: httpx.AsyncClient, db: PostgresDatabase) -> Desk:
    """An opened sheet of a school of its own, with three students."""
    return await open_desk(client, await make_school(db))


async def test_the_workbook_is_filled_in_and_taken_over(desk: Desk) -> None:
    """A filled class sheet becomes marks with totals, grades and positions."""
    answer = await desk.upload(await desk.filled())
    assert answer.status_code == 200, answer.text
    assert answer.json()["changed"] == 12
    sheet = await desk.sheet(Role.SUBJECT_TEACHER)
    assert [line["total"] for line in sheet["students"]] == [86.5, 65.25, 52]
    assert [line["grade"] for line in sheet["students"]] == ["A", "B", "C"]
    assert [line["position"] for line in sheet["students"]] == [1, 2, 3]
    assert sheet["classAverage"] == 67.9
    assert sheet["version"] == 2
