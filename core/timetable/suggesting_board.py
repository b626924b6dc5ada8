"""A timetable laid out so that a change of a few blocks is tried and weighed in microseconds."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence

from core.timetable.program import Assignment, Program
from core.timetable.suggesting_costs import TermPiece, pieces_of

Changed = Mapping[int, int]
"""The new starts of blocks."""
Chosen = Mapping[int, tuple[int, ...]]
"""The new rooms of blocks."""


class Board:
    """A program with where its blocks are."""

    def __init__(self, program: Program, assignment: Assignment) -> None:
        self.program = program
        self.starts = list(assignment.starts)
        self.rooms = list(assignment.rooms)
        self.pieces = pieces_of(program)
        self._cost = [piece.cost(self.starts, self.rooms) for piece in self.pieces]
        self._pieces_of: dict[int, list[int]] = defaultdict(list)
        for i, piece in enumerate(self.pieces):
            for block in piece.blocks:
                self._pieces_of[block].append(i)
        self._exclusives_of: list[list[int]] = [[] for _ in program.blocks]
        for e, exclusive in enumerate(program.exclusives):
            for block in exclusive.blocks:
                self._exclusives_of[block].append(e)
        self._there: dict[tuple[int, int], list[int]] = defaultdict(list)
        """The blocks of an exclusive in a slot."""
        self._in_room: dict[tuple[int, int], list[int]] = defaultdict(list)
        for block, start in enumerate(self.starts):
            if start >= 0:
                self._lay(block)

    def _lay(self, block: int) -> None:
        for slot in self.span(block, self.starts[block]):
            for exclusive in self._exclusives_of[block]:
                self._there[exclusive, slot].append(block)
            for room in self.rooms[block]:
                self._in_room[room, slot].append(block)

    def span(self, block: int, start: int) -> range:
        """Return the slots of a block that starts there."""
        return range(start, start + self.program.blocks[block].duration)

    def clash(self, one: int, start: int, changed: Changed) -> bool:
        """Tell whether a block that starts there meets one of the changed ones, of which somebody has both."""
        return any(
            start < other_start + self.program.blocks[other].duration
            and other_start < start + self.program.blocks[one].duration
            and not set(self._exclusives_of[one]).isdisjoint(self._exclusives_of[other])
            for other, other_start in changed.items()
        )

    def in_the_way(self, block: int, start: int, lifted: Collection[int]) -> Iterator[set[int]]:
        """Yield each set of blocks that have to go where a block is to start there; ``lifted`` went already."""
        slots = self.span(block, start)
        found = {
            other
            for exclusive in self._exclusives_of[block]
            for slot in slots
            for other in self._there.get((exclusive, slot), ())
            if other != block and other not in lifted
        }
        gone = found.union(lifted, (block,))
        options = self.program.blocks[block].needs
        full = [need for need in options if not any(self._holders(o.room, slots, gone) == set() for o in need)]
        if not full:
            yield found
            return
        for option in full[0]:
            holders = self._holders(option.room, slots, gone)
            if holders is not None:
                yield found | holders

    def _holders(self, room: int, slots: range, gone: Collection[int]) -> set[int] | None:
        """Return who has a room in any of the slots; None where it is closed."""
        if not self.program.rooms[room].isdisjoint(slots):
            return None
        return {b for slot in slots for b in self._in_room.get((room, slot), ()) if b not in gone}

    def housed(self, changed: Changed) -> Chosen | None:
        """Return rooms for blocks that change their starts, where free their own; None where there are none."""
        chosen: dict[int, tuple[int, ...]] = {}
        taken: set[tuple[int, int]] = set()
        for block, start in changed.items():
            slots = self.span(block, start)
            rooms: list[int] = []
            for need, options in enumerate(self.program.blocks[block].needs):
                own = self.rooms[block][need]
                order = sorted(options, key=lambda option: (option.room != own, option.cost))
                fitting = (o.room for o in order if self._is_free(o.room, slots, changed, taken))
                room = next(fitting, -1)
                if room < 0:
                    return None
                rooms.append(room)
                taken.update((room, slot) for slot in slots)
            chosen[block] = tuple(rooms)
        return chosen

    def _is_free(self, room: int, slots: range, changed: Changed, taken: set[tuple[int, int]]) -> bool:
        return self._holders(room, slots, changed) == set() and not any((room, slot) in taken for slot in slots)

    def gain(self, changed: Changed, chosen: Chosen) -> tuple[int, int]:
        """Return the (hard, soft) points that a change saves; a block that gets its first place saves a hard one."""
        saved = [sum(self.starts[block] < 0 for block in changed), 0]
        starts, rooms = self._after(changed, chosen)
        for i in {i for block in changed for i in self._pieces_of[block]}:
            piece = self.pieces[i]
            saved[0 if piece.hard else 1] += self._cost[i] - piece.cost(starts, rooms)
        for block in changed:
            saved[1] += self._own(block, self.starts, self.rooms) - self._own(block, starts, rooms)
        return saved[0], saved[1]

    def _after(self, changed: Changed, chosen: Chosen) -> tuple[list[int], list[tuple[int, ...]]]:
        starts, rooms = self.starts.copy(), self.rooms.copy()
        for block, start in changed.items():
            starts[block], rooms[block] = start, chosen[block]
        return starts, rooms

    def _own(self, block: int, starts: Sequence[int], rooms: Sequence[tuple[int, ...]]) -> int:
        """Return what a block's start and rooms cost by themselves."""
        there = self.program.blocks[block]
        needs = zip(there.needs, rooms[block], strict=True)
        return there.start_cost.get(starts[block], 0) + sum(
            option.cost for options, room in needs for option in options if option.room == room
        )

    def after(self, changed: Changed, chosen: Chosen) -> Assignment:
        """Return where the blocks are after a change."""
        starts, rooms = self._after(changed, chosen)
        return Assignment(tuple(starts), tuple(rooms))

    def terms_of(self, blocks: Collection[int]) -> list[TermPiece]:
        """Return the terms that are about these blocks and no other."""
        inside = set(blocks)
        return [piece for piece in self.pieces if isinstance(piece, TermPiece) and piece.blocks <= inside]
