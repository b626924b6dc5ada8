"""Runs an errand in a process of its own, ``python -m core.timetable.apart FD PARENT``, so that a stop is a kill."""

import os
import pickle
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from typing import Any

from core.errors import Broken
from core.timetable.errands import Errand
from core.timetable.solvers.port import Progress, Stopped
from core.timetable.spawning import die_with, spawn

_LOOK_EVERY_S = 0.02
_GRACE_S = 5.0
"""So long after its time an errand that does not end by itself is killed: model building may hold it up."""


@dataclass(frozen=True, slots=True)
class Came:
    """What an errand came to."""

    result: Any
    """None where it was stopped, or did not end in time."""


@dataclass(frozen=True, slots=True)
class _Failed:
    why: str


def run_apart(errand: Errand, stopped: Stopped) -> Iterator[Progress | Came]:
    """Yield what an errand tells, and at last what it came to. Raises ``Broken`` where its process was lost."""
    process, connection = spawn("core.timetable.apart")
    try:
        connection.send_bytes(pickle.dumps(errand, protocol=pickle.HIGHEST_PROTOCOL))
        yield from _heard(connection, stopped, time.monotonic() + errand.seconds + _GRACE_S)
    except (EOFError, OSError) as error:
        raise Broken("the process of a search was lost") from error
    finally:
        _end(process, connection)


def _heard(connection: Connection, stopped: Stopped, until: float) -> Iterator[Progress | Came]:
    while not stopped() and time.monotonic() < until:
        if not connection.poll(_LOOK_EVERY_S):
            continue
        told = connection.recv()
        if isinstance(told, _Failed):
            raise Broken(f"a search failed: {told.why}")
        yield told
        if isinstance(told, Came):
            return
    yield Came(None)


def _end(process: "subprocess.Popen[bytes]", connection: Connection) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    connection.close()


def main(arguments: Sequence[str]) -> None:
    """Run the one errand that is sent."""
    descriptor, parent = arguments
    if not die_with(int(parent)):
        return
    connection = Connection(int(descriptor))
    errand: Errand = pickle.loads(connection.recv_bytes())  # noqa: S301 - from who started us
    try:
        came: Came | _Failed = Came(errand.run(lambda progress: connection.send(replace(progress, best=None))))
    except Exception:  # noqa: BLE001 - the process's edge: who sent the errand is told
        came = _Failed(traceback.format_exc(limit=-3))
    with suppress(OSError):  # whoever sent it is gone
        connection.send(came)


if __name__ == "__main__":
    # Not as ``__main__``, where what is pickled here would not be found over there.
    from core.timetable import apart

    apart.main(sys.argv[1:])
