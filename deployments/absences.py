"""The link of an absence message: a guardian says why, without a login. For people, so every answer is a page."""

import math
from collections.abc import Hashable

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from core.errors import InvalidInput, NotFound, SchoolOSError, TooMany, Unavailable
from core.notifications.absence_link import LinkExpired
from core.notifications.absence_link_reasons import AbsenceReasons
from deployments.absence_page import asking, notice, thanking
from deployments.ground.limits import RateLimiter
from deployments.services import Services, ServicesDep

router = APIRouter(include_in_schema=False)  # pages of people, no part of the API

_MAX_FORM_BYTES = 4096
"""The note in percent encoding at its longest is below 2.5 kB."""
_FIELDS = 5


class PageLimits:
    """How often a link may be used, and how often an address may show links that are not ours."""

    def __init__(self) -> None:
        self.link = RateLimiter(0.5, 20)
        # A phone network puts thousands behind one address: only those who guess are counted by it.
        self.guesses = RateLimiter(1, 30)

    def take(self, link: Hashable) -> None:
        """Take one use of a link. Raises ``TooMany``."""
        self.link.take(link)


@router.get("/a/{token}")
async def show_absence(request: Request, services: ServicesDep, token: str) -> HTMLResponse:
    """Show the form. Reading changes nothing: phones open links to preview them."""
    try:
        return asking(await _usable(request, services, token).page(token))
    except SchoolOSError as error:
        return _told(request, error)


@router.post("/a/{token}")
async def give_reason(request: Request, services: ServicesDep, token: str) -> HTMLResponse:
    """Keep the reason."""
    try:
        reasons = _usable(request, services, token)
        reason, note = await _form(request)
        try:
            return thanking(await reasons.give(token, reason=reason, note=note))
        except InvalidInput as error:
            return asking(await reasons.page(token), error.message.capitalize() + ".")
    except SchoolOSError as error:
        return _told(request, error)


def _usable(request: Request, services: Services, token: str) -> AbsenceReasons:
    """Return the use cases once the token is known to be ours and not used too often."""
    if services.absences is None:
        raise NotFound("links are not made here")
    _limits(request).take(services.absences.delivery_of(token))
    return services.absences


async def _form(request: Request) -> tuple[str, str]:
    stated = request.headers.get("content-length", "")
    if stated.isdecimal() and int(stated) > _MAX_FORM_BYTES:
        return "", "x" * _MAX_FORM_BYTES  # told as any note that is too long
    async with request.form(max_files=0, max_fields=_FIELDS) as form:
        return str(form.get("reason", "")), str(form.get("note", ""))


def _told(request: Request, error: SchoolOSError) -> HTMLResponse:
    match error:
        case LinkExpired():
            line = "This link is out of date, or the register has been corrected. Call the school if you need to."
            return notice("This link has ended", line, 410)
        case TooMany():
            return _later(error.retry_after_s)
        case Unavailable():
            return notice("Not just now", "The school can't be reached just now. Try again in a minute.", 503)
    if isinstance(error, NotFound):
        try:
            _limits(request).guesses.take(request.client.host if request.client else "")
        except TooMany as limit:
            return _later(limit.retry_after_s)
    line = "Check that the whole link was opened, as it stands in the school's message."
    return notice("This link does not work", line, 404)


def _later(after_s: float | None) -> HTMLResponse:
    wait = {"Retry-After": str(max(1, math.ceil(after_s or 60)))}
    return notice("Please wait", "This was opened too often. Try again later, or call the school.", 429, wait)


def _limits(request: Request) -> PageLimits:
    state = request.app.state
    if not hasattr(state, "page_limits"):
        state.page_limits = PageLimits()
    limits: PageLimits = state.page_limits
    return limits
