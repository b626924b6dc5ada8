"""The small parts of the HTTP ground, each alone."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import REGISTRY
from starlette.requests import Request
from starlette.responses import Response

from core import errors
from core.errors import InvalidInput, SchoolOSError, Stale, TooMany
from deployments.ground.etags import _if_match, not_modified, require_match, set_etag
from deployments.ground.limits import RateLimiter
from deployments.ground.pagination import PageQuery, decode_cursor, encode_cursor
from deployments.ground.problem import PreconditionRequired, from_error, kind_of
from deployments.ground.sse import ServerEvent, event_stream
from deployments.ground.wire import Wire

KEYS = st.one_of(
    st.text(max_size=20), st.integers(-(2**63), 2**63), st.none(), st.uuids(), st.dates(),
    st.datetimes(timezones=st.just(UTC)), st.decimals(allow_nan=False, allow_infinity=False),
)  # fmt: skip


@given(st.lists(KEYS, min_size=1, max_size=4))
def test_a_cursor_gives_its_keys_back(keys: list[Any]) -> None:
    """Whatever the sort keys are, they come back as they were, and as the same types."""
    back = decode_cursor(encode_cursor(tuple(keys), "/a"), "/a")
    assert list(back) == keys
    assert [type(key) for key in back] == [type(key) for key in keys]


@given(st.text(max_size=60))
def test_no_made_up_cursor_gets_through(cursor: str) -> None:
    """Any text is either refused as data or was a cursor of this list."""
    with pytest.raises(InvalidInput):
        decode_cursor(cursor, "/a")


def test_a_cursor_is_one_lists_own() -> None:
    """A cursor of another path, or with keys of another kind, is refused."""
    cursor = encode_cursor(("a", UUID(int=1)), "/a")
    with pytest.raises(InvalidInput):
        decode_cursor(cursor, "/b")
    page = PageQuery(10, decode_cursor(cursor, "/a"))
    assert page.keys(str, UUID) == ("a", UUID(int=1))
    for kinds in ((str,), (str, date), (UUID, str)):
        with pytest.raises(InvalidInput):
            page.keys(*kinds)


def test_a_bucket_fills_at_its_rate() -> None:
    """After the burst one request passes each 1/rate seconds, and the refusal says how long to wait."""
    now = [0.0]
    limiter = RateLimiter(2, 3, now=lambda: now[0])
    for _ in range(3):
        limiter.take("a")
    with pytest.raises(TooMany) as refused:
        limiter.take("a")
    assert refused.value.retry_after_s == pytest.approx(0.5)
    limiter.take("b")
    now[0] += 0.5
    limiter.take("a")
    with pytest.raises(TooMany):
        limiter.take("a")
    now[0] += 1_000
    for _ in range(3):
        limiter.take("a")
    with pytest.raises(TooMany):
        limiter.take("a")


def test_buckets_do_not_grow_without_end() -> None:
    """The callers longest not seen are forgotten."""
    limiter = RateLimiter(1, 1, now=lambda: 0.0, max_callers=3)
    for caller in range(10):
        limiter.take(caller)
    assert list(limiter._buckets) == [7, 8, 9]


@pytest.mark.parametrize(("value", "version"), [('"3"', 3), ('W/"12"', 12), (' "7" ', 7), (None, None)])
async def test_if_match_reads_our_tags(value: str | None, version: int | None) -> None:
    """Strong and weak tags of ours give the version."""
    assert await _if_match(value) == version


@pytest.mark.parametrize(
    ("value", "error"),
    [('"abc"', Stale), ('"99999999999"', Stale), ("3", InvalidInput), ("*", InvalidInput), ('"1", "2"', InvalidInput)],
)
async def test_if_match_refuses_others(value: str, error: type[SchoolOSError]) -> None:
    """A tag that is none of ours can't match; what is no single tag is told so."""
    with pytest.raises(error):
        await _if_match(value)


def test_a_change_without_a_version_is_refused() -> None:
    """428, before anything is looked at."""
    with pytest.raises(PreconditionRequired):
        require_match(None)
    assert from_error(PreconditionRequired("x")).status_code == 428


def test_a_known_version_is_not_sent_again() -> None:
    """``If-None-Match`` with the present tag answers 304, another gets the thing."""

    def asking(tags: str) -> Request:
        return Request({"type": "http", "headers": [(b"if-none-match", tags.encode())]})

    answer = Response()
    set_etag(answer, 4)
    same = not_modified(asking(f'"2", W/{answer.headers["etag"]}'), 4)
    assert same is not None
    assert same.status_code == 304
    assert not_modified(asking('"3"'), 4) is None


def test_every_error_has_a_status() -> None:
    """No error of the tree falls through to 500, but the one that means a defect."""
    kinds = [cls for cls in vars(errors).values() if isinstance(cls, type) and issubclass(cls, SchoolOSError)]
    fallen = {cls.__name__ for cls in kinds if kind_of(cls("x")).status == 500}
    assert fallen == {"Broken", "SchoolOSError"}


class Tick(Wire):
    """What the test's streams tell."""

    number: int


def open_streams() -> float | None:
    """Return how many streams are open."""
    return REGISTRY.get_sample_value("active_websocket_connections")


async def served(source: AsyncIterator[ServerEvent], leave: asyncio.Event, **times: timedelta) -> bytes:
    """Return what a caller got who leaves when told."""
    sent = bytearray()

    async def receive() -> dict[str, Any]:
        await leave.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.extend(message.get("body", b""))

    await event_stream(source, **times)({"type": "http", "asgi": {"spec_version": "2.3"}}, receive, send)
    return bytes(sent)


async def test_a_stream_ends_with_its_source() -> None:
    """Events come in order, in the standard's form, and the gauge falls back."""

    async def source() -> AsyncIterator[ServerEvent]:
        assert open_streams() == 1
        for number in range(3):
            yield ServerEvent("tick", Tick(number=number), id=str(number))

    body = await served(source(), asyncio.Event())
    assert body.count(b"event: tick\n") == 3
    assert b'data: {"number":2}\nid: 2\n\n' in body
    assert open_streams() == 0


async def test_a_caller_who_leaves_closes_the_source() -> None:
    """A source that would wait for ever is closed as soon as the caller is gone."""
    closed, waiting, leave = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def source() -> AsyncIterator[ServerEvent]:
        try:
            yield ServerEvent("tick", Tick(number=1))
            waiting.set()
            await asyncio.Event().wait()
        finally:
            closed.set()

    serving = asyncio.create_task(served(source(), leave))
    await waiting.wait()
    leave.set()
    await serving
    assert closed.is_set()
    assert open_streams() == 0


async def test_a_quiet_stream_beats_and_ends_in_time() -> None:
    """Without events a caller gets heartbeats, and the stream ends when its longest time is over."""

    async def source() -> AsyncIterator[ServerEvent]:
        await asyncio.Event().wait()
        yield ServerEvent("never", Tick(number=0))

    body = await served(
        source(), asyncio.Event(), heartbeat=timedelta(milliseconds=5), longest=timedelta(milliseconds=60)
    )
    assert body.count(b": ping") >= 3
    assert b"event" not in body
    assert open_streams() == 0


def test_moments_sort_as_they_are() -> None:
    """A moment keeps its microseconds and zone through a cursor."""
    at = datetime(2027, 9, 13, 8, 0, 0, 123_456, tzinfo=UTC)
    assert decode_cursor(encode_cursor((at, Decimal("1.10")), "/"), "/") == (at, Decimal("1.10"))
