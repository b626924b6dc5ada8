"""Pages by cursor: the cursor is the sort key of the last item, so that rows which come or go meanwhile do no harm."""

import base64
import binascii
import json
import zlib
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
_KINDS: dict[str, tuple[type, Callable[[Any], str], Callable[[str], Any]]] = {
    "uuid": (UUID, str, UUID),
    "datetime": (datetime, datetime.isoformat, datetime.fromisoformat),  # before date, which it is too
    "date": (date, date.isoformat, date.fromisoformat),
    "decimal": (Decimal, str, Decimal),
}
"""Keys that JSON has no word for: their type, how they are written and read."""


class Page(Wire, Generic[Item]):
    """One page of a list."""

    items: list[Item]
    next_cursor: str | None = Field(None, description="Hand it in as `cursor` for the next page; absent on the last.")


@dataclass(frozen=True, slots=True)
class PageQuery:
    """Which page is asked for. Stores fetch ``limit + 1`` rows after the keys ``after``."""

    limit: int
    after: Any
    """Keys as this same list's ``page_of`` was given them, a tuple; None for the first page."""

    def keys(self, *kinds: type) -> Any:
        """Return the keys, of these kinds, or None. Raises ``InvalidInput`` for a cursor that somebody made up."""
        if self.after is not None and (len(self.after) != len(kinds) or not all(map(isinstance, self.after, kinds))):
            raise _unreadable()
        return self.after


async def _page_query(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=100, description="Items on a page.")] = 50,
    cursor: Annotated[str | None, Query(max_length=_MAX_CURSOR, description="`nextCursor` of the page before.")] = None,
) -> PageQuery:
    return PageQuery(limit, decode_cursor(cursor, request.url.path) if cursor else None)


PageParams = Annotated[PageQuery, Depends(_page_query)]
"""A route's parameter for the page that is asked for."""


def page_of(
    request: Request, response: Response, items: Sequence[Item], page: PageQuery, key: Callable[[Item], Keys]
) -> Page[Item]:
    """Return the page of up to ``limit + 1`` items and set ``Link`` where another one follows."""
    shown = list(items[: page.limit])
    if len(items) <= page.limit:
        return Page(items=shown, next_cursor=None)
    cursor = encode_cursor(key(shown[-1]), request.url.path)
    following = request.url.include_query_params(cursor=cursor)
    response.headers["Link"] = f'<{following.path}?{following.query}>; rel="next"'
    return Page(items=shown, next_cursor=cursor)


def encode_cursor(keys: Keys, of: str) -> str:
    """Return sort keys as an opaque word, good for the list at this path."""
    written = [_written(key) for key in keys]
    return base64.urlsafe_b64encode(json.dumps([_mark(of), *written]).encode()).decode().rstrip("=")


def decode_cursor(cursor: str, of: str) -> Keys:
    """Return the sort keys of a cursor. Raises ``InvalidInput`` for one that we did not make for this list."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        mark, *written = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        keys = tuple(_read(key) for key in written)
    except (binascii.Error, ValueError, LookupError, TypeError, ArithmeticError, RecursionError) as error:
        raise _unreadable() from error
    if mark != _mark(of):
        raise _unreadable()
    return keys


def _mark(path: str) -> int:
    """Return what tells one list's cursors from another's."""
    return zlib.crc32(path.encode())


def _written(key: Any) -> Any:
    """Return a key as JSON; drivers hand in subclasses of ours."""
    for name, (kind, write, _) in _KINDS.items():
        if isinstance(key, kind):
            return [name, write(key)]
    return key


def _read(key: Any) -> Any:
    if isinstance(key, list):
        return _KINDS[key[0]][2](key[1])
    if key is None or isinstance(key, str | int):
        return key
    raise ValueError("no key of ours")


def _unreadable() -> InvalidInput:
    fault = Fault("/query/cursor", "use the nextCursor of the page before, unchanged")
    return InvalidInput("the cursor can't be read", [fault])
