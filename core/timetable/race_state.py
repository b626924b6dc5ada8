"""What a race decides: who runs, who is stopped, what is accepted, when it is over.

A pure state machine: it is told the time and what happened, and answers with actions. Two legs: the finders race for a
first timetable, the first that is accepted stops them all, and the improvers work on the best known until the time is
up, started again from it where they fall behind.

A result counts once the judge, who shares no code with the solvers, has found that it breaks no rule.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from core.errors import Broken
from core.telemetry import get_logger
from core.timetable.program import Assignment
from core.timetable.race_result import Judge, Lineup, RaceOutcome, Score, Start, Stop
from core.timetable.racers import Died, Ended, Event, Racer, Run, Told
from core.timetable.solvers.port import Budget, Outcome, Progress, Status

_log = get_logger("timetable")

_MOST_FAILURES = 2
"""A racer that died so often is sent in no more."""
_MOST_IN_VAIN = 3
"""So often in a row a racer may end at once and without anything new."""
_AT_ONCE_S = 0.5
_LEAST_RUN_S = 0.1
"""Less time is not worth a start."""
_BLOCKS_JUDGED_A_SECOND = 2_000
"""A tenth of what the judge can do: it takes the processor from the racers it judges."""
_BEHIND_SHARE = 0.1
"""An improver that lies behind the best for this share of the budget starts again from it."""
_TO_BEGIN = 3
"""So many times as long it may take to say its first word: the model of a large school takes a while to write."""


@dataclass(slots=True)
class _Going:
    run: Run
    since: float
    told: Progress | None = None
    cpu_s: float = 0.0
    candidate: Progress | None = None
    soft: int | None = None
    """Of the best that it found itself."""
    improved_at: float = 0.0
    stopping: int = 0
    """1: told to stop. 2: told to stop at once."""


@dataclass(slots=True)
class _Record:
    """What is known of a racer."""

    runs: int = 0
    failures: int = 0
    in_vain: int = 0
    out: bool = False
    is_done: bool = False
    """It runs once, and has."""


@dataclass(slots=True)
class _Tally:
    cpu_s: float = 0.0
    attempts: int = 0
    failures: list[str] = field(default_factory=list)


class RaceState:
    """One race."""

    def __init__(self, lineup: Lineup, budget: Budget, judge: Judge, now: float) -> None:
        self._lineup = lineup
        self._budget = budget
        self._judge = judge
        self._began = now
        self._deadline = now + budget.seconds
        self._going: dict[int, _Going] = {}
        self._records: dict[str, _Record] = {racer.name: _Record() for racer in (*lineup.finders, *lineup.improvers)}
        self._tally = _Tally()
        self._runs = 0
        self._judge_again_at = now
        self._end: Status | None = None
        self._cancelled = False
        self._partial: tuple[int, Assignment] | None = None
        self.best: Assignment | None = None
        self.soft: int | None = None
        self.bound: int | None = None
        self.solver: str | None = None
        self.first: tuple[str, float, float] | None = None
        """Who found the first, after how long, at what processor time."""

    @property
    def over(self) -> bool:
        """Tell whether all is decided and nobody runs any more."""
        return self._end is not None and not self._going

    def cancel(self) -> None:
        """Stop everything; what was found stays. Where that is a timetable, last words are not judged any more."""
        if self._end is None:
            self._cancelled = True
            self._finish(Status.CANCELLED if self.best is None else Status.FEASIBLE)

    def take(self, events: Sequence[Event], now: float) -> None:
        """Take note of what happened, and judge what was found."""
        for event in events:
            going = self._going.get(event.number)
            if going is not None:
                going.cpu_s = event.cpu_s
                match event:
                    case Told():
                        self._told(going, event.progress)
                    case Ended():
                        self._ended(going, event.outcome, now)
                    case Died():
                        self._died(going, event.why, now)
        if self.best is None or now >= self._judge_again_at:
            for going in sorted(self._going.values(), key=_claimed):
                self._judge_candidate(going, now)

    def decide(self, places: int, now: float) -> list[Start | Stop]:
        """Return what to do now."""
        if self._end is None and now >= self._deadline:
            self._finish(Status.TIMED_OUT if self.best is None else Status.FEASIBLE)
        if self._end is None and self._is_proven():
            self._finish(Status.OPTIMAL)
        if self._end is None and self.best is not None and self._budget.feasibility_only:
            self._finish(Status.FEASIBLE)
        actions: list[Start | Stop] = [Stop(number, self._end is not None) for number in self._to_stop(now)]
        if self._end is None:
            actions += self._starts(places, now)
        return actions

    def progress(self, now: float) -> Progress:
        """Return how the race stands."""
        told = [going.told for going in self._going.values() if going.told is not None]
        return Progress(
            solver=self.solver or "",
            attempts=self._tally.attempts + sum(one.attempts for one in told),
            elapsed_s=now - self._began,
            best=self.best,
            soft=self.soft,
            bound=self.bound,
            placed=max((one.placed for one in told if one.placed is not None), default=None),
        )

    def outcome(self, now: float) -> RaceOutcome:
        """Return how the race ended. Raises ``Broken`` where no racer was able to work."""
        if self._end is None:
            raise Broken("the race is not over")
        first = self.first or (None, None, None)
        status = Status.OPTIMAL if self._is_proven() else self._end
        return RaceOutcome(
            status=status,
            best=self.best,
            soft=self.soft,
            bound=self.soft if status is Status.OPTIMAL else self.bound,
            cancelled=self._cancelled,
            solver=self.solver,
            first_solver=first[0],
            first_feasible_s=first[1],
            winner_cpu_s=first[2],
            total_s=now - self._began,
            cpu_s=self._tally.cpu_s,
            attempts=self._tally.attempts,
            partial=self._partial[1] if self._partial and self.best is None else None,
            failures=tuple(self._tally.failures),
        )

    def _told(self, going: _Going, progress: Progress) -> None:
        going.told = progress
        if progress.best is not None:
            going.candidate = progress
        if progress.bound is not None:
            self._raise_bound(going, progress.bound)

    def _ended(self, going: _Going, outcome: Outcome, now: float) -> None:
        record, number = self._records[going.run.racer.name], going.run.number
        if outcome.best is not None:
            going.candidate = _as_progress(outcome)
        if outcome.bound is not None:
            self._raise_bound(going, outcome.bound)
        fruitless = going.candidate is None or not self._would_improve(going.candidate)
        self._judge_candidate(going, now)
        if outcome.partial is not None:
            self._keep_partial(outcome.partial)
        if going.run.racer.exact and outcome.status is Status.INFEASIBLE:
            self._hear_infeasible(going)
        if going.run.racer.exact and outcome.status is Status.OPTIMAL and self.soft == outcome.soft and not record.out:
            self._raise_bound(going, outcome.soft or 0)
        record.is_done = going.run.racer.once
        record.in_vain = record.in_vain + 1 if fruitless and now - going.since < _AT_ONCE_S else 0
        self._close(number, outcome.attempts)

    def _died(self, going: _Going, why: str, now: float) -> None:
        if not self._cancelled:
            self._judge_candidate(going, now)
        if not going.stopping:
            record = self._records[going.run.racer.name]
            record.failures += 1
            record.out |= record.failures >= _MOST_FAILURES
            self._fail(going, "racer_died", why)
        self._close(going.run.number, going.told.attempts if going.told else 0)

    def _close(self, number: int, attempts: int) -> None:
        self._tally.cpu_s += self._going.pop(number).cpu_s
        self._tally.attempts += attempts

    def _judge_candidate(self, going: _Going, now: float) -> None:
        candidate, going.candidate = going.candidate, None
        if candidate is None or candidate.best is None or self._records[going.run.racer.name].out:
            return
        if candidate.soft is not None and (going.soft is None or candidate.soft < going.soft):
            going.soft, going.improved_at = candidate.soft, now
        if not self._would_improve(candidate) or (self._cancelled and self.best is not None):
            return
        score = self._judge(candidate.best)
        self._judge_again_at = now + len(candidate.best.starts) / _BLOCKS_JUDGED_A_SECOND
        if score.hard:
            self._records[going.run.racer.name].out = True
            self._fail(going, "racer_result_refused", "; ".join(score.problems[:3]) or f"hard cost {score.hard}")
        else:
            self._accept(going, candidate, score, now)

    def _accept(self, going: _Going, candidate: Progress, score: Score, now: float) -> None:
        name = going.run.racer.name
        if candidate.soft is not None and candidate.soft != score.soft:
            _log.error("racer_reckoned_otherwise", racer=name, told=candidate.soft, found=score.soft)
        if self.soft is not None and score.soft >= self.soft:
            return
        self.best, self.soft, self.solver = candidate.best, score.soft, name
        if self.first is None:
            self.first = (name, now - self._began, going.cpu_s)
            for record in self._records.values():
                record.runs = 0  # whose turn it is begins anew with the second leg
        if self.bound is not None and self.bound > score.soft:
            _log.error("bound_was_wrong", bound=self.bound, soft=score.soft)
            self.bound = None
        if self._end in {Status.TIMED_OUT, Status.CANCELLED, Status.INFEASIBLE}:
            self._end = Status.FEASIBLE  # it came with the last word of a racer

    def _would_improve(self, candidate: Progress) -> bool:
        return self.soft is None or candidate.soft is None or candidate.soft < self.soft

    def _raise_bound(self, going: _Going, bound: int) -> None:
        if self.soft is not None and bound > self.soft:
            _log.error("bound_was_wrong", racer=going.run.racer.name, bound=bound, soft=self.soft)
        elif self.bound is None or bound > self.bound:
            self.bound = bound

    def _hear_infeasible(self, going: _Going) -> None:
        if self.best is not None:
            self._records[going.run.racer.name].out = True
            self._fail(going, "racer_result_refused", "said that there is no timetable, and there is one")
        elif self._end is None:
            self._finish(Status.INFEASIBLE)

    def _is_proven(self) -> bool:
        """Tell whether nothing better can be found: no cost is below 0."""
        return self.soft is not None and max(self.bound or 0, 0) >= self.soft

    def _keep_partial(self, partial: Assignment) -> None:
        placed = sum(start >= 0 for start in partial.starts)
        if self._partial is None or placed > self._partial[0]:
            self._partial = (placed, partial)

    def _fail(self, going: _Going, event: str, why: str) -> None:
        _log.error(event, racer=going.run.racer.name, run=going.run.number, why=why)
        self._tally.failures.append(f"{going.run.racer.name}: {why}")

    def _finish(self, status: Status) -> None:
        self._end = status

    def _to_stop(self, now: float) -> list[int]:
        urgency = 1 if self._end is None else 2
        found = [g for g in self._going.values() if g.stopping < urgency and self._is_done_with(g, now)]
        for going in found:
            going.stopping = urgency
        return [going.run.number for going in found]

    def _is_done_with(self, going: _Going, now: float) -> bool:
        """Tell whether a run has nothing more to give."""
        if self._end is not None or self._records[going.run.racer.name].out:
            return True
        if self.best is not None and going.run.budget.feasibility_only:
            return True
        behind = going.soft is None or (self.soft is not None and going.soft > self.soft)
        patience_s = max(1.0, _BEHIND_SHARE * self._budget.seconds) * (_TO_BEGIN if going.told is None else 1)
        in_second_leg = self.best is not None and not going.run.racer.once
        return in_second_leg and behind and now - max(going.since, going.improved_at) > patience_s

    def _starts(self, places: int, now: float) -> list[Start | Stop]:
        free = places - sum(going.run.racer.workers for going in self._going.values())
        racers = self._lineup.finders if self.best is None else self._lineup.improvers
        able = [racer for racer in racers if not self._is_out(racer)]
        if not able and not self._going:
            self._give_up()
        starts: list[Start | Stop] = []
        while (racer := self._next(able, free)) is not None and self._deadline - now > _LEAST_RUN_S:
            free -= racer.workers
            starts.append(Start(self._begin(racer, now)))
        return starts

    def _next(self, able: Sequence[Racer], free: int) -> Racer | None:
        """Return who has run the least of those for whom there is room; the foremost of several."""
        fitting = [racer for racer in able if racer.workers <= free]
        waiting = [racer for racer in fitting if all(going.run.racer != racer for going in self._going.values())]
        return min(waiting, key=lambda racer: self._records[racer.name].runs, default=None)

    def _begin(self, racer: Racer, now: float) -> Run:
        record = self._records[racer.name]
        budget = replace(
            self._budget,
            seconds=self._deadline - now,
            seed=self._budget.seed * 1_000 + self._runs,
            workers=racer.workers,
            feasibility_only=self.best is None,
        )
        run = Run(number=self._runs, racer=racer, budget=budget, hint=self.best)
        self._going[run.number] = _Going(run, now, soft=self.soft, improved_at=now)
        self._runs += 1
        record.runs += 1
        return run

    def _is_out(self, racer: Racer) -> bool:
        record = self._records[racer.name]
        return record.out or record.is_done or record.in_vain >= _MOST_IN_VAIN

    def _give_up(self) -> None:
        if self.best is not None:
            self._finish(Status.FEASIBLE)
        elif self._tally.failures:
            raise Broken("no solver was able to work on this: " + " | ".join(self._tally.failures))
        else:
            self._finish(Status.TIMED_OUT)


def _claimed(going: _Going) -> float:
    soft = going.candidate.soft if going.candidate is not None else None
    return float("inf") if soft is None else soft


def _as_progress(outcome: Outcome) -> Progress:
    return Progress(solver=outcome.solver, attempts=outcome.attempts, elapsed_s=0, best=outcome.best, soft=outcome.soft)
