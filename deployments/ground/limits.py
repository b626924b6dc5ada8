"""Limits of rate and size."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from time import monotonic

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.errors import TooMany
from deployments.ground.problem import TooLarge, from_error

_JSON_MAX_BYTES = 1024 * 1024
"""The largest JSON body is a class's attendance or a hundred ids, some kB."""
_LARGE_JSON = ("/api/timetable/", 10 * 1024 * 1024)
"""A timetable's problem of 200 classes is some 4 MB."""
_ENVELOPE_BYTES = 64 * 1024
"""What multipart puts around a file."""


class RateLimiter:
    """One token bucket for each caller, kept in this process. A school's second replica doubles the allowance."""

    def __init__(
        self, rate_per_s: float, burst: int, *, now: Callable[[], float] = monotonic, max_callers: int = 20_000
    ) -> None:
        self._rate = rate_per_s
        self._burst = burst
        self._now = now
        self._max_callers = max_callers
        self._buckets: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()

    def take(self, caller: Hashable) -> None:
        """Take one token from the caller's bucket. Raises ``TooMany`` with the wait where it is empty."""
        now = self._now()
        tokens, since = self._buckets.get(caller, (float(self._burst), now))
        tokens = min(self._burst, tokens + (now - since) * self._rate)
        self._buckets[caller] = (tokens - 1 if tokens >= 1 else tokens, now)
        self._buckets.move_to_end(caller)
        if len(self._buckets) > self._max_callers:
            self._buckets.popitem(last=False)
        if tokens < 1:
            raise TooMany("too many requests from this account; slow down", (1 - tokens) / self._rate)


class BodyLimit:
    """Refuse bodies that are too large: by their stated length at once, else while they stream in."""

    def __init__(self, app: ASGIApp, upload_max_bytes: int) -> None:
        self.app = app
        self._upload_max = upload_max_bytes + _ENVELOPE_BYTES

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD", "OPTIONS"):
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        is_upload = headers.get("content-type", "").startswith("multipart/")
        limit = self._upload_max if is_upload else _json_limit(scope["path"])
        stated = headers.get("content-length", "")
        if stated.isdigit() and int(stated) > limit:
            await from_error(_too_large(limit))(scope, receive, send)
            return
        await self.app(scope, _counted(receive, limit), send)


def _json_limit(path: str) -> int:
    prefix, large = _LARGE_JSON
    return large if path.startswith(prefix) else _JSON_MAX_BYTES


def _counted(receive: Receive, limit: int) -> Receive:
    taken = 0

    async def counted() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > limit:
            raise HTTPException(413, str(_too_large(limit)))  # FastAPI lets only this one through its body parser
        return message

    return counted


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"the body is larger than {limit // 1024} KiB")
