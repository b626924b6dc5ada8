"""The faults that a test does, in an order of a seed's choosing, and how long each takes to mend."""

import asyncio
import os
import random
import signal
from collections.abc import Awaitable, Callable, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from time import monotonic
from typing import TypeVar
from uuid import UUID

from actors.pool import pool_status
from actors.pool_spec import PoolSpec
from core.clock import SystemClock
from core.errors import SchoolOSError
from tests.fault.rig import LEASE, WORKERS, Rig
from tests.fault.servers import Server

BACK_WITHIN_S = LEASE.total_seconds() + 5
_PATIENCE_S = 60
_PAIRED = 0.7
"""How many of the kills come together with another one."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Mended:
    """One fault, and how long until work went on."""

    what: str
    at: datetime
    back_after_s: float
    """Of a server since it answers again: how long it is away is not ours to say."""
    stalled: float
    """The share of that time for which the machine kept something runnable waiting."""
    owners: AbstractSet[str] = frozenset()
    """The workers that died of it, by the name they hold leases under."""
    in_flight: AbstractSet[UUID] = frozenset()
    """The deliveries that were at the provider, so that nobody knows whether they were taken."""

    @property
    def own_s(self) -> float:
        """Return how long it took without what the machine kept back."""
        return self.back_after_s * (1 - self.stalled)


@dataclass(frozen=True, slots=True)
class Target:
    """A process of a pool: the supervisor, or the worker of a slot."""

    what: str
    spec: PoolSpec
    slot: int | None = None


class Harm:
    """Does faults to a rig and watches it recover."""

    def __init__(self, rig: Rig, chance: random.Random) -> None:
        self._rig = rig
        self._chance = chance

    def rounds(self, kills: int) -> list[Sequence[Target | Server]]:
        """Return up to twenty kills, many of them two at once, and the death of each server, in a random order."""
        relay, notifier = self._rig.relay, self._rig.notifier
        targets = [
            *[Target("worker", notifier, slot) for slot in range(WORKERS) for _ in range(5)],
            *[Target("relay", relay, 0)] * 5,
            *[Target("supervisor", notifier)] * 3,
            *[Target("supervisor", relay)] * 2,
        ]
        rounds: list[list[Target | Server]] = []
        for target in self._chance.sample(targets, kills):
            if rounds and len(rounds[-1]) == 1 and target not in rounds[-1] and self._chance.random() < _PAIRED:
                rounds[-1].append(target)
            else:
                rounds.append([target])
        for server in (self._rig.postgres, self._rig.redis):
            rounds.insert(self._chance.randrange(1, len(rounds)), [server])
        return [*rounds]

    async def do(self, targets: Sequence[Target | Server]) -> list[Mended]:
        """Do a round's faults at once, and return when work goes on after each."""
        await asyncio.sleep(self._chance.uniform(0.1, 0.8))
        return await asyncio.gather(
            *(self._kill(each) if isinstance(each, Target) else self._restart(each) for each in targets)
        )

    async def _kill(self, target: Target) -> Mended:
        pid = await self._pid(target)
        done = await self._seen(partial(self._progress, target.what))
        at, began = SystemClock().now(), monotonic()
        os.kill(pid, signal.SIGKILL)
        if target.slot is None:
            await self._until(partial(self._supervises, target.spec, pid))
            return self._mended(target.what, at, began)
        # Asked for once the worker is dead, so that nothing comes into flight any more.
        owners, in_flight = await self._seen(partial(self._held, f"{target.spec.worker_name(target.slot)}/"))
        await self._until(partial(self._goes_on, target.what, done, owners))
        return self._mended(target.what, at, began, owners, in_flight)

    async def _restart(self, server: Server) -> Mended:
        at = SystemClock().now()
        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(server.start)
        began = monotonic()
        _, in_flight = await self._seen(partial(self._held, ""))
        await asyncio.gather(*(self._further(part) for part in ("relay", "worker")))
        return self._mended(server.name, at, began, in_flight=in_flight)

    async def _further(self, part: str) -> None:
        done = await self._seen(partial(self._progress, part))
        await self._until(partial(self._goes_on, part, done, frozenset()))

    def _mended(
        self,
        what: str,
        at: datetime,
        began: float,
        owners: AbstractSet[str] = frozenset(),
        in_flight: AbstractSet[UUID] = frozenset(),
    ) -> Mended:
        now = monotonic()
        return Mended(what, at, now - began, self._rig.stall.share(began, now), owners, in_flight)

    async def _pid(self, target: Target) -> int:
        """Return the process of a target, once it is well."""
        until = monotonic() + _PATIENCE_S
        while monotonic() < until:
            with suppress(SchoolOSError):
                status = await asyncio.to_thread(pool_status, target.spec, 2)
                if target.slot is None:
                    return status.pid
                worker = status.workers[target.slot]
                if worker.pid and worker.state == "running":
                    return worker.pid
            await asyncio.sleep(0.05)
        raise AssertionError(f"{target.what} of {target.spec.name} does not run")

    async def _supervises(self, spec: PoolSpec, dead: int) -> bool:
        status = await asyncio.to_thread(pool_status, spec, 2)
        return status.pid != dead

    async def _goes_on(self, what: str, done: int, owners: AbstractSet[str]) -> bool:
        """Tell whether a part has come further, and nothing is held any more by those that died."""
        async with self._rig.db.dispatch() as tx:
            held = await tx.fetchval("SELECT count(*) FROM deliveries WHERE lease_owner = ANY($1)", list(owners))
        return not held and (await self._progress(what) > done or await nothing_is_due(self._rig))

    async def _progress(self, what: str) -> int:
        """Return how many events are relayed, or messages sent."""
        async with self._rig.db.dispatch() as tx:
            if what == "relay":
                return int(await tx.fetchval("SELECT count(*) FROM outbox WHERE relayed_at IS NOT NULL"))
            return int(await tx.fetchval("SELECT count(*) FROM deliveries WHERE state = 'sent'"))

    async def _held(self, owner: str) -> tuple[AbstractSet[str], AbstractSet[UUID]]:
        """Return the owners of leases whose names begin so, and what of theirs is in flight."""
        async with self._rig.db.dispatch() as tx:
            rows = await tx.fetch(
                "SELECT id, lease_owner, state FROM deliveries WHERE starts_with(lease_owner, $1)", owner
            )
        return {row["lease_owner"] for row in rows}, {row["id"] for row in rows if row["state"] == "sending"}

    async def _seen(self, look: Callable[[], Awaitable[T]]) -> T:
        """Return what is seen, as soon as the database can be asked."""
        until = monotonic() + _PATIENCE_S
        while True:
            try:
                return await look()
            except SchoolOSError:
                if monotonic() > until:
                    raise
                await asyncio.sleep(0.05)

    async def _until(self, is_so: Callable[[], Awaitable[bool]]) -> None:
        until = monotonic() + _PATIENCE_S
        while monotonic() < until:
            with suppress(SchoolOSError):
                if await is_so():
                    return
            await asyncio.sleep(0.05)
        raise AssertionError(f"no work went on within {_PATIENCE_S} s")


async def nothing_is_due(rig: Rig) -> bool:
    """Tell whether every event so far is fanned out and every delivery ended."""
    async with rig.db.dispatch() as tx:
        return bool(
            await tx.fetchval(
                "SELECT NOT EXISTS (SELECT FROM outbox WHERE handled_at IS NULL)"
                " AND NOT EXISTS (SELECT FROM deliveries WHERE finished_at IS NULL)"
            )
        )


async def until_all_ended(rig: Rig, within_s: float) -> None:
    """Wait until every event is handled and every delivery has ended."""
    until = monotonic() + within_s
    while monotonic() < until:
        if await nothing_is_due(rig):
            return
        await asyncio.sleep(0.2)
    raise AssertionError(f"messages are still due after {within_s} s")
