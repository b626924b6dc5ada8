"""Puts the system on a Ray cluster: the actors that work in the background, and the HTTP application."""

from functools import partial

import ray
from fastapi import FastAPI
from ray import serve
from ray.serve.config import HTTPOptions

from actors.pool import start_pool, stop_pool
from actors.pool_spec import BacklogFactory, PoolSpec, WorkerFactory
from actors.relay import no_backlog
from cluster import wiring
from cluster.directory import NAMESPACE, start_directory
from cluster.settings import Settings
from deployments.api import api_application
from deployments.app import build_app

_APPLICATION = "schoolos"


def open_house(settings: Settings) -> None:
    """Start everything on the cluster that the environment names, and return when the routes answer."""
    _connect(settings)
    for pool in pools(settings):
        start_pool(*pool)
    start_directory(settings)
    http = HTTPOptions(host=settings.http.host, port=settings.http.port)
    serve.start(http_options=http, logging_config={"enable_access_log": False})
    serve.run(api_application(partial(_build, settings)), name=_APPLICATION, route_prefix="/")


def close_house(settings: Settings) -> None:
    """Let the workers finish what they have begun, and end them."""
    _connect(settings)
    for spec, _, _ in reversed(pools(settings)):
        stop_pool(spec)


def pools(settings: Settings) -> list[tuple[PoolSpec, WorkerFactory, BacklogFactory]]:
    """Return what works in the background: its size, its workers, and what waits for them."""
    return [
        (wiring.relay_pool(settings), wiring.relay_factory(settings), no_backlog),
        (wiring.notifier_pool(settings), wiring.notifier_factory(settings), wiring.notifier_backlog(settings)),
    ]


def _connect(settings: Settings) -> None:
    figures = settings.state_dir.absolute() / "metrics"
    figures.mkdir(parents=True, exist_ok=True)
    ray.init(
        address="auto",
        namespace=NAMESPACE,
        log_to_driver=False,
        # For our own processes only: Ray's use the same library, and would write their figures among ours.
        runtime_env={"env_vars": {"PROMETHEUS_MULTIPROC_DIR": str(figures)}},
    )


def _build(settings: Settings) -> FastAPI:
    return build_app(partial(wiring.open_services, settings), options=wiring.app_options(settings))
