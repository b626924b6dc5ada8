"""The routes of notifications: one's own bell and preferences, and the trail for those who answer for it."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, MutableMapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from core.access.principal import Principal, Role
from core.adapters.postgres import PostgresDatabase
from core.clock import SystemClock
from core.errors import Fault, InvalidInput, Unavailable
from core.notifications.bell import Bell, BellChange
from core.notifications.model import Channel, Reason
from tests.factories.http import bearer, make_client, settings_for
from tests.factories.notifications import attendance_marked, delivering, fanned_out, scores_published, settled
from tests.factories.school import MadeSchool, make_school
from tests.factories.senders import FakeSender


@pytest.fixture(scope="module")
async def client(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application."""
    state: Path = tmp_path_factory.mktemp("state")
    async with make_client(settings_for(database_url, state)) as made:
        yield made


async def delivered(db: PostgresDatabase, school: MadeSchool, sender: FakeSender | None = None) -> None:
    """Let the marks of every student be told."""
    await fanned_out(db, school, scores_published(school))
    async with delivering(db, {Channel.SMS: sender or FakeSender()}):
        await settled(db, school)


@pytest.fixture
async def school(db: PostgresDatabase) -> MadeSchool:
    """A school whose guardians have each been told of one event."""
    made = await make_school(db, students=2)
    await delivered(db, made)
    return made


def guardian(school: MadeSchool, number: int = 0) -> Principal:
    """Return one of the school's guardians."""
    return school.guardian(school.guardians[number])


async def get(client: httpx.AsyncClient, who: Principal, path: str, **query: object) -> httpx.Response:
    """Ask for something as someone."""
    return await client.get(f"/api/notifications{path}", headers=bearer(who), params=query)  # type: ignore[arg-type]  # strings and ints


async def test_the_bell_lists_ones_own(client: httpx.AsyncClient, school: MadeSchool) -> None:
    """A guardian sees the entries of their own child, with page, limit and counts."""
    answer = (await get(client, guardian(school), "")).json()
    assert (answer["page"], answer["limit"], answer["total"], answer["unread"]) == (1, 20, 1, 1)
    (item,) = answer["items"]
    assert item["title"] == "Mathematics results of Tọ́lá"
    assert item["studentId"] == str(school.students[0])
    assert item["read"] is False


async def test_pages_follow_each_other(client: httpx.AsyncClient, db: PostgresDatabase) -> None:
    """Page and limit cut the list, newest first, without overlap."""
    school = await make_school(db, students=1)
    for _ in range(5):
        await fanned_out(db, school, attendance_marked(school, absent=school.students))
    async with delivering(db, {Channel.SMS: FakeSender()}):
        await settled(db, school)
    pages = [(await get(client, guardian(school), "", page=page, limit=2)).json() for page in (1, 2, 3, 4)]
    assert [len(page["items"]) for page in pages] == [2, 2, 1, 0]
    items = [item for page in pages for item in page["items"]]
    assert len({item["id"] for item in items}) == 5
    assert [item["createdAt"] for item in items] == sorted((item["createdAt"] for item in items), reverse=True)


async def test_the_user_comes_from_the_token(client: httpx.AsyncClient, school: MadeSchool) -> None:
    """A ``userId`` that is not the caller's own answers 404, on the list and on the count (C-17)."""
    me, other = guardian(school), guardian(school, 1)
    for path in ("", "/unread-count"):
        assert (await get(client, me, path, userId=me.user_id)).status_code == 200
        assert (await get(client, me, path, userId=other.user_id)).status_code == 404


async def test_nobody_reads_without_a_token(client: httpx.AsyncClient) -> None:
    """Every route asks who is calling."""
    for path in ("", "/unread-count", "/stream", "/preferences", "/deliveries", "/dead-events"):
        assert (await client.get(f"/api/notifications{path}")).status_code == 401


async def test_reading_one_twice_is_reading_it_once(client: httpx.AsyncClient, school: MadeSchool) -> None:
    """Marking as read is idempotent: the time of the first reading stays."""
    me = guardian(school)
    (item,) = (await get(client, me, "")).json()["items"]
    read = [await client.post(f"/api/notifications/{item['id']}/read", headers=bearer(me)) for _ in range(2)]
    assert [answer.status_code for answer in read] == [200, 200]
    assert read[0].json()["readAt"] == read[1].json()["readAt"] is not None
    assert (await get(client, me, "/unread-count")).json() == {"unread": 0}


async def test_anothers_notification_is_not_there(client: httpx.AsyncClient, db: PostgresDatabase) -> None:
    """A notification of another guardian, of the same school or not, answers 404 and stays unread (P2-20)."""
    school, elsewhere = await make_school(db, students=2), await make_school(db, students=1)
    await delivered(db, school)
    (item,) = (await get(client, guardian(school), "")).json()["items"]
    intruders = (guardian(school, 1), guardian(elsewhere), school.as_(Role.SCHOOL_ADMIN))
    for who in intruders:
        assert (await client.post(f"/api/notifications/{item['id']}/read", headers=bearer(who))).status_code == 404
    assert (await get(client, guardian(school), "/unread-count")).json() == {"unread": 1}


