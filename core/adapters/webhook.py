"""Webhooks over HTTP to addresses that schools give: only to the public network, whatever a name resolves to.

The check is at the socket, where the very address is known that is connected to: names that change between two looks,
odd spellings of an address and addresses in the URL itself all come past it. No redirect is followed, no proxy of the
environment is used (it would connect in our place), and an answer is read up to a bound.
"""

import socket
from collections.abc import Mapping
from datetime import timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import aiohttp
from aiohttp.abc import AbstractResolver

from core.errors import Fault, InvalidInput, Unavailable
from core.notifications.webhooks_model import WebhookAnswer, checked_url

_MAX_ANSWER_BYTES = 16 * 1024
_NEVER = tuple(
    map(
        ip_network,
        (
            "168.63.129.16/32",  # Azure's own service to its virtual machines, at a public address
            "192.0.0.0/24",  # protocol assignments (RFC 6890), with Oracle's metadata; Python 3.11 knows a part
            # IPv6 that carries an IPv4 address inside (NAT64, 6to4, Teredo, compatible): it could be any.
            *("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "::/96"),
        ),
    )
)


def is_public(address: str, *, loopback: bool = False) -> bool:
    """Tell whether an address is one of the public network; with ``loopback`` this machine's own are let through."""
    ip: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    if isinstance(ip, IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    if ip.is_loopback:
        return loopback
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or any(ip in network for network in _NEVER))


class _NotPublic(OSError):
    """The socket would lead where nothing is sent."""


class HttpWebhooks:
    """Posts webhooks; connections are not kept: receivers are many and each hears little."""

    def __init__(
        self,
        *,
        timeout: timedelta = timedelta(seconds=15),
        loopback: bool = False,
        resolver: AbstractResolver | None = None,
    ) -> None:
        """``loopback``: this machine may be a receiver, also without TLS, for development."""
        self._timeout = aiohttp.ClientTimeout(total=timeout.total_seconds())
        self._loopback = loopback
        self._resolver = resolver
        self._session: aiohttp.ClientSession | None = None

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> WebhookAnswer:
        """Send once and return the answer. Raises ``InvalidInput``, ``Unavailable``, ``TimeoutError``."""
        checked_url(url, loopback=self._loopback)
        try:
            async with self._open().post(url, data=body, headers=headers, allow_redirects=False) as answer:
                await answer.content.read(_MAX_ANSWER_BYTES)
                return WebhookAnswer(answer.status, _retry_after(answer.headers.get("Retry-After", "")))
        except aiohttp.ClientConnectorError as error:
            if isinstance(error.os_error, _NotPublic):
                raise _blocked("the address leads into a private network, or to this machine") from error
            raise Unavailable(f"the receiver could not be reached: {type(error).__name__}") from error
        except aiohttp.InvalidURL as error:
            raise _blocked("the address is no web address") from error
        except TimeoutError:
            raise
        except aiohttp.ClientError as error:
            raise Unavailable(f"the receiver could not be asked: {type(error).__name__}") from error

    async def close(self) -> None:
        """Close the session."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                headers={"User-Agent": "SchoolOS-Webhooks/1"},
                timeout=self._timeout,
                connector=aiohttp.TCPConnector(
                    resolver=self._resolver,
                    use_dns_cache=False,
                    force_close=True,
                    socket_factory=self._socket,
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
            )
        return self._session

    def _socket(self, target: aiohttp.AddrInfoType) -> socket.socket:
        family, kind, protocol, _, place = target
        if not is_public(str(place[0]), loopback=self._loopback):
            raise _NotPublic("not an address of the public network")
        made = socket.socket(family, kind, protocol)
        made.setblocking(False)
        return made


def _blocked(what: str) -> InvalidInput:
    return InvalidInput(what, [Fault("/url", what, "not_public")])


def _retry_after(stated: str) -> timedelta | None:
    return timedelta(seconds=int(stated)) if stated.isdecimal() and len(stated) < 8 else None
