"""Timetables from and for other programs: a file read into a problem, a kept timetable written as a file."""

import asyncio
from dataclasses import dataclass

from core.access.principal import Principal, Scope
from core.errors import NotFound
from core.ids import TimetableId
from core.timetable.formats import format_named, format_of
from core.timetable.formats.reading import Note, Read, Written
from core.timetable.model import Problem, Timetable
from core.timetable.versions import TimetableVersions


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What was in a file."""

    form: str
    read: Read


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """A file to take away."""

    name: str
    data: bytes
    notes: tuple[Note, ...]
    """What the form has no word for."""


class TimetableExchange:
    """Reads and writes the files of other programs. Nothing is kept of what is read."""

    def __init__(self, versions: TimetableVersions) -> None:
        self._versions = versions

    async def read(
        self, principal: Principal, *, name: str, content: bytes, form: str | None, instance: str | None = None
    ) -> Imported:
        """Return the problem in a file, the timetable in it, and what of it is not kept.

        ``instance`` is the id of the one that is meant, where the file holds several.
        Raises ``InvalidInput`` with the place of each mistake, by the file's lines or cells.
        """
        principal.require(Scope.TIMETABLES_MANAGE)
        return await asyncio.to_thread(_read, name, content, form, instance)

    async def write(self, principal: Principal, *, timetable: TimetableId, form: str) -> Exported:
        """Return the version of a timetable that the caller may see, as a file. Raises ``InvalidInput``, ``NotFound``.

        A file is of the whole school, so that families get none.
        """
        shown = await self._versions.get(principal, timetable=timetable)
        if shown.only_classes is not None:
            raise NotFound("there is no such timetable of one's own")
        version = shown.version
        written = await asyncio.to_thread(_write, version.problem, version.timetable, form)
        extension = format_named("", form).extensions[0]
        return Exported(name=f"timetable{extension}", data=written.data, notes=written.notes)


def _read(name: str, content: bytes, form: str | None, instance: str | None) -> Imported:
    how = format_of(name, content, form)
    return Imported(form=how.name, read=how.read(content, instance))


def _write(problem: Problem, timetable: Timetable, form: str) -> Written:
    return format_named("", form).export(problem, timetable)
