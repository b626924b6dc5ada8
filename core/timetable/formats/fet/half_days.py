"""Who works in the morning and in the afternoon of one day, where FET's days are half days."""

from collections import Counter
from collections.abc import Iterator

from core.timetable.formats.fet.reading import Reading
from core.timetable.rules.base import Rule
from core.timetable.rules.occupancy import Occupancy
from core.timetable.rules.selecting import People

_FREE, _NEVER = "Unrestricted", "Exclusive"
_OLD_EXCEPTIONS = ("One_Day", "Two_Days", "Three_Days", "Four_Days", "Five_Days")


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
    for days in _OLD_EXCEPTIONS:
        for teacher in document.root.all(f"Exception_Teachers_{days}_List", "Teacher"):
            found[teacher.text] = f"{days.replace('_', ' ').capitalize()} exception"
    return found


def exclusive(reading: Reading) -> Iterator[Rule]:
    """Yield for each day that some teachers work in one half of it only."""
    people = tuple(name for name, how in behaviours(reading).items() if how == _NEVER)
    windows = reading.week.calendar.windows
    for day in range(0, len(windows) - 1, 2) if people else ():
        halves = (windows[day], windows[day + 1])
        yield Occupancy(people=People(teachers=people), windows=halves, what="parts", most=1)


def exceptions(reading: Reading) -> Counter[str]:
    """Return how many teachers may work in both halves of some days only, which no rule says."""
    return Counter(how for how in behaviours(reading).values() if how not in {_FREE, _NEVER})
