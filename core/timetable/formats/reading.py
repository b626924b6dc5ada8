"""What comes of reading a file of another program, and of writing one."""

from dataclasses import dataclass

from core.timetable.model import Problem, Timetable


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Something in a file that is not kept as it stands there."""

    what: str
    """For a person: ``ConstraintX is not supported (3 times)``."""
    hard: bool = False
    """The file demands it, so that what is found can't be certified for that program."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """A problem from a file, with what was lost on the way."""

    problem: Problem
    notes: tuple[Note, ...] = ()
    timetable: Timetable | None = None
    """The solution that stands in the same file."""

    @property
    def is_whole(self) -> bool:
        """Tell whether everything that the file demands is in the problem."""
        return not any(note.hard for note in self.notes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A file for another program, with what that has no word for."""

    data: bytes
    notes: tuple[Note, ...] = ()
