"""Bounds on two blocks, in CP-SAT."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence

from core.timetable.program import Pair, Program, Relation
from core.timetable.solvers.cpsat_bundles import BundlePair
from core.timetable.solvers.cpsat_logic import Linear, Literal, Logic, Values, added
from core.timetable.solvers.cpsat_starts import Guards, Starts, unguarded

Together = tuple[list[Literal], list[Literal]]
"""Literals of starts of the first block and of the second that go badly together, each with each."""


class Pairs:
    """What the pairs of a program forbid and cost."""

    def __init__(self, logic: Logic, program: Program, starts: Starts, guards: Guards = unguarded) -> None:
        self._logic = logic
        self._program = program
        self._starts = starts
        self._guards = guards

    def forbid(self, bound: BundlePair) -> None:
        """Demand a hard relation."""
        guard = self._guards(bound.pair.source, "")
        alone = self._is_alone(bound)
        for one, other in self._bad_together(bound, 1):
            if alone:
                self._logic.at_most_one([*one, *other], guard)
            elif bound.first == bound.second:
                self._forbid_within(one, other, guard)
            else:
                self._logic.not_both(self._logic.any_of(one), self._logic.any_of(other), guard)

    def _forbid_within(self, one: list[Literal], other: list[Literal], guard: Literal | None) -> None:
        indices = {literal.index for literal in one}
        both = [literal for literal in other if literal.index in indices]
        rest = [literal for literal in other if literal.index not in indices]
        self._logic.at_most_one(both, guard)
        self._logic.not_both(self._logic.any_of(one), self._logic.any_of(rest), guard)

    def cost(self, bound: BundlePair) -> Linear:
        """Return the cost of a soft relation."""
        return self._cost_of_two(bound) if self._is_alone(bound) else self._cost_of_many(bound)

    def _is_alone(self, bound: BundlePair) -> bool:
        members = self._starts.bundles.members
        return len(members[bound.first]) == len(members[bound.second]) == 1

    def _cost_of_two(self, bound: BundlePair) -> Linear:
        """Count the levels that the deviation of two single blocks reaches, each by what it adds to the cost."""
        parts = []
        for level in range(1, self._worst(bound.pair) + 1):
            step = bound.pair.function.of(level) - bound.pair.function.of(level - 1)
            if step:
                over = self._over(bound, level)
                parts.append(self._logic.total([over], step * bound.times * bound.pair.weight))
        return added(parts)

    def _over(self, bound: BundlePair, level: int) -> Literal:
        over = self._logic.false
        for one, other in self._bad_together(bound, level):
            both = self._logic.total([*one, *other])
            if both.constant > 1:
                return self._logic.true
            if both.most > 1:
                if self._logic.is_false(over):
                    over = self._logic.defined(self._reaching(bound, level))
                self._logic.hold(both.expression() <= 1 + over)
        return over

    def _cost_of_many(self, bound: BundlePair) -> Linear:
        """Count each two starts that are not right: few, as only a start right after another is soft here."""
        pairs = (
            self._logic.all_of([one, other])
            for group, bad in self._bad_together(bound, 1)
            for one in group
            for other in bad
        )
        return self._logic.total(pairs, bound.times * bound.pair.weight)

    def _worst(self, pair: Pair) -> int:
        if pair.relation is Relation.NO_OVERLAP:
            return min(self._program.blocks[b].duration for b in (pair.first, pair.second))
        return pair.amount if pair.relation is Relation.DAYS_APART else 1

    def _bad_together(self, bound: BundlePair, level: int) -> Iterator[Together]:
        """Yield the starts with which the deviation is ``level`` or more."""
        groups: dict[tuple[int, ...], list[Literal]] = defaultdict(list)
        others = self._starts.at[bound.second]
        for start, literal in self._starts.at[bound.first].items():
            bad = tuple(s for s in others if self._deviation(bound.pair, start, s) >= level)
            if bad:
                groups[bad].append(literal)
        for bad, literals in groups.items():
            yield literals, [others[s] for s in bad]

    def _reaching(self, bound: BundlePair, level: int) -> Callable[[Values], int]:
        sides = [list(self._starts.at[bundle].items()) for bundle in (bound.first, bound.second)]

        def of(values: Values) -> int:
            first, second = (next(start for start, literal in side if values[literal.index]) for side in sides)
            return int(self._deviation(bound.pair, first, second) >= level)

        return of

    def _deviation(self, pair: Pair, first: int, second: int) -> int:
        durations = self._program.blocks[pair.first].duration, self._program.blocks[pair.second].duration
        return pair_deviation(pair, (first, second), durations, self._program.day_of)


def pair_deviation(pair: Pair, starts: tuple[int, int], durations: tuple[int, int], day_of: Sequence[int]) -> int:
    """Return by how much two placed blocks miss their relation."""
    (first, second), (length, other) = starts, durations
    days = day_of[first], day_of[second]
    forward, backward = second - first - length, first - second - other
    together = days[0] == days[1]
    deviations: dict[Relation, Callable[[], int]] = {
        Relation.SAME_START: lambda: first != second,
        Relation.NO_OVERLAP: lambda: max(0, min(first + length, second + other) - max(first, second)),
        Relation.BEFORE: lambda: first + length + pair.amount > second,
        Relation.DAYS_APART: lambda: max(0, pair.amount - abs(days[0] - days[1])),
        Relation.NOT_NEXT: lambda: first + length == second and days[0] == days[1],
        Relation.SAME_DAY: lambda: days[0] != days[1],
        Relation.DIFFERENT_DAY: lambda: days[0] == days[1],
        Relation.NEXT: lambda: first + length != second or days[0] != days[1],
        Relation.OFFSET: lambda: second != first + pair.amount,
        Relation.ORDERED_ON_DAY: lambda: together and forward < 0,
        Relation.ADJACENT_ON_DAY: lambda: together and 0 not in {forward, backward},
        Relation.APART_ON_DAY: lambda: together and max(forward, backward) < pair.amount,
    }
    return int(deviations[pair.relation]())
