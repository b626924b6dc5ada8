"""What every rule is: its parameters, its check with a sentence for a person, and its form for the solvers.

A rule is one module beside this one. ``check`` looks at a finished or partial timetable and serves the independent
checker; ``lower`` writes the same rule in the few primitives that all solvers know (``program.py``). A solver never
calls ``check``, the checker never sees what ``lower`` made, and tests hold the two to each other.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from core.errors import Fault
from core.timetable.cost_function import CostFunction
from core.timetable.rules.selecting import InCycle, Selection, slot_faults

if TYPE_CHECKING:
    from core.timetable.lowering import Lowering
    from core.timetable.model import Problem
    from core.timetable.view import View


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """One way in which a timetable breaks a rule."""

    rule: str
    """The rule's ``kind``, or that of a clash, an absence, a lock."""
    hard: bool
    cost: int
    """What it adds to the hard or the soft score: weight times the cost of the deviation."""
    lessons: tuple[str, ...] = ()
    teachers: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    rooms: tuple[str, ...] = ()
    slots: tuple[int, ...] = ()
    sentence: str
    """Who, when and what is wrong, for a person."""


class Rule(BaseModel):
    """A wish or a law of the school."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)

    kind: str
    """The rule's name in JSON and in violations; each rule gives its own as a ``Literal`` with that default."""

    hard: bool = True
    weight: int = Field(default=1, ge=1, le=1_000_000)
    cost: CostFunction = CostFunction.LINEAR

    def check(self, view: View) -> Iterator[Violation]:
        """Yield each violation in a timetable; lessons that are not placed yet break nothing."""
        raise NotImplementedError

    def lower(self, lowering: Lowering) -> None:
        """Write the rule in the solvers' primitives."""
        raise NotImplementedError

    def price(self, deviation: int) -> int:
        """Return what a deviation costs."""
        return self.weight * self.cost.of(deviation)

    def violation(self, deviation: int, sentence: str, **whom: tuple[Any, ...]) -> Violation:
        """Return a violation of this rule; ``whom`` is the ids and slots concerned."""
        return Violation(rule=self.kind, hard=self.hard, cost=self.price(deviation), sentence=sentence, **whom)

    def sentence(self, problem: Problem) -> str:
        """Return what the rule demands, for a person: its docstring's first line with its own figures, and of whom."""
        line = (inspect.getdoc(type(self)) or self.kind).splitlines()[0].rstrip(".")
        fields = {name: getattr(self, name) for name in type(self).model_fields}
        figures = {name: value for name, value in fields.items() if type(value) is int}
        chosen = [value.told(problem) for value in fields.values() if isinstance(value, Selection)]
        whom = f" ({'; '.join(told for told in chosen if told)})" if any(chosen) else ""
        return re.sub(r"``(\w+)``", lambda match: str(figures.get(match[1], match[1])), line) + whom + "."

    def faults(self, problem: Problem) -> Iterator[Fault]:
        """Yield what the rule names that is not there; the place is a pointer within the rule."""
        for name, field in type(self).model_fields.items():
            where, value = f"/{to_camel(name)}", getattr(self, name)
            if isinstance(value, Selection):
                yield from value.faults(problem, where)
            if any(isinstance(mark, InCycle) for mark in field.metadata):
                yield from slot_faults(value, problem, where)

    def links(self, problem: Problem) -> Iterable[tuple[str, ...]]:  # noqa: ARG002 - most rules tie nothing
        """Return lessons that this rule, where it is hard, ties to one start: solvers then place them as one."""
        return ()
