"""A .fet file as FET's own words have it, before anything is made of it."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from core.errors import Fault, InvalidInput
from core.timetable.formats.safe_xml import Element, read_xml

NAMELESS = "(no name)"
"""What a subject without a name is called."""
Place = tuple[int, int]
"""(day, hour), each by its index."""

_OLD_HALF_DAYS = re.compile(r"-(ma\d+|morocco|algeria)")
"""In the version of files from before FET named its modes."""
_OLD_TERM_DAYS = 5
"""Of the variant of FET with terms, from before it named its modes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """One block of lessons."""

    id: str
    split: str
    """What the parts of one split activity have in common."""
    component: int
    """Which part of the split activity this is, from 1."""
    subject: str
    teachers: tuple[str, ...]
    students: tuple[str, ...]
    tags: frozenset[str]
    duration: int
    size: int | None
    """How many students, where the activity says so itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RealRoom:
    """A room, or a virtual one, which stands for one real room of each of its sets."""

    name: str
    capacity: int
    building: str
    sets: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class Document:
    """What a file says."""

    root: Element
    activities: tuple[Activity, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Look at the activities once."""
        object.__setattr__(self, "activities", tuple(_activities(self.root)))

    @cached_property
    def days(self) -> tuple[str, ...]:
        """The days' names."""
        return tuple(day.text_of("Name") for day in self.root.all("Days_List", "Day"))

    @cached_property
    def hours(self) -> tuple[str, ...]:
        """The names of a day's periods."""
        return tuple(hour.text_of("Name") for hour in self.root.all("Hours_List", "Hour"))

    @cached_property
    def spelling(self) -> Mapping[str, str]:
        """How FET has the names of days, hours and rooms that begin or end with a space, by the name without."""
        lists = (("Days_List", "Day"), ("Hours_List", "Hour"), ("Rooms_List", "Room"))
        names = (each.child("Name") for path in lists for each in self.root.all(*path))
        return {name.text: name.spelt for name in names if name is not None and name.text != name.spelt}

    @cached_property
    def has_half_days(self) -> bool:
        """Tell whether the days are mornings and afternoons in turn."""
        version = self.root.get("version") or ""
        return self.root.text_of("Mode") == "Mornings_Afternoons" or _OLD_HALF_DAYS.search(version) is not None

    @cached_property
    def counts_whole_days(self) -> bool:
        """Tell whether hours a day are a morning's and its afternoon's: of the variant with no words for both."""
        return "-ma3" in (self.root.get("version") or "")

    @cached_property
    def has_blocks(self) -> bool:
        """Tell whether each hour is a block, in which students are once only, on whichever day."""
        return self.root.text_of("Mode") == "Block_Planning" or "-bp" in (self.root.get("version") or "")

    @cached_property
    def term_days(self) -> int:
        """How many days a term has, where the days are those of several terms; 0 where they are not."""
        if "-mathmake" in (self.root.get("version") or ""):
            return _OLD_TERM_DAYS
        return number(self.root, "Number_of_Days_Per_Term", 0) if self.root.text_of("Mode") == "Terms" else 0

    @cached_property
    def breaks(self) -> frozenset[Place]:
        """The periods in which nothing is."""
        found = (c for c in self.constraints if c.tag == "ConstraintBreakTimes")
        return frozenset(place for constraint in found for place in self.places(constraint, "Break_Time"))

    @cached_property
    def constraints(self) -> tuple[Element, ...]:
        """The constraints that are switched on, of time and then of space."""
        lists = ("Time_Constraints_List", "Space_Constraints_List")
        every = (each for name in lists for top in self.root.all(name) for each in top.children)
        return tuple(each for each in every if each.text_of("Active", "true") != "false")

    @cached_property
    def rooms(self) -> Mapping[str, RealRoom]:
        """The rooms by name."""
        found = (_room(each) for each in self.root.all("Rooms_List", "Room"))
        return {room.name: room for room in found}

    @cached_property
    def _day_index(self) -> Mapping[str, int]:
        return {name: i for i, name in enumerate(self.days)}

    @cached_property
    def _hour_index(self) -> Mapping[str, int]:
        return {name: i for i, name in enumerate(self.hours)}

    def day(self, name: str, at: Element) -> int:
        """Return the index of a day. Raises ``InvalidInput`` where there is none."""
        return _known(self._day_index, name, "day", at)

    def hour(self, name: str, at: Element) -> int:
        """Return the index of an hour. Raises ``InvalidInput`` where there is none."""
        return _known(self._hour_index, name, "hour", at)

    def places(self, constraint: Element, tag: str) -> Iterator[Place]:
        """Yield the (day, hour) of each child of that name; a day or an hour that is not named is every one."""
        for each in constraint.all(tag):
            named = {child.tag.rpartition("_")[2]: child.text for child in each.children}
            yield from self.places_of(named.get("Day", ""), named.get("Hour", ""), each)

    def places_of(self, day: str, hour: str, at: Element) -> Iterator[Place]:
        """Yield the (day, hour) that are named; one that is not named is every one."""
        days = [self.day(day, at)] if day else range(len(self.days))
        hours = [self.hour(hour, at)] if hour else range(len(self.hours))
        yield from ((d, h) for d in days for h in hours)


