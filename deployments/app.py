"""The HTTP application: every room's routes over one ground. The same under Ray Serve and plain uvicorn."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from fastapi import APIRouter, FastAPI
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware

from deployments import (
    absences,
    access,
    attendance,
    devices,
    fees,
    files,
    imports,
    jobs,
    marks,
    message_templates,
    notification_trail,
    notifications,
    receipts,
    report_batches,
    report_downloads,
    report_records,
    school,
    school_links,
    school_loads,
    school_people,
    school_policies,
    school_structure,
    spend,
    timetable,
    timetable_calendars,
    timetable_formats,
    timetable_jobs,
    timetable_outputs,
    verify,
    webhooks,
)
from deployments.ground import health, metrics
from deployments.ground.admission import Admission, Streams
from deployments.ground.document import describe
from deployments.ground.headers import SecurityHeaders
from deployments.ground.idempotency import KeepAnswers, Replayed, replay
from deployments.ground.limits import BodyLimit, RateLimiter
from deployments.ground.observe import Observe
from deployments.ground.problem import install_problems
from deployments.services import OpenServices

ROUTERS: tuple[APIRouter, ...] = (
    health.router,
    metrics.router,
    school.router,
    school_structure.router,
    school_people.router,
    school_links.router,
    school_loads.router,
    school_policies.router,
    imports.router,
    marks.router,
    attendance.router,
    fees.router,
    report_records.router,
    report_batches.router,
    report_downloads.router,
    verify.router,
    timetable_jobs.router,
    timetable_formats.router,
    timetable.router,
    timetable_outputs.router,
    timetable_calendars.router,
    notifications.router,
    message_templates.router,
    notification_trail.router,
    webhooks.router,
    absences.router,
    spend.router,
    devices.router,
    receipts.router,
    access.auth,
    access.users,
    access.platform,
    jobs.router,
    files.router,
)
"""Every room's routes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AppOptions:
    """What the ground is told by the settings."""

    version: str = "0.1.0"
    cors_origins: tuple[str, ...] = ()
    rate_per_s: float = 50
    burst: int = 200
    upload_max_bytes: int = 5 * 1024 * 1024
    trust_loopback: bool = False
    """Let this machine read ``/metrics`` without a token. Not behind a proxy, whose callers all look local."""


def build_app(open_services: OpenServices, *, options: AppOptions) -> FastAPI:
    """Return the application. Its services are opened when it starts, in the process that serves it."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_services() as services:
            app.state.services = services
            yield

    app = FastAPI(
        title="SchoolOS",
        version=options.version,
        lifespan=lifespan,
        docs_url=None,  # its page loads scripts from a CDN
        redoc_url=None,
        # FastAPI's own spans would stand beside those of the ground, which carry the ids and measure the same.
        telemetry={"tracing": False, "metrics": False, "logs": False, "operation_spans": False},
        redirect_slashes=False,  # one address a thing; a redirect would be a status that no document tells
        middleware=_middleware(options),
    )
    app.state.options = options
    app.state.streams = Streams()
    app.state.rate_limiter = RateLimiter(options.rate_per_s, options.burst)
    install_problems(app)
    app.add_exception_handler(Replayed, replay)
    for router in ROUTERS:
        app.include_router(router)
    describe(app)
    return app


def _middleware(options: AppOptions) -> list[Middleware]:
    """Return what every request passes, outermost first."""
    cors = Middleware(
        CORSMiddleware,
        allow_origins=options.cors_origins,
        allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
        allow_headers=[
            "Authorization",
            "Content-Type",
            "If-Match",
            "If-None-Match",
            "Idempotency-Key",
            "Last-Event-ID",
            "traceparent",
        ],
        expose_headers=["ETag", "Link", "Location", "Retry-After", "X-Trace-Id", "Idempotency-Replayed"],
        max_age=600,
    )
    return [
        Middleware(SecurityHeaders),
        *([cors] if options.cors_origins else []),
        Middleware(Observe),
        Middleware(Admission),
        Middleware(BodyLimit, upload_max_bytes=options.upload_max_bytes),
        Middleware(KeepAnswers),
    ]
