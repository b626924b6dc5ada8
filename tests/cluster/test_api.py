"""The HTTP application on real Ray Serve."""

from collections.abc import Iterator
from functools import partial
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI

from cluster.embedded.ports import free_ports
from cluster.settings import HttpSettings, Settings
from cluster.wiring import app_options, open_services
from core.access.principal import Role
from core.ids import SchoolId
from deployments.api import api_application
from deployments.app import build_app
from tests.factories.http import bearer, make_principal, settings_for


def _build(settings: Settings) -> FastAPI:
    return build_app(partial(open_services, settings), options=app_options(settings))


@pytest.fixture(scope="module")
def settings(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings on the test database, with a port of its own."""
    http = HttpSettings(port=free_ports(1, near=27_500)[0])
    return settings_for(database_url, tmp_path_factory.mktemp("state"), http=http)


@pytest.fixture(scope="module")
def serving(ray_cluster: None, settings: Settings) -> Iterator[str]:
    """The application, deployed; its address."""
    from ray import serve
    from ray.serve.config import HTTPOptions

    serve.start(http_options=HTTPOptions(host="127.0.0.1", port=settings.http.port))
    serve.run(api_application(partial(_build, settings)), name="api-test", route_prefix="/")
    yield settings.http.url
    serve.shutdown()  # type: ignore[no-untyped-call]  # Ray has no annotation there


def test_the_routes_answer_through_serve(serving: str, settings: Settings) -> None:
    """A replica opens its own services: health, a token, a read and a problem are as under uvicorn."""
    teacher = make_principal(SchoolId(uuid4()), Role.SUBJECT_TEACHER)
    with httpx.Client(base_url=serving, timeout=30) as client:
        assert client.get("/readyz").json()["checks"]["database"] == "ok"
        jobs = client.get("/api/jobs", headers=bearer(teacher, settings))
        assert (jobs.status_code, jobs.json()) == (200, {"items": [], "nextCursor": None})
        refused = client.get("/api/jobs")
        assert refused.headers["content-type"] == "application/problem+json"
        assert refused.json()["traceId"] == refused.headers["x-trace-id"]
        assert client.post("/api/auth/token", content=b" " * 2_000_000).status_code == 413
