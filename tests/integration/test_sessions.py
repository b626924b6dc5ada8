"""Logging in, staying in, leaving: over HTTP, on a real database."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from argon2 import PasswordHasher

from core.access.passwords import Passwords
from core.access.principal import Role
from core.adapters.postgres import PostgresDatabase
from core.clock import FakeClock
from core.errors import TooMany
from tests.factories.access import PASSWORD, make_login, make_school_row
from tests.factories.http import make_client, settings_for

CODE = "sessions-school"


@pytest.fixture(scope="module")
def clock() -> FakeClock:
    """A clock that the module moves."""
    return FakeClock()


@pytest.fixture(scope="module")
async def http(
    db: PostgresDatabase, database_url: str, tmp_path_factory: pytest.TempPathFactory, clock: FakeClock
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the whole application, with a school and its staff."""
    school = await make_school_row(db, CODE)
    for name, role in (("ada", Role.SCHOOL_ADMIN), ("locked", Role.BURSAR), ("tayo", Role.CLASS_TEACHER)):
        await make_login(db, school, name, role)
    await make_login(db, None, "root", Role.PLATFORM_ADMIN)
    state: Path = tmp_path_factory.mktemp("state")
    async with make_client(settings_for(database_url, state), clock) as client:
        yield client


async def log_in(http: httpx.AsyncClient, username: str, password: str = PASSWORD, **more: str) -> httpx.Response:
    """Log in to the school."""
    return await http.post("/api/auth/token", json={"school": CODE, "username": username, "password": password} | more)


def as_bearer(answer: httpx.Response) -> dict[str, str]:
    """Return the header that uses the token of an answer."""
    return {"Authorization": f"Bearer {answer.json()['accessToken']}"}


async def test_a_login_opens_the_routes_it_says(http: httpx.AsyncClient) -> None:
    """The token of a login speaks for that person, with the roles' scopes."""
    answer = await log_in(http, "Ada")
    assert answer.status_code == 200, answer.text
    assert answer.json()["tokenType"] == "Bearer"
    assert answer.json()["expiresIn"] == 900
    me = (await http.get("/api/auth/me", headers=as_bearer(answer))).json()
    assert (me["username"], me["school"], me["roles"]) == ("ada", CODE, ["school_admin"])
    assert "users:manage" in me["scopes"]


async def test_platform_staff_name_no_school(http: httpx.AsyncClient) -> None:
    """An account without a school logs in without one, and a school's does not."""
    root = await http.post("/api/auth/token", json={"username": "root", "password": PASSWORD})
    assert root.status_code == 200
    assert (await http.get("/api/auth/me", headers=as_bearer(root))).json()["school"] is None
    assert (await http.post("/api/auth/token", json={"username": "ada", "password": PASSWORD})).status_code == 401
    assert (await log_in(http, "root")).status_code == 401


async def test_every_refusal_reads_alike(http: httpx.AsyncClient) -> None:
    """An unknown school, an unknown user and a wrong password can't be told apart."""
    answers = [
        await log_in(http, "ada", "not the password"),
        await log_in(http, "nobody"),
        await log_in(http, "ada", school="no-such-school"),
    ]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.json()["detail"] for answer in answers}) == 1
    assert all(answer.headers["www-authenticate"].startswith("Bearer") for answer in answers)


async def test_ten_wrong_passwords_lock_for_fifteen_minutes(http: httpx.AsyncClient, clock: FakeClock) -> None:
    """After ten failures the right password is refused until the lock is over; then the count begins anew."""
    for _ in range(9):
        assert (await log_in(http, "locked", "wrong wrong")).status_code == 401
    assert (await log_in(http, "locked")).status_code == 200  # nine are forgiven by a right one
    await asyncio.gather(*(log_in(http, "locked", "wrong wrong") for _ in range(10)))
    assert (await log_in(http, "locked")).status_code == 401
    clock.advance(timedelta(minutes=14, seconds=59))
    assert (await log_in(http, "locked")).status_code == 401
    clock.advance(timedelta(seconds=2))
    assert (await log_in(http, "locked", "wrong wrong")).status_code == 401
    assert (await log_in(http, "locked")).status_code == 200


async def test_an_access_token_runs_out_and_is_renewed(http: httpx.AsyncClient, clock: FakeClock) -> None:
    """After 15 minutes the access token is refused; the refresh token gives a new pair."""
    first = await log_in(http, "ada")
    clock.advance(timedelta(minutes=15, seconds=1))
    refused = await http.get("/api/auth/me", headers=as_bearer(first))
    assert (refused.status_code, refused.json()["type"]) == (401, "/problems/not-authenticated")
    second = await http.post("/api/auth/refresh", json={"refreshToken": first.json()["refreshToken"]})
    assert second.status_code == 200
    assert (await http.get("/api/auth/me", headers=as_bearer(second))).status_code == 200


