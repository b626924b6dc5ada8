"""The conductor of searches for timetables as a worker, and the cluster as the stage on which they run."""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, RayError

from actors.cancellation import Watch, token_actor
from actors.solver import RESOURCE, RayRacers
from core.errors import Unavailable
from core.telemetry import get_logger
from core.timetable.apart import run_apart
from core.timetable.conducting import Conductor
from core.timetable.errands import Came, Errand
from core.timetable.lowering import lower
from core.timetable.model import Problem
from core.timetable.portfolio import judge_of, lineup
from core.timetable.racing import race
from core.timetable.solvers.port import Budget, Progress, Report, Stopped
from core.timetable.solving import Solved, solved

log = get_logger("timetable")

_LOOK_EVERY_S = 0.02
_LATE_S = 0.75
"""So long after its time an errand is waited for: its process ends before, and its node may be gone unheard."""
_MOST_SENDS = 3
"""An errand that was lost so often may be what kills its place."""
_GIVEN_UP_AFTER_S = 0.3
"""An errand that was told to stop and says nothing for so long is left behind; its token ends it."""


class TimetableWorker:
    """Runs a conductor until it is drained."""

    def __init__(self, conductor: Conductor, prepare: Callable[[], None] = lambda: None) -> None:
        """``prepare`` is done in a thread before the first search is taken."""
        self._conductor = conductor
        self._prepare = prepare
        self._running: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to conduct in the background."""
        self._running = asyncio.create_task(self._run())

    async def _run(self) -> None:
        await asyncio.to_thread(self._prepare)
        await self._conductor.run()

    async def ping(self) -> Mapping[str, float]:
        """Return the conductor's figures. Raises what ended it, so that the pool replaces the worker."""
        if self._running is not None and self._running.done():
            self._running.result()
        return self._conductor.gauges()

    async def drain(self, deadline_s: float) -> None:
        """Finish what runs within the deadline, and give back the rest."""
        await self._conductor.stop(deadline_s)
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)


class RayStage:
    """Searches as Ray tasks, on whatever nodes have places for solvers."""

    def __init__(self, namespace: str, places: int) -> None:
        """Give each race so many places."""
        self._namespace = namespace
        self._places = places

    def race(self, race_id: str, problem: Problem, budget: Budget, *, report: Report, stopped: Stopped) -> Solved:
        """Race on the cluster."""
        began, program = time.monotonic(), lower(problem)
        with RayRacers(race_id, self._namespace, self._places) as host:
            outcome = race(
                program,
                lineup(host.places),
                budget,
                host=host,
                judge=judge_of(problem, program),
                report=report,
                stopped=stopped,
                began=began,
            )
        return solved(problem, program, outcome)

    def send(self, race_id: str, errand: Errand, *, report: Report, stopped: Stopped) -> Any:
        """Run an errand in a child process of a task; one that is lost is sent again for the time that is left.

        Raises ``Unavailable`` where it is lost again and again.
        """
        for _ in range(_MOST_SENDS):
            try:
                return self._sent(race_id, errand, report, stopped)
            except (RayError, GetTimeoutError, StopIteration) as error:
                if stopped() or time.time() >= errand.until:
                    return None
                log.warning("errand_lost", race_id=race_id, error=type(error).__name__)
        raise Unavailable("the places where a search ran are gone")

    def _sent(self, race_id: str, errand: Errand, report: Report, stopped: Stopped) -> Any:
        key = f"{race_id}/errand"
        generator = (
            ray.remote(_run_errand)
            .options(num_cpus=0, resources={RESOURCE: 1}, max_retries=0, num_returns="streaming")
            .remote(errand, (key,), self._namespace)
        )
        return self._heard(generator, key, errand.until + _LATE_S, report, stopped)

    def _heard(self, generator: Any, key: str, until: float, report: Report, stopped: Stopped) -> Any:
        told_to_stop = False
        while time.time() < until:
            if stopped() and not told_to_stop:
                told_to_stop, until = True, min(until, time.time() + _GIVEN_UP_AFTER_S)
                token_actor(self._namespace).cancel.remote(key)
            if not ray.wait([generator], timeout=_LOOK_EVERY_S, fetch_local=False)[0]:
                continue
            told: Progress | Came = ray.get(next(generator))
            if isinstance(told, Came):
                return told.result
            report(told)
        if not told_to_stop:
            token_actor(self._namespace).cancel.remote(key)
        ray.cancel(generator)
        return None


def _run_errand(errand: Errand, keys: Sequence[str], namespace: str) -> Iterator[Progress | Came]:
    """Hold one errand in a child process of this worker, and yield what it tells."""
    with Watch(keys, namespace) as watch:
        yield from run_apart(errand, lambda: watch.cancelled)
