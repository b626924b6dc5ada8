"""An SMS provider in a process of its own: it answers each request after a while, and counts requests and keys.

``python -m tests.benchmarks.notifying.provider 50`` answers after 50 ms and prints its port. Written on the bare
protocol, so that it takes 30 us of a core a request and leaves the rest to what is measured. It takes traces too.
"""

import asyncio
import json
import sys
from functools import partial
from typing import cast

import uvloop

_TAKEN = json.dumps(
    {
        "SMSMessageData": {
            "Message": "Sent to 1/1 Total Cost: NGN 2.2000",
            "Recipients": [
                {"statusCode": 101, "number": "+234", "status": "Success", "cost": "NGN 2.2000", "messageId": "x"}
            ],
        }
    }
).encode()


class Counts:
    """What came in."""

    def __init__(self) -> None:
        self.requests = 0
        self.keys: set[bytes] = set()


class _Connection(asyncio.Protocol):
    """One kept-alive connection."""

    def __init__(self, counts: Counts, delay_s: float) -> None:
        self._counts = counts
        self._delay_s = delay_s
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while True:
            head, found, rest = self._buffer.partition(b"\r\n\r\n")
            length = _length_of(head) if found else 0
            if not found or len(rest) < length:
                return
            self._buffer = rest[length:]
            self._take(head)

    def _take(self, head: bytes) -> None:
        if head.startswith(b"GET /counts"):
            counts = {"requests": self._counts.requests, "distinct": len(self._counts.keys)}
            self._answer(b"200 OK", json.dumps(counts).encode())
        elif head.startswith(b"POST /v1/traces"):
            self._answer(b"200 OK", b"")
        else:
            self._counts.requests += 1
            self._counts.keys.add(_header(head, b"idempotency-key"))
            asyncio.get_running_loop().call_later(self._delay_s, self._answer, b"201 Created", _TAKEN)

    def _answer(self, status: bytes, body: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(
                b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
                % (status, len(body), body)
            )


def _header(head: bytes, name: bytes) -> bytes:
    lowered = head.lower()
    at = lowered.find(b"\r\n" + name + b":")
    if at < 0:
        return b""
    at += len(name) + 3
    end = lowered.find(b"\r\n", at)
    return head[at : end if end > 0 else None].strip()


def _length_of(head: bytes) -> int:
    return int(_header(head, b"content-length") or 0)


async def serve(delay_s: float) -> None:
    """Listen on a free port, print it, and answer until killed."""
    make = partial(_Connection, Counts(), delay_s)
    server = await asyncio.get_running_loop().create_server(make, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(float(sys.argv[1]) / 1000))
