"""Carries out what a pool's plan decides, and tells the plan what became of it. It knows no Ray."""

import asyncio
import os
import time
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from actors.pool_plan import Act, Action, PoolPlan, Slot
from actors.pool_spec import Backlog, BacklogFactory, Pong, PoolSpec, PoolStatus, WorkerStatus
from core.errors import SchoolOSError
from core.telemetry import ACTIVE_WORKERS, get_logger

_log = get_logger("pool")

_BACKLOG_EVERY_S = 1.0
_BACKLOG_TIMEOUT_S = 10.0


class WorkerDied(SchoolOSError):
    """A worker's process is gone, or its worker has failed for good."""


class WorkerHost(Protocol):
    """Where workers run. A handle stands for one life of a worker; a slot has many, one after the other."""

    def find(self, slot: int) -> object | None:
        """Return the handle of a slot's living worker, or None."""

    def start(self, slot: int) -> object:
        """Start a slot's worker, or take over the one that is there, and return its handle."""

    async def ping(self, handle: object) -> Pong:
        """Return a worker's answer. Raises ``WorkerDied``."""

    async def drain(self, handle: object, deadline_s: float) -> None:
        """Let a worker finish. Raises ``WorkerDied``."""

    def kill(self, handle: object) -> None:
        """End a worker's process at once; one that is gone is no error."""


class Supervisor:
    """Keeps one pool at its size, alive."""

    def __init__(
        self,
        spec: PoolSpec,
        host: WorkerHost,
        open_backlog: BacklogFactory,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._spec = spec
        self._host = host
        self._monotonic = monotonic
        self._plan = PoolPlan(spec, monotonic())
        self._gauge = BacklogGauge(spec.name, open_backlog, monotonic)
        self._handles: dict[int, object] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._emptied = asyncio.Event()

    async def run(self) -> None:
        """Watch the pool until it is drained."""
        measuring = asyncio.create_task(self._gauge.run())
        self.adopt()
        try:
            while not self._emptied.is_set():
                self.step()
                await self._pause()
        finally:
            for task in (measuring, *self._tasks):
                task.cancel()

    def adopt(self) -> None:
        """Take over the workers that a former supervisor of this pool left running."""
        for slot in range(self._spec.maximum):
            handle = self._host.find(slot)
            if handle is not None:
                self._handles[slot] = handle
                self._plan.adopted(slot, self._monotonic())
                _log.info("worker_adopted", pool=self._spec.name, slot=slot)

    def step(self) -> None:
        """Decide once and begin what was decided."""
        for action in self._plan.decide(self._monotonic(), self._gauge.latest()):
            try:
                self._carry_out(action)
            except Exception:  # noqa: BLE001 - the loop's edge: one slot's trouble must not end the others' watch
                _log.exception("pool_action_failed", pool=self._spec.name, act=action.act, slot=action.slot)
                self._plan.died(action.slot, self._monotonic())
        ACTIVE_WORKERS.labels(self._spec.name).set(self._plan.running())
        if self._plan.draining and self._plan.empty():
            self._emptied.set()

    def begin_drain(self) -> None:
        """Start nothing more and let every worker finish by the pool's deadline; the watch ends when none is left."""
        self._plan.draining = True
        self._wake.set()

    def status(self) -> PoolStatus:
        """Return the pool as it stands."""
        backlog = self._gauge.latest()
        return PoolStatus(
            name=self._spec.name,
            pid=os.getpid(),
            backlog=backlog,
            wanted=0 if self._plan.draining else self._plan.wanted(backlog),
            running=self._plan.running(),
            draining=self._plan.draining,
            workers=tuple(self._status_of(place) for place in self._plan.slots),
        )

    def _status_of(self, place: Slot) -> WorkerStatus:
        pong, answered_at = place.pong, place.answered_at
        return WorkerStatus(
            name=self._spec.worker_name(place.number),
            state=place.state,
            pid=pong.pid if pong else None,
            node=pong.node if pong else None,
            answered_s_ago=None if answered_at is None else self._monotonic() - answered_at,
            restarts=place.restarts,
            figures=pong.figures if pong else {},
        )

    def _carry_out(self, action: Action) -> None:
        slot = action.slot
        match action.act:
            case Act.START:
                self._handles[slot] = self._host.start(slot)
            case Act.KILL:
                _log.warning("worker_killed", pool=self._spec.name, slot=slot, why=action.why)
                self._host.kill(self._handles.pop(slot))
            case Act.PING:
                self._begin(self._ping(slot, self._handles[slot]))
            case Act.DRAIN:
                self._begin(self._drain(slot, self._handles[slot]))

    async def _ping(self, slot: int, handle: object) -> None:
        try:
            pong = await self._host.ping(handle)
        except Exception as error:  # noqa: BLE001 - whatever it is, this worker is not well
            self._lost(slot, handle, error)
            return
        if self._handles.get(slot) is handle:
            self._plan.answered(slot, pong, self._monotonic())

    def _lost(self, slot: int, handle: object, error: Exception) -> None:
        if self._handles.get(slot) is not handle:
            return  # an answer about a former life of the slot
        del self._handles[slot]
        self._host.kill(handle)  # a worker that failed still holds its process and its name
        self._plan.died(slot, self._monotonic())
        _log.warning("worker_died", pool=self._spec.name, slot=slot, error=type(error).__name__)
        self._wake.set()

    async def _drain(self, slot: int, handle: object) -> None:
        try:
            await self._host.drain(handle, self._spec.drain_s)
        except Exception as error:  # noqa: BLE001 - the drain is over all the same
            _log.warning("worker_drain_failed", pool=self._spec.name, slot=slot, error=type(error).__name__)
        if self._handles.get(slot) is handle:
            del self._handles[slot]
            self._host.kill(handle)
            self._plan.drained(slot, self._monotonic())
            self._wake.set()

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(self._spec.ping_every_s):
                await self._wake.wait()
        except TimeoutError:
            pass
        self._wake.clear()


class BacklogGauge:
    """Keeps the newest backlog at hand, so that a slow or dead source never holds up supervision."""

    def __init__(self, pool: str, open_backlog: BacklogFactory, monotonic: Callable[[], float]) -> None:
        self._pool = pool
        self._open = open_backlog
        self._monotonic = monotonic
        self._value: int | None = None
        self._at = 0.0

    def latest(self) -> int | None:
        """Return the newest backlog, or None where it is too old to go by."""
        stale = self._value is None or self._monotonic() - self._at > 2 * _BACKLOG_TIMEOUT_S
        return None if stale else self._value

    async def run(self) -> None:
        """Measure for ever; what fails is opened again."""
        while True:
            try:
                async with self._open() as backlog:
                    while True:
                        await self.measure(backlog)
                        await asyncio.sleep(_BACKLOG_EVERY_S)
            except Exception as error:  # noqa: BLE001 - the loop's edge: it goes on
                _log.warning("backlog_not_measured", pool=self._pool, error=type(error).__name__)
            await asyncio.sleep(_BACKLOG_EVERY_S)

    async def measure(self, backlog: Backlog) -> None:
        """Measure once."""
        async with asyncio.timeout(_BACKLOG_TIMEOUT_S):
            self._value = await backlog()
        self._at = self._monotonic()
