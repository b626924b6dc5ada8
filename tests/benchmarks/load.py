"""A load generator: keep-alive connections that ask one path over and over. Costs some 30 us a request, not 200."""

import asyncio
import json
import sys
from functools import partial
from time import perf_counter
from typing import cast
from urllib.parse import urlsplit

CONNECTIONS = 32


class _Connection(asyncio.Protocol):
    """Asks again as soon as an answer is whole."""

    def __init__(self, request: bytes, until: float, latencies: list[float]) -> None:
        self._request = request
        self._until = until
        self._latencies = latencies
        self._buffer = b""
        self.over: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._failed = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by inheritance
        self._ask()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        if not found or len(body) < _length_of(head):
            return
        self._latencies.append(perf_counter() - self._asked_at)
        self._failed += not head.startswith(b"HTTP/1.1 200")
        self._buffer = b""
        if perf_counter() < self._until:
            self._ask()
        else:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self.over.set_result(self._failed + (exc is not None))

    def _ask(self) -> None:
        self._asked_at = perf_counter()
        self._transport.write(self._request)


def _length_of(head: bytes) -> int:
    lowered = head.lower()
    at = lowered.index(b"content-length:") + 15
    return int(lowered[at : lowered.find(b"\r\n", at) if b"\r\n" in lowered[at:] else None])


def _same(connection: _Connection) -> _Connection:
    return connection


async def load(url: str, token: str, seconds: float) -> dict[str, float]:
    """Return requests a second, the 50th and 99th percentile in ms, and how many answers were not 200."""
    parts = urlsplit(url)
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    request = f"GET {path} HTTP/1.1\r\nHost: {parts.netloc}\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
    loop, latencies, started = asyncio.get_running_loop(), list[float](), perf_counter()
    connections = [_Connection(request, started + seconds, latencies) for _ in range(CONNECTIONS)]
    for connection in connections:
        await loop.create_connection(partial(_same, connection), parts.hostname or "", parts.port or 80)
    failed = sum(await asyncio.gather(*(connection.over for connection in connections)))
    took, ordered = perf_counter() - started, sorted(latencies)
    return {
        "requests_per_s": round(len(ordered) / took, 1),
        "p50_ms": round(ordered[len(ordered) // 2] * 1e3, 2),
        "p99_ms": round(ordered[int(len(ordered) * 0.99)] * 1e3, 2),
        "failed": failed,
    }


if __name__ == "__main__":
    import uvloop

    uvloop.install()
    print(json.dumps(asyncio.run(load(sys.argv[1], sys.argv[2], float(sys.argv[3])))))
