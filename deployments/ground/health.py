"""Whether the process lives, whether it can work, and which version it is."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from fastapi import APIRouter, Request, Response

from core.errors import SchoolOSError
from core.telemetry import get_logger
from deployments.ground.wire import Wire
from deployments.services import ServicesDep

log = get_logger("http")
router = APIRouter(tags=["operations"])

_PROBE_TIMEOUT_S = 2.0
"""Under the readiness probe's own time-out, so that the answer can still say which one fails."""


class Live(Wire):
    """The process answers."""

    status: str = "ok"


class Readiness(Wire):
    """What the process depends on."""

    status: str
    checks: dict[str, str]


class Version(Wire):
    """Which build this is."""

    version: str


@router.get("/livez", operation_id="livez", summary="Tell whether the process answers")
async def livez() -> Live:
    """Answer without touching any dependency."""
    return Live()


@router.get(
    "/readyz",
    operation_id="readyz",
    summary="Tell whether everything the process depends on answers",
    responses={503: {"model": Readiness, "description": "At least one does not; `checks` says which"}},
)
async def readyz(services: ServicesDep, response: Response) -> Readiness:
    """Check all dependencies at once, each with a time-out."""
    checks = await check_all(services.probes)
    ready = all(state == "ok" for state in checks.values())
    response.status_code = 200 if ready else 503
    return Readiness(status="ok" if ready else "unavailable", checks=checks)


@router.get("/version", operation_id="version", summary="Tell which build this is")
async def version(request: Request) -> Version:
    """Return the version of the build."""
    return Version(version=request.app.version)


async def check_all(probes: Mapping[str, Callable[[], Awaitable[None]]]) -> dict[str, str]:
    """Return ``ok`` or what is wrong for each dependency."""
    states = await asyncio.gather(*(_check(name, probe) for name, probe in probes.items()))
    return dict(zip(probes, states, strict=True))


async def _check(name: str, probe: Callable[[], Awaitable[None]]) -> str:
    try:
        async with asyncio.timeout(_PROBE_TIMEOUT_S):
            await probe()
    except TimeoutError:
        return "timed out"
    except SchoolOSError:
        return "unavailable"
    except Exception as error:  # noqa: BLE001 - whatever a driver raises, the probe's answer is the same
        log.warning("probe_failed", dependency=name, error=type(error).__qualname__)
        return "unavailable"
    return "ok"
