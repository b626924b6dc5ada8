"""Times as people write them: ``Monday; Tuesday 1-3; every day 8``."""

import re
from collections.abc import Iterable

from core.timetable.model import Calendar

_EVERY = frozenset({"every day", "all", "daily"})
_RANGE = re.compile(r"(\d+)\s*[-–]\s*(\d+)")


def slots_in(text: str, calendar: Calendar) -> frozenset[int] | str:
    """Return the slots that a text names, or what is wrong with it."""
    found: set[int] = set()
    for part in re.split(r"[;\n]", text):
        if not part.strip():
            continue
        named = _part(part.strip(), calendar)
        if isinstance(named, str):
            return named
        found |= named
    return frozenset(found)


def _part(text: str, calendar: Calendar) -> set[int] | str:
    days: dict[str, list[int]] = {word: list(range(len(calendar.days))) for word in _EVERY}
    for d, each in enumerate(calendar.days):
        for name in {each.label.casefold(), each.name.casefold()}:
            days.setdefault(name, []).append(d)
    low = text.casefold()
    day = max((name for name in days if low.startswith(name)), key=len, default=None)
    if day is None:
        return f"“{text[:40]}” begins with no day: there are {', '.join(each.label for each in calendar.days)}"
    rest = text[len(day) :].strip(" ,:")
    found: set[int] = set()
    for d in days[day]:
        named = _periods(rest, calendar, d)
        if isinstance(named, str):
            return named
        found |= named
    return found


def _periods(text: str, calendar: Calendar, day: int) -> set[int] | str:
    window, names = calendar.windows[day], [period.name.casefold() for period in calendar.days[day].periods]
    if not text:
        return set(window)
    found: set[int] = set()
    for part in text.split(","):
        word = part.strip().casefold()
        run = _RANGE.fullmatch(word)
        if run and 1 <= int(run[1][:4]) <= int(run[2][:4]) <= len(window):
            found |= set(window[int(run[1]) - 1 : int(run[2])])
        elif word in names:
            found.add(window[names.index(word)])
        elif word.isdecimal() and 1 <= int(word[:4]) <= len(window):
            found.add(window[int(word) - 1])
        else:
            return f"there is no period “{part.strip()[:40]}” on {calendar.days[day].label}"
    return found


def words_of(slots: Iterable[int], calendar: Calendar) -> str:
    """Return slots as a person writes them: ``Monday 1-3; Tuesday``."""
    parts: list[str] = []
    chosen = set(slots)
    for day, window in zip(calendar.days, calendar.windows, strict=True):
        there = [place for place, slot in enumerate(window, start=1) if slot in chosen]
        if len(there) == len(window):
            parts.append(day.label)
        elif there:
            parts.append(f"{day.label} {', '.join(_runs(there))}")
    return "; ".join(parts)


def _runs(places: list[int]) -> list[str]:
    runs: list[list[int]] = []
    for place in places:
        if runs and runs[-1][-1] == place - 1:
            runs[-1].append(place)
        else:
            runs.append([place])
    return [str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs]
