"""Pages by cursor: the cursor is the sort key of the last item, so that rows which come or go meanwhile do no harm."""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Generic, TypeVar
from uuid import UUID

from fastapi import Depends, Query, Request, Response
from pydantic import Field

from core.errors import Fault, InvalidInput
from deployments.ground.wire import Wire

Item = TypeVar("Item")
Keys = tuple[Any, ...]

_MAX_CURSOR = 1_000
_WRITERS: dict[type, Callable[[Any], str]] = {
    UUID: str,
    datetime: datetime.isoformat,
    date: date.isoformat,
    Decimal: str,
}
_READERS: dict[str, Callable[[str], Any]] = {
    "UUID": UUID, "datetime": datetime.fromisoformat, "date": date.fromisoformat, "Decimal": Decimal,
}  # fmt: skip


class Page(Wire, Generic[Item]):
    """One page of a list."""

    items: list[Item]
    next_cursor: str | None = Field(None, description="Hand it in as `cursor` for the next page; absent on the last.")


@dataclass(frozen=True, slots=True)
class PageQuery:
    """Which page is asked for. Stores fetch ``limit + 1`` rows after the keys ``after``."""

    limit: int
    after: Keys | None


def _page_query(
    limit: Annotated[int, Query(ge=1, le=100, description="Items on a page.")] = 50,
    cursor: Annotated[str | None, Query(max_length=_MAX_CURSOR, description="`nextCursor` of the page before.")] = None,
) -> PageQuery:
    return PageQuery(limit, decode_cursor(cursor) if cursor else None)


PageParams = Annotated[PageQuery, Depends(_page_query)]
"""A route's parameter for the page that is asked for."""


def page_of(
    request: Request, response: Response, items: Sequence[Item], page: PageQuery, key: Callable[[Item], Keys]
) -> Page[Item]:
    """Return the page of up to ``limit + 1`` items and set ``Link`` where another one follows."""
    shown = list(items[: page.limit])
    if len(items) <= page.limit:
        return Page(items=shown, next_cursor=None)
    cursor = encode_cursor(key(shown[-1]))
    following = request.url.include_query_params(cursor=cursor)
    response.headers["Link"] = f'<{following.path}?{following.query}>; rel="next"'
    return Page(items=shown, next_cursor=cursor)


def encode_cursor(keys: Keys) -> str:
    """Return sort keys as an opaque word."""
    written = [[type(key).__name__, _WRITERS[type(key)](key)] if type(key) in _WRITERS else key for key in keys]
    return base64.urlsafe_b64encode(json.dumps(written).encode()).decode().rstrip("=")


def decode_cursor(cursor: str) -> Keys:
    """Return the sort keys of a cursor. Raises ``InvalidInput`` for one that we did not make."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        written = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        return tuple(_READERS[key[0]](key[1]) if isinstance(key, list) else _plain(key) for key in written)
    except (binascii.Error, ValueError, LookupError, TypeError, ArithmeticError, RecursionError) as error:
        fault = Fault("/query/cursor", "use the nextCursor of the page before, unchanged")
        raise InvalidInput("the cursor can't be read", [fault]) from error


def _plain(key: object) -> object:
    if key is None or isinstance(key, str | int):
        return key
    raise ValueError("no key of ours")
