"""Tokens that are not ours, out of date or tampered with are refused."""

import base64
import json
from datetime import timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from core.access.keys import generate
from core.access.principal import Principal, Role, Scope, scopes_of
from core.access.tokens import LocalTokens, claims_of, principal_of
from core.clock import FakeClock
from core.errors import InvalidInput, NotAuthenticated
from core.ids import SchoolId, StaffId, UserId, new_id

KEY = generate()
ADA = Principal(
    user_id=UserId(new_id()),
    school_id=SchoolId(new_id()),
    roles=frozenset({Role.CLASS_TEACHER}),
    scopes=scopes_of(frozenset({Role.CLASS_TEACHER})),
    staff_id=StaffId(new_id()),
    name="Ada Obi",
)


def issuer(clock: FakeClock | None = None, key: str = KEY, **changes: Any) -> LocalTokens:
    """Return an issuer."""
    named: dict[str, Any] = {"issuer": "http://us", "audience": "schoolos", "ttl": timedelta(minutes=15)} | changes
    return LocalTokens(key, clock=clock or FakeClock(), **named)


def forge(token: str, header: dict[str, Any], **claims: Any) -> str:
    """Return a token with another header and claims, and the signature it had."""
    parts = token.split(".")
    body = json.loads(base64.urlsafe_b64decode(parts[1] + "==")) | claims

    def written(value: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    return f"{written(header)}.{written(body)}.{parts[2]}"


async def test_a_token_speaks_for_its_principal() -> None:
    """What is issued is what is verified."""
    tokens = issuer()
    assert await tokens.verify(tokens.issue(ADA).token) == ADA


async def test_a_token_holds_fifteen_minutes() -> None:
    """One second before the end it holds, at the end it does not."""
    clock = FakeClock()
    tokens = issuer(clock)
    token = tokens.issue(ADA).token
    clock.advance(timedelta(minutes=14, seconds=59))
    assert await tokens.verify(token) == ADA
    clock.advance(timedelta(seconds=1))
    with pytest.raises(NotAuthenticated, match="out of date"):
        await tokens.verify(token)


async def test_foreign_tokens_are_refused() -> None:
    """Another key, issuer or audience, ``alg: none``, a changed claim, a shared secret, and no token at all."""
    tokens = issuer()
    good = tokens.issue(ADA).token
    public = tokens.jwks()["keys"][0]["x"]
    elliptic = jwt.encode(claims_of(ADA), ec.generate_private_key(ec.SECP256R1()), "ES256")
    foreign = [
        issuer(key=generate()).issue(ADA).token,
        issuer(issuer="http://them").issue(ADA).token,
        issuer(audience="another").issue(ADA).token,
        forge(good, {"alg": "none", "typ": "JWT"}).rsplit(".", 1)[0] + ".",
        forge(good, {"alg": "EdDSA", "typ": "JWT"}, roles=["school_admin"]),
        jwt.encode(claims_of(ADA), public * 2, "HS256"),
        elliptic,
        "",
        "a.b.c",
        good[:-4] + "AAAA",
    ]
    for token in foreign:
        with pytest.raises(NotAuthenticated):
            await tokens.verify(token)


@pytest.mark.parametrize("missing", ["exp", "iss", "aud", "sub", "jti", "iat", "roles", "scope"])
async def test_every_claim_is_needed(missing: str) -> None:
    """A token of ours that lacks a claim is refused."""
    tokens = issuer()
    claims = jwt.decode(tokens.issue(ADA).token, options={"verify_signature": False})
    del claims[missing]
    with pytest.raises(NotAuthenticated):
        await tokens.verify(jwt.encode(claims, tokens._key, "EdDSA"))


async def test_a_token_from_the_future_is_refused() -> None:
    """A clock far ahead issues nothing that holds here; 30 seconds are forgiven."""
    ahead = FakeClock()
    ahead.advance(timedelta(seconds=29))
    assert await issuer().verify(issuer(ahead).issue(ADA).token) == ADA
    ahead.advance(timedelta(seconds=10))
    with pytest.raises(NotAuthenticated, match="not valid yet"):
        await issuer().verify(issuer(ahead).issue(ADA).token)


@given(st.sets(st.sampled_from(Role), min_size=1), st.sets(st.sampled_from(Scope)))
def test_scopes_reach_as_far_as_the_roles(roles: set[Role], scopes: set[Scope]) -> None:
    """A token may be narrower than its roles and never wider."""
    held = Principal(UserId(new_id()), None, frozenset(roles), frozenset(scopes))
    assert principal_of(claims_of(held)).scopes == frozenset(scopes) & scopes_of(frozenset(roles))


def test_only_an_ed25519_key_signs() -> None:
    """A key of another kind, and text that is no key, are refused with the setting's name."""
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    other = ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    for pem in (other.decode(), "no key"):
        with pytest.raises(InvalidInput, match="SCHOOLOS_AUTH_SIGNING_KEY"):
            issuer(key=pem)


def test_the_published_key_has_no_private_part() -> None:
    """The key set tells the public half alone."""
    (key,) = issuer().jwks()["keys"]
    assert set(key) == {"kty", "crv", "x", "kid", "use", "alg"}
