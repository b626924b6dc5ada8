"""The HTTP application as a Ray Serve deployment."""

from collections.abc import Callable

from fastapi import FastAPI
from ray import serve
from ray.serve import Application

from deployments.ground.admission import AT_ONCE, STREAMS, WAITING


def api_application(build: Callable[[], FastAPI], *, replicas: int = 1, num_cpus: float = 0.1) -> Application:
    """Return the deployment. ``build`` is run in each replica, so that nothing but itself is sent there."""

    def in_replica() -> FastAPI:
        return build()  # Serve runs only plain functions; any other callable it takes for the app itself

    deployment: serve.Deployment = serve.deployment(
        name="api",
        num_replicas=replicas,
        # The ground's own bounds (`ground/admission.py`) lie below, as Serve counts an open stream like a request
        # and refuses in plain text.
        max_ongoing_requests=2 * (AT_ONCE + WAITING + STREAMS),
        graceful_shutdown_timeout_s=10,
        health_check_period_s=10,
        ray_actor_options={"num_cpus": num_cpus},
        logging_config={"enable_access_log": False},  # the ground writes its own, with ids and no personal data
    )(serve.ingress(in_replica)())
    return deployment.bind()
