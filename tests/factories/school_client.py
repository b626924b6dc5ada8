"""A client of the records' routes that speaks for one person."""

from typing import Any

import httpx

from core.access.principal import Principal
from core.clock import Clock, FakeClock
from tests.factories.http import bearer

ROOT = "/api/school"


class SchoolClient:
    """Requests under ``/api/school`` as one person."""

    def __init__(self, client: httpx.AsyncClient, who: Principal, clock: Clock | None = None) -> None:
        self._client = client
        self._headers = bearer(who, clock=clock or FakeClock())

    async def send(self, method: str, path: str, body: Any = None, version: int | None = None) -> httpx.Response:
        """Send a request; ``version`` goes into If-Match."""
        match = {"If-Match": f'"{version}"'} if version is not None else {}
        return await self._client.request(method, f"{ROOT}{path}", json=body, headers=self._headers | match)

    async def get(self, path: str, **query: Any) -> Any:
        """Return the body of a successful read."""
        asked = {name: str(value) for name, value in query.items()}
        answer = await self._client.get(f"{ROOT}{path}", params=asked, headers=self._headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def items(self, path: str, **query: Any) -> list[Any]:
        """Return the items of a page."""
        items: list[Any] = (await self.get(path, **query))["items"]
        return items

    async def made(self, path: str, body: Any) -> Any:
        """Add a record and return it."""
        answer = await self.send("POST", path, body)
        assert answer.status_code == 201, answer.text
        return answer.json()

    async def changed(self, path: str, body: Any, version: int = 1) -> Any:
        """Change a record and return it."""
        answer = await self.send("PATCH", path, body, version)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def status(self, method: str, path: str, body: Any = None, version: int | None = None) -> int:
        """Return the status of an answer."""
        return (await self.send(method, path, body, version)).status_code

    async def pointers(self, method: str, path: str, body: Any = None, version: int | None = None) -> list[str]:
        """Return where the faults of a refused request are."""
        answer = await self.send(method, path, body, version)
        assert answer.status_code == 422, answer.text
        return [fault["pointer"] for fault in answer.json()["errors"]]

    async def walk(self, path: str, limit: int) -> list[Any]:
        """Return all items of a list, page by page along the Link header."""
        url, found = f"{ROOT}{path}{'&' if '?' in path else '?'}limit={limit}", []
        while True:
            answer = await self._client.get(url, headers=self._headers)
            assert answer.status_code == 200, answer.text
            found += answer.json()["items"]
            assert len(answer.json()["items"]) <= limit
            following = answer.links.get("next")
            assert (following is None) == (answer.json()["nextCursor"] is None)
            if following is None:
                return found
            url = following["url"]
