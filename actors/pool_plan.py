"""What a pool's supervisor decides: who is dead or hung, how many workers are wanted, what to do next.

A pure state machine: it is told the time and what was seen, and answers with actions. It knows no Ray.

A slot is a place for one worker and lends it its name, so that a worker is recognised whoever supervises it::

    EMPTY -> STARTING -> RUNNING -> DRAINING -> EMPTY
               any of them -> EMPTY when its worker is dead, or is killed because it is hung
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from actors.pool_spec import Pong, PoolSpec

_FIRST_BACK_OFF_S = 0.5
_LONGEST_BACK_OFF_S = 30.0


class SlotState(StrEnum):
    """Where a slot's worker is in its life."""

    EMPTY = "empty"
    STARTING = "starting"
    RUNNING = "running"
    DRAINING = "draining"


class Act(StrEnum):
    """What a supervisor can do to a slot."""

    START = "start"
    KILL = "kill"
    DRAIN = "drain"
    PING = "ping"


@dataclass(frozen=True, slots=True)
class Action:
    """One thing to do now."""

    act: Act
    slot: int
    why: str = ""


@dataclass(slots=True)
class Slot:
    """One place for a worker, and what is known of the one in it. Times are seconds of one monotonic clock."""

    number: int
    state: SlotState = SlotState.EMPTY
    since: float = 0.0
    asked_at: float | None = None
    """When the ping that has not been answered yet was sent."""
    answered_at: float | None = None
    pong: Pong | None = None
    restarts: int = 0
    deaths: int = 0
    """In a row, without a stable life between."""
    not_before: float = 0.0

    @property
    def alive(self) -> bool:
        """Tell whether there is a worker in it."""
        return self.state is not SlotState.EMPTY


