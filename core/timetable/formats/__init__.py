"""Reads and writes timetables in the forms that schools and programs have.

A form is one module here and one entry in ``FORMATS``. Modules are imported when their form is read or written.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import PurePath
from typing import Any

from core.errors import Fault, InvalidInput
from core.timetable.model import Problem, Timetable


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """One form of problems, and of solutions where it has one of its own. Functions are named ``module:function``."""

    name: str
    extensions: tuple[str, ...]
    signs: tuple[bytes, ...] = ()
    """What every such file contains, to tell it from another form with the same extension."""
    problem: str
    """``(bytes) -> Problem``."""
    solution: str = "native:read_timetable"
    """``(bytes, Problem) -> Timetable``."""
    written: str = "native:write_timetable"
    """``(Timetable) -> bytes``."""

    def read_problem(self, data: bytes) -> Problem:
        """Return the problem in a file. Raises ``InvalidInput`` with the place of each mistake."""
        problem: Problem = _function(self.problem)(data)
        return problem

    def read_solution(self, data: bytes, problem: Problem) -> Timetable:
        """Return the timetable in a file. Raises ``InvalidInput`` with the place of each mistake."""
        timetable: Timetable = _function(self.solution)(data, problem)
        return timetable

    def write_solution(self, timetable: Timetable) -> bytes:
        """Return the file of a timetable."""
        data: bytes = _function(self.written)(timetable)
        return data


FORMATS = (
    Format(name="generated", extensions=(".json",), signs=(b'"nc"', b'"assign"'), problem="generated:read_generated"),
    Format(name="schoolos", extensions=(".json",), problem="native:read_problem"),
)
"""Of several with one extension the first whose signs are there."""


def format_of(name: str, data: bytes, wanted: str | None = None) -> Format:
    """Return the form of a file by the name that is asked for, else by its extension and content.

    Raises ``InvalidInput`` where there is none.
    """
    if wanted is not None:
        fitting = [form for form in FORMATS if form.name == wanted]
    else:
        extension = PurePath(name).suffix.lower()
        fitting = [f for f in FORMATS if extension in f.extensions and all(sign in data for sign in f.signs)]
    if not fitting:
        known = ", ".join(f"{form.name} ({' '.join(form.extensions)})" for form in FORMATS)
        what = f"the form of {name} is not known; there are: {known}"
        raise InvalidInput(what, [Fault(name, what, code="unknown")])
    return fitting[0]


def _function(where: str) -> Callable[..., Any]:
    module, _, name = where.partition(":")
    function: Callable[..., Any] = getattr(import_module(f"{__name__}.{module}"), name)
    return function
