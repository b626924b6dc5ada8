"""Amazon SNS over HTTPS: its signing certificates, and confirming a subscription."""

import aiohttp

from core.errors import Unavailable

_TIMEOUT = aiohttp.ClientTimeout(total=5)
_MAX_BYTES = 64 * 1024
"""A certificate is about 2 kB."""


class HttpSns:
    """Asks addresses that the caller has found to be Amazon's."""

    async def certificate(self, url: str) -> bytes:
        """Return a signing certificate in PEM. Raises ``Unavailable``."""
        return await _get(url)

    async def confirm(self, url: str) -> None:
        """Confirm a subscription. Raises ``Unavailable``."""
        await _get(url)


async def _get(url: str) -> bytes:
    try:
        async with (
            aiohttp.ClientSession(timeout=_TIMEOUT, trust_env=True) as session,
            session.get(url, allow_redirects=False) as answer,
        ):
            if answer.status != 200:
                raise Unavailable(f"Amazon SNS answered {answer.status}", 5.0)
            return await answer.content.read(_MAX_BYTES)
    except (aiohttp.ClientError, TimeoutError) as error:
        raise Unavailable("Amazon SNS does not answer; try again shortly", 5.0) from error
