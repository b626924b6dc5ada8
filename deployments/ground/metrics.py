"""Figures for Prometheus."""

import ipaddress
import os

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from core.access.principal import Scope
from core.errors import NotPermitted
from deployments.ground.problem import PROBLEMS
from deployments.ground.security import Bearer, identify
from deployments.services import ServicesDep

router = APIRouter(tags=["operations"], responses=PROBLEMS)


@router.get(
    "/metrics",
    operation_id="metrics",
    summary="Read the process's figures in Prometheus' text format",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def metrics(request: Request, services: ServicesDep, credentials: Bearer) -> Response:
    """Return all figures to this machine itself, or to a token with `ops:read`."""
    if credentials or not _is_local(request):
        (await identify(services, credentials)).require(Scope.OPS_READ)
    return Response(generate_latest(_registry()), media_type=CONTENT_TYPE_LATEST)


def _registry() -> CollectorRegistry:
    """Return this process's figures, or those of all processes that share PROMETHEUS_MULTIPROC_DIR."""
    if not os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        return REGISTRY
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # the library has no annotation there
    return registry


def _is_local(request: Request) -> bool:
    """Tell whether the request began on this machine: only where no proxy can stand between."""
    if not request.app.state.options.trust_loopback or "x-forwarded-for" in request.headers:
        return False
    try:
        return request.client is not None and ipaddress.ip_address(request.client.host).is_loopback
    except ValueError as error:
        raise NotPermitted("this address may not read the figures") from error
