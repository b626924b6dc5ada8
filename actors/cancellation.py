"""Cancellation tokens: whoever holds a token's key can stop what works under it, on whatever node that runs.

One long-lived actor holds all tokens. Those who are to stop have a thread that waits in the actor and is told at once
(9 ms against 29 for asking every 50 ms, and against seconds for an actor made for each race).
"""

import asyncio
import threading
import time
from collections import OrderedDict, defaultdict
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

import ray
from ray.exceptions import RayError

_NAME = "cancellation"
_MOST_REMEMBERED = 10_000
"""Keys that were cancelled are remembered for those who ask later; the oldest are dropped."""
_WAIT_S = 30.0
"""A waiter asks again after this, so that those that died leave nothing behind."""
_RETRY_S = 0.1
_MOST_WAITERS = 10_000
_LEAVE_S = 1.0


class Tokens:
    """The tokens, by key. It knows no Ray."""

    def __init__(self, most_remembered: int = _MOST_REMEMBERED) -> None:
        self._most_remembered = most_remembered
        self._cancelled: OrderedDict[str, None] = OrderedDict()
        self._waiting: defaultdict[str, set[asyncio.Event]] = defaultdict(set)

    async def wait(self, keys: Sequence[str], within_s: float) -> bool:
        """Return True as soon as one of the keys is cancelled, False when the time is over before."""
        if any(key in self._cancelled for key in keys):
            return True
        event = asyncio.Event()
        for key in keys:
            self._waiting[key].add(event)
        try:
            async with asyncio.timeout(within_s):
                await event.wait()
        except TimeoutError:
            return False
        finally:
            self._leave(keys, event)
        return True

    def cancel(self, key: str) -> None:
        """Stop all that works under a key, and all that will."""
        self._cancelled[key] = None
        self._cancelled.move_to_end(key)
        while len(self._cancelled) > self._most_remembered:
            self._cancelled.popitem(last=False)
        for event in self._waiting.get(key, ()):
            event.set()

    @property
    def size(self) -> int:
        """How many keys are held."""
        return len(self._cancelled) + len(self._waiting)

    def _leave(self, keys: Sequence[str], event: asyncio.Event) -> None:
        for key in keys:
            self._waiting[key].discard(event)
            if not self._waiting[key]:
                del self._waiting[key]


class TokenActor:
    """The tokens' process."""

    def __init__(self) -> None:
        self._tokens = Tokens()

    async def wait(self, keys: Sequence[str], within_s: float) -> bool:
        """Return True as soon as one of the keys is cancelled."""
        return await self._tokens.wait(keys, within_s)

    async def cancel(self, key: str) -> None:
        """Stop all that works under a key."""
        self._tokens.cancel(key)


def token_actor(namespace: str) -> Any:
    """Return the actor, started where it does not run."""
    return (
        ray.remote(TokenActor)
        .options(
            name=_NAME,
            namespace=namespace,
            lifetime="detached",
            get_if_exists=True,
            num_cpus=0,
            max_restarts=-1,
            max_task_retries=-1,
            max_concurrency=_MOST_WAITERS,
        )
        .remote()
    )


def cancel(key: str, namespace: str) -> None:
    """Stop all that works under a key, and return when the token is given."""
    ray.get(token_actor(namespace).cancel.remote(key))


class Watch:
    """Tells whether one of some keys is cancelled; a thread of its own hears of it."""

    def __init__(self, keys: Sequence[str], namespace: str) -> None:
        self._keys = tuple(keys)
        self._namespace = namespace
        self._cancelled = threading.Event()
        self._left = threading.Event()
        self._waiting: Any = None
        self._thread = threading.Thread(target=self._listen, name="cancellation", daemon=True)

    @property
    def cancelled(self) -> bool:
        """Whether the work is to stop."""
        return self._cancelled.is_set()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._left.set()
        with suppress(RayError):
            if self._waiting is not None:
                ray.cancel(self._waiting)
        self._thread.join(_LEAVE_S)

    def _listen(self) -> None:
        while not self._left.is_set() and not self._cancelled.is_set():
            with suppress(RayError):
                self._waiting = token_actor(self._namespace).wait.remote(self._keys, _WAIT_S)
                if ray.get(self._waiting):
                    self._cancelled.set()
                continue
            time.sleep(_RETRY_S)  # the actor is being started again
