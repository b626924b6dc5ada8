"""The office of a school that imports its own spreadsheets."""

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx

from core.access.principal import Principal, Role
from core.adapters.postgres import PostgresDatabase
from core.ids import SchoolId
from core.school.importing.tables import TABLES
from core.school.spreadsheets import XLSX
from tests.factories.http import bearer, make_principal
from tests.factories.spreadsheets import workbook

IMPORTS = "/api/school/imports"


@dataclass(slots=True)
class Office:
    """The office of one school, which has records of its own or none."""

    client: httpx.AsyncClient
    db: PostgresDatabase
    school: SchoolId
    admin: Principal

    async def send(self, sheets: dict[str, list[list[Any]]], *, dry_run: bool = False) -> httpx.Response:
        """Send sheets as a workbook."""
        return await self.send_files([("school.xlsx", workbook(sheets), XLSX)], dry_run=dry_run)

    async def send_files(self, files: list[tuple[str, bytes, str]], *, dry_run: bool = False) -> httpx.Response:
        """Send files."""
        return await self.client.post(
            IMPORTS,
            params={"dryRun": dry_run},
            files=[("file", file) for file in files],
            headers=bearer(self.admin),
        )

    async def get(self, path: str) -> httpx.Response:
        """Get something below the imports."""
        return await self.client.get(f"{IMPORTS}{path}", headers=bearer(self.admin))

    async def undo(self, import_id: str) -> httpx.Response:
        """Undo an import."""
        return await self.client.post(f"{IMPORTS}/{import_id}/undo", headers=bearer(self.admin))

    async def fetch(self, sql: str) -> list[dict[str, Any]]:
        """Return rows of the school."""
        async with self.db.tenant(self.school) as tx:
            return [dict(row) for row in await tx.fetch(sql)]

    async def execute(self, sql: str) -> None:
        """Change rows of the school."""
        async with self.db.tenant(self.school) as tx:
            assert await tx.execute(sql) > 0

    async def records(self) -> dict[str, list[Any]]:
        """Return every record that imports write, without versions."""
        return {
            table.name: [row["record"] for row in await self.fetch(
                f"SELECT {table.captured} AS record FROM {table.name} t ORDER BY {table.captured}::text"
            )]
            for table in TABLES
        }  # fmt: skip


async def make_office(client: httpx.AsyncClient, db: PostgresDatabase) -> Office:
    """Return the office of a school without records."""
    school = SchoolId(uuid4())
    async with db.tenant(school) as tx:
        code = f"s-{school.hex[:12]}"
        await tx.execute("INSERT INTO schools (id, code, name) VALUES ($1, $2, 'School')", school, code)
    return Office(client, db, school, make_principal(school, Role.SCHOOL_ADMIN))


def counts(answer: httpx.Response) -> dict[str, tuple[int, int, int, int]]:
    """Return new, changed, unchanged, faulty by sheet."""
    return {
        count["sheet"]: (count["new"], count["changed"], count["unchanged"], count["faulty"])
        for count in answer.json()["counts"]
    }


def faults(answer: httpx.Response) -> dict[str, str]:
    """Return the code of each faulty cell of a refusal."""
    return {fault["pointer"]: fault["code"] for fault in answer.json()["errors"]}
