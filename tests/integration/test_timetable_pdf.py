"""Timetables as PDF over HTTP, printed by a worker with the real browser."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from cluster.settings import Settings
from core.access.principal import Role
from core.adapters.chromium import ChromiumRenderer
from core.adapters.postgres import PostgresDatabase
from core.ids import TimetableId
from core.timetable import sheets
from tests.factories.http import bearer, make_client, settings_for
from tests.factories.printing import PageFound, pages_of
from tests.factories.report_batches import make_browser, printing
from tests.factories.school import MadeSchool, make_school
from tests.factories.timetable_requests import keep_timetable


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


@pytest.fixture(scope="module")
async def school(db: PostgresDatabase) -> MadeSchool:
    """A school of two arms."""
    return await make_school(db, arms=2)


@pytest.fixture(scope="module")
async def timetable(db: PostgresDatabase, school: MadeSchool) -> TimetableId:
    """Its timetable, not published."""
    return await keep_timetable(db, school)


@pytest.fixture
async def printer(db: PostgresDatabase, database_url: str, tmp_path: Path) -> AsyncIterator[None]:
    """A worker that prints."""
    browser: ChromiumRenderer = make_browser(tmp_path / "browser")
    await browser.start()
    async with printing(db, database_url, browser):
        yield
    await browser.close()


class Portal:
    """Asks for PDFs as somebody of the school."""

    def __init__(
        self, client: httpx.AsyncClient, settings: Settings, school: MadeSchool, timetable: TimetableId
    ) -> None:
        self.client, self.settings, self.school = client, settings, school
        self.path = f"/api/timetable/{timetable}/pages.pdf"

    async def ask(self, role: Role = Role.SCHOOL_ADMIN, **query: Any) -> httpx.Response:
        """Return the answer."""
        headers = bearer(self.school.as_(role), self.settings)
        return await self.client.get(self.path, params=query, headers=headers)

    async def pages(self, **query: Any) -> list[PageFound]:
        """Return the pages of a PDF."""
        answer = await self.ask(**query)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/pdf"), answer.text[:500]
        return pages_of(answer.content)


@pytest.fixture
def portal(client: httpx.AsyncClient, settings: Settings, school: MadeSchool, timetable: TimetableId) -> Portal:
    """Who asks."""
    return Portal(client, settings, school, timetable)


@pytest.mark.usefixtures("printer")
async def test_sheets_are_printed_for_whom_they_are_asked(portal: Portal, monkeypatch: pytest.MonkeyPatch) -> None:
    """A class, a teacher, every class, and the school on one sheet: A4 across, with names, hours and the version."""
    monkeypatch.setattr(sheets, "A_DOCUMENT_S", 60.0)  # the machine may be busy with other tests
    monkeypatch.setattr(sheets, "_WITHIN_S", 60.0)
    ruby, teacher = portal.school.arms[0], portal.school.staff[Role.SUBJECT_TEACHER]
    (own,) = await portal.pages(classArmId=ruby)
    assert own.width > own.height
    for word in ("JSS 2 Ruby", "Mathematics", "Mr Musa", "08:00", "Version 1, not published"):
        assert word in own.text, own.text
    (staff,) = await portal.pages(teacherId=teacher)
    assert "JSS 2 Emerald" in staff.text
    monkeypatch.setattr(sheets, "_MOST_SHEETS", 1)
    assert [name in page.text for page in await portal.pages(all="classes") for name in ("Ruby", "Emerald")] == [
        *(True, False),
        *(False, True),
    ]
    (whole,) = await portal.pages(all="overview")
    assert "Ruby" in whole.text
    assert "Emerald" in whole.text


async def test_who_may_print_what(portal: Portal) -> None:
    """Nobody prints what they may not see, and both a class and all is one too many."""
    assert (await portal.ask(Role.SUBJECT_TEACHER)).status_code == 404
    assert (await portal.ask(Role.GUARDIAN, all="classes")).status_code == 404
    assert (await portal.ask(classArmId=portal.school.arms[0], all="classes")).status_code == 422
    assert (await portal.ask(all="everything")).status_code == 422


async def test_where_nothing_prints_one_is_told_to_come_back(portal: Portal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a printer the answer is 503 with the time after which to ask again."""
    monkeypatch.setattr(sheets, "A_DOCUMENT_S", 0.3)
    answer = await portal.ask(all="overview")
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) >= 1
