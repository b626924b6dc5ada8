"""Several pools watched in one process: each by a supervisor of its own, so that one's fault is not the others'.

On one machine an idle supervisor's process is nearly all imports, so they share one. It knows no Ray.
"""

import asyncio
from collections.abc import Callable, Mapping

from actors.pool_plan import back_off_s
from actors.pool_spec import PoolStatus
from actors.pool_supervisor import Supervisor
from core.telemetry import get_logger

_log = get_logger("pool")

SupervisorMaker = Callable[[], Supervisor]
"""Makes a pool's supervisor; it takes over the workers that a former one left."""


class Supervisors:
    """The supervisors of some pools, by the pool's name. One that fails is made anew and takes its workers over."""

    def __init__(
        self, makers: Mapping[str, SupervisorMaker], *, again_after_s: Callable[[int], float] = back_off_s
    ) -> None:
        """Watch each pool from now on, anew that long after so many deaths in a row; the loop must be running."""
        self._makers = makers
        self._again_after_s = again_after_s
        self._supervisors = {name: make() for name, make in makers.items()}
        self._draining: set[str] = set()
        self.watches = {name: asyncio.create_task(self._watch(name), name=name) for name in makers}

    def watched(self) -> frozenset[str]:
        """Return the pools that have not been drained."""
        return frozenset(name for name, watch in self.watches.items() if not watch.done())

    def status(self, pool: str) -> PoolStatus | None:
        """Return a pool as it stands; None where it is not watched."""
        return self._supervisors[pool].status() if pool in self.watched() else None

    async def drain(self, pool: str) -> None:
        """Let every worker of a pool finish, and watch it no more; one that is not watched is no error."""
        if pool not in self.watched():
            return
        self._draining.add(pool)
        self._supervisors[pool].begin_drain()
        await asyncio.shield(self.watches[pool])

    async def _watch(self, pool: str) -> None:
        failures = 0
        while True:
            try:
                await self._supervisors[pool].run()
            except Exception:  # noqa: BLE001 - the loop's edge: the other pools are watched on, and this one again
                failures += 1
                _log.exception("supervisor_failed", pool=pool, failures=failures)
                await asyncio.sleep(self._again_after_s(failures + 1))
                self._supervisors[pool] = self._makers[pool]()
                if pool in self._draining:
                    self._supervisors[pool].begin_drain()
            else:
                return
