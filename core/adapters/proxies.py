"""Which proxy leads to a host, as HTTPS_PROXY, HTTP_PROXY and NO_PROXY say, found out once for each host.

aiohttp's own ``trust_env`` reads the environment and ``.netrc`` in threads for every request: 0.4 ms of a core each.
"""

from functools import lru_cache
from urllib.request import getproxies, proxy_bypass

from yarl import URL


def proxy_for(url: URL) -> str | None:
    """Return the address of the proxy for a URL, or None where it is asked directly."""
    return _proxy_for(url.scheme, url.authority)


@lru_cache(maxsize=1024)
def _proxy_for(scheme: str, authority: str) -> str | None:
    return None if proxy_bypass(authority) else getproxies().get(scheme)
