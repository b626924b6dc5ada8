"""Puts the system on a Ray cluster: the actors that work in the background, and the HTTP application."""

from collections.abc import Callable
from functools import partial

import ray
from fastapi import FastAPI
from ray import serve
from ray.serve.config import HTTPOptions

from cluster.directory import NAMESPACE, start_directory
from cluster.settings import Settings
from cluster.wiring import app_options, open_services
from deployments.api import api_application
from deployments.app import build_app

_APPLICATION = "schoolos"


def open_house(settings: Settings) -> None:
    """Start everything on the cluster that the environment names, and return when the routes answer."""
    _connect(settings)
    start_directory(settings)
    http = HTTPOptions(host=settings.http.host, port=settings.http.port)
    serve.start(http_options=http, logging_config={"enable_access_log": False})
    serve.run(api_application(_builder(settings)), name=_APPLICATION, route_prefix="/")


def close_house(settings: Settings) -> None:
    """Let the workers finish what they have begun."""
    _connect(settings)


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


def _builder(settings: Settings) -> Callable[[], FastAPI]:
    """Return a plain function, the only callable that ``serve.ingress`` runs in the replica instead of serving it."""

    def build() -> FastAPI:
        return build_app(partial(open_services, settings), options=app_options(settings))

    return build
