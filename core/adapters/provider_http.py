"""How providers with an HTTP API are asked: kept connections, time-outs, errors told apart by what is certain."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import aiohttp
from yarl import URL

from core.adapters.proxies import proxy_for
from core.errors import SchoolOSError, TooMany, Unavailable
from core.notifications.ports import NotTaken, refusal

_MAX_BYTES = 64 * 1024
"""An answer to one message is below 2 kB; more is not one."""
_NOT_TAKEN = frozenset({401, 402, 403, 404, 503})
"""The account, its credit or its address is out of order, or the provider is: no message is to blame, and none left."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a provider answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def ok(self) -> bool:
        """Tell whether the request succeeded."""
        return 200 <= self.status < 300

    def document(self) -> dict[str, Any]:
        """Return the JSON object of the body, empty where there is none."""
        try:
            found = json.loads(self.body)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    def error(self, said: str = "") -> SchoolOSError:
        """Return what a status that is no success means, where the provider's own code does not say it."""
        said = f"HTTP {self.status} {said}".strip()
        if self.status == 429:
            return TooMany(said, self._retry_after_s())
        if self.status in _NOT_TAKEN:
            return NotTaken(said)
        return refusal(said) if self.status in {400, 413, 422} else Unavailable(said)

    def _retry_after_s(self) -> float | None:
        stated = self.headers.get("Retry-After", "")
        return float(stated) if stated.isdecimal() else None


class ProviderHttp:
    """One session of kept-alive connections, opened at the first request."""

    def __init__(
        self,
        *,
        timeout: timedelta,
        connections: int,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        total_s = timeout.total_seconds()
        # A provider that can't even be connected to has taken nothing: found out early, there is time for the next.
        self._timeout = aiohttp.ClientTimeout(total=total_s, sock_connect=total_s / 3)
        self._connections = connections
        self._headers = headers
        self._session: aiohttp.ClientSession | None = None

    async def post(self, url: str | URL, **request: Any) -> Answer:
        """Send one request and return its answer, whatever its status. Raises ``NotTaken`` or ``Unavailable``."""
        try:
            # A redirect would carry message and credentials to a place nobody chose.
            target = URL(url)
            async with self._open().post(target, allow_redirects=False, proxy=proxy_for(target), **request) as answer:
                return Answer(answer.status, answer.headers, await answer.content.read(_MAX_BYTES))
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise NotTaken("the provider could not be reached") from error
        except TimeoutError as error:
            raise Unavailable("the provider did not answer in time") from error
        except aiohttp.InvalidURL as error:
            raise refusal("the address is no URL") from error
        except aiohttp.ClientError as error:
            raise Unavailable(f"the provider could not be asked: {type(error).__name__}") from error

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                headers=self._headers,
                timeout=self._timeout,
                connector=aiohttp.TCPConnector(limit=self._connections),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session
