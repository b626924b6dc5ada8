"""The same application under plain uvicorn and under Ray Serve, each in a process of its own.

Run by ``python -c``, because Ray puts the folder of a script on its workers' path, and a module named ``http`` there
hides the standard library's.
"""

import sys
from functools import partial

from fastapi import FastAPI

from cluster.settings import Settings
from cluster.wiring import app_options, open_replica
from deployments.app import build_app


def _build(settings: Settings) -> FastAPI:
    return build_app(partial(open_replica, settings), options=app_options(settings))


def under_uvicorn() -> None:
    """Serve until stopped."""
    import uvicorn

    settings = Settings.from_environment()
    uvicorn.run(_build(settings), host="127.0.0.1", port=settings.http.port, access_log=False, log_level="warning")


def under_serve() -> None:
    """Deploy on the cluster that the environment names, and keep it until the input ends."""
    import ray
    from ray import serve
    from ray.serve.config import HTTPOptions

    from deployments.api import api_application

    settings = Settings.from_environment()
    ray.init(address="auto", log_to_driver=False)
    serve.start(http_options=HTTPOptions(host="127.0.0.1", port=settings.http.port))
    serve.run(api_application(partial(_build, settings)), name="benchmark", route_prefix="/")
    sys.stdin.read()
    serve.shutdown()  # type: ignore[no-untyped-call]  # Ray has no annotation there
