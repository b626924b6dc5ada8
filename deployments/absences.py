"""The link of an absence message: a guardian says why, without a login. For people, so every answer is a page.

A page is in the language that its address asks for (``?lang=yo``), else in the guardian's, else in the browser's.
"""

import math
from collections.abc import Hashable

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from core.errors import InvalidInput, NotFound, SchoolOSError, TooMany, Unavailable
from core.notifications.absence_link import LinkExpired
from core.notifications.absence_link_reasons import AbsenceReasons
from core.notifications.absence_words import PageWords, language_or_none, words_in
from core.school.model import Language
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
        page = await _usable(request, services, token).page(token)
        return asking(page, _words(request, page.language))
    except SchoolOSError as error:
        return await _told(request, services, token, error)


@router.post("/a/{token}")
async def give_reason(request: Request, services: ServicesDep, token: str) -> HTMLResponse:
    """Keep the reason."""
    try:
        reasons = _usable(request, services, token)
        reason, note = await _form(request)
        try:
            page = await reasons.give(token, reason=reason, note=note)
            return thanking(page, _words(request, page.language))
        except InvalidInput as error:
            page = await reasons.page(token)
            wrong_reason = any(fault.where == "/reason" for fault in error.faults)
            return asking(page, _words(request, page.language), "choose" if wrong_reason else "too_long")
    except SchoolOSError as error:
        return await _told(request, services, token, error)


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


async def _told(request: Request, services: Services, token: str, error: SchoolOSError) -> HTMLResponse:
    match error:
        case LinkExpired():
            return notice(_words(request, await _language(services, token)), "ended", 410)
        case TooMany():
            return _later(request, error.retry_after_s)
        case Unavailable():
            return notice(_words(request), "unavailable", 503)
    if isinstance(error, NotFound):
        try:
            _limits(request).guesses.take(request.client.host if request.client else "")
        except TooMany as limit:
            return _later(request, limit.retry_after_s)
    return notice(_words(request), "wrong", 404)


async def _language(services: Services, token: str) -> Language | None:
    """Return the language of a link that has ended, where it can be had."""
    try:
        return await services.absences.language(token) if services.absences else None
    except SchoolOSError:
        return None


def _words(request: Request, guardians: Language | None = None) -> PageWords:
    asked = language_or_none(request.query_params.get("lang"))
    return words_in(asked or guardians or _of_browser(request) or Language.EN)


def _of_browser(request: Request) -> Language | None:
    # Browsers list the languages in the order of their reader's wish.
    listed = request.headers.get("accept-language", "").split(",")
    known = (language_or_none(each.partition(";")[0].strip()) for each in listed)
    return next(filter(None, known), None)


def _later(request: Request, after_s: float | None) -> HTMLResponse:
    wait = {"Retry-After": str(max(1, math.ceil(after_s or 60)))}
    return notice(_words(request), "later", 429, wait)


def _limits(request: Request) -> PageLimits:
    state = request.app.state
    if not hasattr(state, "page_limits"):
        state.page_limits = PageLimits()
    limits: PageLimits = state.page_limits
    return limits
