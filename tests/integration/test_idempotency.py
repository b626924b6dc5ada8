"""``Idempotency-Key``: a POST acts once, however often and however close together it is sent."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import httpx
import pytest
from fastapi import APIRouter, FastAPI, File, Response, UploadFile

from core.access.idempotency import Claim, IdempotencyKeys
from core.access.idempotency_store import StoredAnswer
from core.access.principal import Principal, Role
from core.adapters.postgres import PostgresDatabase
from core.clock import FakeClock
from core.errors import Conflict
from deployments.ground.idempotency import Idempotent
from deployments.ground.problem import PROBLEMS
from tests.factories.http import bearer, make_principal, running_app, settings_for


class Counter:
    """Counts what was done, and lets a test hold it up."""

    def __init__(self) -> None:
        self.done = 0
        self.fails = False
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()
        self.entered = asyncio.Event()


COUNTER = Counter()
router = APIRouter(prefix="/test", responses=PROBLEMS)


@router.post("/send", status_code=202, dependencies=[Idempotent])
async def _send(body: dict[str, int], response: Response) -> dict[str, int]:
    COUNTER.entered.set()
    await COUNTER.may_go_on.wait()
    if COUNTER.fails:
        raise RuntimeError("crash")
    COUNTER.done += 1
    response.headers["Location"] = f"/things/{COUNTER.done}"
    return body | {"done": COUNTER.done}


@router.post("/upload", dependencies=[Idempotent])
async def _upload(file: Annotated[UploadFile, File()]) -> dict[str, int]:
    COUNTER.done += 1
    return {"bytes": len(await file.read()), "done": COUNTER.done}


@pytest.fixture(scope="module")
def clock() -> FakeClock:
    """A clock that the module moves."""
    return FakeClock()


@pytest.fixture
def caller() -> Principal:
    """Somebody new."""
    return make_principal(None, Role.OPS)


@pytest.fixture(scope="module")
async def app(database_url: str, tmp_path_factory: pytest.TempPathFactory, clock: FakeClock) -> AsyncIterator[FastAPI]:
    """The application with two routes that count."""
    state: Path = tmp_path_factory.mktemp("state")
    async with running_app(settings_for(database_url, state), clock) as app:
        app.include_router(router)
        yield app


@pytest.fixture
async def http(app: FastAPI, caller: Principal, clock: FakeClock) -> AsyncIterator[httpx.AsyncClient]:
    """A client that is the caller."""
    transport = httpx.ASGITransport(app)
    headers = bearer(caller, clock=clock)
    async with httpx.AsyncClient(transport=transport, base_url="http://schoolos.test", headers=headers) as client:
        yield client


async def send(http: httpx.AsyncClient, key: str = "k", value: int = 1) -> httpx.Response:
    """Send."""
    return await http.post("/test/send", json={"value": value}, headers={"Idempotency-Key": key})


async def test_the_first_answer_comes_again(http: httpx.AsyncClient) -> None:
    """The same key and body gives the same status, headers and body, marked, and does nothing."""
    first, again = await send(http), await send(http)
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json() == again.json()
    assert first.headers["location"] == again.headers["location"]
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert (await send(http, "another")).json()["done"] == first.json()["done"] + 1


async def test_another_body_is_refused(http: httpx.AsyncClient) -> None:
    """A key that comes with other data answers 422 and does nothing."""
    done = (await send(http)).json()["done"]
    refused = await send(http, value=2)
    assert (refused.status_code, refused.json()["type"]) == (422, "/problems/idempotency-key-reused")
    assert COUNTER.done == done


async def test_of_twenty_at_once_one_acts(http: httpx.AsyncClient) -> None:
    """Requests that race are answered 202 once, 409 while it is under way, or with the kept answer."""
    before = COUNTER.done
    answers = await asyncio.gather(*(send(http, "race") for _ in range(20)))
    assert COUNTER.done == before + 1
    assert {answer.status_code for answer in answers} <= {202, 409}
    assert len([answer for answer in answers if answer.status_code == 202]) >= 1
    assert (await send(http, "race")).headers["idempotency-replayed"] == "true"


async def test_a_request_under_way_is_told(http: httpx.AsyncClient) -> None:
    """While the first is under way a second answers 409."""
    COUNTER.may_go_on.clear()
    COUNTER.entered.clear()
    first = asyncio.create_task(send(http, "slow"))
    await COUNTER.entered.wait()
    second = await send(http, "slow")
    COUNTER.may_go_on.set()
    assert (second.status_code, (await first).status_code) == (409, 202)


async def test_a_crash_frees_the_key(http: httpx.AsyncClient) -> None:
    """A request that failed inside may be sent again with its key."""
    COUNTER.fails = True
    assert (await send(http, "crash")).status_code == 500
    COUNTER.fails = False
    assert (await send(http, "crash")).status_code == 202


async def test_data_that_is_refused_takes_no_key(http: httpx.AsyncClient) -> None:
    """A body that does not fit leaves the key for the mended one."""
    refused = await http.post("/test/send", json={"value": "x"}, headers={"Idempotency-Key": "mend"})
    assert refused.status_code == 422
    assert (await send(http, "mend")).status_code == 202


async def test_a_file_counts_by_content(http: httpx.AsyncClient) -> None:
    """The same file sent again is replayed whatever its boundary; another file is refused."""
    headers = {"Idempotency-Key": "file"}
    first = await http.post("/test/upload", files={"file": ("a.xlsx", b"abc")}, headers=headers)
    again = await http.post("/test/upload", files={"file": ("a.xlsx", b"abc")}, headers=headers)
    other = await http.post("/test/upload", files={"file": ("a.xlsx", b"abd")}, headers=headers)
    assert first.json()["bytes"] == 3
    assert (again.json(), again.headers["idempotency-replayed"]) == (first.json(), "true")
    assert other.status_code == 422


async def test_keys_are_each_callers_own(http: httpx.AsyncClient, clock: FakeClock) -> None:
    """Two callers may use the same key."""
    await send(http, "mine")
    stranger = bearer(make_principal(None, Role.OPS), clock=clock) | {"Idempotency-Key": "mine"}
    answer = await http.post("/test/send", json={"value": 9}, headers=stranger)
    assert "idempotency-replayed" not in answer.headers


async def test_a_dead_processs_key_is_free_after_two_minutes(
    db: PostgresDatabase, caller: Principal, clock: FakeClock
) -> None:
    """A key whose process died is refused for two minutes, then taken over; the dead one's answer no longer counts."""
    keys = IdempotencyKeys(db, clock)
    dead = await keys.claim(caller.user_id, "dead", b"h")
    assert isinstance(dead, Claim)
    with pytest.raises(Conflict):
        await keys.claim(caller.user_id, "dead", b"h")
    clock.advance(timedelta(minutes=2, seconds=1))
    heir = await keys.claim(caller.user_id, "dead", b"h")
    assert isinstance(heir, Claim)
    await keys.finish(dead, StoredAnswer(200, {}, b"late"))
    await keys.finish(heir, StoredAnswer(200, {}, b"right"))
    kept = await IdempotencyKeys(db, clock).claim(caller.user_id, "dead", b"h")
    assert isinstance(kept, StoredAnswer)
    assert kept.body == b"right"


async def test_old_keys_are_forgotten(db: PostgresDatabase, caller: Principal, clock: FakeClock) -> None:
    """After a day a key is free, and new ones sweep out-of-date rows away."""
    keys = IdempotencyKeys(db, clock)
    for at in range(5):
        claim = await keys.claim(caller.user_id, f"old{at}", b"h")
        assert isinstance(claim, Claim)
        await keys.finish(claim, StoredAnswer(200, {}, b""))
    clock.advance(timedelta(hours=24, seconds=1))
    assert isinstance(await keys.claim(caller.user_id, "old0", b"other"), Claim)
    async with db.directory() as tx:
        left = await tx.fetchval("SELECT count(*) FROM idempotency_keys WHERE user_id = $1", caller.user_id)
    assert left == 1
