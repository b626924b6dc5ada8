"""The public verify page: is this card genuine? Without a login, so it shows the least that answers the question."""

import math
from typing import Annotated

from fastapi import APIRouter, Path, Request
from starlette.responses import HTMLResponse

from core.errors import NotFound, SchoolOSError, TooMany, Unavailable
from core.reports.verification import Genuine
from deployments.ground.limits import RateLimiter
from deployments.ground.problem import PROBLEMS
from deployments.report_wire import GenuineOut
from deployments.services import Services, ServicesDep
from deployments.verify_page import genuine_page, notice

router = APIRouter(tags=["report cards"], responses=PROBLEMS)

_LONGEST = 40
Serial = Annotated[str, Path(max_length=_LONGEST, description="As printed on the card; hyphens and case don't count.")]


class VerifyLimits:
    """How often an address may ask. A class reading one room's cards gets through; a search of serials does not.

    A serial has 60 bits: at this rate and with a million cards, one is guessed in ten thousand years.
    """

    def __init__(self) -> None:
        self.asked = RateLimiter(5, 120)
        # A phone network puts thousands behind one address: only those who guess are held to this.
        self.wrong = RateLimiter(1, 60)


@router.get("/verify/{serial}", include_in_schema=False)
async def verify_page(request: Request, services: ServicesDep, serial: str) -> HTMLResponse:
    """Say as a page whether a card is genuine."""
    try:
        return genuine_page(await _found(request, services, serial))
    except TooMany as error:
        wait = {"Retry-After": str(max(1, math.ceil(error.retry_after_s or 60)))}
        return notice("Please wait", "Too many cards were asked for. Try again in a minute.", 429, wait)
    except Unavailable:
        return notice("Not just now", "The records can't be reached just now. Try again in a minute.", 503)
    except SchoolOSError:
        line = "No card was issued under this number. Compare it with the card, sign by sign, or ask the school."
        return notice("Not found", line, 404)


@router.get("/api/verify/{serial}", operation_id="verifyCard", summary="Check whether a card is genuine")
async def verify(request: Request, services: ServicesDep, serial: Serial) -> GenuineOut:
    """Say whether a card was issued under a serial; needs no token. 404 where none was."""
    return GenuineOut.model_validate(await _found(request, services, serial))


async def _found(request: Request, services: Services, serial: str) -> Genuine:
    limits, caller = _limits(request), request.client.host if request.client else ""
    limits.asked.take(caller)
    try:
        return await services.report_records.verification.genuine(serial[:_LONGEST])
    except NotFound:
        limits.wrong.take(caller)
        raise


def _limits(request: Request) -> VerifyLimits:
    state = request.app.state
    if not hasattr(state, "verify_limits"):
        state.verify_limits = VerifyLimits()
    limits: VerifyLimits = state.verify_limits
    return limits
