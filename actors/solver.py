"""The race of timetable solvers on a cluster: each run is a Ray task that holds a child process of its own.

A task takes as much of the resource ``solver`` as its run has threads, and no processor in Ray's count: racers are
never starved by replicas and never starve them. What a run tells comes back through the task's generator; it is told
to stop by a token. A run whose worker or node is gone is a lost run and not the end of the race.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import ray
from ray.exceptions import GetTimeoutError, RayError, TaskCancelledError

from actors.cancellation import Watch, token_actor
from core.errors import Unavailable
from core.timetable.children import Children
from core.timetable.model import Problem
from core.timetable.portfolio import judge_of, lineup
from core.timetable.program import Program
from core.timetable.race_result import RaceOutcome
from core.timetable.racers import Died, Event, Run, Told
from core.timetable.racing import race
from core.timetable.solvers.port import Budget, Report

RESOURCE = "solver"
_LOOK_EVERY_S = 0.02
_LOST_AFTER_S = 2.0
"""A run that was told to stop and says nothing for so long is on a node that is gone, or out of reach."""
_MOST_PLACES = 16
"""More racers than this find nothing sooner."""


def run_racer(program: Program, run: Run, keys: Sequence[str], namespace: str) -> Iterator[Event]:
    """Hold one run in a child process of this worker, and yield what it tells."""
    with Watch(keys, namespace) as watch, Children(run.racer.workers) as host:
        host.load(program)
        host.start(run)
        while True:
            if watch.cancelled:
                host.stop(run.number, at_once=True)
            for event in host.events(_LOOK_EVERY_S):
                yield event
                if not isinstance(event, Told):
                    return


@dataclass
class _Task:
    number: int
    generator: Any
    has_told: bool = False
    lost_at: float | None = field(default=None)
    cpu_s: float = 0.0


class RayRacers:
    """A host of racers on the cluster that this process is connected to."""

    def __init__(self, race_id: str, namespace: str, places: int | None = None) -> None:
        """Raises ``Unavailable`` where the cluster has no room for solvers at all."""
        self.places = places or min(_MOST_PLACES, solver_places())
        self._race_id = race_id
        self._namespace = namespace
        self._tokens = token_actor(namespace)
        self._program: Any = None
        self._tasks: dict[int, _Task] = {}

    def load(self, program: Program) -> None:
        """Take the program that all runs are about."""
        self._program = ray.put(program)

    def start(self, run: Run) -> None:
        """Start a run on a node that has room for it."""
        generator = (
            ray.remote(run_racer)
            .options(num_cpus=0, resources={RESOURCE: run.racer.workers}, max_retries=0, num_returns="streaming")
            .remote(self._program, run, (self._race_id, self._key(run.number)), self._namespace)
        )
        self._tasks[run.number] = _Task(run.number, generator)

    def stop(self, number: int, *, at_once: bool) -> None:
        """Tell a run to stop; one that still waits for a place never starts. Its process is not used again."""
        del at_once
        task = self._tasks.get(number)
        if task is None or task.lost_at is not None:
            return
        task.lost_at = time.monotonic() + _LOST_AFTER_S
        self._tokens.cancel.remote(self._key(number))
        if not task.has_told:
            ray.cancel(task.generator)

    def events(self, timeout_s: float) -> Sequence[Event]:
        """Return what happened, waiting so long for the first."""
        if not self._tasks:
            time.sleep(timeout_s)
            return []
        of = {task.generator: task for task in self._tasks.values()}
        ready, _ = ray.wait(list(of), num_returns=1, timeout=timeout_s, fetch_local=False)
        if ready:
            ready, _ = ray.wait(list(of), num_returns=len(of), timeout=0, fetch_local=False)
        events = [event for generator in ready for event in self._read(of[generator])]
        return [*events, *self._lost()]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number in list(self._tasks):
            self.stop(number, at_once=True)
        until = time.monotonic() + _LOST_AFTER_S
        while self._tasks and time.monotonic() < until:
            self.events(_LOOK_EVERY_S)

    def _key(self, number: int) -> str:
        return f"{self._race_id}/{number}"

    def _read(self, task: _Task) -> Iterator[Event]:
        """Yield what a run has told, until there is nothing more for the moment."""
        while task.number in self._tasks:
            event = self._next(task)
            task.has_told, task.cpu_s = True, event.cpu_s
            if not isinstance(event, Told):
                del self._tasks[task.number]
            yield event
            if not ray.wait([task.generator], timeout=0, fetch_local=False)[0]:
                break

    def _next(self, task: _Task) -> Event:
        try:
            event: Event = ray.get(next(task.generator), timeout=_LOST_AFTER_S)
        except (RayError, GetTimeoutError, StopIteration) as error:
            why = (
                "was cancelled" if isinstance(error, TaskCancelledError) else f"its task is lost: {_first_line(error)}"
            )
            return Died(task.number, why, task.cpu_s)
        return event

    def _lost(self) -> list[Event]:
        now = time.monotonic()
        lost = [task for task in self._tasks.values() if task.lost_at is not None and task.lost_at <= now]
        for task in lost:
            with suppress(RayError):
                ray.cancel(task.generator, force=True)
            del self._tasks[task.number]
        return [Died(task.number, "did not stop", task.cpu_s) for task in lost]


def race_on_cluster(
    problem: Problem, program: Program, budget: Budget, *, race_id: str, namespace: str, report: Report
) -> RaceOutcome:
    """Race on the cluster until done or until the token ``race_id`` is cancelled. Blocks: call it in a thread."""
    with Watch((race_id,), namespace) as watch, RayRacers(race_id, namespace) as host:
        return race(
            program,
            lineup(host.places),
            budget,
            host=host,
            judge=judge_of(problem, program),
            report=report,
            stopped=lambda: watch.cancelled,
        )


def solver_places() -> int:
    """Return how many one-thread runs the cluster has room for. Raises ``Unavailable`` where none."""
    resources = ray.cluster_resources()  # type: ignore[no-untyped-call]  # Ray has no annotation there
    places = int(resources.get(RESOURCE, 0))
    if places < 1:
        raise Unavailable(f'no node of the cluster offers the resource "{RESOURCE}"; start one with --resources')
    return places


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
