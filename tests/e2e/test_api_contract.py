"""The API held to its document by strangers: random requests from every role, and another school's ids."""

import asyncio
import hashlib
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import hypothesis
import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, Phase
from schemathesis import APIOperation, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from cluster.embedded.ports import free_ports
from cluster.settings import HttpSettings, RedisSettings, Settings
from cluster.wiring import app_options, open_services
from core.access.principal import Principal, Role
from core.adapters.postgres import PostgresDatabase
from deployments.app import build_app
from tests.factories.http import bearer, make_principal, settings_for
from tests.factories.school import MadeSchool, make_school

_PROMISES = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
_EXAMPLES = 6
"""Requests of each mode an operation gets; the seed is fixed, so that a failure comes again."""


@dataclass(frozen=True, slots=True)
class Running:
    """The application on a port, with two schools in its database."""

    url: str
    settings: Settings
    document: dict[str, Any]
    home: MadeSchool
    foreign: MadeSchool


@pytest.fixture(scope="module")
async def running(
    database_url: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Running]:
    """The real application under uvicorn, with real services."""
    db = PostgresDatabase(database_url, application_name="tests")
    home, foreign = await make_school(db), await make_school(db)
    await db.close()
    port = free_ports(1, near=25_000)[0]
    state: Path = tmp_path_factory.mktemp("state")
    http = HttpSettings(port=port, rate_per_s=100_000, burst=100_000)
    settings = settings_for(database_url, state, http=http, redis=RedisSettings(url=redis_url))
    app = build_app(partial(open_services, settings), options=app_options(settings))
    async with _served(app, port):
        yield Running(f"http://127.0.0.1:{port}", settings, app.openapi(), home, foreign)


@asynccontextmanager
async def _served(app: Any, port: int) -> AsyncIterator[None]:
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error", ws="none"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:  # noqa: ASYNC110 - the server runs in a thread and has no event to wait for
        await asyncio.sleep(0.02)
    try:
        yield
    finally:
        server.should_exit = True
        await asyncio.to_thread(thread.join, 10)


def _operations(running: Running) -> Iterator[APIOperation[Any, Any, Any, Any]]:
    schema = schemathesis.openapi.from_dict(running.document)
    schema.config.update(base_url=running.url)
    for found in schema.get_all_operations():
        assert isinstance(found, Ok), found
        operation = found.ok()
        answers = operation.definition.raw["responses"].get("200", {}).get("content", {})
        if "text/event-stream" not in answers:  # it answers for as long as one listens
            yield operation


