"""Racers in processes of their own: what they say arrives, and nothing they do outlives the race."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from core.timetable.children import Children
from core.timetable.race_result import Lineup
from core.timetable.racers import Died, Ended, Event, Racer, Run, Told
from core.timetable.racing import race
from core.timetable.solvers.port import Budget, Progress, Status
from tests.factories.racing import (
    BEST,
    Crashes,
    Deaf,
    Denies,
    Finds,
    Lies,
    Polite,
    Raises,
    judge,
    racer,
    two_blocks,
)
from tests.fault.stall import watched

WITHIN_S = 20.0


@pytest.fixture
def host() -> Iterator[Children]:
    """A host with two places and a program."""
    with Children(2) as children:
        children.load(two_blocks())
        yield children


def until(host: Children, holds: Callable[[Event], object]) -> Event:
    """Wait for an event."""
    deadline = time.monotonic() + WITHIN_S
    while time.monotonic() < deadline:
        for event in host.events(0.05):
            if holds(event):
                return event
    raise AssertionError(f"not within {WITHIN_S} s")


def run(number: int, who: Racer, seconds: float = WITHIN_S) -> Run:
    """Return a run."""
    return Run(number=number, racer=who, budget=Budget(seconds=seconds))


def is_end(event: Event) -> bool:
    """Tell whether an event is the last of its run."""
    return not isinstance(event, Told)


def test_a_child_runs_one_order_after_the_other(host: Children) -> None:
    """A second run of a solver is in the same process, tells its own number and pays for its own time alone."""
    host.start(run(0, racer(Finds)))
    first, pids = until(host, is_end), host.pids
    host.start(run(1, racer(Finds)))
    second = until(host, is_end)
    assert isinstance(first, Ended)
    assert isinstance(second, Ended)
    assert (first.number, second.number, host.pids) == (0, 1, pids)
    assert second.outcome.best == BEST
    assert first.cpu_s > second.cpu_s


def test_a_polite_racer_is_used_again_after_a_stop(host: Children) -> None:
    """A racer that stops when it is told to ends by itself, and its process takes the next run."""
    host.start(run(0, racer(Polite)))
    until(host, lambda event: isinstance(event, Told))
    pids = host.pids
    host.stop(0, at_once=False)
    ended = until(host, is_end)
    host.start(run(1, racer(Finds)))
    assert isinstance(until(host, is_end), Ended)
    assert isinstance(ended, Ended)
    assert (ended.outcome.status, host.pids) == (Status.CANCELLED, pids)


def test_a_racer_that_hears_nothing_is_killed(host: Children, tmp_path: Path) -> None:
    """Native code that never returns is gone within half a second of the stop, with its processor time counted."""
    host.start(run(0, racer(Deaf)))
    until(host, lambda event: isinstance(event, Told))
    (child,) = (psutil.Process(pid) for pid in host.pids)
    with watched(tmp_path) as stall:
        told = time.monotonic()
        host.stop(0, at_once=False)
        died = until(host, is_end)
        assert stall.own_s(told, time.monotonic()) < 0.5
    assert isinstance(died, Died)
    assert died.cpu_s > 0.01
    assert not child.is_running()


def test_what_a_racer_dies_of_is_told(host: Children) -> None:
    """A defect names its place, a crash its signal, and the host takes the next run after either."""
    host.start(run(0, racer(Raises)))
    host.start(run(1, racer(Crashes)))
    ends = sorted((until(host, is_end), until(host, is_end)), key=lambda event: event.number)
    defect, crash = ends
    assert isinstance(defect, Died)
    assert isinstance(crash, Died)
    assert "ValueError: a defect" in defect.why
    assert "SIGKILL" in crash.why
    host.start(run(2, racer(Finds)))
    assert isinstance(until(host, is_end), Ended)


def test_a_child_that_dies_while_idle_is_a_lost_run(host: Children) -> None:
    """A run that is given to a process that is gone dies, and does not hang."""
    host.start(run(0, racer(Finds)))
    until(host, is_end)
    os.kill(host.pids[0], signal.SIGKILL)
    os.waitid(os.P_PID, host.pids[0], os.WEXITED | os.WNOWAIT)
    host.start(run(1, racer(Finds)))
    assert isinstance(until(host, is_end), Died)


def test_leaving_ends_every_process() -> None:
    """After a host is left no child is alive and none is a zombie, whatever they were doing."""
    before = psutil.Process().children()
    with Children(2) as host:
        host.load(two_blocks())
        host.start(run(0, racer(Deaf)))
        host.start(run(1, racer(Polite)))
        until(host, lambda event: event.number == 0)
        children = [psutil.Process(pid) for pid in host.pids]
    assert not any(child.is_running() for child in children)
    assert set(psutil.Process().children()) <= set(before)


def test_a_race_outlives_what_its_racers_do() -> None:
    """A crash, a lie and a deaf racer end neither the race nor each other: the one that finds it wins, checked."""
    lineup = Lineup(
        finders=(racer(Crashes), racer(Lies), racer(Deaf), racer(Finds)),
        improvers=(racer(Raises), racer(Finds, exact=True)),
    )
    heard: list[Progress] = []
    with Children(2) as host:
        outcome = race(
            two_blocks(), lineup, Budget(seconds=WITHIN_S), host=host, judge=judge, report=heard.append, stopped=_never
        )
    assert (outcome.status, outcome.best, outcome.soft, outcome.solver) == (Status.OPTIMAL, BEST, 0, "Finds")
    assert outcome.total_s < 20
    assert any("they overlap" in failure for failure in outcome.failures)
    assert heard[-1].best == BEST


def test_cancelling_a_race_frees_the_processors(tmp_path: Path) -> None:
    """A race over deaf racers ends half a second after it is told to, and no process of it computes on."""
    heard: list[Progress] = []
    with watched(tmp_path) as stall, Children(2) as host:
        outcome = race(
            two_blocks(),
            Lineup(finders=(racer(Deaf), racer(Polite)), improvers=()),
            Budget(seconds=WITHIN_S),
            host=host,
            judge=judge,
            report=heard.append,
            stopped=lambda: bool(heard) and heard[-1].elapsed_s > 1.0,
        )
        assert (outcome.status, outcome.cancelled, outcome.best) == (Status.CANCELLED, True, None)
        now, late_s = time.monotonic(), outcome.total_s - heard[-1].elapsed_s
        assert stall.own_s(now - late_s, now) < 0.5
        assert all(_is_idle(pid) for pid in host.pids)


def test_infeasible_and_timed_out_are_two_answers() -> None:
    """Only an exact racer's word ends a race as infeasible; without one it lasts as long as it may."""
    for exact, status, seconds in ((True, Status.INFEASIBLE, WITHIN_S), (False, Status.TIMED_OUT, 2)):
        lineup = Lineup(finders=(racer(Denies, exact=exact), racer(Polite)), improvers=())
        with Children(2) as host:
            outcome = race(
                two_blocks(), lineup, Budget(seconds=seconds), host=host, judge=judge, report=_deaf_ear, stopped=_never
            )
        assert outcome.status is status


def _never() -> bool:
    return False


def _deaf_ear(_: Progress) -> None:
    pass


def _is_idle(pid: int) -> bool:
    before = psutil.Process(pid).cpu_times().user
    time.sleep(0.1)
    return psutil.Process(pid).cpu_times().user - before < 0.05
