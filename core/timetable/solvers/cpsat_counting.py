"""What follows from counting, in CP-SAT, which its propagation alone does not see.

A teacher with 30 periods and at most 6 a day in 5 days teaches exactly 6 each day; a class of 38 periods in a week of
40 is never short by more than 2; one of as many periods as it may have slots is never idle; and a room that is needed
in every slot is never empty. Linear relaxation would see it, at a price that is too high here.
"""

from collections import defaultdict
from collections.abc import Iterator

from core.timetable.program import Combine, Measure, Program
from core.timetable.solvers.cpsat_logic import Logic
from core.timetable.solvers.cpsat_starts import Starts
from core.timetable.solvers.cpsat_tracks import Tracks

Windows = tuple[tuple[int, ...], ...]


def add_counting(logic: Logic, program: Program, starts: Starts, tracks: Tracks) -> None:
    """Demand of each window what the others can't hold."""
    _fill(logic, program, starts)
    on: dict[int, frozenset[int]] = {}
    for track, windows, most in _bounded(program):
        if not tracks.is_exclusive(track) or tracks.is_fixed(track):
            continue
        load = sum(program.blocks[block].duration for block in program.tracks[track])
        on_track = on.setdefault(track, frozenset(starts.on(program.tracks[track])))
        room = [min(most, sum(slot in on_track for slot in window)) for window in windows]
        if on_track.difference(*windows):
            continue
        for window, own in zip(windows, room, strict=True):
            low = load - (sum(room) - own)
            if low > 0:
                busy = logic.total(tracks.busy(track, slot) for slot in window)
                logic.within(busy, low, len(window))


def _fill(logic: Logic, program: Program, starts: Starts) -> None:
    """Demand a block in every slot of those who have as many periods as slots in which they may have any.

    With it each slot looks for a block as each block looks for a slot; a fifth of the conflicts and fewer are left.
    """
    for exclusive in program.exclusives:
        on = starts.on(exclusive.blocks)
        if sum(program.blocks[block].duration for block in exclusive.blocks) == len(on):
            for literals in on.values():
                logic.at_least(literals, 1)


def _bounded(program: Program) -> Iterator[tuple[int, Windows, int]]:
    """Yield (track, disjoint windows, how many slots of each may be busy)."""
    most: dict[tuple[int, Windows], int] = defaultdict(lambda: program.slots)
    for term in program.terms:
        if not term.hard or term.combine is Combine.SUM_VALUE or term.or_zero:
            continue
        slots = [slot for window in term.windows for slot in window]
        if term.measure in (Measure.BUSY, Measure.LATE, Measure.GAPS) and len(set(slots)) == len(slots):
            high = term.high if term.measure is Measure.BUSY else program.slots
            most[term.track, term.windows] = min(most[term.track, term.windows], high)
    yield from ((track, windows, high) for (track, windows), high in most.items())
