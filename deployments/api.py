"""The HTTP application as a Ray Serve deployment."""

from collections.abc import Callable

from fastapi import FastAPI
from ray import serve
from ray.serve import Application


def api_application(build: Callable[[], FastAPI], *, replicas: int = 1, num_cpus: float = 0.1) -> Application:
    """Return the deployment. ``build`` is run in each replica, so that nothing but itself is sent there."""

    def in_replica() -> FastAPI:
        return build()  # Serve runs only plain functions; any other callable it takes for the app itself

    deployment: serve.Deployment = serve.deployment(
        name="api",
        num_replicas=replicas,
        max_ongoing_requests=100,  # the default, 5, leaves the database idle
        max_queued_requests=400,  # past it callers get 503 at once, rather than a wait without an end
        graceful_shutdown_timeout_s=10,
        health_check_period_s=10,
        ray_actor_options={"num_cpus": num_cpus},
        logging_config={"enable_access_log": False},  # the ground writes its own, with ids and no personal data
    )(serve.ingress(in_replica)())
    return deployment.bind()
