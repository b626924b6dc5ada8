"""The HTTP ground: errors, health, figures, limits, headers; over the whole application."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from fastapi import APIRouter, FastAPI

from core.access.principal import Role
from core.errors import Broken, Unavailable
from deployments.ground.problem import PROBLEMS
from tests.factories.http import bearer, make_principal, running_app, settings_for

broken = APIRouter(prefix="/test", responses=PROBLEMS)


@broken.get("/crash")
async def _crash() -> None:
    raise ZeroDivisionError("Ada Obi scored 12")


@broken.get("/promise")
async def _promise() -> None:
    raise Broken("a secret of the inside")


@broken.get("/away")
async def _away() -> None:
    raise Unavailable("come back", 6.2)


@broken.post("/echo/{number}")
async def _echo(number: int, body: dict[str, int]) -> dict[str, int]:
    return body | {"number": number}


@pytest.fixture(scope="module")
async def app(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[FastAPI]:
    """The application, with a few routes that fail."""
    state: Path = tmp_path_factory.mktemp("state")
    async with running_app(
        settings_for(database_url, state), cors_origins=("https://portal.example",), rate_per_s=1, burst=5
    ) as app:
        app.include_router(broken)
        yield app


@pytest.fixture
async def http(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client on this machine."""
    async with client_from(app, "127.0.0.1") as client:
        yield client


@asynccontextmanager
async def client_from(app: FastAPI, address: str) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client that seems to call from an address."""
    transport = httpx.ASGITransport(app, client=(address, 40_000))
    async with httpx.AsyncClient(transport=transport, base_url="http://schoolos.test") as client:
        yield client


async def test_problems_have_one_shape(http: httpx.AsyncClient) -> None:
    """Unknown paths, wrong methods and wrong data answer problems with type, title, status and the trace id."""
    answers = {
        404: await http.get("/no/such/path"),
        405: await http.delete("/livez"),
        422: await http.post("/test/echo/x", json={"a/b": "no number"}),
        401: await http.get("/api/auth/me"),
        503: await http.get("/test/away"),
    }
    for status, answer in answers.items():
        problem = answer.json()
        assert (answer.status_code, problem["status"]) == (status, status)
        assert answer.headers["content-type"] == "application/problem+json"
        assert problem["type"].startswith("/problems/")
        assert problem["traceId"] == answer.headers["x-trace-id"]
    assert answers[405].headers["allow"] == "GET"
    assert answers[503].headers["retry-after"] == "7"
    assert [fault["pointer"] for fault in answers[422].json()["errors"]] == ["/path/number", "/a~1b"]


async def test_a_beginners_mistake_is_told_with_what_to_do(http: httpx.AsyncClient) -> None:
    """A wrong address or method, a body that is missing, no JSON or of another type: each says what is right."""
    json_type = {"Content-Type": "application/json"}
    assert "/openapi.json lists" in (await http.get("/")).json()["detail"]
    assert (await http.put("/livez")).json()["detail"] == "PUT does nothing here; GET does"
    for answer, told in (
        (await http.post("/api/auth/token"), "the body is missing; send a JSON object"),
        (await http.post("/api/auth/token", data={"school": "kcl"}), "send a JSON object"),
        (await http.post("/api/auth/token", json=[]), "send a JSON object"),
        (
            await http.post("/api/auth/token", content="{school: kcl}", headers=json_type),
            "the body is no JSON: Expecting",
        ),
    ):
        assert answer.status_code == 422, answer.text
        assert [fault["pointer"] for fault in answer.json()["errors"]] == [""]
        assert answer.json()["errors"][0]["detail"].startswith(told)


@pytest.mark.parametrize("path", ["/test/crash", "/test/promise"])
async def test_a_defect_tells_nothing_of_the_inside(
    http: httpx.AsyncClient, path: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A crash answers 500 with a trace id; what it said goes neither to the caller nor, for a crash, to the log."""
    answer = await http.get(path)
    assert (answer.status_code, answer.json()["type"]) == (500, "/problems/internal-error")
    assert "Obi" not in answer.text
    assert "secret" not in answer.text
    assert "Obi" not in capsys.readouterr().out


async def test_the_callers_trace_goes_on(http: httpx.AsyncClient) -> None:
    """The answer names the trace of an incoming traceparent; without one it gets a new one each time."""
    trace = "0af7651916cd43dd8448eb211c80319c"
    headers = {"traceparent": f"00-{trace}-b7ad6b7169203331-01"}
    assert (await http.get("/livez", headers=headers)).headers["x-trace-id"] == trace
    first, second = [(await http.get("/livez")).headers["x-trace-id"] for _ in range(2)]
    assert len({first, second, "0" * 32}) == 3


async def test_readiness_names_what_fails(app: FastAPI, http: httpx.AsyncClient) -> None:
    """``/readyz`` is 503 while one dependency fails, crashes or hangs, and says which; ``/livez`` stays 200."""

    async def refuse() -> None:
        raise Unavailable("no")

    async def crash() -> None:
        raise RuntimeError("driver")

    assert (await http.get("/readyz")).json()["status"] == "ok"
    services = app.state.services
    app.state.services = replace(services, probes=dict(services.probes) | {"redis": refuse, "objects": crash})
    answer = await http.get("/readyz")
    app.state.services = services
    assert answer.status_code == 503
    assert answer.json()["checks"] == {"database": "ok", "redis": "unavailable", "objects": "unavailable"}
    assert (await http.get("/livez")).status_code == 200


