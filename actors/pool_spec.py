"""What a pool is made of: its size, its workers, its backlog, and what it tells of itself."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Protocol

from core.errors import InvalidInput


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolSpec:
    """How a pool is sized and watched."""

    name: str
    minimum: int = 1
    maximum: int = 2
    backlog_per_worker: int = 100
    """One worker more is wanted for each this many waiting (P3-24)."""
    ping_every_s: float = 1.0
    ping_timeout_s: float = 10.0
    """A worker that leaves a ping unanswered this long is hung; shorter, and a starved machine kills the healthy."""
    start_timeout_s: float = 60.0
    """A busy machine takes half a minute to start a process and import."""
    shrink_after_s: float = 30.0
    """How long fewer workers must be enough before one is let go, so that a pool does not flap."""
    stable_after_s: float = 10.0
    """A worker that lived this long is no longer held to be one that keeps dying."""
    drain_s: float = 30.0
    namespace: str = "schoolos"
    resources: Mapping[str, float] = field(default_factory=dict)
    """Custom Ray resources of one worker."""
    supervisor: str = ""
    """The supervisor that it shares with other pools; one of its own where there is none."""

    def __post_init__(self) -> None:
        if not 0 <= self.minimum <= self.maximum or self.maximum < 1 or self.backlog_per_worker < 1:
            raise InvalidInput(f"pool {self.name}: 0 <= minimum <= maximum, 1 <= maximum, 1 <= backlog_per_worker")

    @property
    def supervisor_name(self) -> str:
        """The name by which the supervisor is found."""
        return self.supervisor or self.own_supervisor_name

    @property
    def own_supervisor_name(self) -> str:
        """The name of a supervisor that watches this pool alone."""
        return f"{self.name}-supervisor"

    def worker_name(self, slot: int) -> str:
        """Return the name by which a slot's worker is found."""
        return f"{self.name}-{slot}"


class Worker(Protocol):
    """What runs in one worker's process. Its state is in the database and the stream, never in itself."""

    async def start(self) -> None:
        """Start working and return; the work itself goes on in tasks of the worker's own."""

    async def ping(self) -> Mapping[str, float]:
        """Return figures about itself. Raises only where the worker is past saving: it is then replaced."""

    async def drain(self, deadline_s: float) -> None:
        """Take in nothing more, finish what is under way, give back what can't be finished in time."""


WorkerFactory = Callable[[str], AbstractAsyncContextManager[Worker]]
"""Opens a worker by its name in the process that will run it, and closes what it opened. Picklable.

The name stays with the slot: a worker that replaces a dead one has the same, and so finds what that one left.
"""

Backlog = Callable[[], Awaitable[int]]
"""Tells how much waits to be done."""

BacklogFactory = Callable[[], AbstractAsyncContextManager[Backlog]]
"""Opens the backlog in the supervisor's process. Picklable."""


@asynccontextmanager
async def no_backlog() -> AsyncIterator[Backlog]:
    """Open the backlog of a pool that always has the same size."""

    async def nothing() -> int:
        return 0

    yield nothing


@dataclass(frozen=True, slots=True)
class Pool:
    """A pool to be started: its size, its workers, and what waits for them."""

    spec: PoolSpec
    factory: WorkerFactory
    backlog: BacklogFactory = no_backlog


@dataclass(frozen=True, slots=True)
class Pong:
    """A worker's answer to a ping."""

    ready: bool
    """False while its factory still opens what it needs."""
    pid: int
    node: str
    figures: Mapping[str, float] = field(default_factory=dict)
    """What the worker says of itself."""


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """One slot of a pool, for ``schoolos status``."""

    name: str
    state: str
    """``empty``, ``starting``, ``running``, ``draining``."""
    pid: int | None
    node: str | None
    answered_s_ago: float | None
    restarts: int
    figures: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class PoolStatus:
    """A pool, for ``schoolos status``."""

    name: str
    pid: int
    """The supervisor's process."""
    backlog: int | None
    """None where it could not be learnt lately."""
    wanted: int
    running: int
    draining: bool
    workers: tuple[WorkerStatus, ...]
