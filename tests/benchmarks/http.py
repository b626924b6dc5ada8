"""How much of plain uvicorn's throughput is left under Ray Serve: ``python -m tests.benchmarks.http --json``.

The same application, an embedded PostgreSQL and 32 keep-alive connections; both servers run all the while and are
asked in turns, so that the machine's mood meets both. Prints medians of the rounds, their ratio, and what the ground
costs a request in one process without any server.
"""

import asyncio
import json
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import monotonic, process_time, sleep
from typing import Any

from fastapi import FastAPI

from cluster.embedded.ports import free_ports
from cluster.embedded.postgres import EmbeddedPostgres
from cluster.embedded.ray import EmbeddedRay
from cluster.migrate import migrate
from core.access.principal import Role
from core.adapters.postgres import PostgresDatabase
from tests.factories.http import SIGNING_KEY, running_app, settings_for, token_for
from tests.factories.school import MadeSchool, make_school

BAR = 0.35
"""The least share of uvicorn's requests a second that Serve must keep."""
ROUNDS, SECONDS = 3, 5.0
ROUTES = {"database_free": "/livez", "read": "/api/school/students?limit=40"}
_CALLS = 2_000


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        postgres = EmbeddedPostgres(folder, durable=False, near_port=26_432)
        url = postgres.start()
        stack.callback(postgres.stop)
        school = asyncio.run(_fill(url))
        uvicorn_port, serve_port = free_ports(2, near=27_000)
        environment = _environment(url, folder)
        _settle(_uvicorn, environment, uvicorn_port, stack)
        _settle(_serve, environment, serve_port, stack)
        token = token_for(school.as_(Role.SCHOOL_ADMIN), settings_for(url, folder))
        figures = {name: _compare(path, uvicorn_port, serve_port, token) for name, path in ROUTES.items()}
        figures["ground"] = asyncio.run(_ground(url, folder))
    _print(figures)


async def _fill(url: str) -> MadeSchool:
    await migrate(url)
    database = PostgresDatabase(url, application_name="benchmark")
    try:
        return await make_school(database, students=40)
    finally:
        await database.close()


def _environment(url: str, folder: Path) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("SCHOOLOS_")} | {
        "SCHOOLOS_DATABASE_URL": url,
        "SCHOOLOS_AUTH_SIGNING_KEY": SIGNING_KEY,
        "SCHOOLOS_STATE_DIR": str(folder),
        "SCHOOLOS_HTTP_PUBLIC_URL": "http://127.0.0.1:8000",  # the issuer of the token, whatever the port
        "SCHOOLOS_HTTP_RATE_PER_S": "1000000",  # one account makes all requests
        "SCHOOLOS_HTTP_BURST": "1000000",
        "PYTHONPATH": str(Path.cwd()),
        "OMP_NUM_THREADS": "1",
    }


def _settle(start: Callable[..., Any], environment: dict[str, str], port: int, stack: ExitStack) -> None:
    stack.enter_context(start(environment | {"SCHOOLOS_HTTP_PORT": str(port)}, stack))
    deadline = monotonic() + 120
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/livez", timeout=2).close()
        except OSError:
            if monotonic() > deadline:
                raise
            sleep(0.2)
        else:
            return


@contextmanager
def _uvicorn(environment: dict[str, str], _: ExitStack) -> Iterator[None]:
    with _child("under_uvicorn", environment):
        yield


@contextmanager
def _serve(environment: dict[str, str], stack: ExitStack) -> Iterator[None]:
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hb")))
    token_file = folder / "token"
    token_file.write_text(secrets.token_hex(32))
    cluster = EmbeddedRay(
        folder / "ray",
        token_file=token_file,
        dashboard_port=free_ports(1, near=28_265)[0],
        object_store_bytes=100 * 1024 * 1024,
    )
    cluster.finish(cluster.begin())
    stack.callback(cluster.stop)
    with _child("under_serve", environment | cluster.environment):
        yield


@contextmanager
def _child(function: str, environment: dict[str, str]) -> Iterator[None]:
    program = f"from tests.benchmarks.http_targets import {function}; {function}()"
    child = subprocess.Popen(
        [sys.executable, "-c", program], env=environment, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
    )
    try:
        yield
    finally:
        child.terminate()
        child.wait(30)


def _compare(path: str, uvicorn_port: int, serve_port: int, token: str) -> dict[str, Any]:
    """Return medians of both servers, asked in turns; the first turn of each warms up and is not counted."""
    rounds: dict[str, list[dict[str, float]]] = {"uvicorn": [], "serve": []}
    for _ in range(ROUNDS + 1):
        for name, port in (("uvicorn", uvicorn_port), ("serve", serve_port)):
            rounds[name].append(_load(f"http://127.0.0.1:{port}{path}", token))
    medians = {name: _medians(found[1:]) for name, found in rounds.items()}
    share = medians["serve"]["requests_per_s"] / medians["uvicorn"]["requests_per_s"]
    return {"path": path, **medians, "share": round(share, 3), "bar": BAR}


def _load(url: str, token: str) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.load", url, token, str(SECONDS)],
        check=True,
        capture_output=True,
        text=True,
    )
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def _medians(rounds: list[dict[str, float]]) -> dict[str, float]:
    return {name: statistics.median(found[name] for found in rounds) for name in rounds[0]}


async def _ground(url: str, folder: Path) -> dict[str, Any]:
    """Return the CPU a request costs in process, of a bare FastAPI route and of ours: the difference is the ground."""
    bare = FastAPI()

    @bare.get("/livez")
    async def livez() -> dict[str, str]:
        return {"status": "ok"}

    async with running_app(settings_for(url, folder)) as app:
        bare_ms, ours_ms = [min([await _cpu_ms(which) for _ in range(3)]) for which in (bare, app)]
    return {
        "bare_fastapi_cpu_ms": round(bare_ms, 4),
        "ours_cpu_ms": round(ours_ms, 4),
        "ground_cpu_ms": round(ours_ms - bare_ms, 4),
    }


async def _cpu_ms(app: FastAPI) -> float:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request"}

    async def send(_: Any) -> None:
        return

    started = process_time()
    for _ in range(_CALLS):
        scope = {"type": "http", "method": "GET", "path": "/livez", "raw_path": b"/livez", "root_path": "",
                 "query_string": b"", "headers": [(b"host", b"x")], "http_version": "1.1", "scheme": "http",
                 "asgi": {"version": "3.0"}, "client": ("127.0.0.1", 1), "server": ("x", 80)}  # fmt: skip
        await app(scope, receive, send)
    return (process_time() - started) / _CALLS * 1e3


def _print(figures: dict[str, Any]) -> None:
    if "--json" in sys.argv:
        print(json.dumps(figures))
        return
    for name, found in figures.items():
        print(name, json.dumps(found))


if __name__ == "__main__":
    main()
