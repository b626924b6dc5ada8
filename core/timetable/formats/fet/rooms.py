"""Which rooms FET's constraints leave each activity."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from core.timetable.formats.fet.document import NAMELESS, Activity, Document, RealRoom
from core.timetable.formats.fet.reading import NotKeptError, Reading, Worth, lessons_of
from core.timetable.formats.safe_xml import Element
from core.timetable.model import RoomChoice, RoomNeed
from core.timetable.rules.base import Rule
from core.timetable.rules.room_changes import RoomChanges


@dataclass(frozen=True, slots=True)
class Wish:
    """That an activity is in one of some rooms."""

    rooms: tuple[str, ...]
    worth: Worth


class RoomWishes:
    """What all constraints on rooms say of each activity."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._preferred: dict[str, list[Wish]] = defaultdict(list)
        self._home: dict[str, list[Wish]] = defaultdict(list)

    def take(self, kind: str, at: Element, worth: Worth) -> bool:
        """Take a constraint on preferred or home rooms; False where it is of another kind."""
        if kind not in _MEANT and not kind.startswith("ActivityPreferredRoom"):
            return False
        wish = Wish(wished_rooms(at), worth)
        store = self._home if "Home" in kind else self._preferred
        for activity in self.meant(kind, at):
            store[activity.id].append(wish)
        return True

    def meant(self, kind: str, at: Element) -> Iterable[Activity]:
        """Return the activities whose rooms a constraint is about; none where it is about something else."""
        if kind.startswith("ActivityPreferredRoom"):
            return self._reading.activities(at)
        if kind not in _MEANT:
            return ()
        subject, tag = at.text_of("Subject") or NAMELESS, at.text_of("Activity_Tag")
        students, teacher = at.text_of("Students"), at.text_of("Teacher")
        return [
            activity
            for activity in self._reading.document.activities
            if (not at.child("Subject") or activity.subject == subject)
            and (not at.child("Activity_Tag") or tag in activity.tags)
            and (not at.child("Students") or activity.students == (students,))
            and (not at.child("Teacher") or activity.teachers == (teacher,))
        ]

    def needs(self, activity: Activity) -> tuple[RoomNeed, ...]:
        """Return the needs of an activity. Raises ``NotKeptError`` where they can't be told."""
        wishes = self._preferred.get(activity.id) or self._home.get(activity.id)
        if not wishes:
            return ()
        document = self._reading.document
        possible = self._possible(wishes)
        virtual = [name for name in possible if document.rooms[name].sets]
        if virtual and len(possible) == 1:
            sets = document.rooms[virtual[0]].sets
            self._reading.virtual[activity.id] = virtual[0]
            return tuple(RoomNeed(choices=tuple(RoomChoice(room=room) for room in one)) for one in sets)
        real = [name for name in possible if name not in virtual]
        if not real:
            raise NotKeptError("a choice between virtual rooms")
        penalties = self._penalties(wishes, real)
        large = [room for room in real if document.rooms[room].capacity >= self._size(activity)]
        choices = (RoomChoice(room=room, penalty=min(1_000, penalties[room])) for room in large or real)
        return (RoomNeed(choices=tuple(sorted(choices, key=lambda choice: choice.penalty))),)

    def _possible(self, wishes: Sequence[Wish]) -> list[str]:
        rooms = self._reading.document.rooms
        demanded = [wish for wish in wishes if wish.worth.hard]
        if not demanded:
            return [*rooms]
        possible = [
            name for name in demanded[0].rooms if all(name in wish.rooms for wish in demanded) and name in rooms
        ]
        if not possible:
            raise NotKeptError("constraints on its rooms leave none")
        return possible

    def _penalties(self, wishes: Sequence[Wish], rooms: Sequence[str]) -> Mapping[str, int]:
        wished = [wish for wish in wishes if not wish.worth.hard]
        return {room: sum(wish.worth.weight for wish in wished if room not in wish.rooms) for room in rooms}

    def _size(self, activity: Activity) -> int:
        sizes = self._reading.students.sizes
        return sum(sizes.get(name, 0) for name in activity.students) if activity.size is None else activity.size


_MEANT = frozenset(
    f"{whose}{'Home' if whose in {'StudentsSet', 'Teacher'} else 'Preferred'}Room{many}"
    for whose in ("Subject", "SubjectActivityTag", "ActivityTag", "StudentsSet", "Teacher")
    for many in ("", "s")
)


def wished_rooms(at: Element) -> tuple[str, ...]:
    """Return the rooms that a constraint names."""
    return tuple(dict.fromkeys(child.text for child in at.children if child.tag in {"Room", "Preferred_Room"}))


def same_room_if_consecutive(reading: Reading, at: Element, worth: Worth) -> Iterator[Rule]:
    """Let activities that follow one another be in one room."""
    yield RoomChanges(lessons=lessons_of(reading.activities(at)), hard=worth.hard, weight=worth.weight)


def real_rooms(document: Document) -> list[RealRoom]:
    """Return the rooms that are no virtual ones."""
    return [room for room in document.rooms.values() if not room.sets]
