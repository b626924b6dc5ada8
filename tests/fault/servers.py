"""PostgreSQL and Redis of a test's own, to be killed and started again on the same data and address."""

import os
import signal
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import psutil

from cluster.embedded.postgres import EmbeddedPostgres
from cluster.embedded.redis import EmbeddedRedis

_GONE_WITHIN_S = 10


class Server(Protocol):
    """A server that stays at its address over its own death."""

    name: str
    url: str

    def kill(self) -> None:
        """Kill every process of it with SIGKILL and return when none is left."""

    def start(self) -> None:
        """Start it again on what its disk holds, at the same address."""


class KillablePostgres:
    """A PostgreSQL that loses nothing it has confirmed: a killed one recovers from its log."""

    name = "postgres"

    def __init__(self, folder: Path, *, near_port: int = 25_432) -> None:
        self._folder = folder
        self._server = EmbeddedPostgres(folder, near_port=near_port)
        self.url = self._server.start()

    def kill(self) -> None:
        """Kill the postmaster and then its backends, as the end of its machine does."""
        _kill(self._server.pid)

    def start(self) -> None:
        """Start it again at the same address."""
        # Another object, because where it looks for a port is settled when it is made.
        self._server = EmbeddedPostgres(self._folder, near_port=_port(self.url))
        assert self._server.start() == self.url, "another server took the port"

    def stop(self) -> None:
        """Stop it for good."""
        self._server.stop()


class KillableRedis:
    """A Redis that writes its log before it answers, so that its death loses nothing."""

    name = "redis"

    def __init__(self, folder: Path, *, near_port: int = 25_379) -> None:
        self._folder = folder
        self._server = EmbeddedRedis(folder, near_port=near_port)
        self.url = self._server.start()

    def kill(self) -> None:
        """Kill the server."""
        _kill(self._server.pid)

    def start(self) -> None:
        """Start it again at the same address."""
        self._server.stop()  # takes note that the killed one is gone
        self._server = EmbeddedRedis(self._folder, near_port=_port(self.url))
        assert self._server.start() == self.url, "another server took the port"

    def stop(self) -> None:
        """Stop it for good."""
        self._server.stop()


def _kill(pid: int | None) -> None:
    assert pid is not None, "it does not run"
    parent = psutil.Process(pid)
    family = [parent, *parent.children(recursive=True)]
    for process in family:
        try:
            os.kill(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    gone, left = psutil.wait_procs(family[1:], timeout=_GONE_WITHIN_S)
    assert not left, f"{left} survived SIGKILL"
    assert len(gone) == len(family) - 1


def _port(url: str) -> int:
    port = urlsplit(url).port
    assert port is not None
    return port
