"""A timetable as a solution group of the archive that its problem came from.

The archive's own bytes stay as they are; one group is put in where such groups stand.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

from core.errors import Fault, InvalidInput
from core.timetable.formats.xhstt.archive import Event, Instance, instance_of, read_archive
from core.timetable.formats.xhstt.problem import Casting
from core.timetable.model import Calendar, Lesson, Placement, Problem, Timetable
from core.timetable.rules.one_run_a_day import OneRunADay

GROUP = "SchoolOS"
CONTRIBUTOR = "SchoolOS"


def write_archive(
    problem: Problem,
    timetable: Timetable | None,
    source: bytes | None,
    instance: str | None = None,
    *,
    today: date | None = None,
) -> bytes:
    """Return the archive that a problem came from, with a timetable of it in a solution group of its own.

    Raises ``InvalidInput`` where there is no such archive, or the timetable is of other events.
    """
    if source is None:
        what = "A solution is written into the archive that its instance came from, and there is none."
        raise InvalidInput(what, [Fault("", what, code="missing")])
    root = read_archive(source)
    if timetable is None:
        return source
    taken = {group.get("Id") for group in root.all("SolutionGroups", "SolutionGroup")}
    name = next(one for one in _names() if one not in taken)
    lines = _group(instance_of(root, instance), problem, timetable, name, today or datetime.now(UTC).date())
    return _with_group(source, "\n".join(lines))


def _names() -> Iterator[str]:
    number = 1
    while True:
        yield GROUP if number == 1 else f"{GROUP}_{number}"
        number += 1


def _group(instance: Instance, problem: Problem, timetable: Timetable, name: str, today: date) -> Iterator[str]:
    yield f"    <SolutionGroup Id={quoteattr(name)}>"
    yield "      <MetaData>"
    yield f"        <Contributor>{CONTRIBUTOR}</Contributor>"
    yield f"        <Date>{today.isoformat()}</Date>"
    yield f"        <Description>Timetable of {escape(instance.name)}</Description>"
    yield "      </MetaData>"
    yield f"      <Solution Reference={quoteattr(instance.id)}>"
    yield "        <Events>"
    yield from _events(instance, problem, timetable)
    yield "        </Events>"
    yield "      </Solution>"
    yield "    </SolutionGroup>"


def _events(instance: Instance, problem: Problem, timetable: Timetable) -> Iterator[str]:
    casting = Casting(instance)
    joining = {c for rule in problem.rules if isinstance(rule, OneRunADay) for c in rule.courses.courses}
    longest = max([rule.longest for rule in problem.rules if isinstance(rule, OneRunADay)], default=1)
    for event in instance.events.values():
        lessons = problem.courses.get(event.id)
        if lessons is None or sum(lesson.duration for lesson in lessons) != event.duration:
            what = f"This timetable is not one of “{event.id}” with its {event.duration} times."
            raise InvalidInput(what, [Fault("", what, code="conflict")])
        parts = [(lesson.duration, timetable.by_lesson.get(lesson.id)) for lesson in lessons]
        if event.id in joining:
            parts = list(_joined(problem.calendar, lessons, timetable, longest))
        for duration, placement in parts:
            yield from _part(instance, casting, event, duration, placement)


def _joined(
    calendar: Calendar, lessons: Sequence[Lesson], timetable: Timetable, longest: int
) -> Iterator[tuple[int, Placement | None]]:
    """Yield the (duration, placement) of parts that single periods make where they follow each other on a day."""
    placements = [timetable.by_lesson.get(lesson.id) for lesson in lessons]
    placed = sorted((one for one in placements if one is not None), key=lambda one: one.slot)
    run: list[Placement] = []
    for placement in placed:
        follows = run and placement.slot == run[-1].slot + 1 and len(run) < longest
        if run and not (follows and calendar.day_of[placement.slot] == calendar.day_of[run[0].slot]):
            yield len(run), run[0]
            run = []
        run.append(placement)
    if run:
        yield len(run), run[0]
    yield from ((1, None) for one in placements if one is None)


def _part(
    instance: Instance, casting: Casting, event: Event, duration: int, placement: Placement | None
) -> Iterator[str]:
    yield f"          <Event Reference={quoteattr(event.id)}>"
    yield f"            <Duration>{duration}</Duration>"
    if placement is not None:
        yield f"            <Time Reference={quoteattr(instance.times[placement.slot].id)}/>"
    chosen = [
        (need.role, room)
        for need, room in zip(casting.needs(event), placement.rooms if placement else (), strict=False)
        if need.reference is None and room is not None
    ]
    if chosen:
        yield "            <Resources>"
        for role, room in chosen:
            yield f"              <Resource Reference={quoteattr(room)}><Role>{escape(role)}</Role></Resource>"
        yield "            </Resources>"
    yield "          </Event>"


def _with_group(source: bytes, group: str) -> bytes:
    """Return an archive's bytes with a group put in; what is not ASCII is written as character references."""
    text = group.encode("ascii", "xmlcharrefreplace")
    ends = _ends(source)
    if "SolutionGroups" in ends:
        first, last = ends["SolutionGroups"]
        if source[last : last + 2] != b"</":  # <SolutionGroups/>
            after = source.index(b">", first) + 1
            return source[:first] + _wrapped(text) + source[after:]
        return source[:last].rstrip() + b"\n" + text + b"\n  " + source[last:]
    _, last = ends["HighSchoolTimetableArchive"]
    return source[:last].rstrip() + b"\n  " + _wrapped(text) + b"\n" + source[last:]


def _wrapped(text: bytes) -> bytes:
    return b"<SolutionGroups>\n" + text + b"\n  </SolutionGroups>"


def _ends(source: bytes) -> dict[str, tuple[int, int]]:
    """Return where the root and the list of solution groups begin and where their end tags do, in bytes."""
    parser = expat.ParserCreate()
    found: dict[str, tuple[int, int]] = {}
    begun: list[tuple[str, int]] = []

    def start(tag: str, _attributes: dict[str, str]) -> None:
        begun.append((tag, parser.CurrentByteIndex))

    def end(tag: str) -> None:
        _, index = begun.pop()
        if len(begun) < 2:
            found[tag] = index, parser.CurrentByteIndex

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.Parse(source, True)
    _, last = found["HighSchoolTimetableArchive"]
    if source[last : last + 2] != b"</":
        what = "Save the archive as UTF-8: its letters take more than a byte each."
        raise InvalidInput(what, [Fault("", what, code="invalid")])
    return found