def read_document(data: bytes) -> Document:
    """Return what a file says. Raises ``InvalidInput`` with the line of what is wrong."""
    root = read_xml(data)
    if root.tag.lower() != "fet":
        raise refusal("This is no file of FET: its outermost element is not <fet>", root)
    document = Document(root)
    if not document.days or not document.hours:
        raise refusal("The file names no days, or no hours", root)
    return document


def refusal(what: str, at: Element, code: str = "invalid") -> InvalidInput:
    """Return that a place in the file can't be read."""
    told = f"{what} (line {at.line})."
    return InvalidInput(told, [Fault(f"line {at.line}", told, code=code)])


def number(at: Element, tag: str, default: int | None = None) -> int:
    """Return a whole number. Raises ``InvalidInput`` where it is none of a sensible size."""
    text = at.text_of(tag, "" if default is None else str(default))
    if not text.lstrip("+-").isdecimal() or abs(int(text[:12])) > 1_000_000_000:
        raise refusal(f"<{tag}> is a whole number, not “{text[:40]}”", at)
    return int(text)


def _known(index: Mapping[str, int], name: str, what: str, at: Element) -> int:
    if name not in index:
        raise refusal(f"There is no {what} “{name[:80]}”", at, "unknown")
    return index[name]


def _activities(root: Element) -> Iterator[Activity]:
    components: dict[str, int] = {}
    for each in root.all("Activities_List", "Activity"):
        own = each.text_of("Id")
        split = each.text_of("Activity_Group_Id", "0")
        split = own if split in {"", "0"} else f"group {split}"
        components[split] = components.get(split, 0) + 1
        if each.text_of("Active", "true") == "false":
            continue
        duration = number(each, "Duration", 1)
        if not 1 <= duration <= 48:
            raise refusal(f"A block of {duration} hours is none", each)
        yield Activity(
            id=own,
            split=split,
            component=components[split],
            subject=each.text_of("Subject") or NAMELESS,
            teachers=tuple(dict.fromkeys(child.text for child in each.all("Teacher"))),
            students=tuple(dict.fromkeys(child.text for child in each.all("Students"))),
            tags=frozenset(child.text for child in each.all("Activity_Tag") if child.text),
            duration=duration,
            size=number(each, "Number_Of_Students") if each.child("Number_Of_Students") else None,
        )


def _room(each: Element) -> RealRoom:
    is_virtual = each.text_of("Virtual") == "true"
    sets = tuple(
        tuple(room.text for room in one.all("Real_Room")) for one in each.all("Set_of_Real_Rooms") if is_virtual
    )
    return RealRoom(
        name=each.text_of("Name"),
        capacity=min(number(each, "Capacity", 30_000), 1_000_000),
        building=each.text_of("Building"),
        sets=sets,
    )
