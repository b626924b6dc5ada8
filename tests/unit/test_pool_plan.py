"""The decisions of a pool's supervisor, on a clock that a test moves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.pool_plan import Act, PoolPlan, SlotState, back_off_s
from actors.pool_spec import Pong, PoolSpec
from core.errors import InvalidInput

SPEC = PoolSpec(name="pool", minimum=1, maximum=3, backlog_per_worker=100, ping_every_s=1, ping_timeout_s=5)
READY = Pong(ready=True, pid=1, node="n")
OPENING = Pong(ready=False, pid=1, node="n")


class Bench:
    """A plan, its clock, and workers that answer every ping unless told otherwise."""

    def __init__(self, spec: PoolSpec = SPEC) -> None:
        self.now = 100.0
        self.plan = PoolPlan(spec, self.now)
        self.silent: set[int] = set()
        self.done: list[tuple[Act, int]] = []

    def tick(self, backlog: int | None = 0, *, seconds: float = 1.0, times: int = 1) -> list[tuple[Act, int]]:
        """Let time pass and return what was decided beside pings."""
        began = len(self.done)
        for _ in range(times):
            self.now += seconds
            for action in self.plan.decide(self.now, backlog):
                if action.act is not Act.PING:
                    self.done.append((action.act, action.slot))
                elif action.slot not in self.silent:
                    self.plan.answered(action.slot, READY, self.now)
        return self.done[began:]

    def states(self) -> list[SlotState]:
        """Return every slot's state."""
        return [place.state for place in self.plan.slots]


def test_a_new_pool_starts_its_minimum() -> None:
    """The first decision starts as many workers as the pool has at least."""
    bench = Bench()
    assert bench.tick() == [(Act.START, 0)]
    assert bench.tick(times=5) == []
    assert bench.plan.running() == 1


@pytest.mark.parametrize(("backlog", "workers"), [(0, 1), (100, 1), (101, 2), (250, 3), (100_000, 3)])
def test_size_follows_the_backlog_between_the_bounds(backlog: int, workers: int) -> None:
    """One worker for each hundred waiting, at least the minimum, at most the maximum (P3-24)."""
    bench = Bench()
    bench.tick(backlog, times=3)
    assert bench.plan.running() == workers


def test_a_pool_with_minimum_zero_sleeps_until_something_waits() -> None:
    """No backlog, no worker; one event, one worker."""
    bench = Bench(PoolSpec(name="pool", minimum=0, maximum=2))
    assert bench.tick(0, times=3) == []
    assert bench.tick(1) == [(Act.START, 0)]


def test_a_pool_shrinks_one_by_one_and_only_after_a_while() -> None:
    """Workers beyond what is wanted are drained from the last, each after the wait, none on a short dip."""
    bench = Bench()
    bench.tick(300, times=2)
    assert bench.tick(0, times=20) == []
    bench.tick(300)
    assert bench.tick(0, times=SPEC.shrink_after_s.__ceil__()) == []
    assert bench.tick(0) == [(Act.DRAIN, 2)]
    bench.plan.drained(2, bench.now)
    assert bench.tick(0, times=SPEC.shrink_after_s.__ceil__()) == [(Act.DRAIN, 1)]


def test_an_unknown_backlog_changes_nothing() -> None:
    """Where the backlog can't be learnt the pool keeps its size."""
    bench = Bench()
    bench.tick(300, times=2)
    assert bench.tick(None, times=100) == []
    assert bench.plan.running() == 3


def test_a_hung_worker_is_killed_and_started_again() -> None:
    """A worker that leaves a ping unanswered past the limit is replaced in the same decision."""
    bench = Bench()
    bench.tick(times=3)
    bench.silent.add(0)
    assert bench.tick(times=6) == []
    assert bench.tick() == [(Act.KILL, 0), (Act.START, 0)]
    assert bench.plan.slots[0].restarts == 1


def test_a_slow_start_is_no_hang() -> None:
    """A worker that still opens what it needs has the longer limit of a start."""
    bench = Bench()
    bench.silent.add(0)
    bench.tick()
    assert bench.tick(times=int(SPEC.start_timeout_s)) == []
    assert bench.tick() == [(Act.KILL, 0), (Act.START, 0)]


def test_a_worker_counts_once_it_is_ready() -> None:
    """An answer while it opens does not make a worker running."""
    bench = Bench()
    bench.silent.add(0)
    bench.tick()
    bench.plan.answered(0, OPENING, bench.now)
    assert bench.plan.running() == 0
    bench.plan.answered(0, READY, bench.now)
    assert bench.plan.running() == 1


def test_a_dead_worker_is_started_again_at_once() -> None:
    """The first death costs no wait."""
    bench = Bench()
    bench.tick(times=2)
    bench.plan.died(0, bench.now)
    assert bench.tick(seconds=0.01) == [(Act.START, 0)]


