"""A CP-SAT model in which every helper variable is defined by the choices.

So a helper's value follows from the choices, and a hint for the choices becomes a whole solution. What is fixed already
is folded away while the model is written, so that a neighbourhood of a large timetable makes a small model.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from ortools.sat.python import cp_model

Literal: TypeAlias = cp_model.IntVar
"""A 0/1 variable."""
Values = list[int]
"""The value of each variable of the model, by its index."""


@dataclass(frozen=True, slots=True)
class Linear:
    """A constant plus variables that are 0 or more, each with a coefficient of 0 or more."""

    constant: int
    literals: tuple[Literal, ...] = ()
    coefficients: tuple[int, ...] = ()
    spread: int = 0
    """What the variables add at most."""

    @property
    def most(self) -> int:
        """The largest value that the variables allow."""
        return self.constant + self.spread

    def expression(self) -> cp_model.LinearExpr:
        """Return it as CP-SAT takes it."""
        return cp_model.LinearExpr.weighted_sum(self.literals, self.coefficients) + self.constant

    def scaled(self, factor: int) -> "Linear":
        """Return it times a factor."""
        coefficients = tuple(factor * c for c in self.coefficients)
        return Linear(self.constant * factor, self.literals, coefficients, self.spread * factor)

    def of(self, values: Values) -> int:
        """Return its value."""
        chosen = zip(self.literals, self.coefficients, strict=True)
        return self.constant + sum(c * values[literal.index] for literal, c in chosen)


def added(parts: Iterable[Linear]) -> Linear:
    """Return the sum of the parts."""
    parts = tuple(parts)
    return Linear(
        sum(part.constant for part in parts),
        tuple(literal for part in parts for literal in part.literals),
        tuple(c for part in parts for c in part.coefficients),
        sum(part.spread for part in parts),
    )


class Logic:
    """A CP-SAT model in the making.

    Constraints may have a guard: a literal under which alone they hold, for explanations.
    """

    def __init__(self) -> None:
        self.model = cp_model.CpModel()
        self.true = self.model.new_constant(1)
        self.false = self.model.new_constant(0)
        self._definitions: list[tuple[Literal, Callable[[Values], int]]] = []
        self._any_of: dict[frozenset[int], Literal] = {}
        self.domains = Domains(self.model)
        """The bounds of the variables, to be changed between searches."""

    def choice(self) -> Literal:
        """Return a new literal that the solver chooses freely."""
        return self.model.new_bool_var("")

    def defined(self, value: Callable[[Values], int], most: int = 1) -> Literal:
        """Return a new variable from 0 to ``most`` whose value in a solution is known from those before it."""
        variable = self.model.new_int_var(0, most, "") if most > 1 else self.model.new_bool_var("")
        self._definitions.append((variable, value))
        return variable

    def is_true(self, literal: Literal) -> bool:
        """Tell whether a literal is true by what is fixed."""
        return bool(literal.index == self.true.index)

    def is_false(self, literal: Literal) -> bool:
        """Tell whether a literal is false by what is fixed."""
        return bool(literal.index == self.false.index)

    def any_of(self, literals: Iterable[Literal]) -> Literal:
        """Return a literal that is true exactly where one of these is."""
        open_ones = {literal.index: literal for literal in literals if not self.is_false(literal)}
        if self.true.index in open_ones:
            return self.true
        if len(open_ones) < 2:
            return next(iter(open_ones.values()), self.false)
        known = self._any_of.get(frozenset(open_ones))
        if known is not None:
            return known
        each = list(open_ones.values())
        indices = list(open_ones)
        result = self.defined(lambda values: max(values[i] for i in indices))
        for literal in each:
            self.model.add_implication(literal, result)
        self.model.add_bool_or([*each, ~result])
        self._any_of[frozenset(open_ones)] = result
        return result

    def one_of(self, literals: Sequence[Literal]) -> Literal:
        """Return a literal that is true exactly where one of these is, of which never two are."""
        open_ones = [literal for literal in literals if not self.is_false(literal)]
        if len(open_ones) < 2 or any(self.is_true(literal) for literal in open_ones):
            return self.any_of(open_ones)
        indices = frozenset(literal.index for literal in open_ones)
        known = self._any_of.get(indices)
        if known is not None:
            return known
        result = self.defined(lambda values: max(values[i] for i in indices))
        self.model.add(cp_model.LinearExpr.sum(open_ones) == result)
        self._any_of[indices] = result
        return result

    def all_of(self, positive: Iterable[Literal], negative: Iterable[Literal] = ()) -> Literal:
        """Return a literal that is true exactly where all of the first are true and all of the second false."""
        yes = [literal for literal in positive if not self.is_true(literal)]
        no = [literal for literal in negative if not self.is_false(literal)]
        if any(self.is_false(literal) for literal in yes) or any(self.is_true(literal) for literal in no):
            return self.false
        if len(yes) + len(no) < 2 and not no:
            return yes[0] if yes else self.true
        on, off = [literal.index for literal in yes], [literal.index for literal in no]
        result = self.defined(lambda values: int(all(values[i] for i in on) and not any(values[i] for i in off)))
        for literal in yes:
            self.model.add_implication(result, literal)
        for literal in no:
            self.model.add_implication(result, ~literal)
        self.model.add_bool_or([result, *(~literal for literal in yes), *no])
        return result

    def total(self, literals: Iterable[Literal], factor: int = 1) -> Linear:
        """Return ``factor`` times how many of these are true."""
        literals = tuple(literals)
        fixed = sum(self.is_true(literal) for literal in literals)
        open_ones = tuple(one for one in literals if not self.is_true(one) and not self.is_false(one))
        return Linear(factor * fixed, open_ones, (factor,) * len(open_ones), factor * len(open_ones))

    def never(self, guard: Literal | None = None) -> None:
        """Say that there is no solution."""
        self.model.add_bool_or([] if guard is None else [~guard])

    def not_both(self, one: Literal, other: Literal, guard: Literal | None = None) -> None:
        """Forbid two to be true together."""
        if not self.is_false(one) and not self.is_false(other):
            self.model.add_bool_or([~one, ~other] if guard is None else [~one, ~other, ~guard])

    def exactly(self, literals: Sequence[Literal], number: int) -> None:
        """Demand that so many of these are true."""
        if number == 1:
            self.model.add_exactly_one(literals)
        else:
            self.model.add(cp_model.LinearExpr.sum(literals) == number)

    def at_most_one(self, literals: Sequence[Literal], guard: Literal | None = None) -> None:
        """Forbid two of these to be true."""
        self.at_most(literals, 1, guard)

    def at_most(self, literals: Sequence[Literal], most: int, guard: Literal | None = None) -> None:
        """Forbid more than ``most`` of these to be true."""
        count = self.total(literals)
        left = most - count.constant
        if left < 0:
            self.never(guard)
        elif guard is None and left == 1 and len(count.literals) > 1:
            self.model.add_at_most_one(count.literals)
        elif len(count.literals) > left:
            self.hold(cp_model.LinearExpr.sum(count.literals) <= left, guard)

    def at_least(self, literals: Sequence[Literal], least: int) -> None:
        """Demand that at least so many of these are true."""
        count = self.total(literals)
        if count.constant < least:
            self.model.add(cp_model.LinearExpr.sum(count.literals) >= least - count.constant)

    def hold(self, constraint: cp_model.BoundedLinearExpression | bool, guard: cp_model.LiteralT | None = None) -> None:
        """Demand a linear constraint, under the guard where there is one."""
        added_one = self.model.add(constraint)
        if guard is not None:
            added_one.only_enforce_if(guard)

    def forbid(self, literal: Literal, guard: Literal | None = None) -> None:
        """Demand that a literal is false."""
        self.model.add_bool_or([~literal] if guard is None else [~literal, ~guard])

    def within(self, value: Linear, low: int, high: int, guard: Literal | None = None) -> None:
        """Bound a value, where that says anything."""
        if value.constant >= low and value.most <= high:
            return
        if not value.literals:
            self.never(guard)
            return
        if value.constant >= low and all(c == 1 for c in value.coefficients):
            self.at_most(value.literals, high - value.constant, guard)
            return
        bounded = cp_model.BoundedLinearExpression(value.expression(), cp_model.Domain(low, high))
        self.hold(bounded, guard)

    def hint(self, values: Mapping[int, int]) -> None:
        """Tell the solver which values to try first."""
        self.model.clear_hints()  # type: ignore[no-untyped-call]  # OR-tools gives it no types
        hint = self.model.proto.solution_hint
        hint.vars.extend(list(values))
        hint.values.extend(list(values.values()))

    def complete(self, chosen: Mapping[int, int]) -> Values:
        """Return the value of every variable, given those of the choices by their index."""
        values = [0] * len(self.model.proto.variables)
        values[self.true.index] = 1
        for index, value in chosen.items():
            values[index] = value
        for variable, value_of in self._definitions:
            values[variable.index] = value_of(values)
        return values


class Domains:
    """The bounds of literals, where the same model is searched with other parts of it fixed."""

    def __init__(self, model: cp_model.CpModel) -> None:
        self._variables = model.proto.variables
        self._set: dict[int, tuple[int, int]] = {}

    def set(self, index: int, bounds: tuple[int, int]) -> None:
        """Bound a literal."""
        if self._set.get(index, (0, 1)) != bounds:
            domain = self._variables[index].domain
            domain.clear()
            domain.extend(bounds)
            self._set[index] = bounds