async def test_read_all_reads_only_ones_own(client: httpx.AsyncClient, school: MadeSchool) -> None:
    """Marking all as read leaves the bells of others alone."""
    answer = await client.post("/api/notifications/read-all", headers=bearer(guardian(school)))
    assert answer.json() == {"marked": 1}
    assert (await get(client, guardian(school), "/unread-count")).json() == {"unread": 0}
    assert (await get(client, guardian(school, 1), "/unread-count")).json() == {"unread": 1}


async def test_the_stream_tells_the_count_at_once(client: httpx.AsyncClient, school: MadeSchool) -> None:
    """The bell's stream begins with the unread count."""
    headers = bearer(guardian(school))
    request = client.build_request("GET", "/api/notifications/stream", headers=headers)
    first = await first_event(client, request)
    assert first == {"unread": 1, "arrived": []}


async def first_event(client: httpx.AsyncClient, request: httpx.Request) -> object:
    """Run a stream in process up to its first event, and leave it."""
    told: asyncio.Future[object] = asyncio.get_running_loop().create_future()
    transport = client._transport
    assert isinstance(transport, httpx.ASGITransport)
    scope: dict[str, Any] = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http",
        "path": request.url.path, "raw_path": request.url.raw_path, "query_string": b"", "root_path": "",
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
        "client": ("127.0.0.1", 1), "server": ("schoolos.test", 80), "state": {},
    }  # fmt: skip
    asked = False

    async def receive() -> dict[str, Any]:
        nonlocal asked
        if not asked:
            asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await asyncio.shield(asyncio.wait({told}))
        return {"type": "http.disconnect"}

    async def send(message: MutableMapping[str, Any]) -> None:
        for line in bytes(message.get("body", b"")).decode().splitlines():
            if line.startswith("data:") and not told.done():
                told.set_result(json.loads(line.removeprefix("data:")))

    async with asyncio.timeout(60):
        await transport.app(scope, receive, send)
    return told.result()


async def test_a_watcher_hears_of_what_arrives_and_of_what_is_read(db: PostgresDatabase) -> None:
    """The watch yields again with the new entries, and when the count falls."""
    school = await make_school(db, students=1)
    bell = Bell(db, SystemClock(), watch_every=timedelta(milliseconds=20))
    watch = bell.watch(guardian(school))
    async with asyncio.timeout(60):
        assert await anext(watch) == BellChange(0, [])
        await delivered(db, school)
        change = await anext(watch)
        assert (change.unread, [item.event_type for item in change.arrived]) == (1, ["scores.published"])
        await bell.read(guardian(school), notification_id=change.arrived[0].id)
        assert await anext(watch) == BellChange(0, [])


async def test_preferences_are_on_until_switched_off(client: httpx.AsyncClient, db: PostgresDatabase) -> None:
    """Every kind and channel is listed as on; a change holds and is obeyed by the next event."""
    school = await make_school(db, students=1)
    me = guardian(school)
    listed = (await get(client, me, "/preferences")).json()["preferences"]
    assert len(listed) == 12
    assert all(each["enabled"] for each in listed)
    off = {"channel": "sms", "eventType": "scores.published", "enabled": False}
    for _ in range(2):
        changed = await client.put("/api/notifications/preferences", headers=bearer(me), json={"preferences": [off]})
        assert changed.status_code == 200
        assert [each for each in changed.json()["preferences"] if not each["enabled"]] == [off]
    await fanned_out(db, school, scores_published(school))
    admin = school.as_(Role.SCHOOL_ADMIN)
    found = (await get(client, admin, "/deliveries", studentId=school.students[0])).json()["items"]
    assert {each["channel"]: each["reason"] for each in found} == {"push": None, "sms": "opted_out", "email": None}


@pytest.mark.parametrize(
    ("wanted", "pointer"),
    [
        ([{"channel": "sms", "eventType": "no.such", "enabled": False}], "/preferences/0/eventType"),
        ([{"channel": "sms", "eventType": "fee.reminder", "enabled": True}] * 2, "/preferences/1"),
        ([{"channel": "pigeon", "eventType": "fee.reminder", "enabled": True}], "/preferences/0/channel"),
    ],
)
async def test_a_wrong_preference_is_told_by_its_place(
    client: httpx.AsyncClient, school: MadeSchool, wanted: list[dict[str, object]], pointer: str
) -> None:
    """What can't be saved answers 422 with a pointer."""
    answer = await client.put(
        "/api/notifications/preferences", headers=bearer(guardian(school)), json={"preferences": wanted}
    )
    assert answer.status_code == 422
    assert pointer in [fault["pointer"] for fault in answer.json()["errors"]]