class PoolPlan:
    """The slots of one pool and the rules that move them."""

    def __init__(self, spec: PoolSpec, now: float) -> None:
        self.spec = spec
        self.slots = [Slot(number) for number in range(spec.maximum)]
        self.backlog: int | None = None
        self.draining = False
        self._decided_at = now
        self._enough_since: float | None = None

    # What was seen.

    def adopted(self, slot: int, now: float) -> None:
        """Take over a worker that a former supervisor started."""
        self._enter(slot, SlotState.STARTING, now)

    def answered(self, slot: int, pong: Pong, now: float) -> None:
        """Note a worker's answer."""
        place = self.slots[slot]
        if not place.alive:
            return
        place.asked_at, place.answered_at, place.pong = None, now, pong
        if place.state is SlotState.STARTING and pong.ready:
            self._enter(slot, SlotState.RUNNING, now)

    def died(self, slot: int, now: float) -> None:
        """Note that a worker is gone; its slot waits longer each time it dies young."""
        place = self.slots[slot]
        if not place.alive:
            return
        if place.state is SlotState.DRAINING:
            self._enter(slot, SlotState.EMPTY, now)
            return
        stable = place.state is SlotState.RUNNING and now - place.since >= self.spec.stable_after_s
        place.deaths = 1 if stable else place.deaths + 1
        place.restarts += 1
        place.not_before = now + back_off_s(place.deaths)
        self._enter(slot, SlotState.EMPTY, now)

    def drained(self, slot: int, now: float) -> None:
        """Note that a worker has finished what it had and is gone."""
        self._enter(slot, SlotState.EMPTY, now)

    # What to do.

    def decide(self, now: float, backlog: int | None) -> Sequence[Action]:
        """Return what to do now. A backlog of None means that it could not be learnt: the size stays."""
        self._forgive_own_absence(now)
        if backlog is not None:
            self.backlog = backlog
        actions = self._kill_hung(now)
        if self.draining:
            actions += [self._drain(place, now) for place in self._serving()]
        else:
            actions += self._resize(now, self.wanted(backlog))
        return actions + self._ping(now)

    def wanted(self, backlog: int | None) -> int:
        """Return how many workers the backlog asks for, between the pool's bounds."""
        if backlog is None:
            return min(max(len(self._serving()), self.spec.minimum), self.spec.maximum)
        asked = math.ceil(backlog / self.spec.backlog_per_worker)
        return min(max(asked, self.spec.minimum), self.spec.maximum)

    def running(self) -> int:
        """Return how many workers answered their last ping."""
        return sum(1 for place in self.slots if place.state is SlotState.RUNNING)

    def empty(self) -> bool:
        """Tell whether no worker is left."""
        return not any(place.alive for place in self.slots)

    def _serving(self) -> list[Slot]:
        return [place for place in self.slots if place.state in {SlotState.STARTING, SlotState.RUNNING}]

    def _resize(self, now: float, wanted: int) -> list[Action]:
        serving = self._serving()
        if len(serving) <= wanted:
            self._enough_since = None
            return self._start(now, wanted - len(serving))
        if self._enough_since is None:
            self._enough_since = now
        if now - self._enough_since < self.spec.shrink_after_s:
            return []
        self._enough_since = now
        return [self._drain(serving[-1], now)]

    def _start(self, now: float, count: int) -> list[Action]:
        # A slot that backs off keeps its claim: another slot in its place would dodge the back-off.
        free = [place for place in self.slots if not place.alive][:count]
        ready = [place for place in free if place.not_before <= now]
        for place in ready:
            self._enter(place.number, SlotState.STARTING, now)
        return [Action(Act.START, place.number) for place in ready]

    def _drain(self, place: Slot, now: float) -> Action:
        self._enter(place.number, SlotState.DRAINING, now)
        return Action(Act.DRAIN, place.number)

    def _kill_hung(self, now: float) -> list[Action]:
        actions = []
        for place in self.slots:
            why = self._hung(place, now)
            if why:
                actions.append(Action(Act.KILL, place.number, why))
                self.died(place.number, now)
        return actions

    def _hung(self, place: Slot, now: float) -> str:
        if place.state is SlotState.STARTING and now - place.since > self.spec.start_timeout_s:
            return "did not start in time"
        silent_s = now - place.asked_at if place.asked_at is not None else 0.0
        if place.state is SlotState.RUNNING and silent_s > self.spec.ping_timeout_s:
            return "left a ping unanswered"
        # A worker cuts its own drain short at the deadline; one that does not even do that is hung.
        if place.state is SlotState.DRAINING and now - place.since > self.spec.drain_s + self.spec.ping_timeout_s:
            return "did not drain in time"
        return ""

    def _ping(self, now: float) -> list[Action]:
        due = [place for place in self._serving() if place.asked_at is None and self._ping_due(place, now)]
        for place in due:
            place.asked_at = now
        return [Action(Act.PING, place.number) for place in due]

    def _ping_due(self, place: Slot, now: float) -> bool:
        return place.answered_at is None or now - place.answered_at >= self.spec.ping_every_s

    def _forgive_own_absence(self, now: float) -> None:
        """Move the watches on by the time the supervisor itself was away: silence proves nothing then."""
        absent_s = now - self._decided_at - 2 * self.spec.ping_every_s
        self._decided_at = now
        if absent_s <= 0:
            return
        for place in self.slots:
            place.since += absent_s
            if place.asked_at is not None:
                place.asked_at += absent_s

    def _enter(self, slot: int, state: SlotState, now: float) -> None:
        place = self.slots[slot]
        place.state, place.since = state, now
        if state is not SlotState.RUNNING:
            place.asked_at = place.answered_at = None
        if state is SlotState.EMPTY:
            place.pong = None


def back_off_s(deaths: int) -> float:
    """Return how long a slot waits after so many deaths in a row: not at all, then 0.5, 1, 2, ... 30 s."""
    if deaths <= 1:
        return 0.0
    return min(_FIRST_BACK_OFF_S * 2.0 ** min(deaths - 2, 16), _LONGEST_BACK_OFF_S)
