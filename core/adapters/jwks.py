"""An identity provider's keys over HTTP."""

import json
from collections.abc import Mapping
from typing import Any

import aiohttp

from core.errors import Unavailable

_TIMEOUT = aiohttp.ClientTimeout(total=5)
_MAX_BYTES = 256 * 1024
"""A key set is a few kB; more is not one."""


class HttpJwks:
    """Finds the key set by the issuer's discovery document, unless its address is given."""

    def __init__(self, issuer: str, jwks_url: str | None = None) -> None:
        self._issuer = issuer
        self._jwks_url = jwks_url

    async def fetch(self) -> Mapping[str, Any]:
        """Return the key set now. Raises ``Unavailable``."""
        try:
            async with aiohttp.ClientSession(timeout=_TIMEOUT) as session:
                if self._jwks_url is None:
                    self._jwks_url = await self._discover(session)
                return await _read(session, self._jwks_url)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise Unavailable("the identity provider does not answer; try again shortly", 5.0) from error

    async def _discover(self, session: aiohttp.ClientSession) -> str:
        """Return the address of the key set (OpenID Connect Discovery 1.0, 4.3: the issuer must be the one asked)."""
        document = await _read(session, self._issuer.rstrip("/") + "/.well-known/openid-configuration")
        if document.get("issuer") != self._issuer or not isinstance(document.get("jwks_uri"), str):
            raise ValueError("the discovery document is another issuer's")
        return str(document["jwks_uri"])


async def _read(session: aiohttp.ClientSession, url: str) -> Mapping[str, Any]:
    async with session.get(url, allow_redirects=False) as response:
        if response.status != 200:
            raise ValueError(f"{response.status} from the identity provider")
        body = await response.content.read(_MAX_BYTES)
    document = json.loads(body)
    if not isinstance(document, dict):
        raise ValueError("no JSON object from the identity provider")  # noqa: TRY004 - what came is wrong, not its type
    return document
