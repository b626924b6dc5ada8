"""The race on real Ray: tokens reach every racer, and the death of a racer or a node does not end it."""

import asyncio
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from uuid import uuid4

import psutil
import pytest
import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from actors.cancellation import Tokens, Watch, cancel
from actors.solver import RESOURCE, RayRacers, solver_places
from actors.timetable import RayStage
from core.timetable.errands import Errand
from core.timetable.race_result import Lineup, RaceOutcome
from core.timetable.racers import Racer
from core.timetable.racing import race
from core.timetable.solvers.port import Budget, Progress, Status
from tests.factories.racing import (
    BEST,
    Deaf,
    FindsWhenTold,
    Polite,
    judge,
    racer,
    tell_and_wait,
    told_file,
    two_blocks,
)
from tests.fault.stall import Stall, watched

NAMESPACE = "schoolos"
WITHIN_S = 60.0

pytestmark = pytest.mark.usefixtures("ray_cluster")


class Course:
    """A race in a thread of its own."""

    def __init__(self, *finders: Racer, places: int = 2) -> None:
        self.id = uuid4().hex
        self.seed = random.randrange(10**9)
        self.heard: list[Progress] = []
        self._finders = finders
        self._places = places
        self._outcome: list[RaceOutcome] = []
        self._thread = threading.Thread(target=self._race)
        self._thread.start()

    def _race(self) -> None:
        with Watch((self.id,), NAMESPACE) as watch, RayRacers(self.id, NAMESPACE, self._places) as host:
            outcome = race(
                two_blocks(),
                Lineup(finders=self._finders, improvers=()),
                Budget(seconds=WITHIN_S, seed=self.seed),
                host=host,
                judge=judge,
                report=self.heard.append,
                stopped=lambda: watch.cancelled,
            )
        self._outcome.append(outcome)

    def until(self, holds: Callable[[Progress], object]) -> None:
        """Wait until the race tells so."""
        deadline = time.monotonic() + WITHIN_S
        while not (self.heard and holds(self.heard[-1])):
            assert time.monotonic() < deadline, self.heard[-1:]
            time.sleep(0.01)

    def outcome(self) -> RaceOutcome:
        """Wait for the end."""
        self._thread.join(WITHIN_S)
        return self._outcome[0]


def children() -> list[psutil.Process]:
    """Return the processes in which solvers run."""
    found = []
    for process in psutil.process_iter():
        try:
            if "core.timetable.child" in process.cmdline():
                found.append(process)
        except psutil.Error:
            continue
    return found


@pytest.fixture
def stall(tmp_path: Path) -> Iterator[Stall]:
    """How long the machine keeps waiting what could run; bounds of time are for the rest."""
    with watched(tmp_path) as watching:
        yield watching


def gone_after_s(stall: Stall) -> float:
    """Return how long the solvers' processes took to be gone, without what the machine kept back."""
    began = time.monotonic()
    psutil.wait_procs(children(), timeout=WITHIN_S)
    assert children() == []
    return stall.own_s(began, time.monotonic())


def test_a_cancelled_race_stops_its_racers_wherever_they_are(stall: Stall) -> None:
    """One token ends the polite and the deaf alike; no process of theirs is left half a second later."""
    course = Course(racer(Polite), racer(Deaf))
    course.until(lambda told: told.attempts >= 1 and len(children()) >= 2)
    before = time.monotonic()
    cancel(course.id, NAMESPACE)
    outcome = course.outcome()
    assert stall.own_s(before, time.monotonic()) < 2
    assert gone_after_s(stall) < 0.5
    assert (outcome.status, outcome.cancelled) == (Status.CANCELLED, True)


def test_the_first_to_find_stops_the_other(stall: Stall) -> None:
    """The winner's result is accepted and the loser's process is gone when the race is over."""
    course = Course(racer(FindsWhenTold), racer(Deaf))
    course.until(lambda told: told.attempts >= 1 and len(children()) >= 2)
    told_file(course.seed).touch()
    outcome = course.outcome()
    told_file(course.seed).unlink()
    assert gone_after_s(stall) < 0.5
    assert (outcome.status, outcome.best, outcome.first_solver) == (Status.OPTIMAL, BEST, "FindsWhenTold")


