"""Tokens of an external identity provider (OpenID Connect), whose keys are fetched, kept, and fetched again."""

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Protocol

import jwt
from jwt.types import Options

from core.access import store
from core.access.principal import Principal
from core.access.tokens import check_times
from core.clock import Clock
from core.errors import NotAuthenticated, Unavailable
from core.ports import Database
from core.telemetry import get_logger

log = get_logger("access")

ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA")
"""Signatures with a public key only: neither ``none`` nor one whose key we would have to share (RFC 8725, 3.1)."""
KEYS_FRESH = timedelta(hours=1)
"""After this the set is fetched anew, so that a key which was taken back stops."""
KEYS_KEPT = timedelta(hours=12)
"""How long keys serve on while the provider is away."""
MIN_INTERVAL = timedelta(seconds=30)
"""Between two fetches for keys we don't know, so that a flood of made-up ones does not reach the provider."""
PRINCIPAL_KEPT = timedelta(seconds=15)
"""How late a change of roles or a deactivation is seen."""
_PRINCIPALS_MAX = 5_000
_OPTIONS: Options = {"require": ["iss", "aud", "sub", "exp", "iat"], "verify_exp": False, "verify_iat": False,
                     "verify_nbf": False}  # fmt: skip


class JwksSource(Protocol):
    """Where the provider's public keys come from."""

    async def fetch(self) -> Mapping[str, Any]:
        """Return the key set now. Raises ``Unavailable``."""


class SigningKeys:
    """The provider's keys by their id."""

    def __init__(self, source: JwksSource, clock: Clock) -> None:
        self._source = source
        self._clock = clock
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched_at: datetime | None = None
        self._tried_at: datetime | None = None
        self._fetching = asyncio.Lock()

    async def get(self, kid: str) -> jwt.PyJWK | None:
        """Return a key, fetching the set where it is old or lacks it. Raises ``Unavailable`` while there is none."""
        if kid in self._keys and not self._is_over(KEYS_FRESH, self._fetched_at):
            return self._keys[kid]
        async with self._fetching:
            wanted = kid not in self._keys or self._is_over(KEYS_FRESH, self._fetched_at)
            if wanted and self._is_over(MIN_INTERVAL, self._tried_at):
                await self._try_to_fetch()
        if self._is_over(KEYS_KEPT, self._fetched_at):
            raise Unavailable("the identity provider does not answer; try again shortly", 30.0)
        return self._keys.get(kid)

    def _is_over(self, age: timedelta, since: datetime | None) -> bool:
        return since is None or self._clock.now() - since >= age

    async def _try_to_fetch(self) -> None:
        """Fetch the set; where the provider is away, the keys in hand serve on for a while."""
        self._tried_at = self._clock.now()
        try:
            document = await self._source.fetch()
        except Unavailable:
            log.warning("signing_keys_not_fetched", issuer_answers=False)
            return
        self._fetched_at = self._tried_at
        self._keys = _usable(document)
        log.info("signing_keys_fetched", count=len(self._keys))


class OidcTokens:
    """Verifies the provider's tokens and finds the account of their subject."""

    def __init__(self, source: JwksSource, db: Database, clock: Clock, *, issuer: str, audience: str) -> None:
        self._keys = SigningKeys(source, clock)
        self._db = db
        self._clock = clock
        self._issuer = issuer
        self._audience = audience
        self._known: dict[str, tuple[Principal, datetime]] = {}

    async def verify(self, token: str) -> Principal:
        """Return the account of the token's subject. Raises ``NotAuthenticated``."""
        key = await self._key_of(token)
        try:
            claims = jwt.decode(
                token, key, list(ALGORITHMS), options=_OPTIONS, audience=self._audience, issuer=self._issuer
            )
        except jwt.PyJWTError as error:
            raise _refused() from error
        check_times(claims, self._clock.now())
        return await self._principal(claims["sub"])

    async def _key_of(self, token: str) -> jwt.PyJWK:
        try:
            header = jwt.get_unverified_header(token)
        except jwt.PyJWTError as error:
            raise _refused() from error
        kid = header.get("kid")
        if header.get("alg") not in ALGORITHMS or not isinstance(kid, str):
            raise _refused()
        key = await self._keys.get(kid)
        if key is None:
            raise _refused()
        return key

    async def _principal(self, subject: str) -> Principal:
        now = self._clock.now()
        principal, until = self._known.get(subject, (None, now))
        if principal is not None and now < until:
            return principal
        async with self._db.directory() as tx:
            account = await store.read_by_subject(tx, subject)
        if account is None or not account.active:
            raise NotAuthenticated("the identity provider knows you, but you have no account here; ask your school")
        if len(self._known) >= _PRINCIPALS_MAX:
            self._known.clear()
        self._known[subject] = (account.principal(), now + PRINCIPAL_KEPT)
        return account.principal()


def _usable(document: Mapping[str, Any]) -> dict[str, jwt.PyJWK]:
    """Return the keys we can check signatures with; a provider may list others."""
    found = {}
    for item in document.get("keys", ()):
        try:
            key = jwt.PyJWK(item)
        except jwt.PyJWTError:
            continue
        if key.key_id and key.algorithm_name in ALGORITHMS and item.get("use", "sig") == "sig":
            found[key.key_id] = key
    return found


def _refused() -> NotAuthenticated:
    return NotAuthenticated("the token is not one of our identity provider's; log in again")
