"""Class sheets for tests: opened, downloaded, filled in."""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import openpyxl
from openpyxl.worksheet.worksheet import Worksheet

from core.access.principal import Principal, Role
from core.school.marks.class_sheet import FIRST_COMPONENT, FIRST_ROW, MARKS
from core.school.spreadsheets import XLSX
from tests.factories.http import bearer
from tests.factories.school import MadeSchool

ROWS: tuple[tuple[Any, ...], ...] = ((9, 8.5, 17, 52), (7, 6, 12.25, 40), (5, 4, 10, 33))
"""Marks of three students: assignment, note, CA, exam."""


@dataclass(frozen=True, slots=True)
class Desk:
    """A client with a school, and a mark sheet of it on the desk."""

    client: httpx.AsyncClient
    school: MadeSchool
    sheet_id: str

    @property
    def path(self) -> str:
        """Return the sheet's address."""
        return f"/api/school/mark-sheets/{self.sheet_id}"

    def who(self, who: Role | Principal) -> dict[str, str]:
        """Return the headers of a request by someone."""
        return bearer(self.school.as_(who) if isinstance(who, Role) else who)

    async def sheet(self, who: Role | Principal = Role.PRINCIPAL) -> dict[str, Any]:
        """Return the sheet as the API gives it."""
        answer = await self.client.get(self.path, headers=self.who(who))
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    async def workbook(self, who: Role = Role.SUBJECT_TEACHER) -> openpyxl.Workbook:
        """Return the downloaded class sheet."""
        answer = await self.client.get(f"{self.path}/workbook.xlsx", headers=self.who(who))
        assert answer.status_code == 200, answer.text
        return openpyxl.load_workbook(io.BytesIO(answer.content))

    async def filled(self, *rows: tuple[Any, ...]) -> bytes:
        """Return the class sheet, downloaded and filled in from the first row on."""
        book = await self.workbook()
        fill(book, *(rows or ROWS))
        return saved(book)

    async def upload(
        self, content: bytes, who: Role | Principal = Role.SUBJECT_TEACHER, **query: str
    ) -> httpx.Response:
        """Upload a workbook to the sheet."""
        files = {"file": ("marks.xlsx", content, XLSX)}
        return await self.client.post(f"{self.path}/uploads", headers=self.who(who), files=files, params=query)

    async def act(
        self, action: str, who: Role | Principal, body: Mapping[str, Any] | None = None, version: int | None = None
    ) -> httpx.Response:
        """Move the sheet along the chain from the version it is at."""
        tag = version if version is not None else (await self.sheet())["version"]
        headers = self.who(who) | {"If-Match": f'"{tag}"'}
        return await self.client.post(f"{self.path}/{action}", headers=headers, json=dict(body or {}))

    async def patch(self, student: int, component: str, value: float | None, **also: Any) -> httpx.Response:
        """Change one mark by hand; ``student`` is the place in the roster."""
        sheet = await self.sheet()
        mark = {"studentId": sheet["students"][student]["studentId"], "component": component, "value": value} | also
        headers = self.who(Role.SUBJECT_TEACHER) | {"If-Match": f'"{sheet["version"]}"'}
        body = {"reason": "recounted the script", "marks": [mark]}
        return await self.client.patch(f"{self.path}/marks", headers=headers, json=body)

    async def approved(self) -> None:
        """Bring a filled sheet as far as approved."""
        assert (await self.upload(await self.filled())).status_code == 200
        steps = (("submit", Role.SUBJECT_TEACHER), ("approve", Role.HEAD_OF_DEPARTMENT), ("approve", Role.PRINCIPAL))
        for action, role in steps:
            answer = await self.act(action, role)
            assert answer.status_code == 200, answer.text

    async def published(self) -> None:
        """Bring a filled sheet as far as published."""
        await self.approved()
        assert (await self.act("publish", Role.PRINCIPAL)).status_code == 200


async def open_desk(client: httpx.AsyncClient, school: MadeSchool, *, arm: int = 0, subject: int = 0) -> Desk:
    """Open the first term's sheet of an arm and subject."""
    body = {
        "termId": str(school.terms[0]),
        "classArmId": str(school.arms[arm]),
        "subjectId": str(school.subjects[subject]),
    }
    headers = bearer(school.as_(Role.PRINCIPAL))
    answer = await client.post("/api/school/mark-sheets", headers=headers, json=body)
    assert answer.status_code == 200, answer.text
    return Desk(client, school, answer.json()["id"])


def page_of(book: openpyxl.Workbook) -> Worksheet:
    """Return the page people fill in."""
    page = book[MARKS]
    assert isinstance(page, Worksheet)
    return page


def fill(book: openpyxl.Workbook, *rows: tuple[Any, ...]) -> None:
    """Type marks into a class sheet, row by row from the first student on."""
    page = page_of(book)
    for row, values in enumerate(rows, start=FIRST_ROW):
        for column, value in enumerate(values, start=FIRST_COMPONENT):
            page.cell(row, column).value = value


def saved(book: openpyxl.Workbook) -> bytes:
    """Return a workbook's bytes."""
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()
