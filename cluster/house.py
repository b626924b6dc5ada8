"""Puts the system on a Ray cluster: what works in the background, the directory, and the HTTP application."""

from functools import partial

from fastapi import FastAPI
from ray import serve
from ray.serve.config import HTTPOptions

from cluster import wiring
from cluster.directory import start_directory
from cluster.pools import connect, open_pools
from cluster.settings import Settings
from deployments.api import api_application
from deployments.app import build_app

_APPLICATION = "schoolos"


def open_house(settings: Settings) -> None:
    """Start everything on the cluster that the environment names, and return when the routes answer."""
    connect(settings)
    open_pools(settings)
    start_directory(settings)
    http = HTTPOptions(host=settings.http.host, port=settings.http.port)
    serve.start(http_options=http, logging_config={"enable_access_log": False})
    serve.run(api_application(partial(_build, settings)), name=_APPLICATION, route_prefix="/")


def _build(settings: Settings) -> FastAPI:
    return build_app(partial(wiring.open_replica, settings), options=wiring.app_options(settings))
