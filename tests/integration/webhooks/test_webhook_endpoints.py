"""Endpoints of webhooks: what they may be, who may have them, and whose they are."""

from uuid import uuid4

import httpx
import pytest

from core.access.principal import Role
from core.adapters.postgres import PostgresDatabase
from tests.factories.school import MadeSchool, make_school
from tests.factories.webhooks import Desk, happened


async def test_an_endpoint_is_read_changed_and_removed(desk: Desk) -> None:
    """Its secret is shown once; a change asks for the version; what was removed is gone."""
    added = await desk.add("https://a.example/x", "scores.published")
    assert added["secret"].startswith("whsec_")
    path = f"/{added['id']}"
    found = await desk.call("GET", path)
    assert "secret" not in found.json()
    assert (await desk.call("PATCH", path, {"description": "x"})).status_code == 428
    changed = await desk.call("PATCH", path, {"eventTypes": ["fee.reminder"]}, **{"If-Match": found.headers["etag"]})
    assert (changed.status_code, changed.json()["eventTypes"]) == (200, ["fee.reminder"])
    stale = await desk.call("PATCH", path, {"active": False}, **{"If-Match": found.headers["etag"]})
    assert stale.status_code == 412
    assert len((await desk.call("GET", "")).json()["items"]) == 1
    assert (await desk.call("DELETE", path)).status_code == 204
    assert (await desk.call("GET", path)).status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        {"url": "ftp://a.example", "eventTypes": ["fee.reminder"]},
        {"url": "http://a.example", "eventTypes": ["fee.reminder"]},
        {"url": "https://a.example", "eventTypes": ["no.such"]}, {"url": "https://a.example", "eventTypes": []},
        {"url": "https://u:p@a.example", "eventTypes": ["fee.reminder"]}, {"eventTypes": ["fee.reminder"]},
    ],
)  # fmt: skip
async def test_what_is_no_endpoint_is_refused(desk: Desk, body: dict[str, object]) -> None:
    """Wrong addresses and events answer 422."""
    assert (await desk.call("POST", "", body)).status_code == 422


async def test_a_school_has_ten_endpoints_at_most(desk: Desk) -> None:
    """The eleventh and the same address twice answer 409."""
    for number in range(10):
        await desk.add(f"https://a.example/{number}")
    for number in (0, 10):
        body = {"url": f"https://a.example/{number}", "eventTypes": ["fee.reminder"]}
        assert (await desk.call("POST", "", body)).status_code == 409


@pytest.mark.parametrize(
    ("role", "may"),
    [
        (Role.SCHOOL_ADMIN, True), (Role.PRINCIPAL, True), (Role.HEAD_OF_DEPARTMENT, False),
        (Role.CLASS_TEACHER, False), (Role.SUBJECT_TEACHER, False), (Role.BURSAR, False), (Role.GUARDIAN, False),
        (Role.STUDENT, False),
    ],
)  # fmt: skip
async def test_who_may(client: httpx.AsyncClient, school: MadeSchool, role: Role, may: bool) -> None:
    """Those who manage users or messages may; everyone else is told 403 by every route."""
    desk, id_, other = Desk(client, school.as_(role)), uuid4(), uuid4()
    endpoint = {"url": "https://a.example", "eventTypes": ["fee.reminder"]}
    calls: tuple[tuple[str, str, object], ...] = (
        ("GET", "", None), ("POST", "", endpoint), ("GET", f"/{id_}", None), ("PATCH", f"/{id_}", {}),
        ("DELETE", f"/{id_}", None), ("POST", f"/{id_}/rotate-secret", None), ("POST", f"/{id_}/test", None),
        ("GET", f"/{id_}/messages", None), ("GET", f"/{id_}/messages/{other}", None),
        ("POST", f"/{id_}/messages/{other}/replay", None),
        ("POST", f"/{id_}/replay", {"since": "2027-01-01T00:00:00Z"}),
    )  # fmt: skip
    for method, path, body in calls:
        answer = await desk.call(method, path, body, **{"If-Match": '"1"'})
        assert (answer.status_code != 403) is may, (method, path, answer.text)


async def test_another_schools_endpoints_are_not_there(
    desk: Desk, client: httpx.AsyncClient, db: PostgresDatabase, school: MadeSchool
) -> None:
    """Every route answers 404 to another school's ids, and its events don't reach this school's endpoint."""
    endpoint = await desk.add("https://a.example/")
    await happened(db, school)
    (message,) = await desk.messages(endpoint)
    elsewhere = await make_school(db)
    stranger = Desk(client, elsewhere.as_(Role.SCHOOL_ADMIN))
    path = f"/{endpoint['id']}"
    for method, tail, body in (
        ("GET", "", None), ("PATCH", "", {"active": False}), ("DELETE", "", None), ("POST", "/rotate-secret", None),
        ("POST", "/test", None), ("GET", "/messages", None), ("GET", f"/messages/{message['id']}", None),
        ("POST", f"/messages/{message['id']}/replay", None), ("POST", "/replay", {"since": "2020-01-01T00:00:00Z"}),
    ):  # fmt: skip
        answer = await stranger.call(method, path + tail, body, **{"If-Match": '"1"'})
        assert answer.status_code == 404, (method, tail, answer.text)
    await happened(db, elsewhere)
    assert len(await desk.messages(endpoint)) == 1
    assert (await desk.call("GET", path)).json()["version"] == 1