def test_a_worker_that_keeps_dying_waits_longer_each_time() -> None:
    """Deaths in a row are started again after 0, 0.5, 1, 2, ... 30 s, and no other slot dodges the wait."""
    bench = Bench()
    waits = []
    for _ in range(10):
        bench.tick(seconds=0.0)
        bench.plan.died(0, bench.now)
        died_at = bench.now
        while bench.tick(seconds=0.25) != [(Act.START, 0)]:
            pass
        waits.append(bench.now - died_at)
    assert waits == [0.25, 0.5, 1, 2, 4, 8, 16, 30, 30, 30]


def test_a_stable_life_ends_the_back_off() -> None:
    """A worker that lived long enough is started again at once, however often it died before."""
    bench = Bench()
    for _ in range(5):
        bench.tick(times=60)
        bench.plan.died(0, bench.now)
        assert bench.tick(seconds=0.01) == [(Act.START, 0)]


def test_workers_are_not_blamed_for_the_supervisors_own_absence() -> None:
    """After the supervisor itself stood still, as on a suspended machine, nobody is killed for silence."""
    bench = Bench()
    bench.tick(300, times=3)
    bench.silent.update({0, 1, 2})
    bench.tick(300)
    assert bench.tick(300, seconds=3600) == []
    bench.silent.clear()
    for slot in range(3):
        bench.plan.answered(slot, READY, bench.now)
    assert bench.tick(300, times=20) == []


def test_an_adopted_worker_is_not_started_twice() -> None:
    """A worker that a former supervisor left is taken over."""
    bench = Bench()
    bench.plan.adopted(0, bench.now)
    assert bench.tick(times=3) == []
    assert bench.plan.running() == 1


def test_adopted_workers_beyond_what_is_wanted_are_let_go_in_time() -> None:
    """A supervisor that comes back to three workers and no backlog shrinks the pool, with the usual wait."""
    bench = Bench()
    for slot in range(3):
        bench.plan.adopted(slot, bench.now)
    assert bench.tick(0, times=31) == [(Act.DRAIN, 2)]


def test_draining_lets_every_worker_finish_and_starts_none() -> None:
    """A pool that is drained drains each worker once and starts none, whatever waits."""
    bench = Bench()
    bench.tick(300, times=2)
    bench.plan.draining = True
    assert bench.tick(10_000, times=3) == [(Act.DRAIN, 0), (Act.DRAIN, 1), (Act.DRAIN, 2)]
    bench.plan.died(1, bench.now)
    for slot in (0, 2):
        bench.plan.drained(slot, bench.now)
    assert bench.tick(10_000, times=3) == []
    assert bench.plan.empty()


def test_a_worker_that_does_not_drain_is_killed() -> None:
    """A drain that goes past the deadline ends in a kill."""
    bench = Bench()
    bench.tick(times=2)
    bench.plan.draining = True
    bench.tick()
    assert bench.tick(times=36) == [(Act.KILL, 0)]
    assert bench.plan.empty()


def test_back_off_is_bounded() -> None:
    """No number of deaths makes a slot wait longer than half a minute."""
    assert back_off_s(1) == 0
    assert back_off_s(10_000) == 30


@pytest.mark.parametrize(("minimum", "maximum", "per_worker"), [(2, 1, 1), (-1, 1, 1), (0, 0, 1), (0, 1, 0)])
def test_a_spec_that_makes_no_sense_is_refused(minimum: int, maximum: int, per_worker: int) -> None:
    """Bounds that contradict each other are refused where the pool is described."""
    with pytest.raises(InvalidInput):
        PoolSpec(name="pool", minimum=minimum, maximum=maximum, backlog_per_worker=per_worker)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["tick", "die", "silence", "speak", "drained"]),
            st.integers(0, 2),
            st.one_of(st.none(), st.integers(0, 1000)),
            st.floats(0, 40),
        ),
        max_size=60,
    )
)
def test_whatever_happens_the_pool_keeps_its_bounds(events: list[tuple[str, int, int | None, float]]) -> None:
    """Under any order of deaths, hangs and backlogs: never over the maximum, no action on a slot that can't take it."""
    bench = Bench()
    for kind, slot, backlog, seconds in events:
        before = bench.states()
        match kind:
            case "die":
                bench.plan.died(slot, bench.now)
            case "silence":
                bench.silent.add(slot)
            case "speak":
                bench.silent.discard(slot)
            case "drained" if before[slot] is SlotState.DRAINING:
                bench.plan.drained(slot, bench.now)
            case _:
                for act, number in bench.tick(backlog, seconds=seconds):
                    if act in {Act.KILL, Act.DRAIN}:
                        assert before[number] is not SlotState.EMPTY
        assert sum(state is not SlotState.EMPTY for state in bench.states()) <= SPEC.maximum
    for place in bench.plan.slots:
        if place.state is SlotState.DRAINING:
            bench.plan.drained(place.number, bench.now)
    bench.silent.clear()
    bench.tick(0, times=100)
    assert bench.plan.running() >= SPEC.minimum
