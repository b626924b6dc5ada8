"""Stops what `schoolos up` started, also where it was killed and could not do so itself."""

import signal
import time

from cluster.embedded.postgres import EmbeddedPostgres
from cluster.embedded.process import end
from cluster.embedded.ray import stop_ray
from cluster.embedded.redis import EmbeddedRedis
from cluster.state import StateFolder
from core.errors import Unavailable

_ORDERLY_S = 90.0
"""Workers finish what they began (40 s at most), then the database writes what it holds."""


def down(folder: StateFolder) -> str:
    """Stop everything, and return what was found."""
    if not folder.path.exists():
        return "SchoolOS is not up."
    record = folder.read_record()
    if record is not None and record.guard.alive():
        record.guard.send(signal.SIGTERM)
        deadline = time.monotonic() + _ORDERLY_S
        while record.guard.alive() and time.monotonic() < deadline:
            time.sleep(0.05)
        if record.guard.alive():
            raise Unavailable(f"process {record.guard.pid} does not stop; run `schoolos down` again, or kill it")
        sweep(folder)
        return "SchoolOS is down."
    return "SchoolOS was killed before; what it left is stopped." if sweep(folder) else "SchoolOS is not up."


def sweep(folder: StateFolder) -> bool:
    """Stop what a killed `schoolos up` left running, and tell whether there was anything.

    Raises ``Conflict`` while one is alive.
    """
    lock = folder.lock()
    with open(lock, "rb"):  # noqa: PTH123 - closes the descriptor
        record = folder.read_record()
        left = [mark for mark in record.processes.values() if mark.alive()] if record else []
        stop_ray(folder.path / "ray")
        EmbeddedRedis(folder.path / "redis").stop()
        EmbeddedPostgres(folder.path / "postgres").stop()
        end(left, within_s=5)
        folder.remove_record()
        return record is not None
