"""Who is calling: bearer token to principal."""

from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from opentelemetry import trace

from core.access.principal import Principal
from core.errors import NotAuthenticated
from deployments.ground.limits import RateLimiter
from deployments.services import Services, ServicesDep

_bearer = HTTPBearer(
    scheme_name="bearer", bearerFormat="JWT", auto_error=False, description="Access token of `POST /api/auth/token`."
)


Bearer = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
"""A route's parameter for a token that may be absent."""


async def identify(services: Services, credentials: HTTPAuthorizationCredentials | None) -> Principal:
    """Return who a token speaks for. Raises ``NotAuthenticated`` where there is none or a wrong one."""
    if credentials is None:
        raise NotAuthenticated("send a token: `Authorization: Bearer ...`")
    return await services.tokens.verify(credentials.credentials)


async def _caller(request: Request, services: ServicesDep, credentials: Bearer) -> Principal:
    principal = await identify(services, credentials)
    limiter: RateLimiter = request.app.state.rate_limiter
    limiter.take(principal.user_id)
    span = trace.get_current_span()
    span.set_attribute("schoolos.user_id", str(principal.user_id))
    span.set_attribute("schoolos.school_id", str(principal.school_id or ""))
    return principal


Caller = Annotated[Principal, Depends(_caller)]
"""A route's parameter for who is asking; 401 without a valid token, 429 past the caller's rate."""
