"""What tracks do in windows of slots, in CP-SAT: busy, gaps, runs, as literals and their sums."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from core.timetable.program import Measure, Program, Term
from core.timetable.solvers.cpsat_logic import Linear, Literal, Logic
from core.timetable.solvers.cpsat_starts import Starts


class Tracks:
    """The doings of the tracks, each literal made when a term first asks for it."""

    def __init__(self, logic: Logic, program: Program, starts: Starts) -> None:
        self._logic = logic
        self._program = program
        self._starts = starts
        self._on: dict[int, dict[int, list[Literal]]] = {}
        self._in_sets: dict[int, set[int]] = {}
        for number, exclusive in enumerate(program.exclusives):
            for block in exclusive.blocks:
                self._in_sets.setdefault(block, set()).add(number)

    def is_fixed(self, track: int) -> bool:
        """Tell whether all of a track is placed already."""
        return all(self._starts.is_fixed(block) for block in self._program.tracks[track])

    def blocks(self, track: int) -> tuple[int, ...]:
        """Return the blocks of a track."""
        return self._program.tracks[track]

    def values(self, term: Term) -> list[Linear]:
        """Return what the term measures in each of its windows."""
        return [self._value(term, *each) for each in zip(term.track_of, term.windows, strict=True)]

    def add_no_idle_before(self, term: Term, guard: Literal | None) -> None:
        """Demand that nothing idle lies before what is busy, window by window."""
        for window in term.windows:
            for earlier, later in pairwise(self._busy(term.track, window)):
                clause = [~later, earlier] if guard is None else [~later, earlier, ~guard]
                if not self._logic.is_false(later) and not self._logic.is_true(earlier):
                    self._logic.model.add_bool_or(clause)

    def busy(self, track: int, slot: int) -> Literal:
        """Return the literal that a block of the track is on in a slot."""
        literals = self._on_of(track).get(slot, [])
        return self._logic.one_of(literals) if self.is_exclusive(track) else self._logic.any_of(literals)

    def _busy(self, track: int, window: Sequence[int]) -> list[Literal]:
        return [self.busy(track, slot) for slot in window]

    def _on_of(self, track: int) -> dict[int, list[Literal]]:
        if track not in self._on:
            self._on[track] = self._starts.on(self._program.tracks[track])
        return self._on[track]

    def is_exclusive(self, track: int) -> bool:
        """Tell whether never two blocks of a track are on at once."""
        sets = [self._in_sets.get(block, set()) for block in self._program.tracks[track]]
        return len(sets) < 2 or bool(set.intersection(*sets))

    def _value(self, term: Term, track: int, window: tuple[int, ...]) -> Linear:
        logic = self._logic
        if term.measure is Measure.STARTS:
            return logic.total(self._starting(track, window))
        busy = self._busy(track, window)
        if term.measure is Measure.ACTIVE:
            return logic.total([logic.any_of(busy)])
        if term.measure is Measure.MORE_DAYS:
            return logic.total(self._more_days(window, busy))
        return logic.total(busy if term.measure is Measure.BUSY else self._pattern(term, busy))

    def _pattern(self, term: Term, busy: list[Literal]) -> Iterable[Literal]:
        """Return the literals whose number the measure is, of those that look at the order of busy slots."""
        logic = self._logic
        match term.measure:
            case Measure.GAPS:
                return self._gaps(busy)
            case Measure.LATE:
                return (logic.all_of([after], [on]) for on, after in zip(busy, self._ahead(busy), strict=True))
            case Measure.LONE:
                edged = [logic.false, *busy, logic.false]
                around = zip(edged, busy, edged[2:], strict=False)
                return (logic.all_of([on], [before, after]) for before, on, after in around)
        return (logic.all_of(busy[i : i + term.run + 1]) for i in range(len(busy) - term.run))

    def _starting(self, track: int, window: tuple[int, ...]) -> list[Literal]:
        slots = set(window)
        return [literal for start, literal in self._starts.starting(self._program.tracks[track]) if start in slots]

    def _more_days(self, window: tuple[int, ...], busy: list[Literal]) -> Iterator[Literal]:
        """Yield for each day whether it is busy after another one."""
        by_day: dict[int, list[Literal]] = defaultdict(list)
        for slot, on in zip(window, busy, strict=True):
            by_day[self._program.day_of[slot]].append(on)
        earlier = self._logic.false
        for literals in by_day.values():
            active = self._logic.any_of(literals)
            yield self._logic.all_of([earlier, active])
            earlier = self._logic.any_of([earlier, active])

    def _gaps(self, busy: list[Literal]) -> list[Literal]:
        ahead = self._ahead(busy)
        behind = self._ahead(busy[::-1])[::-1]
        between = zip(busy, behind, ahead, strict=True)
        return [self._logic.all_of([before, after], [on]) for on, before, after in between]

    def _ahead(self, busy: list[Literal]) -> list[Literal]:
        """Return for each place whether anything after it is busy."""
        ahead = [self._logic.false]
        for literal in reversed(busy[1:]):
            ahead.append(self._logic.any_of([literal, ahead[-1]]))
        return ahead[::-1]