async def test_a_refresh_token_used_twice_ends_the_session(http: httpx.AsyncClient) -> None:
    """A stolen refresh token is worth nothing once either side uses it again (RFC 9700)."""
    first = (await log_in(http, "tayo")).json()["refreshToken"]
    second = (await http.post("/api/auth/refresh", json={"refreshToken": first})).json()["refreshToken"]
    assert (await http.post("/api/auth/refresh", json={"refreshToken": first})).status_code == 401
    assert (await http.post("/api/auth/refresh", json={"refreshToken": second})).status_code == 401


async def test_of_two_refreshes_at_once_one_wins(http: httpx.AsyncClient) -> None:
    """One refresh token never becomes two pairs."""
    token = (await log_in(http, "tayo")).json()["refreshToken"]
    answers = await asyncio.gather(*(http.post("/api/auth/refresh", json={"refreshToken": token}) for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [200, 401, 401, 401, 401]


async def test_logging_out_ends_this_session_only(http: httpx.AsyncClient) -> None:
    """A logged-out session can't be renewed; another of the same person can."""
    one, other = [(await log_in(http, "tayo")).json()["refreshToken"] for _ in range(2)]
    assert (await http.post("/api/auth/logout", json={"refreshToken": one})).status_code == 204
    assert (await http.post("/api/auth/logout", json={"refreshToken": "unknown"})).status_code == 204
    assert (await http.post("/api/auth/refresh", json={"refreshToken": one})).status_code == 401
    assert (await http.post("/api/auth/refresh", json={"refreshToken": other})).status_code == 200


async def test_a_refresh_token_runs_out(http: httpx.AsyncClient, clock: FakeClock) -> None:
    """Two weeks without use end a session."""
    token = (await log_in(http, "tayo")).json()["refreshToken"]
    clock.advance(timedelta(days=14, seconds=1))
    assert (await http.post("/api/auth/refresh", json={"refreshToken": token})).status_code == 401


async def test_no_secret_is_kept_as_it_is(http: httpx.AsyncClient, db: PostgresDatabase) -> None:
    """Neither a refresh token nor a password can be read from the tables."""
    token = (await log_in(http, "ada")).json()["refreshToken"]
    async with db.directory() as tx:
        kept = await tx.fetch("SELECT token_hash FROM refresh_tokens")
        hashes = await tx.fetch("SELECT password_hash FROM users")
    assert all(token.encode() not in row["token_hash"] for row in kept)
    assert all(row["password_hash"].startswith("$argon2id$") for row in hashes)


async def test_every_refusal_costs_one_check_off_the_loop(
    http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unknown, wrong and locked each check one password, in a thread of its own, so that time tells nothing."""
    checked: list[str] = []
    verify = PasswordHasher.verify

    def counted(self: PasswordHasher, kept: str, password: str) -> bool:
        checked.append(threading.current_thread().name)
        return verify(self, kept, password)

    monkeypatch.setattr(PasswordHasher, "verify", counted)
    await log_in(http, "nobody")
    await log_in(http, "ada", "wrong wrong")
    await log_in(http, "ada", school="no-such-school")
    assert len(checked) == 3
    assert all(name.startswith("argon2") for name in checked)


async def test_weaker_hashes_are_renewed_at_login(http: httpx.AsyncClient, db: PostgresDatabase) -> None:
    """A password kept with weaker parameters is hashed anew as soon as it is known again."""
    weak = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash(PASSWORD)
    async with db.directory() as tx:
        await tx.execute("UPDATE users SET password_hash = $1 WHERE username = 'tayo'", weak)
    assert (await log_in(http, "tayo")).status_code == 200
    async with db.directory() as tx:
        assert "m=19456,t=2" in await tx.fetchval("SELECT password_hash FROM users WHERE username = 'tayo'")


async def test_a_crowd_at_the_door_is_told_to_come_back() -> None:
    """Past a hundred waiting logins the next hears 429 at once instead of waiting without an end."""
    passwords = Passwords()
    async with AsyncExitStack() as inside:
        for _ in range(2):
            await inside.enter_async_context(passwords.turn())
        passwords._waiting = 100
        with pytest.raises(TooMany):
            await passwords.turn().__aenter__()
    passwords.close()
