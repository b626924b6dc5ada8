"""A school's accounts, invitations, and how a school is founded: over HTTP."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from core.access.bootstrap import ensure_platform_admin
from core.access.passwords import Passwords
from core.access.principal import Principal, Role
from core.adapters.postgres import PostgresDatabase
from core.clock import FakeClock, SystemClock
from tests.factories.access import PASSWORD, make_login, make_school_row
from tests.factories.http import bearer, make_client, make_principal, settings_for

USERS = "/api/school/users"
Headers = dict[str, str]


@pytest.fixture(scope="module")
def clock() -> FakeClock:
    """A clock that the module moves."""
    return FakeClock()


@pytest.fixture(scope="module")
async def http(
    database_url: str, tmp_path_factory: pytest.TempPathFactory, clock: FakeClock
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the whole application."""
    state: Path = tmp_path_factory.mktemp("state")
    async with make_client(settings_for(database_url, state), clock) as client:
        yield client


@pytest.fixture(scope="module")
async def admin(db: PostgresDatabase) -> Principal:
    """A school's administrator."""
    school = await make_school_row(db, "accounts-school")
    user = await make_login(db, school, "admin", Role.SCHOOL_ADMIN)
    return make_principal(school, Role.SCHOOL_ADMIN, user_id=user)


@pytest.fixture
def by_admin(admin: Principal, clock: FakeClock) -> Headers:
    """The administrator's header."""
    return bearer(admin, clock=clock)


async def add(http: httpx.AsyncClient, headers: Headers, username: str, *roles: str, **more: Any) -> httpx.Response:
    """Add an account."""
    body = {"username": username, "displayName": username.title(), "roles": roles or ("subject_teacher",)} | more
    return await http.post(USERS, json=body, headers=headers)


async def activate(http: httpx.AsyncClient, code: str, password: str = PASSWORD) -> httpx.Response:
    """Set a password by a code."""
    return await http.post("/api/auth/activate", json={"code": code, "password": password})