async def test_a_hanging_dependency_times_out(
    app: FastAPI, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dependency that never answers is reported, not waited for."""
    monkeypatch.setattr("deployments.ground.health._PROBE_TIMEOUT_S", 0.01)
    services = app.state.services
    app.state.services = replace(services, probes={"redis": asyncio.Event().wait})
    answer = await http.get("/readyz")
    app.state.services = services
    assert (answer.status_code, answer.json()["checks"]) == (503, {"redis": "timed out"})


async def test_figures_are_by_route_template(http: httpx.AsyncClient) -> None:
    """``/metrics`` counts by template, method and status; no id or unknown path becomes a label."""
    await http.get(f"/api/jobs/{uuid4()}")
    await http.get("/made/up/path")
    text = (await http.get("/metrics")).text
    assert 'http_requests_total{method="GET",route="/api/jobs/{job_id}",status="401"}' in text
    assert 'http_requests_total{method="GET",route="unmatched",status="404"}' in text
    assert "http_request_duration_seconds_bucket" in text
    assert "made/up" not in text


async def test_figures_are_for_this_machine_or_ops(app: FastAPI) -> None:
    """From elsewhere, and through a proxy, ``/metrics`` asks for a token with ops:read."""
    ops = bearer(make_principal(None, Role.OPS))
    teacher = bearer(make_principal(None, Role.SUBJECT_TEACHER))
    async with client_from(app, "203.0.113.7") as far, client_from(app, "127.0.0.1") as near:
        assert (await far.get("/metrics")).status_code == 401
        assert (await far.get("/metrics", headers={"X-Forwarded-For": "127.0.0.1"})).status_code == 401
        assert (await near.get("/metrics", headers={"X-Forwarded-For": "203.0.113.7"})).status_code == 401
        assert (await far.get("/metrics", headers=teacher)).status_code == 403
        assert (await far.get("/metrics", headers=ops)).status_code == 200


async def test_one_caller_over_the_rate_waits_alone(http: httpx.AsyncClient) -> None:
    """Past the burst a caller gets 429 with Retry-After; another caller is served."""
    one, other = [bearer(make_principal(None, Role.OPS)) for _ in range(2)]
    answers = [await http.get("/api/auth/me", headers=one) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [404] * 5 + [429]
    assert int(answers[-1].headers["retry-after"]) >= 1
    assert (await http.get("/api/auth/me", headers=other)).status_code == 404


def pieces(count: int) -> Iterator[bytes]:
    """Yield that many pieces of 64 KiB."""
    yield from (b" " * 65_536 for _ in range(count))


async def test_large_bodies_are_refused(http: httpx.AsyncClient) -> None:
    """A JSON body past 1 MiB answers 413, by its stated length or while it streams in without one."""
    stated = await http.post("/test/echo/1", content=b" " * 1_100_000, headers={"Content-Type": "application/json"})

    async def chunked() -> AsyncIterator[bytes]:
        for piece in pieces(20):
            yield piece

    streamed = await http.post("/test/echo/1", content=chunked(), headers={"Content-Type": "application/json"})
    for answer in (stated, streamed):
        assert (answer.status_code, answer.json()["type"]) == (413, "/problems/too-large")
        assert "x-trace-id" in answer.headers
    form = await http.post("/test/echo/1", files={"file": ("a.bin", b" " * 6_000_000)})
    assert form.status_code == 413


@pytest.mark.parametrize(
    "body", [b"[" * 200_000, b"{", b"\xff\xfe", b"null", b'{"a": 1e999}', json.dumps({"a": "\x00"}).encode()]
)
async def test_hostile_json_is_the_callers_fault(http: httpx.AsyncClient, body: bytes) -> None:
    """Deep nesting, cut-off text, wrong encoding and odd numbers answer 4xx problems."""
    answer = await http.post("/test/echo/1", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422)
    assert answer.headers["content-type"] == "application/problem+json"


async def test_text_that_cannot_be_kept_is_refused(http: httpx.AsyncClient) -> None:
    """NUL and lone surrogates in a login are refused as data, not as a failure of the database."""
    for name in ("a\x00b", "\ud800"):
        body = json.dumps({"username": name, "password": "x"})
        answer = await http.post("/api/auth/token", content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code == 422, answer.text


async def test_portals_on_the_list_may_call(http: httpx.AsyncClient) -> None:
    """CORS admits listed origins only, and lets them read the headers they need."""
    ask = {"Access-Control-Request-Method": "PATCH", "Access-Control-Request-Headers": "if-match"}
    known = await http.options("/api/auth/me", headers=ask | {"Origin": "https://portal.example"})
    stranger = await http.options("/api/auth/me", headers=ask | {"Origin": "https://evil.example"})
    assert known.headers["access-control-allow-origin"] == "https://portal.example"
    assert "access-control-allow-origin" not in stranger.headers
    answer = await http.get("/livez", headers={"Origin": "https://portal.example"})
    assert "ETag" in answer.headers["access-control-expose-headers"]
    assert "access-control-allow-credentials" not in answer.headers


async def test_answers_carry_security_headers(http: httpx.AsyncClient) -> None:
    """Every answer, errors too, forbids sniffing, framing and caching."""
    for path in ("/livez", "/nowhere", "/test/crash"):
        headers = (await http.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert "default-src 'none'" in headers["content-security-policy"]
