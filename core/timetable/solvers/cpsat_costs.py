"""What deviations cost, in CP-SAT: bounds where a piece is hard, penalties where it is soft."""

from collections.abc import Callable, Sequence

from ortools.sat.python import cp_model

from core.timetable.cost_function import CostFunction
from core.timetable.program import Combine, Measure, Program, Stability, Term
from core.timetable.solvers.cpsat_logic import Linear, Literal, Logic, Values, added
from core.timetable.solvers.cpsat_tracks import Tracks


def distance(value: int, low: int, high: int, *, or_zero: bool = False) -> int:
    """Return how far a value is from ``[low, high]``; 0 is no distance where ``or_zero``."""
    return 0 if or_zero and value == 0 else max(low - value, value - high, 0)


class Costs:
    """The soft cost in the making."""

    def __init__(self, logic: Logic) -> None:
        self._logic = logic
        self.parts: list[Linear] = []
        self._about: list[Sequence[int]] = []

    def put(self, cost: Linear, blocks: Sequence[int]) -> None:
        """Take the cost of a piece that concerns these blocks."""
        self.parts.append(cost)
        self._about.append(blocks)

    def spots(self, values: Values) -> list[tuple[int, Sequence[int]]]:
        """Return (cost, blocks concerned) of each piece that costs something."""
        costs = ((part.of(values), blocks) for part, blocks in zip(self.parts, self._about, strict=True))
        return [(cost, blocks) for cost, blocks in costs if cost > 0]

    def add_term(self, term: Term, tracks: Tracks, guard: Literal | None = None) -> None:
        """Bound a hard term; give a soft one its penalty."""
        if term.hard and term.measure is Measure.LATE and term.high == 0 and not term.low:
            tracks.add_no_idle_before(term, guard)
            return
        values = tracks.values(term)
        if term.combine is Combine.SUM_VALUE:
            values = [added(values)]
        if term.hard:
            for value in values:
                self._bound(value, term, guard)
            return
        deviations = [self._deviation(value, term) for value in values]
        if term.combine is Combine.SUM_DEVIATION:
            deviations = [added(deviations)]
        for deviation in deviations:
            cost = self._priced(deviation, term.function, term.weight)
            self.put(cost, tracks.blocks(term.track))

    def add_stability(self, stability: Stability, used: Linear, guard: Literal | None = None) -> None:
        """Bound how many rooms are used, or give what is too many its penalty."""
        if stability.hard:
            self._logic.within(used, 0, stability.most, guard)
        else:
            above = self._above(used, stability.most)
            cost = self._priced(above, stability.function, stability.weight)
            self.put(cost, [block for block, _ in stability.needs])

    def _priced(self, deviation: Linear, function: CostFunction, weight: int) -> Linear:
        if not deviation.literals:
            return Linear(weight * function.of(deviation.constant))
        if function is CostFunction.LINEAR or deviation.most <= 1:
            return deviation.scaled(weight)
        if function is CostFunction.STEP:
            return self._step(deviation).scaled(weight)
        return self._square(deviation).scaled(weight)

    def _bound(self, value: Linear, term: Term, guard: Literal | None) -> None:
        if not term.or_zero or value.constant or term.low <= 1:
            low = term.low if not term.or_zero or value.constant else 0
            self._logic.within(value, low, term.high, guard)
            return
        zero = self._zero(value)
        self._logic.within(value, 0, term.high, guard)
        if guard is None:
            self._logic.hold(value.expression() >= term.low, ~zero)
        else:
            self._logic.model.add(value.expression() >= term.low).only_enforce_if(~zero, guard)

    def _zero(self, value: Linear) -> Literal:
        zero = self._logic.defined(lambda values: int(value.of(values) == 0))
        self._logic.hold(value.expression() == 0, zero)
        return zero

    def _deviation(self, value: Linear, term: Term) -> Linear:
        or_zero = term.or_zero and not value.constant
        low = 0 if or_zero and term.low <= 1 else term.low
        if low <= value.constant:
            return self._above(value, term.high)
        if not value.literals:
            return Linear(distance(value.constant, low, term.high, or_zero=or_zero))

        def of(values: Values) -> int:
            return distance(value.of(values), low, term.high, or_zero=or_zero)

        most = max(low - value.constant, value.most - term.high)
        deviation = self._logic.defined(of, most)
        self._logic.hold(value.expression() <= term.high + deviation)
        self._logic.hold(value.expression() + deviation >= low, ~self._zero(value) if or_zero else None)
        return Linear(0, (deviation,), (1,), most)

    def _above(self, value: Linear, high: int) -> Linear:
        if value.most <= high:
            return Linear(0)
        if value.constant >= high:
            return added([value, Linear(-high)])
        return self._at_least(lambda values: max(0, value.of(values) - high), value.most - high, value, high)

    def _at_least(self, of: Callable[[Values], int], most: int, value: Linear, high: int) -> Linear:
        deviation = self._logic.defined(of, most)
        self._logic.hold(value.expression() <= high + deviation)
        return Linear(0, (deviation,), (1,), most)

    def _step(self, deviation: Linear) -> Linear:
        if deviation.constant > 0:
            return Linear(1)
        off = self._logic.defined(lambda values: int(deviation.of(values) > 0))
        self._logic.hold(deviation.expression() <= deviation.most * off)
        return Linear(0, (off,), (1,), 1)

    def _square(self, deviation: Linear) -> Linear:
        """Return the square, held from below by the chords between neighbouring integers, which touch it there."""
        square = self._logic.defined(lambda values: deviation.of(values) ** 2, most=deviation.most**2)
        for k in range(max(1, deviation.constant), deviation.most + 1):
            self._logic.hold(square >= deviation.scaled(2 * k - 1).expression() - k * (k - 1))
        return Linear(0, (square,), (1,), deviation.most**2)


def minimise(logic: Logic, costs: Costs) -> Linear:
    """Make the sum of the costs what CP-SAT minimises, and return it."""
    total = added(costs.parts)
    logic.model.minimize(cp_model.LinearExpr.weighted_sum(total.literals, total.coefficients) + total.constant)
    return total


def has_soft_pieces(program: Program) -> bool:
    """Tell whether anything in the program costs without being forbidden."""
    return (
        any(not term.hard for term in program.terms)
        or any(not pair.hard for pair in program.pairs)
        or any(not stability.hard for stability in program.stabilities)
        or any(not travel.hard for travel in program.travels)
        or any(block.start_cost for block in program.blocks)
        or any(option.cost for block in program.blocks for need in block.needs for option in need)
    )
