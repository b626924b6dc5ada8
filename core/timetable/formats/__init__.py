"""Reads and writes timetables in the forms that schools and programs have.

A form is one module here and one entry in ``FORMATS``. Modules are imported when their form is read or written.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import PurePath
from typing import Any, NoReturn

from core.errors import Fault, InvalidInput
from core.timetable.formats.reading import Read, Written
from core.timetable.model import Problem, Timetable


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """One form of problems, and of solutions where it has one of its own. Functions are named ``module:function``."""

    name: str
    extensions: tuple[str, ...]
    signs: tuple[bytes, ...] = ()
    """What every such file contains, to tell it from another form with the same extension."""
    problem: str
    """``(bytes) -> Problem``, or ``Read`` where the form holds what the model doesn't, or a solution as well."""
    solution: str = "native:read_timetable"
    """``(bytes, Problem) -> Timetable``."""
    judged: str = ""
    """``(bytes, bytes) -> (Problem, Timetable)``: a problem and a solution of it, where a solution settles more than
    places, such as into what blocks courses are cut. Empty where it doesn't."""
    written: str = "native:write_timetable"
    """``(Timetable) -> bytes``."""
    exported: str = ""
    """``(Problem, Timetable | None, bytes | None) -> bytes | Written``: a whole file of this form, made from the one
    that the problem came from where that is of this form too. Empty where there is none."""
    holds_several: bool = False
    """A file may hold several problems: the functions but ``solution`` and ``written`` take one's id as their last."""

    def read(self, data: bytes, instance: str | None = None) -> Read:
        """Return what is in a file, or in the one of its problems that is asked for.

        Raises ``InvalidInput`` with the place of each mistake.
        """
        found: Problem | Read = _function(self.problem)(data, *self._chosen(instance))
        return found if isinstance(found, Read) else Read(problem=found)

    def read_problem(self, data: bytes) -> Problem:
        """Return the problem in a file. Raises ``InvalidInput`` with the place of each mistake."""
        return self.read(data).problem

    def read_solution(self, data: bytes, problem: Problem) -> Timetable:
        """Return the timetable in a file. Raises ``InvalidInput`` with the place of each mistake."""
        timetable: Timetable = _function(self.solution)(data, problem)
        return timetable

    def read_judged(self, data: bytes, solution: bytes, instance: str | None = None) -> tuple[Problem, Timetable]:
        """Return a problem and a solution of it, as the checker is to judge them. Raises ``InvalidInput``."""
        if not self.judged:
            problem = self.read(data, instance).problem
            return problem, self.read_solution(solution, problem)
        pair: tuple[Problem, Timetable] = _function(self.judged)(data, solution, *self._chosen(instance))
        return pair

    def write_solution(self, timetable: Timetable) -> bytes:
        """Return the file of a timetable."""
        data: bytes = _function(self.written)(timetable)
        return data

    def export(
        self,
        problem: Problem,
        timetable: Timetable | None,
        source: bytes | None = None,
        instance: str | None = None,
    ) -> Written:
        """Return a file of this form; ``source`` is the one of this form that the problem was read from.

        Raises ``InvalidInput`` where the form can't hold the problem.
        """
        if not self.exported:
            what = f"files of the form {self.name} are read only"
            raise InvalidInput(what, [Fault("", what, "unknown")])
        made: bytes | Written = _function(self.exported)(problem, timetable, source, *self._chosen(instance))
        return made if isinstance(made, Written) else Written(data=made)

    def _chosen(self, instance: str | None) -> tuple[str, ...]:
        if instance is not None and not self.holds_several:
            what = f"files of the form {self.name} hold one problem each"
            raise InvalidInput(what, [Fault("/query/instance", what, "unknown")])
        return () if instance is None else (instance,)


FORMATS = (
    Format(name="generated", extensions=(".json",), signs=(b'"nc"', b'"assign"'), problem="generated:read_generated"),
    Format(name="schoolos", extensions=(".json",), problem="native:read_problem", exported="native:export"),
    Format(
        name="xhstt",
        extensions=(".xml",),
        signs=(b"HighSchoolTimetableArchive",),
        problem="xhstt.solutions:read_all",
        solution="xhstt.solutions:read_solution",
        judged="xhstt.solutions:read_solved",
        exported="xhstt.writing:write_archive",
        holds_several=True,
    ),
    Format(
        name="fet",
        extensions=(".fet",),
        problem="fet.reader:read_fet",
        judged="fet.solutions:read_solved",
        exported="fet.writer:write_fet",
    ),
    Format(
        name="ectt",
        extensions=(".ectt", ".ctt", ".sol"),
        signs=(b"COURSES:",),
        problem="ectt:read_ectt",
        solution="ectt:read_solution",
        exported="ectt:write_solution",
    ),
    Format(
        name="xlsx",
        extensions=(".xlsx",),
        problem="sheets.reader:read_workbook",
        exported="sheets.writer:write_workbook",
    ),
    Format(name="csv", extensions=(".csv",), problem="sheets.reader:read_lessons", exported="sheets.writer:write_csv"),
)
"""Of several with one extension the first whose signs are there."""


def format_named(name: str, wanted: str | None = None) -> Format:
    """Return the form in which a file is to be written, by the name that is asked for, else by the file's extension.

    Raises ``InvalidInput`` where there is none.
    """
    extension = PurePath(name).suffix.lower()
    fitting = [f for f in FORMATS if f.exported and (f.name == wanted if wanted else extension in f.extensions)]
    return fitting[0] if fitting else _unknown(name, [form for form in FORMATS if form.exported])


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
        return _unknown(name, FORMATS)
    return fitting[0]


def _unknown(name: str, known: Sequence[Format]) -> NoReturn:
    told = ", ".join(f"{form.name} ({' '.join(form.extensions)})" for form in known)
    what = f"the form of {name} is not known; there are: {told}"
    raise InvalidInput(what, [Fault(name, what, code="unknown")])


def _function(where: str) -> Callable[..., Any]:
    module, _, name = where.partition(":")
    function: Callable[..., Any] = getattr(import_module(f"{__name__}.{module}"), name)
    return function