def _ask(operation: APIOperation[Any, Any, Any, Any], mode: GenerationMode, headers: Mapping[str, str]) -> None:
    """Send a few generated requests and hold each answer to the document."""

    @hypothesis.seed(20271)
    @hypothesis.settings(
        max_examples=_EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @hypothesis.given(case=operation.as_strategy(generation_mode=mode))
    def send(case: Any) -> None:
        response = case.call(headers=dict(headers), timeout=20, allow_redirects=False)
        case.validate_response(response, checks=_PROMISES)

    send()


@pytest.mark.parametrize(
    ("role", "mode"),
    [
        (Role.SCHOOL_ADMIN, GenerationMode.POSITIVE),
        (Role.SCHOOL_ADMIN, GenerationMode.NEGATIVE),
        (Role.GUARDIAN, GenerationMode.POSITIVE),
        (None, GenerationMode.POSITIVE),
    ],
)
def test_no_request_breaks_a_promise(running: Running, role: Role | None, mode: GenerationMode) -> None:
    """Whoever asks, and however wrongly: no 5xx, and no status, type or shape that the document does not declare."""
    headers = bearer(running.home.as_(role), running.settings) if role else {}
    asked, broken = 0, []
    for operation in _operations(running):
        if mode is GenerationMode.NEGATIVE and not (operation.body or list(operation.iter_parameters())):
            continue  # nothing in it can be wrong
        try:
            _ask(operation, mode, headers)
        except (FailureGroup, Failure) as failure:
            broken.append(f"{operation.label}: {failure}")
        asked += 1
    assert not broken, "\n\n".join(broken)
    assert asked > 60


async def test_another_schools_ids_answer_404_and_change_nothing(running: Running, database_url: str) -> None:
    """Every route with an id in its path answers 404 to the other school's, and none of that school's rows moves."""
    before = await _digest(database_url, running.foreign)
    unlike = await asyncio.to_thread(_ask_for_foreign_ids, running)
    assert not unlike, "\n".join(unlike)
    assert await _digest(database_url, running.foreign) == before


def _ask_for_foreign_ids(running: Running) -> list[str]:
    headers = bearer(_everyone(running.home), running.settings) | {"If-Match": '"1"'}
    unlike, asked = [], 0
    for operation in _operations(running):
        parameters = operation.definition.raw.get("parameters", [])
        names = [each["name"] for each in parameters if each["in"] == "path"]
        if (
            set(names) <= {"kind", "day"}
            or not operation.path.startswith("/api/")
            or operation.path.startswith("/api/platform/")
        ):
            continue
        asked += 1
        path = {name: str(_foreign_id(running.foreign, operation.path, name)) for name in names}
        statuses = _statuses(operation, path, headers)
        if 404 not in statuses or statuses - {404, 422}:
            unlike.append(f"{operation.label}: {sorted(statuses)}")
    assert asked > 40
    return unlike


def _statuses(operation: APIOperation[Any, Any, Any, Any], path: dict[str, Any], headers: dict[str, str]) -> set[int]:
    seen: set[int] = set()

    @hypothesis.seed(20272)
    @hypothesis.settings(
        max_examples=12, deadline=None, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
    )
    @hypothesis.given(case=operation.as_strategy(path_parameters=path, headers={}))
    def send(case: Any) -> None:
        case.headers = {}
        seen.add(case.call(headers=headers, timeout=20, allow_redirects=False).status_code)

    send()
    return seen


def _everyone(school: MadeSchool) -> Principal:
    """Return one account of the school with every role in it, so that no answer is a refusal of the role."""
    roles = [role for role in Role if role not in (Role.PLATFORM_ADMIN, Role.GUARDIAN, Role.STUDENT)]
    return make_principal(school.id, *roles, user_id=school.as_(Role.SCHOOL_ADMIN).user_id,
                          staff_id=school.as_(Role.CLASS_TEACHER).staff_id)  # fmt: skip


def _foreign_id(school: MadeSchool, path: str, name: str) -> UUID | str:
    """Return the other school's id of the kind that a path asks for."""
    if name == "day":
        return "2027-09-14"
    if name == "number":
        return "1"
    kinds: dict[str, UUID] = {
        "sessions": school.session, "terms": school.terms[0], "levels": school.level, "class-arms": school.arms[0],
        "departments": school.department, "subjects": school.subjects[0], "students": school.students[0],
        "guardians": school.guardians[0], "staff": next(iter(school.staff.values())),
        "teaching-loads": next(iter(school.loads.values())), "enrolments": school.session,
        "electives": school.session, "policies": next(iter(school.policies.values())),
        "users": next(iter(school.users.values())),
    }  # fmt: skip
    folder = path[: path.index("{" + name + "}")].rstrip("/").rsplit("/", 1)[-1]
    if folder.startswith("{"):
        return school.students[0]  # /enrolments/{sessionId}/{studentId}
    return kinds.get(folder, school.id)


async def _digest(database_url: str, school: MadeSchool) -> str:
    """Return a digest of every row of a school, in every table that has rows of schools."""
    connection = await asyncpg.connect(database_url)  # the owner is a superuser here, so it sees every row
    tables = await connection.fetch(
        "SELECT table_name FROM information_schema.columns WHERE table_schema = 'public' AND column_name = 'school_id'"
        " ORDER BY table_name"
    )
    digest = hashlib.sha256()
    for (table,) in tables:
        rows = await connection.fetch(f"SELECT t::text FROM {table} t WHERE school_id = $1 ORDER BY t::text", school.id)
        digest.update(repr([table, *map(str, rows)]).encode())
    await connection.close()
    return digest.hexdigest()
