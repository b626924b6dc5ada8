"""Access tokens signed with the local key: JWT by Ed25519 (RFC 8725: one algorithm, issuer and audience checked)."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol
from uuid import UUID, uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from jwt.algorithms import OKPAlgorithm
from jwt.types import Options

from core.access.principal import Principal, Role, Scope, scopes_of
from core.clock import Clock
from core.errors import InvalidInput, NotAuthenticated
from core.ids import GuardianId, SchoolId, StaffId, StudentId, UserId

ALGORITHM = "EdDSA"
_REQUIRED = ["iss", "aud", "sub", "exp", "iat", "jti"]
_UNCLOCKED: Options = {"require": _REQUIRED, "verify_exp": False, "verify_iat": False, "verify_nbf": False}
"""Times are checked against our own clock, so that tests can move it."""
_SKEW = timedelta(seconds=30)
"""How far the clocks of two machines may differ."""


class TokenVerifier(Protocol):
    """Tells who a token speaks for."""

    async def verify(self, token: str) -> Principal:
        """Return the one a token speaks for. Raises ``NotAuthenticated``."""


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A signed token and how long it holds."""

    token: str
    expires_in_s: int


class LocalTokens:
    """Issues and verifies tokens with the key of this installation."""

    def __init__(self, signing_key: str, *, issuer: str, audience: str, ttl: timedelta, clock: Clock) -> None:
        """Take the PEM of an Ed25519 private key. Raises ``InvalidInput`` for any other."""
        self._key = signing_key_of(signing_key)
        self._public = self._key.public_key()
        self._issuer = issuer
        self._audience = audience
        self._ttl = ttl
        self._clock = clock
        raw = self._public.public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.kid = hashlib.sha256(raw).hexdigest()[:16]

    def issue(self, principal: Principal) -> AccessToken:
        """Return a token that speaks for the principal until it expires."""
        now = self._clock.now()
        times = {"iat": int(now.timestamp()), "exp": int((now + self._ttl).timestamp())}
        claims = claims_of(principal) | times | {"iss": self._issuer, "aud": self._audience, "jti": uuid4().hex}
        token = jwt.encode(claims, self._key, ALGORITHM, headers={"kid": self.kid, "typ": "at+jwt"})
        return AccessToken(token, int(self._ttl.total_seconds()))

    async def verify(self, token: str) -> Principal:
        """Return the one a token speaks for. Raises ``NotAuthenticated``."""
        try:
            claims = jwt.decode(
                token, self._public, [ALGORITHM], options=_UNCLOCKED, audience=self._audience, issuer=self._issuer
            )
        except jwt.PyJWTError as error:
            raise NotAuthenticated("the token is not one of ours; log in again") from error
        check_times(claims, self._clock.now())
        return principal_of(claims)

    def jwks(self) -> dict[str, Any]:
        """Return the public key as a JSON Web Key Set (RFC 8037)."""
        key = OKPAlgorithm.to_jwk(self._public, as_dict=True)
        return {"keys": [key | {"kid": self.kid, "use": "sig", "alg": ALGORITHM}]}


def check_times(claims: Mapping[str, Any], now: datetime) -> None:
    """Raise ``NotAuthenticated`` unless the token holds now."""
    at = now.timestamp()
    begins = [claims[name] for name in ("iat", "nbf") if name in claims]
    if not all(isinstance(moment, int | float) for moment in (claims["exp"], *begins)):
        raise NotAuthenticated("the token's times can't be read; log in again")
    if claims["exp"] <= at:
        raise NotAuthenticated("the token is out of date; refresh it or log in again")
    if any(moment > at + _SKEW.total_seconds() for moment in begins):
        raise NotAuthenticated("the token is not valid yet; check the clock of this machine")


def claims_of(principal: Principal) -> dict[str, Any]:
    """Return a principal as claims."""
    ids = {"school": principal.school_id, "staff": principal.staff_id, "guardian": principal.guardian_id,
           "student": principal.student_id}  # fmt: skip
    return {
        "sub": str(principal.user_id),
        "name": principal.name,
        "roles": sorted(principal.roles),
        "scope": " ".join(sorted(principal.scopes)),
    } | {name: str(value) for name, value in ids.items() if value is not None}


def principal_of(claims: Mapping[str, Any]) -> Principal:
    """Return the principal of claims that were verified. Scopes reach at most as far as the roles."""
    try:
        roles = frozenset(Role(role) for role in claims["roles"])
        granted = frozenset(Scope(scope) for scope in claims["scope"].split())
        return Principal(
            user_id=UserId(UUID(claims["sub"])),
            school_id=SchoolId(UUID(claims["school"])) if "school" in claims else None,
            roles=roles,
            scopes=granted & scopes_of(roles),
            staff_id=StaffId(UUID(claims["staff"])) if "staff" in claims else None,
            guardian_id=GuardianId(UUID(claims["guardian"])) if "guardian" in claims else None,
            student_id=StudentId(UUID(claims["student"])) if "student" in claims else None,
            name=claims.get("name", ""),
        )
    except (KeyError, ValueError, AttributeError, TypeError) as error:
        raise NotAuthenticated("the token's claims can't be read; log in again") from error


def signing_key_of(pem: str) -> Ed25519PrivateKey:
    """Return the key of a PEM. Raises ``InvalidInput`` for any that is not an Ed25519 private key."""
    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except ValueError as error:
        raise InvalidInput("SCHOOLOS_AUTH_SIGNING_KEY is no PEM of a private key") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise InvalidInput("SCHOOLOS_AUTH_SIGNING_KEY is not an Ed25519 key")
    return key