async def test_an_invited_person_sets_a_password_and_logs_in(http: httpx.AsyncClient, by_admin: Headers) -> None:
    """A code typed in any case lets its person in, once."""
    added = await add(http, by_admin, "ngozi")
    assert added.status_code == 201, added.text
    assert added.json()["hasPassword"] is False
    code = added.json()["invitation"]["code"]
    answers = await asyncio.gather(*(activate(http, code.lower().replace("-", " ")) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 422, 422, 422]
    body = {"school": "accounts-school", "username": "Ngozi", "password": PASSWORD}
    assert (await http.post("/api/auth/token", json=body)).status_code == 200


async def test_a_code_holds_seven_days_and_only_the_newest(
    http: httpx.AsyncClient, by_admin: Headers, admin: Principal, clock: FakeClock
) -> None:
    """An older code is void as soon as there is a newer one, and that one after seven days."""
    added = (await add(http, by_admin, "femi")).json()
    newer = (await http.post(f"{USERS}/{added['id']}/invitations", headers=by_admin)).json()
    assert (await activate(http, added["invitation"]["code"])).status_code == 422
    clock.advance(timedelta(days=7, seconds=1))
    refused = await activate(http, newer["code"])
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"] == "/code"
    newest = (await http.post(f"{USERS}/{added['id']}/invitations", headers=bearer(admin, clock=clock))).json()
    assert (await activate(http, newest["code"])).status_code == 200


@pytest.mark.parametrize("password", ["too short", "aaaaaaaaaaaa", "weak1-and-more"])
async def test_weak_passwords_are_refused(
    http: httpx.AsyncClient, admin: Principal, clock: FakeClock, password: str
) -> None:
    """A password under 10 characters, of one letter or with the user name in it is refused and uses nothing up."""
    name = "weak1" if "weak1" in password else f"user{len(password)}{password[0]}"
    code = (await add(http, bearer(admin, clock=clock), name)).json()["invitation"]["code"]
    assert (await activate(http, code, password)).status_code == 422
    assert (await activate(http, code)).status_code == 200


@pytest.mark.parametrize("role", ["platform_admin", "ops", "ml"])
async def test_a_school_gives_no_platform_roles(
    http: httpx.AsyncClient, admin: Principal, clock: FakeClock, role: str
) -> None:
    """Neither a new nor a changed account gets a role of the platform from a school."""
    headers = bearer(admin, clock=clock)
    assert (await add(http, headers, f"would-be-{role}", role)).status_code == 422
    plain = await add(http, headers, f"plain-{role.replace('_', '-')}")
    change = await http.patch(
        f"{USERS}/{plain.json()['id']}", json={"roles": [role]}, headers=headers | {"If-Match": plain.headers["etag"]}
    )
    assert (change.status_code, change.json()["errors"][0]["code"]) == (422, "not_allowed")


async def test_changes_name_their_version(http: httpx.AsyncClient, admin: Principal, clock: FakeClock) -> None:
    """Without If-Match 428, with an old one 412, with the present one the change and its new ETag."""
    headers = bearer(admin, clock=clock)
    added = await add(http, headers, "versioned")
    place = f"{USERS}/{added.json()['id']}"
    assert (await http.patch(place, json={"displayName": "A"}, headers=headers)).status_code == 428
    with_tag = headers | {"If-Match": added.headers["etag"]}
    changed = await http.patch(place, json={"roles": ["bursar"]}, headers=with_tag)
    assert (changed.status_code, changed.json()["roles"], changed.headers["etag"]) == (200, ["bursar"], '"2"')
    assert (await http.patch(place, json={"displayName": "B"}, headers=with_tag)).status_code == 412


async def test_deactivation_ends_sessions(http: httpx.AsyncClient, admin: Principal, clock: FakeClock) -> None:
    """Someone deactivated can neither log in nor renew a session, nor by an old invitation."""
    headers = bearer(admin, clock=clock)
    added = await add(http, headers, "leaver")
    await activate(http, added.json()["invitation"]["code"])
    login = {"school": "accounts-school", "username": "leaver", "password": PASSWORD}
    token = (await http.post("/api/auth/token", json=login)).json()["refreshToken"]
    place = f"{USERS}/{added.json()['id']}"
    left = await http.patch(place, json={"active": False}, headers=headers | {"If-Match": added.headers["etag"]})
    assert left.json()["active"] is False
    assert (await http.post("/api/auth/refresh", json={"refreshToken": token})).status_code == 401
    assert (await http.post("/api/auth/token", json=login)).status_code == 401
    assert (await http.post(f"{place}/invitations", headers=headers)).status_code == 409


async def test_nobody_locks_the_school_out(http: httpx.AsyncClient, admin: Principal, clock: FakeClock) -> None:
    """An administrator can't take the own right to manage users."""
    headers = bearer(admin, clock=clock) | {"If-Match": '"1"'}
    for change in ({"active": False}, {"roles": ["bursar"]}):
        assert (await http.patch(f"{USERS}/{admin.user_id}", json=change, headers=headers)).status_code == 409


async def test_accounts_are_read_by_page(http: httpx.AsyncClient, admin: Principal, clock: FakeClock) -> None:
    """Following ``Link: rel=next`` reads every account once, by user name; a made-up cursor is refused."""
    headers, place, names = bearer(admin, clock=clock), f"{USERS}?limit=3", []
    while place:
        answer = await http.get(place, headers=headers)
        names += [item["username"] for item in answer.json()["items"]]
        place = answer.links["next"]["url"] if "next" in answer.links else ""
    assert len(names) > 3
    assert names == sorted(set(names))
    for cursor in ("x", "W10", "bnVsbA", "%00", answer.request.url.params.get("cursor", "")[:-4] + "AAAA"):
        refused = await http.get(f"{USERS}?cursor={cursor}", headers=headers)
        assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/query/cursor")


async def test_another_schools_accounts_are_not_there(
    http: httpx.AsyncClient, db: PostgresDatabase, admin: Principal, clock: FakeClock
) -> None:
    """Reading, changing or inviting another school's account answers 404 and does nothing."""
    other = await make_school_row(db, "other-school")
    stranger = await make_login(db, other, "stranger", Role.BURSAR)
    headers = bearer(admin, clock=clock) | {"If-Match": '"1"'}
    assert (await http.get(f"{USERS}/{stranger}", headers=headers)).status_code == 404
    assert (await http.patch(f"{USERS}/{stranger}", json={"active": False}, headers=headers)).status_code == 404
    assert (await http.post(f"{USERS}/{stranger}/invitations", headers=headers)).status_code == 404
    async with db.directory() as tx:
        assert await tx.fetchval("SELECT active FROM users WHERE id = $1", stranger)
        assert await tx.fetchval("SELECT count(*) FROM invitations WHERE user_id = $1", stranger) == 0


async def test_accounts_ask_for_users_manage(http: httpx.AsyncClient, admin: Principal, clock: FakeClock) -> None:
    """A teacher, and a platform administrator without a school, are refused."""
    teacher = bearer(make_principal(admin.school, Role.SUBJECT_TEACHER), clock=clock)
    root = bearer(make_principal(None, Role.PLATFORM_ADMIN), clock=clock)
    for headers in (teacher, root):
        assert (await http.get(USERS, headers=headers)).status_code == 403
    assert (await http.get(USERS)).status_code == 401


async def test_accounts_name_people_of_the_school(http: httpx.AsyncClient, admin: Principal, clock: FakeClock) -> None:
    """A guardian's account needs the guardian, and no account names somebody who is not there."""
    headers = bearer(admin, clock=clock)
    assert (await add(http, headers, "mum", "guardian")).json()["errors"][0]["code"] == "missing"
    unknown = await add(http, headers, "mum", "guardian", guardianId=str(uuid4()))
    assert unknown.json()["errors"] == [
        {"pointer": "/guardianId", "detail": "there is no such guardian in this school", "code": "unknown"}
    ]
    assert (await add(http, headers, "admin")).status_code == 409


async def test_a_school_is_founded_with_policies_and_an_administrator(
    http: httpx.AsyncClient, db: PostgresDatabase, clock: FakeClock
) -> None:
    """The platform adds a school; its first administrator gets in by the code and finds the default policies there."""
    headers = bearer(make_principal(None, Role.PLATFORM_ADMIN), clock=clock)
    body = {"code": "new-school", "name": "New School", "admin": {"username": "Head", "displayName": "The Head"}}
    founded = await http.post("/api/platform/schools", json=body, headers=headers)
    assert founded.status_code == 201, founded.text
    assert (await http.post("/api/platform/schools", json=body, headers=headers)).status_code == 409
    await activate(http, founded.json()["admin"]["invitation"]["code"])
    login = {"school": "new-school", "username": "head", "password": PASSWORD}
    assert (await http.post("/api/auth/token", json=login)).json()["user"]["roles"] == ["school_admin"]
    async with db.tenant(founded.json()["id"]) as tx:
        assert await tx.fetchval("SELECT count(DISTINCT kind) FROM policies") == 5
    listed = await http.get("/api/platform/schools?limit=100", headers=headers)
    assert "new-school" in [school["code"] for school in listed.json()["items"]]
    again = await http.post(f"/api/platform/schools/{founded.json()['id']}/invitations", headers=headers)
    assert again.json()["username"] == "head"
    assert (await http.post(f"/api/platform/schools/{uuid4()}/invitations", headers=headers)).status_code == 404


async def test_schools_are_the_platforms(http: httpx.AsyncClient, admin: Principal, clock: FakeClock) -> None:
    """A school's administrator neither lists nor adds schools; an unknown time zone is refused."""
    headers = bearer(admin, clock=clock)
    body = {"code": "x1", "name": "X", "timeZone": "Mars/Base", "admin": {"username": "a", "displayName": "A"}}
    assert (await http.get("/api/platform/schools", headers=headers)).status_code == 403
    assert (await http.post("/api/platform/schools", json=body, headers=headers)).status_code == 403
    root = bearer(make_principal(None, Role.PLATFORM_ADMIN), clock=clock)
    refused = await http.post("/api/platform/schools", json=body, headers=root)
    assert refused.json()["errors"][0]["pointer"] == "/timeZone"


async def test_there_is_one_first_platform_administrator(db: PostgresDatabase) -> None:
    """However many processes start at once, one account is made."""
    passwords = Passwords()
    made = await asyncio.gather(
        *(
            ensure_platform_admin(db, SystemClock(), passwords, username=f"root{at}", password=PASSWORD)
            for at in range(3)
        )
    )
    passwords.close()
    assert sorted(made) == [False, False, True]