@pytest.fixture
def second_node() -> Iterator[int]:
    """Another node of the cluster with two places for solvers; its process group."""
    address = ray.get_runtime_context().gcs_address
    node = subprocess.Popen(
        [
            *(sys.executable, "-m", "ray.scripts.scripts", "start", f"--address={address}", "--block"),
            *("--num-cpus=1", '--resources={"solver": 2}', "--disable-usage-stats"),
            *("--object-store-memory=80000000", "--include-log-monitor=false"),
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    before, deadline = solver_places(), time.monotonic() + WITHIN_S
    while solver_places() < before + 2:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    yield node.pid
    end_session(node.pid)
    node.wait()


def end_session(session: int) -> None:
    """Kill everything of a session at once, as a machine that loses its power."""
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == session:
                process.send_signal(signal.SIGKILL)
        except (psutil.Error, ProcessLookupError):
            continue


def test_a_race_outlives_a_node(second_node: int) -> None:
    """Racers on a node that is gone are lost and sent in again; the race goes on and is won."""
    finders = [racer(FindsWhenTold, name=f"waiting {i}") for i in range(4)]
    course = Course(*finders, places=4)
    course.until(lambda told: told.attempts >= 4)
    end_session(second_node)
    deadline = time.monotonic() + WITHIN_S
    while solver_places() > 2:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    told_file(course.seed).touch()
    outcome = course.outcome()
    told_file(course.seed).unlink()
    assert (outcome.status, outcome.best) == (Status.OPTIMAL, BEST)
    assert outcome.failures


class Sent:
    """An errand on the cluster, sent in a thread of its own."""

    def __init__(self, seconds: float) -> None:
        self.heard: list[Progress] = []
        self.came: list[object] = []
        self.file = told_file(random.randrange(10**9))
        self.until = time.time() + seconds
        errand = Errand(partial(tell_and_wait, self.file), self.until)
        self._thread = threading.Thread(target=self._send, args=(errand,))
        self._thread.start()

    def _send(self, errand: Errand) -> None:
        stage = RayStage(NAMESPACE, 2)
        self.came.append(stage.send(uuid4().hex, errand, report=self.heard.append, stopped=lambda: False))

    def until_heard(self, times: int) -> None:
        """Wait until it has begun so often."""
        deadline = time.monotonic() + WITHIN_S
        while len(self.heard) < times:
            assert time.monotonic() < deadline, self.heard
            time.sleep(0.01)

    def end(self) -> object:
        """Wait for what it came to."""
        self._thread.join(WITHIN_S)
        self.file.unlink(missing_ok=True)
        return self.came[0]


@ray.remote(num_cpus=0)
def hold(begun: Path, free: Path) -> None:
    """Hold a place until a file is there."""
    begun.touch()
    while not free.exists():
        time.sleep(0.05)


def test_a_repair_outlives_its_node(second_node: int, tmp_path: Path) -> None:
    """An errand whose node is lost begins again on another, for the time that is left, and ends there."""
    free, begun = tmp_path / "free", [tmp_path / "one", tmp_path / "other"]
    at_home = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    at = hold.options(resources={RESOURCE: 1}, scheduling_strategy=at_home)
    held = [at.remote(each, free) for each in begun]
    deadline = time.monotonic() + WITHIN_S
    while not all(each.exists() for each in begun):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    sent = Sent(seconds=WITHIN_S)
    sent.until_heard(1)
    free.touch()
    ray.get(held)
    end_session(second_node)
    sent.until_heard(2)
    sent.file.touch()
    assert sent.end() == "mended"


def test_a_repair_that_does_not_end_is_given_up_in_time(stall: Stall) -> None:
    """Whatever its process does, a second after its time the errand has come to nothing, and its place is free."""
    sent = Sent(seconds=3)
    assert sent.end() is None
    late_s, now = time.time() - sent.until, time.monotonic()
    assert stall.own_s(now - late_s, now) < 1


async def test_a_token_is_kept_for_those_who_ask_late_and_not_for_ever() -> None:
    """A waiter is told at once, a late one too, one without a cancelled key never; memory is bounded."""
    tokens = Tokens(most_remembered=3)
    waiting = asyncio.create_task(tokens.wait(["race", "race/1"], 10))
    await asyncio.sleep(0)
    tokens.cancel("race/1")
    assert await waiting
    assert await tokens.wait(["race/1"], 0)
    assert not await tokens.wait(["race"], 0)
    for i in range(100):
        tokens.cancel(f"other/{i}")
    assert not await tokens.wait(["race/1"], 0)
    assert tokens.size == 3
