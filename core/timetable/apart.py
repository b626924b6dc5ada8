"""Runs an errand in a process of its own, so that a stop is a kill. ``errand_child.py`` is its other side."""

import os
import pickle
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from multiprocessing.connection import Connection

from core.errors import Broken
from core.timetable.errands import Came, Errand, Failed
from core.timetable.solvers.port import Progress, Stopped
from core.timetable.spawning import spawn

_LOOK_EVERY_S = 0.02
_GRACE_S = 5.0
"""So long after its time an errand that does not end by itself is killed: model building may hold it up."""


def run_apart(errand: Errand, stopped: Stopped) -> Iterator[Progress | Came]:
    """Yield what an errand tells, and at last what it came to. Raises ``Broken`` where its process was lost."""
    process, connection = spawn("core.timetable.errand_child")
    try:
        connection.send_bytes(pickle.dumps(errand, protocol=pickle.HIGHEST_PROTOCOL))
        yield from _heard(connection, stopped, errand.until + _GRACE_S)
    except (EOFError, OSError) as error:
        raise Broken("the process of a search was lost") from error
    finally:
        _end(process, connection)


def _heard(connection: Connection, stopped: Stopped, until: float) -> Iterator[Progress | Came]:
    while not stopped() and time.time() < until:
        if not connection.poll(_LOOK_EVERY_S):
            continue
        told = connection.recv()
        if isinstance(told, Failed):
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
