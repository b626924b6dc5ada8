"""Changes a timetable as little as a change in the school allows (P8-22, P8-23).

First the fewest lessons that have to change their time, with a proof where the time allows; then, with no more moves
than that, the fewest changes of rooms and after them the best soft cost that is found in what time is left.
"""

import time
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from core.timetable.checker import validate
from core.timetable.fewest_moves import FewestMoves
from core.timetable.lowering import assignment_of, lower, timetable_of
from core.timetable.model import Problem, Timetable
from core.timetable.program import Assignment, Block, Program, RoomOption
from core.timetable.solvers.cpsat_bundles import Bundles
from core.timetable.solvers.cpsat_improving import FixAndOptimise
from core.timetable.solvers.cpsat_model import BuildingStopped
from core.timetable.solvers.cpsat_run import CpSatRun
from core.timetable.solvers.port import Budget, Progress, Report, Status, Stopped, unheard

_FEWEST_SHARE = 0.85
"""Of the time, what the search for the fewest moves may take; the rest is for rooms and wishes."""

_ROOMS: dict[str, Any] = {"linearization_level": 0, "num_workers": 1, "max_deterministic_time": 0.5}


@dataclass(frozen=True, slots=True, kw_only=True)
class Freedom:
    """What a repair may change."""

    pins: frozenset[str] = frozenset()
    """Lessons that keep their time and rooms."""
    only_groups: frozenset[str] | None = None
    """Only lessons of these groups may change their time, and lessons that have no place yet; None: all may."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repaired:
    """What a repair came to."""

    status: Status
    """OPTIMAL where it is proven that no timetable moves fewer lessons; FEASIBLE where the time was too short for that
    proof, ``bound`` is what was proven by then."""
    timetable: Timetable | None = None
    moved: tuple[str, ...] = ()
    """Lessons that had a time and have another."""
    rooms_changed: tuple[str, ...] = ()
    """Lessons that kept their time and changed a room."""
    bound: int | None = None
    """Fewer lessons than this can't be moved, proven."""


def repair(
    problem: Problem,
    previous: Timetable,
    budget: Budget,
    *,
    freedom: Freedom | None = None,
    stopped: Stopped = lambda: False,
    report: Report = unheard,
) -> Repaired:
    """Return a timetable of the changed problem that moves as few lessons of the previous one as can be."""
    return _Repair(problem, previous, budget, freedom or Freedom(), watch=_Watch(stopped, report)).run()


@dataclass(frozen=True, slots=True)
class _Watch:
    """Who watches a repair, and may stop it."""

    stopped: Stopped
    report: Report


class _Repair:
    def __init__(
        self, problem: Problem, previous: Timetable, budget: Budget, freedom: Freedom, *, watch: _Watch
    ) -> None:
        self._problem = problem
        self._previous = previous
        self._budget = budget
        self._watch = watch
        self._ends_at = time.monotonic() + budget.seconds
        program = lower(problem)
        self._before = assignment_of(problem, program, previous)
        self._program = _bound(problem, program, self._before, freedom)
        self._stays = _Stays(self._program, self._before, _old_starts(problem, program, previous))

    def run(self) -> Repaired:
        search = FewestMoves(
            self._stays.only(), self._before, self._left(_FEWEST_SHARE), self._tell, self._watch.stopped
        )
        status, fewest = search.search(), search.run
        if fewest.best is None:
            return Repaired(status=status)
        bound = self._stays.moves(fewest.soft if status is Status.OPTIMAL else fewest.bound)
        best = self._polished(fewest.best)
        return self._told(status, self._stays.matched(best), bound)

    def _left(self, share: float = 1.0) -> Budget:
        return replace(self._budget, seconds=max(0.0, share * (self._ends_at - time.monotonic())))

    def _tell(self, progress: Progress) -> None:
        self._watch.report(replace(progress, best=None))

    def _polished(self, best: Assignment) -> Assignment:
        """Return the best assignment that is found with no more moves: rooms alone first, which takes no time."""
        soft = validate(self._problem, timetable_of(self._problem, self._program, best)).soft
        program = self._stays.first(soft + 1)
        run = CpSatRun("repair", program, self._left(), self._tell, self._watch.stopped)
        run.best = self._roomed(program, best)
        with suppress(BuildingStopped):
            model = run.formulate(soft=True)
            run.soft = model.reckon(run.best)
            FixAndOptimise(run, model).loop()
        return run.best

    def _roomed(self, program: Program, best: Assignment) -> Assignment:
        """Return the best rooms for these times."""
        pairs = zip(program.blocks, best.starts, strict=True)
        blocks = tuple(
            replace(block, starts=(start,), start_cost={start: block.start_cost.get(start, 0)})
            for block, start in pairs
        )
        run = CpSatRun("rooms", replace(program, blocks=blocks), self._left(), unheard, self._watch.stopped)
        with suppress(BuildingStopped):
            run.settle(run.formulate(soft=True), _ROOMS)
        return run.best or best

    def _told(self, status: Status, best: Assignment, bound: int | None) -> Repaired:
        timetable = timetable_of(self._problem, self._program, best)
        old = self._previous.by_lesson
        kept = {p.lesson: p.slot == old[p.lesson].slot for p in timetable.placements if p.lesson in old}
        changed = (p for p in timetable.placements if kept.get(p.lesson) and p.rooms != old[p.lesson].rooms)
        moved = tuple(lesson for lesson, stays in kept.items() if not stays)
        return Repaired(
            status=Status.OPTIMAL if bound is not None and len(moved) <= bound else status,
            timetable=timetable,
            moved=moved,
            rooms_changed=tuple(placement.lesson for placement in changed),
            bound=bound,
        )


