"""A racer's own process: ``python -m core.timetable.child FD PARENT [MODULE...]``. ``children.py`` is its other side.

It imports the modules, takes a program, and then runs one order after the other, so that a solver that was imported
and compiled for the search of a first timetable is warm when it is to improve one.
"""

import pickle
import sys
import threading
import time
import traceback
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from importlib import import_module
from multiprocessing.connection import Connection

from core.timetable.program import Program
from core.timetable.racers import Died, Ended, Event, Run, Told, open_solver
from core.timetable.solvers.port import Outcome, Progress, Solver
from core.timetable.spawning import die_with

_BETWEEN_BESTS_S = 0.03
"""A search may find thousands of better timetables a second; each costs a message and a check."""


class Orders:
    """What the race sends: runs, and words to stop one. Asked from any thread of a solver."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._lock = threading.Lock()
        self._running = -1
        self._told_to_stop = False
        self._next: Run | None = None
        self.over = False
        """The race is gone."""

    def program(self) -> Program | None:
        """Wait for the program; None where none comes."""
        try:
            program: Program = pickle.loads(self._connection.recv_bytes())  # noqa: S301 - from who started us
        except (EOFError, OSError):
            return None
        return program

    def next_run(self) -> Run | None:
        """Wait for the next run; None where there will be none."""
        while self._next is None and not self.over:
            self._take()
        run, self._next = self._next, None
        if run is not None:
            self._running, self._told_to_stop = run.number, False
        return run

    def stopped(self) -> bool:
        """Tell whether the run under way is to stop."""
        with self._lock:
            while not self._told_to_stop and not self.over and self._connection.poll():
                self._take()
        return self._told_to_stop or self.over

    def _take(self) -> None:
        try:
            order = self._connection.recv()
        except (EOFError, OSError):
            self.over = True
            return
        if isinstance(order, Run):
            self._next = order
        elif order == self._running:
            self._told_to_stop = True


class News:
    """What one run tells the race. A better timetable waits a moment for a still better one."""

    def __init__(self, connection: Connection, number: int, cpu_at_start_s: float) -> None:
        self._connection = connection
        self._number = number
        self._cpu_at_start_s = cpu_at_start_s
        self._held: Progress | None = None
        self._sent_at = 0.0
        self._lock = threading.Lock()

    def report(self, progress: Progress) -> None:
        """Send progress, or hold it back for a moment."""
        with self._lock:
            self._held = progress if self._held is None else _merged(self._held, progress)
        self.flush()

    def flush(self) -> None:
        """Send what was held back long enough."""
        with self._lock:
            if self._held is None or time.monotonic() - self._sent_at < _BETWEEN_BESTS_S:
                return
            held, self._held = self._held, None
            self._sent_at = time.monotonic()
            self._tell(Told(self._number, held, self._cpu_s()))

    def end(self, outcome: Outcome) -> None:
        """Tell how the run ended."""
        self._tell(Ended(self._number, outcome, self._cpu_s()))

    def fail(self, why: str) -> None:
        """Tell that the solver raised."""
        self._tell(Died(self._number, why, self._cpu_s()))

    def _tell(self, event: Event) -> None:
        with suppress(BrokenPipeError, ConnectionResetError):  # the race is gone: ``Orders`` sees it too
            self._connection.send(event)

    def _cpu_s(self) -> float:
        return time.process_time() - self._cpu_at_start_s


def _merged(held: Progress, newer: Progress) -> Progress:
    return replace(
        newer,
        best=held.best if newer.best is None else newer.best,
        soft=held.soft if newer.soft is None else newer.soft,
        bound=held.bound if newer.bound is None else newer.bound,
        placed=held.placed if newer.placed is None else newer.placed,
    )


def serve(connection: Connection) -> None:
    """Run what is ordered until the race is gone."""
    orders = Orders(connection)
    program = orders.program()
    solvers: dict[str, Solver] = {}
    cpu_s = 0.0  # the first run pays for the start of the process
    while program is not None and (run := orders.next_run()) is not None:
        _work(program, run, orders, News(connection, run.number, cpu_s), solvers)
        cpu_s = time.process_time()


def _work(program: Program, run: Run, orders: Orders, news: News, solvers: dict[str, Solver]) -> None:
    def stopped() -> bool:
        news.flush()
        return orders.stopped()

    where = run.racer.solver
    try:
        solver = solvers.get(where) or solvers.setdefault(where, open_solver(where))
        outcome = solver.solve(program, run.budget, report=news.report, stopped=stopped, hint=run.hint)
    except Exception:  # noqa: BLE001 - the process's edge: the race is told, and goes on without this run
        news.fail(traceback.format_exc(limit=-3))
    else:
        news.end(outcome)


def main(arguments: Sequence[str]) -> None:
    """Run this process."""
    descriptor, parent, *modules = arguments
    if not die_with(int(parent)):
        return
    for module in modules:
        with suppress(ImportError):  # a run that needs it will tell
            import_module(module)
    serve(Connection(int(descriptor)))


if __name__ == "__main__":
    main(sys.argv[1:])
