"""Holds a race: asks the state what to do, has the host do it, and tells how it goes."""

import time
from collections.abc import Callable

from core.timetable.program import Program
from core.timetable.race_result import Judge, Lineup, RaceOutcome, Start
from core.timetable.race_state import RaceState
from core.timetable.racers import RacerHost
from core.timetable.solvers.port import Budget, Progress, Report, Stopped

_LOOK_EVERY_S = 0.02
_TELL_EVERY_S = 0.25


def race(
    program: Program,
    lineup: Lineup,
    budget: Budget,
    *,
    host: RacerHost,
    judge: Judge,
    report: Report,
    stopped: Stopped,
    monotonic: Callable[[], float] = time.monotonic,
    began: float | None = None,
) -> RaceOutcome:
    """Race until the time is up, the best is proven, or somebody stops it. Ctrl-C stops it and keeps the best.

    The host is entered by the caller. ``began`` is when the clock started, where that was before this call.
    Raises ``Broken`` where no racer was able to work at all.
    """
    state = RaceState(lineup, budget, judge, monotonic() if began is None else began)
    news = _News(report)
    host.load(program)
    while True:
        try:
            _step(state, host, stopped, monotonic)
            news.tell(state, monotonic())
        except KeyboardInterrupt:
            state.cancel()
        if state.over:
            return state.outcome(monotonic())


def _step(state: RaceState, host: RacerHost, stopped: Stopped, monotonic: Callable[[], float]) -> None:
    if stopped():
        state.cancel()
    for action in state.decide(host.places, monotonic()):
        if isinstance(action, Start):
            host.start(action.run)
        else:
            host.stop(action.number, at_once=action.at_once)
    if not state.over:
        state.take(host.events(_LOOK_EVERY_S), monotonic())


class _News:
    """Tells what is better at once, and that the race goes on now and then."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._best: tuple[int | None, int | None] = (None, None)
        self._told_at = 0.0

    def tell(self, state: RaceState, now: float) -> None:
        """Tell where there is something to tell."""
        standing = (state.soft, state.bound)
        if standing != self._best or now - self._told_at >= _TELL_EVERY_S:
            progress: Progress = state.progress(now)
            self._best, self._told_at = standing, now
            self._report(progress)