def _bound(problem: Problem, program: Program, before: Assignment, freedom: Freedom) -> Program:
    """Return the program in which what may not move has but the start that it had."""
    free = _movable(problem, freedom.only_groups)
    blocks = []
    for b, block in enumerate(program.blocks):
        lessons = {problem.lessons[i].id for i in block.lessons}
        is_pinned = not lessons.isdisjoint(freedom.pins)
        if before.starts[b] >= 0 and (is_pinned or lessons.isdisjoint(free)):
            starts = tuple(start for start in block.starts if start == before.starts[b])
            cost = {start: block.start_cost[start] for start in starts if start in block.start_cost}
            block = replace(block, starts=starts, start_cost=cost)  # noqa: PLW2901 - the same block, bound
        blocks.append(_with_rooms_kept(block, before.rooms[b]) if is_pinned else block)
    return replace(program, blocks=tuple(blocks))


def _with_rooms_kept(block: Block, rooms: tuple[int, ...]) -> Block:
    needs = tuple(
        tuple(option for option in need if room in (-1, option.room))
        for need, room in zip(block.needs, rooms, strict=True)
    )
    return replace(block, needs=needs)


def _movable(problem: Problem, only_groups: Collection[str] | None) -> set[str]:
    if only_groups is None:
        return {lesson.id for lesson in problem.lessons}
    return {lesson.id for group in only_groups for lesson in problem.lessons_of[("group", group)]}


def _old_starts(problem: Problem, program: Program, previous: Timetable) -> list[list[int]]:
    old = previous.by_lesson
    lessons = ([problem.lessons[i].id for i in block.lessons] for block in program.blocks)
    return [[old[lesson].slot for lesson in together if lesson in old] for together in lessons]


class _Stays:
    """The program with a price on leaving the previous start.

    Blocks that nothing tells apart share their previous starts: any of them may keep any, and who has which is settled
    at the end, so the search does not tell them apart either.
    """

    def __init__(self, program: Program, before: Assignment, old: Sequence[Sequence[int]]) -> None:
        self._program = program
        self._before = before
        self._old = old
        """By block the previous starts of its lessons, those that had one."""
        alike = [[b for b in blocks if len(old[b]) < 2] for blocks in Bundles(program).members]
        self._siblings = [blocks for blocks in alike if len(blocks) > 1]
        self._shared = [frozenset(starts) for starts in old]
        self._uncounted = 0
        for blocks in self._siblings:
            shared = frozenset().union(*(self._shared[b] for b in blocks))
            self._uncounted += sum(not old[b] for b in blocks) if shared else 0
            for block in blocks:
                self._shared[block] = shared

    def only(self) -> Program:
        """Return the program whose only soft cost is that of lessons that move."""
        program = self._program
        return replace(
            program,
            blocks=tuple(
                replace(block, start_cost=self._leaving(b, 1), needs=_free_of_charge(block))
                for b, block in enumerate(program.blocks)
            ),
            terms=tuple(term for term in program.terms if term.hard),
            pairs=tuple(pair for pair in program.pairs if pair.hard),
            stabilities=tuple(stability for stability in program.stabilities if stability.hard),
            travels=tuple(travel for travel in program.travels if travel.hard),
        )

    def first(self, room: int) -> Program:
        """Return the program in which a move outweighs all changes of rooms, and each such change costs ``room``."""
        needs = sum(len(block.needs) for block in self._program.blocks)
        return replace(
            self._program,
            blocks=tuple(self._priced(b, move=room * (needs + 1), room=room) for b in range(len(self._program.blocks))),
        )

    def _priced(self, b: int, *, move: int, room: int) -> Block:
        block = self._program.blocks[b]
        leaving = self._leaving(b, move)
        cost = {start: leaving.get(start, 0) + block.start_cost.get(start, 0) for start in block.starts}
        needs = tuple(
            tuple(
                sorted(
                    (RoomOption(o.room, o.cost + (room if old not in (-1, o.room) else 0)) for o in need),
                    key=lambda option: (option.cost, option.room),
                )
            )
            for need, old in zip(block.needs, self._before.rooms[b], strict=True)
        )
        return replace(block, start_cost={start: c for start, c in cost.items() if c}, needs=needs)

    def _leaving(self, b: int, price: int) -> dict[int, int]:
        starts = self._program.blocks[b].starts
        if len(self._old[b]) > 1:
            return {s: price * moves for s in starts if (moves := sum(old != s for old in self._old[b]))}
        return {s: price for s in starts if self._shared[b] and s not in self._shared[b]}

    def moves(self, cost: int | None) -> int | None:
        """Return how many moves a cost of ``only`` is: lessons new among their like are none."""
        return None if cost is None else max(0, cost - self._uncounted)

    def matched(self, best: Assignment) -> Assignment:
        """Return the assignment in which blocks that are alike keep each its own start where one of them has it."""
        starts, rooms = list(best.starts), list(best.rooms)
        for blocks in self._siblings:
            at = {best.starts[block]: block for block in blocks}
            staying = {block: at.pop(start) for block in blocks if (start := self._before.starts[block]) in at}
            rest = iter(at.values())
            for block in blocks:
                source = staying[block] if block in staying else next(rest)
                starts[block], rooms[block] = best.starts[source], best.rooms[source]
        return Assignment(tuple(starts), tuple(rooms))


def _free_of_charge(block: Block) -> tuple[tuple[RoomOption, ...], ...]:
    return tuple(tuple(RoomOption(option.room, 0) for option in need) for need in block.needs)
