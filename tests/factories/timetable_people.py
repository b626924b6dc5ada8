"""Requests to the timetable's routes as one person of a school."""

from collections.abc import Mapping
from typing import Any

import httpx

from cluster.settings import Settings
from core.access.principal import Role
from tests.factories.http import bearer
from tests.factories.school import MadeSchool
from tests.factories.timetable_requests import ended

ROOT = "/api/timetable"


class Person:
    """Requests as one person."""

    def __init__(self, client: httpx.AsyncClient, settings: Settings, school: MadeSchool, role: Role) -> None:
        self.client = client
        self.settings = settings
        self.headers = bearer(school.as_(role), settings)

    async def get(self, path: str, status: int = 200) -> Any:
        """Return the body of an answer of this status."""
        answer = await self.client.get(f"{ROOT}{path}", headers=self.headers)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def post(self, path: str, body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Any:
        """Return the body of an answer of this status."""
        answer = await self.client.post(f"{ROOT}{path}", json=body, headers={**self.headers, **(headers or {})})
        assert answer.status_code == status, answer.text
        return answer.json()

    async def searched(self, path: str, body: Any, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Start a search and return how it ended."""
        job = (await self.post(path, body, 202, headers))["jobId"]
        return await ended(self.client, self.headers, job)
