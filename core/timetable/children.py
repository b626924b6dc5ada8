"""Runs racers in processes of their own on this machine, so that nothing a solver does outlives or holds up the race.

A child is started with its solver's modules imported, while the caller still reads the problem, and is used again for
the next run. Each is the leader of a process group: a child that does not stop within the grace is killed with all
that it started.
"""

import os
import pickle
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from types import TracebackType
from typing import Self

from core.timetable.program import Program
from core.timetable.racers import Died, Ended, Event, Run, Told
from core.timetable.spawning import spawn

_AT_ONCE_S = 0.04
"""Solvers look every 20 ms; with the kill itself this stays under the 100 ms in which a cancelled race ends."""
_GRACE_S = 0.4
"""For a process that is wanted again: to start and import afresh would cost seconds."""

_LAST_MOMENT_S = 0.2


@dataclass(eq=False)
class _Child:
    process: "subprocess.Popen[bytes]"
    connection: Connection
    modules: set[str]
    loaded: bool = False
    run: Run | None = None
    kill_at: float | None = None
    cpu_counted_s: float = 0.0
    """Of the runs that are over."""


class Children:
    """A host of racers on this machine."""

    def __init__(self, places: int, *, warm: Sequence[str] = ()) -> None:
        """Start a child for each of the solvers in ``warm``; others are started when they are needed."""
        self.places = places
        self._program: bytes | None = None
        self._children = [_begin(solver) for solver in warm]
        self._late: list[Event] = []

    def load(self, program: Program) -> None:
        """Take the program that all runs are about."""
        self._program = pickle.dumps(program, protocol=pickle.HIGHEST_PROTOCOL)

    def start(self, run: Run) -> None:
        """Start a run, in a child that knows its solver where one is idle."""
        child = self._idle_child(run.racer.solver)
        child.run = run
        try:
            if not child.loaded and self._program is not None:
                child.connection.send_bytes(self._program)
                child.loaded = True
            child.connection.send(run)
        except OSError:  # it died while it was idle
            self._late.append(self._lost(child))

    def stop(self, number: int, *, at_once: bool) -> None:
        """Tell a run to stop; one that does not within the grace is killed."""
        for child in self._children:
            if child.run is not None and child.run.number == number:
                kill_at = time.monotonic() + (_AT_ONCE_S if at_once else _GRACE_S)
                child.kill_at = kill_at if child.kill_at is None else min(kill_at, child.kill_at)
                with suppress(OSError):  # its end is told by ``events``
                    child.connection.send(number)

    def events(self, timeout_s: float) -> Sequence[Event]:
        """Return what happened, waiting so long for the first."""
        events, self._late = self._late, []
        connections = {child.connection: child for child in self._children if child.run is not None}
        ready = wait(list(connections), 0 if events else max(0.0, self._until_kill(timeout_s)))
        for connection in ready:
            if isinstance(connection, Connection):
                events += self._read(connections[connection])
        return [*events, *self._killed()]

    @property
    def pids(self) -> list[int]:
        """The processes there are."""
        return [child.process.pid for child in self._children]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for child in self._children:
            _kill(child)
        for child in self._children:
            _bury(child)
        self._children = []

    def _idle_child(self, solver: str) -> _Child:
        # One more process than places: who knows another solver, and will be asked for it again, is left alone.
        module = solver.partition(":")[0]
        idle = sorted((c for c in self._children if c.run is None), key=lambda c: module not in c.modules)
        if idle and (module in idle[0].modules or len(self._children) > self.places):
            idle[0].modules.add(module)
            return idle[0]
        self._children.append(_begin(solver))
        return self._children[-1]

    def _until_kill(self, timeout_s: float) -> float:
        return min([timeout_s, *(c.kill_at - time.monotonic() for c in self._children if c.kill_at is not None)])

    def _read(self, child: _Child) -> Iterator[Event]:
        """Yield all that a child has sent."""
        try:
            while child.run is not None and child.connection.poll():
                event: Told | Ended | Died = child.connection.recv()
                if not isinstance(event, Told):
                    child.run, child.kill_at = None, None
                    child.cpu_counted_s += event.cpu_s
                yield event
        except Exception as error:  # noqa: BLE001 - it was cut off in the middle of a message, or sends rubbish
            yield self._lost(child, "" if isinstance(error, EOFError | OSError) else repr(error))

    def _killed(self) -> list[Event]:
        now = time.monotonic()
        due = [c for c in self._children if c.kill_at is not None and c.kill_at <= now]
        return [self._lost(child, "did not stop and was killed") for child in due]

    def _lost(self, child: _Child, why: str = "") -> Event:
        """Bury a child, and return what became of its run."""
        code, cpu_s = _bury(child, patience_s=0 if why else _LAST_MOMENT_S)
        self._children.remove(child)
        number = child.run.number if child.run is not None else -1
        return Died(number, why or f"its process ended {_words(code)}", max(0.0, cpu_s - child.cpu_counted_s))


def _begin(solver: str) -> _Child:
    module = solver.partition(":")[0]
    return _Child(*spawn("core.timetable.child", module), {module})


def _bury(child: _Child, patience_s: float = 0) -> tuple[int, float]:
    """End a child and all it started, and return its exit code and the processor time that they had used.

    Patient with one whose pipe is closed: it is about to end, and how it does is worth knowing.
    """
    until = time.monotonic() + patience_s
    while (ended := _ended(child.process.pid)) is None:
        if time.monotonic() >= until:
            _kill(child)
        time.sleep(0.001)
    _kill(child)
    child.process.returncode = ended[0]  # so that ``Popen`` doesn't wait for it again
    child.connection.close()
    return ended


def _ended(pid: int) -> tuple[int, float] | None:
    try:
        found, status, usage = os.wait4(pid, os.WNOHANG)
    except ChildProcessError:  # somebody else in this process has asked after it before us
        return 0, 0.0
    return (os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime) if found else None


def _kill(child: _Child) -> None:
    with suppress(ProcessLookupError):
        os.killpg(child.process.pid, signal.SIGKILL)


def _words(code: int) -> str:
    if code >= 0:
        return f"with code {code}"
    with suppress(ValueError):
        return f"by {signal.Signals(-code).name}"
    return f"by signal {-code}"
