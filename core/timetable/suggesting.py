"""Suggests moves and swaps for a lesson, or against what somebody complains of: the best first, in words."""

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

from core.errors import Fault, InvalidInput
from core.timetable.checker import Verdict, validate
from core.timetable.lowering import assignment_of, lower, timetable_of
from core.timetable.model import Calendar, Problem, Slot, Timetable
from core.timetable.rules.measuring import gaps
from core.timetable.suggesting_board import Board, Changed
from core.timetable.suggesting_costs import mask_of
from core.timetable.suggesting_search import Search
from core.timetable.swapping import Move, Swapped, added, judged, require_known
from core.timetable.view import label
from core.timetable.wording import counted, listed

_SPARE = 2
"""So many times more changes are kept than are asked for, should the checker refuse some; each costs it a moment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """A change of a few places that breaks no law."""

    moves: tuple[Move, ...]
    timetable: Timetable
    gain: tuple[int, int]
    """(hard, soft) points that it saves, as the checker counts them."""
    sentence: str
    mends: tuple[str, ...]
    """What is wrong now and would be no more."""
    adds: tuple[str, ...]
    """What would be new to put up with."""


def suggest(
    problem: Problem,
    timetable: Timetable,
    *,
    lesson: str | None = None,
    who: tuple[str, str] | None = None,
    slots: Collection[Slot] = (),
    most: int = 10,
    seconds: float = 1.0,
) -> tuple[Suggestion, ...]:
    """Return the best changes that move a lesson, or that better somebody's days.

    Args:
        problem: what the timetable has to satisfy; ``check_problem`` finds nothing wrong with it.
        timetable: as it is.
        lesson: what is to move; or
        who: (``teacher`` or ``group``, id) whose days are to become better: fewer free periods between lessons, less
            that rules count against them.
        slots: only the days of these are to become better; all where none is given.
        most: how many suggestions at most.
        seconds: how long to search; judging what was found comes on top.

    Raises:
        InvalidInput: there is no such lesson or person, or neither is named.
    """
    until = time.monotonic() + seconds
    roots = _roots(problem, lesson, who)
    program = lower(problem)
    board = Board(program, assignment_of(problem, program, timetable))
    accept = _betters(problem, board, roots, slots) if lesson is None else _anything
    kinds = [_kind(problem, together) for together in problem.tied]
    found = Search(board, kinds, accept, most * _SPARE).run(roots, until)
    was = validate(problem, timetable, complete=True)
    suggestions: list[Suggestion] = []
    for changed, chosen in found:
        after = timetable_of(problem, program, board.after(changed, chosen))
        swapped = judged(problem, timetable, after, was)
        if swapped.allowed:
            suggestions.append(_told(problem, was, swapped))
        if len(suggestions) == most:
            break
    return tuple(sorted(suggestions, key=lambda s: s.gain, reverse=True))


def _roots(problem: Problem, lesson: str | None, who: tuple[str, str] | None) -> list[int]:
    if lesson is not None:
        if lesson not in problem.lesson:
            raise InvalidInput(f"There is no lesson “{lesson}”.", [Fault("/lesson", "unknown lesson", "unknown")])
        return [problem.block_of[lesson]]
    if who is None or who[0] not in {"teacher", "group"}:
        what = "Name the lesson to move, or the teacher or class whose days are to become better."
        raise InvalidInput(what, [Fault("/who", what, "missing")])
    require_known(problem, who, "/who")
    return sorted({problem.block_of[own.id] for own in problem.lessons_of[who]})


def _kind(problem: Problem, together: tuple[int, ...]) -> tuple[tuple[str, int], ...]:
    return tuple((problem.lessons[i].course, problem.lessons[i].duration) for i in together)


def _anything(_: Changed) -> bool:
    return True


def _betters(problem: Problem, board: Board, blocks: list[int], slots: Collection[Slot]) -> Callable[[Changed], bool]:
    """Return the test whether a change betters the days of who has these blocks."""
    calendar = problem.calendar
    days = {calendar.day_of[slot] for slot in slots if 0 <= slot < calendar.slots} or set(range(len(calendar.days)))
    windows = [calendar.windows[day] for day in sorted(days)]
    mask = mask_of([slot for window in windows for slot in window])
    terms = board.terms_of(blocks)

    def grievance(starts: list[int]) -> int:
        busy = {slot for block in blocks if starts[block] >= 0 for slot in board.span(block, starts[block])}
        free = sum(len(gaps(busy, window)) for window in windows)
        return free + sum(term.cost_within(starts, mask) for term in terms)

    now = grievance(board.starts)

    def betters(changed: Changed) -> bool:
        starts = board.starts.copy()
        for block, start in changed.items():
            starts[block] = start
        return grievance(starts) < now

    return betters


def _told(problem: Problem, was: Verdict, swapped: Swapped) -> Suggestion:
    mends = added(problem.calendar, swapped.verdict.violations, was.violations)
    return Suggestion(
        moves=swapped.moved,
        timetable=swapped.timetable,
        gain=swapped.gain,
        sentence=f"{_deed(problem, swapped.moved)} {_worth(swapped.gain)}",
        mends=tuple(violation.sentence for violation in mends),
        adds=tuple(violation.sentence for violation in swapped.broken),
    )


def _deed(problem: Problem, moves: tuple[Move, ...]) -> str:
    """Return what is to be done; lessons that are tied are one thing."""
    calendar = problem.calendar
    moved: dict[int, Move] = {}
    for move in moves:
        moved.setdefault(problem.block_of[move.lesson], move)
    moves = tuple(moved.values())
    if len(moves) == 2 and moves[0].slot == moves[1].was and moves[1].slot == moves[0].was:
        ends = [f"{label(problem, problem.lesson[m.lesson])} ({calendar.label(m.was or 0)})" for m in moves]
        return f"Swap {ends[0]} with {ends[1]}."
    return f"Move {listed([_way(problem, calendar, move) for move in moves])}."


def _way(problem: Problem, calendar: Calendar, move: Move) -> str:
    name = label(problem, problem.lesson[move.lesson])
    if move.was is None:
        return f"{name} to {calendar.label(move.slot)}"
    if move.was == move.slot:
        rooms = listed([problem.room[room].name for room in move.rooms if room is not None])
        return f"{name} ({calendar.label(move.slot)}) to {rooms}"
    return f"{name} from {calendar.label(move.was)} to {calendar.label(move.slot)}"


def _worth(gain: tuple[int, int]) -> str:
    hard, soft = gain
    mended = [f"mends {counted(hard, 'broken law')}"] if hard else []
    if soft > 0:
        mended.append(f"saves {counted(soft, 'point')}")
    elif soft < 0:
        mended.append(f"costs {counted(-soft, 'point')}")
    return f"It {listed(mended)}." if mended else "It costs nothing."