async def test_the_trail_says_why(client: httpx.AsyncClient, db: PostgresDatabase) -> None:
    """The trail of a message that failed and was then refused tells each attempt and the end in words (P4-28)."""
    school = await make_school(db, students=1)
    troubles = [Unavailable("HTTP 500"), InvalidInput("403 invalid", [Fault("/address", "bad", Reason.REJECTED)])]
    await delivered(db, school, FakeSender(lambda _: troubles.pop(0)))
    admin = school.as_(Role.SCHOOL_ADMIN)
    (found,) = (await get(client, admin, "/deliveries", state="dead")).json()["items"]
    answer = (await get(client, admin, f"/deliveries/{found['id']}/trail")).json()
    assert answer["delivery"]["explanation"].startswith("given up: the provider refuses")
    assert answer["delivery"]["address"] == "+234•••••001"
    told = [(each["number"], each["outcome"], each["detail"]) for each in answer["attempts"]]
    assert told == [(1, "failed", "HTTP 500"), (2, "rejected", "403 invalid")]


async def test_deliveries_come_in_pages(client: httpx.AsyncClient, school: MadeSchool) -> None:
    """The list of deliveries is paged by cursor, filtered by event, without gap or overlap."""
    admin = school.as_(Role.SCHOOL_ADMIN)
    seen: list[str] = []
    query: dict[str, object] = {"limit": 3}
    while True:
        answer = await get(client, admin, "/deliveries", **query)
        seen += [each["id"] for each in answer.json()["items"]]
        cursor = answer.json()["nextCursor"]
        if cursor is None:
            break
        assert 'rel="next"' in answer.headers["Link"]
        query["cursor"] = cursor
    assert len(seen) == len(set(seen)) == 4
    assert (await get(client, admin, "/deliveries", eventId=uuid.uuid4())).json()["items"] == []
    assert (await get(client, admin, "/deliveries", cursor="WzFd")).status_code == 422


async def test_the_trail_is_for_those_who_answer_for_it(client: httpx.AsyncClient, school: MadeSchool) -> None:
    """Guardians and subject teachers may not look into the school's messages."""
    for who in (guardian(school), school.as_(Role.SUBJECT_TEACHER)):
        for path in ("/deliveries", f"/deliveries/{uuid.uuid4()}/trail", "/dead-events"):
            assert (await get(client, who, path)).status_code == 403


async def test_another_schools_messages_are_not_there(
    client: httpx.AsyncClient, db: PostgresDatabase, school: MadeSchool
) -> None:
    """Another school's deliveries are neither listed nor found, by any id."""
    elsewhere = (await make_school(db, students=1)).as_(Role.SCHOOL_ADMIN)
    own = (await get(client, school.as_(Role.SCHOOL_ADMIN), "/deliveries")).json()["items"]
    assert own
    assert (await get(client, elsewhere, "/deliveries")).json()["items"] == []
    assert (await get(client, elsewhere, "/deliveries", studentId=school.students[0])).json()["items"] == []
    for each in own:
        assert (await get(client, elsewhere, f"/deliveries/{each['id']}/trail")).status_code == 404


async def dead_event(db: PostgresDatabase, school: MadeSchool) -> uuid.UUID:
    """Put a dead letter into a school's drawer."""
    made = uuid.uuid4()
    async with db.dispatch() as tx:
        await tx.execute(
            "INSERT INTO dead_events (id, school_id, stream_id, reason, fields, tries) VALUES ($1, $2, $3, $4, $5, 1)",
            made, school.id, f"{made}", "the payload is wrong", {"type": "scores.published", "payload": "secret"},
        )  # fmt: skip
    return made


async def test_dead_events_are_listed_without_their_content(
    client: httpx.AsyncClient, db: PostgresDatabase, school: MadeSchool
) -> None:
    """A dead event shows its kind and reason and nothing that may be personal, to its own school alone."""
    made = await dead_event(db, school)
    answer = await get(client, school.as_(Role.SCHOOL_ADMIN), "/dead-events")
    (item,) = answer.json()["items"]
    assert (item["id"], item["type"], item["reason"]) == (str(made), "scores.published", "the payload is wrong")
    assert "secret" not in answer.text
    elsewhere = (await make_school(db, students=1)).as_(Role.SCHOOL_ADMIN)
    assert (await get(client, elsewhere, "/dead-events")).json()["items"] == []
    for method, path in (("POST", f"{made}/replay"), ("DELETE", f"{made}")):
        url = f"/api/notifications/dead-events/{path}"
        assert (await client.request(method, url, headers=bearer(elsewhere))).status_code == 404


async def test_a_dead_event_can_be_given_up(
    client: httpx.AsyncClient, db: PostgresDatabase, school: MadeSchool
) -> None:
    """One that no outbox had can't be replayed, only discarded, once."""
    url = f"/api/notifications/dead-events/{await dead_event(db, school)}"
    headers = bearer(school.as_(Role.SCHOOL_ADMIN))
    assert (await client.post(f"{url}/replay", headers=headers)).status_code == 409
    assert (await client.delete(url, headers=headers)).status_code == 204
    assert (await client.delete(url, headers=headers)).status_code == 404
