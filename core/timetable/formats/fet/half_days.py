"""Who works in the morning and in the afternoon of one day, where FET's days are half days."""

from collections import Counter, defaultdict
from collections.abc import Iterator

from core.timetable.formats.fet.reading import Reading
from core.timetable.rules.base import Rule
from core.timetable.rules.both_halves import BothHalves
from core.timetable.rules.selecting import People

_FREE, _NEVER = "Unrestricted", "Exclusive"
_EXCEPTIONS = ("One day", "Two days", "Three days", "Four days", "Five days")
_MOST = {_NEVER: 0, **{f"{days} exception": i + 1 for i, days in enumerate(_EXCEPTIONS)}}
"""On how many days a teacher may work in both halves, by FET's name for it."""


def behaviours(reading: Reading) -> dict[str, str]:
    """Return what each teacher's halves of a day are to each other, by the teacher's name."""
    document = reading.document
    if not document.has_half_days:
        return {}
    # Files from Morocco, before FET had a word for it, name those who may work in both halves of some days.
    default = _NEVER if "morocco" in (document.root.get("version") or "") else _FREE
    found = {
        teacher.text_of("Name"): teacher.text_of("Mornings_Afternoons_Behavior", default)
        for teacher in document.root.all("Teachers_List", "Teacher")
    }
    for days in _EXCEPTIONS:
        for teacher in document.root.all(f"Exception_Teachers_{days.title().replace(' ', '_')}_List", "Teacher"):
            found[teacher.text] = f"{days} exception"
    return found


def both_halves(reading: Reading) -> Iterator[Rule]:
    """Yield on how many days some teachers may work in both halves."""
    by_most: dict[int, list[str]] = defaultdict(list)
    for name, how in behaviours(reading).items():
        if how in _MOST:
            by_most[_MOST[how]].append(name)
    for most, names in by_most.items():
        yield BothHalves(people=People(teachers=tuple(names)), most=most)


def unknown(reading: Reading) -> Counter[str]:
    """Return how many teachers there are of each behaviour that is none of FET's."""
    return Counter(how for how in behaviours(reading).values() if how not in {_FREE, *_MOST})
