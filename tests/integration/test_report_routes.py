"""Printing report cards over HTTP, as portals do it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from cluster.settings import Settings
from core.access.principal import Role
from core.adapters.local_store import LocalObjectStore
from core.adapters.postgres import PostgresDatabase
from core.clock import SystemClock
from core.reports.ports import RenderFailed
from tests.factories.http import bearer, make_client, settings_for
from tests.factories.printing import colours_of, pages_of
from tests.factories.report_batches import Faulty, make_browser, marked_class, number_of, printing, until
from tests.factories.school import MadeSchool

ROOT = "/api/reports"


@pytest.fixture(scope="module")
def settings(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings on the test database."""
    state: Path = tmp_path_factory.mktemp("state")
    return settings_for(database_url, state)


class Portal:
    """Requests of a portal, while a worker prints; one student's card can't be printed."""

    def __init__(self, client: httpx.AsyncClient, settings: Settings, school: MadeSchool, bad: str) -> None:
        self.client, self.settings, self.school, self.bad = client, settings, school, bad

    async def ask(self, method: str, path: str, *, as_: Role = Role.PRINCIPAL, **options: Any) -> httpx.Response:
        """Send a request as somebody of the school."""
        headers = {**bearer(self.school.as_(as_), self.settings), **options.pop("headers", {})}
        return await self.client.request(method, f"{ROOT}{path}", headers=headers, **options)

    def whose(self, **more: Any) -> dict[str, Any]:
        """Return the term in the body of a request."""
        return {"sessionId": str(self.school.session), "termId": str(self.school.terms[0]), **more}

    async def ended(self, job: str) -> dict[str, Any]:
        """Return a batch as it is shown when it has ended."""
        found: list[dict[str, Any]] = []

        async def over() -> bool:
            found[:] = [(await self.ask("GET", f"/jobs/{job}")).json()]
            return found[0]["finishedAt"] is not None

        await until(over)
        return found[0]


@pytest.fixture(scope="module")
async def portal(
    db: PostgresDatabase, database_url: str, settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Portal]:
    """A portal with a printer behind it."""
    school = await marked_class(db, students=3)
    bad = await number_of(db, school, school.students[0])
    store = LocalObjectStore(settings.state_dir / "objects", links_url="http://files.test", clock=SystemClock())
    browser = make_browser(tmp_path_factory.mktemp("browser"))

    def goes_wrong(html: str) -> str:
        if bad in html and "Draft" not in html:
            raise RenderFailed("the page is too long", False)
        return html

    async with (
        make_client(settings) as client,
        printing(db, database_url, Faulty(browser, goes_wrong), store=store),
    ):
        yield Portal(client, settings, school, bad)
    await browser.close()


async def test_a_batch_is_started_once_and_watched(portal: Portal) -> None:
    """A portal starts a batch with one key once, sees it end in the source's words, and what came of each card."""
    key = {"Idempotency-Key": uuid4().hex}
    body = portal.whose(studentIds=[str(each) for each in portal.school.students])
    first = await portal.ask("POST", "/generate", json=body, headers=key)
    again = await portal.ask("POST", "/generate", json=body, headers=key)
    assert first.status_code == again.status_code == 202, first.text
    job = first.json()["jobId"]
    assert again.json()["jobId"] == job
    assert first.headers["Location"] == f"/api/jobs/{job}"
    told = await portal.ended(job)
    assert {name: told[name] for name in ("status", "progress", "total", "done", "failed", "printed")} == {
        "status": "completed_with_errors", "progress": 3, "total": 3, "done": 3, "failed": 1, "printed": 2,
    }  # fmt: skip
    page = (await portal.ask("GET", f"/jobs/{job}/items?limit=2")).json()
    assert [item["state"] for item in page["items"]] == ["failed", "done"]
    rest = (await portal.ask("GET", f"/jobs/{job}/items?limit=2&cursor={page['nextCursor']}")).json()
    assert [item["position"] for item in rest["items"]] == [2]
    failed = (await portal.ask("GET", f"/jobs/{job}/items?state=failed")).json()["items"]
    assert [item["reason"] for item in failed] == ["The page is too long."]
    retried = await portal.ask("POST", f"/jobs/{job}/retry")
    assert (retried.status_code, retried.json()["retryOf"], retried.json()["printed"]) == (202, job, 2)
    assert (await portal.ended(retried.json()["jobId"]))["failed"] == 1
    assert (await portal.ask("POST", f"/jobs/{job}/cancel")).status_code == 409


async def test_one_card_while_one_waits(portal: Portal) -> None:
    """The class teacher gets one student's card at once, as a draft of what the records say now."""
    body = portal.whose(studentId=str(portal.school.students[0]))
    answer = await portal.ask("POST", "/generate-single", json=body, as_=Role.CLASS_TEACHER)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/pdf"), answer.text
    (page,) = pages_of(answer.content)
    assert portal.bad in page.text
    assert "Draft" in page.text
    answers = await asyncio.gather(
        portal.ask("POST", "/generate-single", json=body, as_=Role.GUARDIAN),
        portal.ask("POST", "/generate-single", json=body | {"sessionId": str(uuid4())}),
        portal.ask("POST", "/generate-single", json=body | {"studentId": str(uuid4())}),
    )
    assert [each.status_code for each in answers] == [403, 404, 404]


async def test_a_style_is_seen_before_it_is_saved(portal: Portal) -> None:
    """A card comes in the colours that are tried out, and the school's style stays as it is."""
    before = (await portal.ask("GET", "/style")).json()
    whose = portal.whose(studentId=str(portal.school.students[1]))
    tried = await portal.ask("POST", "/style/preview", json=whose | {"style": {**before, "primary": "#7a1f2b"}})
    assert tried.status_code == 200, tried.text
    assert (0x7A, 0x1F, 0x2B) in colours_of(tried.content)
    assert (await portal.ask("GET", "/style")).json() == before


async def test_what_lacks_is_listed_where_it_is_mended(portal: Portal) -> None:
    """A batch whose cards lack marks answers 409 with each lack, its student and where to mend it."""
    body = portal.whose() | {"termId": str(portal.school.terms[1])}
    answer = await portal.ask("POST", "/generate", json=body)
    assert answer.status_code == 409, answer.text
    first = answer.json()["errors"][0]
    assert first["pointer"].startswith("/api/school/mark-sheets")
    assert first["code"] == "marks"
