"""Versions as ETags: who changes a thing says which version it was made from (``If-Match``)."""

import re
from typing import Annotated

from fastapi import Depends, Header, Request, Response

from core.errors import Fault, InvalidInput, Stale
from deployments.ground.problem import PreconditionRequired

_VERSION = re.compile(r'^(?:W/)?"(\d{1,9})"$')
_TAG = re.compile(r'^(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"$')


async def _if_match(
    value: Annotated[str | None, Header(alias="If-Match", description="The `ETag` the change was made from.")] = None,
) -> int | None:
    if value is None:
        return None
    found = _VERSION.match(value.strip())
    if found:
        return int(found[1])
    if _TAG.match(value.strip()):
        raise Stale("the ETag in If-Match is none of this thing; read it again")
    raise InvalidInput("If-Match can't be read", [Fault("/header/If-Match", 'send one ETag as you got it, like "3"')])


IfMatch = Annotated[int | None, Depends(_if_match)]
"""A route's parameter for the version a change was made from."""


def require_match(if_match: int | None) -> int:
    """Return the version. Raises ``PreconditionRequired`` (428) where the caller gave none."""
    if if_match is None:
        raise PreconditionRequired("send the ETag of the version you changed as If-Match")
    return if_match


def set_etag(response: Response, version: int) -> None:
    """Put a thing's version on its answer."""
    response.headers["ETag"] = f'"{version}"'


def not_modified(request: Request, version: int) -> Response | None:
    """Return 304 where the caller already has this version, else None."""
    known = request.headers.get("if-none-match", "")
    tags = {tag.strip().removeprefix("W/") for tag in known.split(",")}
    return Response(status_code=304, headers={"ETag": f'"{version}"'}) if f'"{version}"' in tags else None
