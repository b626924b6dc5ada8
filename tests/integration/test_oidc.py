"""Tokens of an external identity provider: a real one on loopback, whose keys rotate."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from cluster.settings import AuthSettings
from core.access.oidc import OidcTokens
from core.access.principal import Role
from core.adapters.jwks import HttpJwks
from core.adapters.postgres import PostgresDatabase
from core.clock import FakeClock
from core.errors import NotAuthenticated, Unavailable
from core.ids import UserId
from tests.factories.access import make_login, make_school_row
from tests.factories.http import make_client, settings_for


class Provider:
    """An identity provider with its keys."""

    def __init__(self) -> None:
        self.keys: dict[str, Any] = {}
        self.fetches = 0
        self.is_up = True
        self.claims_issuer = ""
        self.issuer = ""

    def rotate(self, kid: str, *, keep: bool = True) -> None:
        """Sign with a new key from now on."""
        self.keys = (self.keys if keep else {}) | {kid: rsa.generate_private_key(65537, 2048)}

    def token(self, clock: FakeClock, subject: str = "sub-1", kid: str | None = None, **changes: Any) -> str:
        """Return a token, with some claims changed; None leaves one out."""
        kid = kid or list(self.keys)[-1]
        now = int(clock.now().timestamp())
        claims = {"iss": self.issuer, "aud": "schoolos", "sub": subject, "iat": now, "exp": now + 300} | changes
        claims = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(claims, self.keys[kid], "RS256", headers={"kid": kid})

    async def discovery(self, _: web.Request) -> web.Response:
        """Serve the discovery document."""
        return web.json_response({"issuer": self.claims_issuer, "jwks_uri": f"{self.issuer}/keys"})

    async def jwks(self, _: web.Request) -> web.Response:
        """Serve the keys, and one that nobody can use."""
        self.fetches += 1
        if not self.is_up:
            return web.Response(status=502)
        known = [
            RSAAlgorithm.to_jwk(key.public_key(), as_dict=True) | {"kid": kid, "alg": "RS256", "use": "sig"}
            for kid, key in self.keys.items()
        ]
        odd = ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP256K1()).public_key(), as_dict=True)
        return web.json_response({"keys": [{"kty": "unknown", "kid": "x"}, odd, *known]})


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    """A provider on loopback."""
    made = Provider()
    made.rotate("key-1")
    app = web.Application()
    app.router.add_get("/.well-known/openid-configuration", made.discovery)
    app.router.add_get("/keys", made.jwks)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.issuer = made.claims_issuer = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield made
    await runner.cleanup()


@pytest.fixture
def clock() -> FakeClock:
    """A clock."""
    return FakeClock()


@pytest.fixture(scope="module")
async def user(db: PostgresDatabase) -> UserId:
    """A bursar whom the provider knows as sub-1."""
    school = await make_school_row(db, "oidc-school")
    made = await make_login(db, school, "bisi", Role.BURSAR)
    async with db.directory() as tx:
        await tx.execute("UPDATE users SET oidc_subject = 'sub-1' WHERE id = $1", made)
    return made


@pytest.fixture
def tokens(provider: Provider, db: PostgresDatabase, clock: FakeClock, user: UserId) -> OidcTokens:
    """The verifier."""
    return OidcTokens(HttpJwks(provider.issuer), db, clock, issuer=provider.issuer, audience="schoolos")


async def test_a_subject_becomes_its_account(
    tokens: OidcTokens, provider: Provider, clock: FakeClock, user: UserId
) -> None:
    """The token names the person, the account says the school and the roles."""
    principal = await tokens.verify(provider.token(clock))
    assert principal.user_id == user
    assert principal.roles == {Role.BURSAR}
    with pytest.raises(NotAuthenticated, match="no account here"):
        await tokens.verify(provider.token(clock, "a stranger"))


async def test_foreign_tokens_are_refused(tokens: OidcTokens, provider: Provider, clock: FakeClock) -> None:
    """Wrong issuer, audience or times, a missing claim, ``none`` and a secret made of the public key are refused."""
    key = provider.keys["key-1"]
    claims = jwt.decode(provider.token(clock), options={"verify_signature": False})
    stranger = rsa.generate_private_key(65537, 2048)
    for token in (
        provider.token(clock, iss="http://them"),
        provider.token(clock, aud="another"),
        provider.token(clock, exp=int(clock.now().timestamp()) - 1),
        provider.token(clock, nbf=int(clock.now().timestamp()) + 3600),
        provider.token(clock, exp=None),
        provider.token(clock, aud=None),
        jwt.encode(claims, stranger, "RS256", headers={"kid": "key-1"}),
        jwt.encode(claims, "", "none", headers={"kid": "key-1"}),
        jwt.encode(claims, str(key.public_key().public_numbers().n) * 2, "HS256", headers={"kid": "key-1"}),
        jwt.encode(claims, key, "RS256"),
        "not.a.token",
    ):
        with pytest.raises(NotAuthenticated):
            await tokens.verify(token)


async def test_a_rotated_key_is_fetched(tokens: OidcTokens, provider: Provider, clock: FakeClock) -> None:
    """A token of a new key is verified as soon as the least interval is over, and the old key still holds."""
    old = provider.token(clock)
    await tokens.verify(old)
    provider.rotate("key-2")
    clock.advance(timedelta(seconds=31))
    await tokens.verify(provider.token(clock))
    await tokens.verify(old)
    assert provider.fetches == 2


async def test_made_up_keys_do_not_reach_the_provider(tokens: OidcTokens, provider: Provider, clock: FakeClock) -> None:
    """A flood of unknown key ids costs the provider one fetch in half a minute."""
    await tokens.verify(provider.token(clock))
    stray = rsa.generate_private_key(65537, 2048)
    flood = [jwt.encode({"sub": "x"}, stray, "RS256", headers={"kid": f"made-up-{at}"}) for at in range(200)]
    clock.advance(timedelta(seconds=31))
    refused = await asyncio.gather(*(tokens.verify(token) for token in flood), return_exceptions=True)
    assert all(isinstance(error, NotAuthenticated) for error in refused)
    assert provider.fetches == 2


async def test_a_withdrawn_key_holds_an_hour_at_most(tokens: OidcTokens, provider: Provider, clock: FakeClock) -> None:
    """Keys are fetched anew each hour, so that one which was taken back stops."""
    await tokens.verify(provider.token(clock))
    provider.rotate("key-2", keep=False)
    clock.advance(timedelta(hours=1, seconds=1))
    await tokens.verify(provider.token(clock, kid="key-2"))
    forged = rsa.generate_private_key(65537, 2048)
    with pytest.raises(NotAuthenticated):
        await tokens.verify(jwt.encode({"sub": "sub-1"}, forged, "RS256", headers={"kid": "key-1"}))


async def test_a_provider_that_is_away_is_not_the_callers_fault(
    tokens: OidcTokens, provider: Provider, clock: FakeClock
) -> None:
    """Without keys callers hear 503; with keys in hand they are served on."""
    provider.is_up = False
    with pytest.raises(Unavailable):
        await tokens.verify(provider.token(clock))
    provider.is_up = True
    clock.advance(timedelta(seconds=30))
    await tokens.verify(provider.token(clock))
    provider.is_up = False
    for _ in range(11):
        clock.advance(timedelta(hours=1))
        await tokens.verify(provider.token(clock))
    clock.advance(timedelta(hours=1))
    with pytest.raises(Unavailable):
        await tokens.verify(provider.token(clock))


async def test_a_discovery_document_of_another_issuer_is_refused(
    tokens: OidcTokens, provider: Provider, clock: FakeClock
) -> None:
    """The provider must say itself who it is."""
    provider.claims_issuer = "http://evil.example"
    with pytest.raises(Unavailable):
        await tokens.verify(provider.token(clock))


async def test_deactivation_is_seen_soon(
    tokens: OidcTokens, provider: Provider, clock: FakeClock, db: PostgresDatabase, user: UserId
) -> None:
    """Someone deactivated is refused within seconds, though the provider still issues tokens."""
    await tokens.verify(provider.token(clock))
    async with db.directory() as tx:
        await tx.execute("UPDATE users SET active = false WHERE id = $1", user)
    clock.advance(timedelta(seconds=16))
    try:
        with pytest.raises(NotAuthenticated):
            await tokens.verify(provider.token(clock))
    finally:
        async with db.directory() as tx:
            await tx.execute("UPDATE users SET active = true WHERE id = $1", user)


async def test_the_routes_take_the_providers_tokens(
    provider: Provider, database_url: str, tmp_path: Path, clock: FakeClock, user: UserId
) -> None:
    """With an issuer set, its tokens open the routes and local logins say where to go."""
    auth = AuthSettings(oidc_issuer=provider.issuer)
    async with make_client(settings_for(database_url, tmp_path, auth=auth), clock) as http:
        me = await http.get("/api/auth/me", headers={"Authorization": f"Bearer {provider.token(clock)}"})
        assert (me.status_code, me.json()["username"]) == (200, "bisi")
        login = await http.post("/api/auth/token", json={"school": "oidc-school", "username": "bisi", "password": "x"})
        assert login.status_code == 409
        assert (await http.get("/api/auth/jwks.json")).json() == {"keys": []}
