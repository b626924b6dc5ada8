"""Swaps two lessons of a timetable, or moves one, and says what that would break before anybody does it (P8-17, P8-21).

Nothing is ever changed in place: a swap answers with another timetable.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from core.errors import Fault, InvalidInput
from core.timetable.checker import Verdict, validate
from core.timetable.model import Calendar, Lesson, Placement, Problem, Slot, Timetable
from core.timetable.rules.base import Violation
from core.timetable.swapping_rooms import with_rooms
from core.timetable.view import View


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """One end of a swap: a lesson, or a slot with whatever somebody has there, which may be nothing."""

    lesson: str | None = None
    slot: Slot | None = None
    """With a lesson at the other end and without ``who``: where that lesson is to start, in its class's week."""
    who: tuple[str, str] | None = None
    """(``group``, ``teacher`` or ``room``, id)."""


@dataclass(frozen=True, slots=True)
class Move:
    """That a lesson changes its place."""

    lesson: str
    was: Slot | None
    """None where it had no place."""
    slot: Slot
    rooms: tuple[str | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Swapped:
    """What a swap comes to."""

    timetable: Timetable
    moved: tuple[Move, ...]
    broken: tuple[Violation, ...]
    """What it would break that is not broken now, the laws first."""
    gain: tuple[int, int]
    """(hard, soft) points that it saves; below 0 where it costs."""
    verdict: Verdict
    """Of the checker, on the timetable with the swap."""

    @property
    def allowed(self) -> bool:
        """Tell whether it breaks no law."""
        return not any(violation.hard for violation in self.broken)


def swap(problem: Problem, timetable: Timetable, one: Spot, other: Spot) -> Swapped:
    """Return what becomes of a timetable where what is at two spots changes places.

    Lessons that rules tie to one start move together. Where one of two is longer, whatever the class (or the teacher,
    or the room) has beside the shorter one moves with that. Raises ``InvalidInput`` where a spot is none.
    """
    starts = _Swap(problem, timetable, one, other).starts()
    return judged(problem, timetable, moved_to(problem, timetable, starts))


def moved_to(problem: Problem, timetable: Timetable, starts: Mapping[str, Slot]) -> Timetable:
    """Return the timetable with these lessons at these starts and their rooms chosen anew."""
    places = dict(timetable.by_lesson)
    for lesson, slot in starts.items():
        before = places.get(lesson) or Placement(lesson=lesson, slot=slot)
        places[lesson] = before.model_copy(update={"slot": slot})
    return Timetable(placements=tuple(with_rooms(problem, places, list(starts)).values()))


def judged(problem: Problem, before: Timetable, after: Timetable, was: Verdict | None = None) -> Swapped:
    """Return what the checker says of a change; ``was`` is its verdict before, where that is known."""
    was, now = was or validate(problem, before, complete=True), validate(problem, after, complete=True)
    return Swapped(
        timetable=after,
        moved=moves_between(before, after),
        broken=added(problem.calendar, was.violations, now.violations),
        gain=(was.hard - now.hard, was.soft - now.soft),
        verdict=now,
    )


def moves_between(before: Timetable, after: Timetable) -> tuple[Move, ...]:
    """Return the lessons whose time or rooms differ."""
    old = before.by_lesson
    return tuple(
        Move(place.lesson, old[place.lesson].slot if place.lesson in old else None, place.slot, place.rooms)
        for place in after.placements
        if old.get(place.lesson) != place
    )


def added(calendar: Calendar, was: Iterable[Violation], now: Iterable[Violation]) -> tuple[Violation, ...]:
    """Return the violations that are new, or dearer than before for the same people on the same days."""
    was, now = tuple(was), tuple(now)
    gone: dict[Any, list[int]] = defaultdict(list)
    for violation in (Counter(was) - Counter(now)).elements():
        gone[_about(calendar, violation)].append(violation.cost)
    new = []
    for violation in (Counter(now) - Counter(was)).elements():
        costs = gone[_about(calendar, violation)]
        as_dear = next((cost for cost in costs if cost >= violation.cost), None)
        if as_dear is None:
            new.append(violation)
        else:
            costs.remove(as_dear)
    return tuple(new)


def _about(calendar: Calendar, violation: Violation) -> tuple[Any, ...]:
    """Return what makes a violation the same one with another figure."""
    days = {calendar.day_of[slot] for slot in violation.slots if 0 <= slot < calendar.slots}
    whom = violation.lessons, violation.teachers, violation.groups, violation.rooms
    return violation.rule, violation.hard, whom, frozenset(days)


class _Swap:
    """Works out which lessons go where; all that is known of lessons here is by block, tied lessons being one."""

    def __init__(self, problem: Problem, timetable: Timetable, one: Spot, other: Spot) -> None:
        self._problem = problem
        self._view = View(problem, timetable)
        self._ends = [(one, self._found(one, "/one", other)), (other, self._found(other, "/other", one))]

    def starts(self) -> dict[str, Slot]:
        """Return the new start of each lesson that moves."""
        (_, first), (_, second) = self._ends
        if first & second:
            raise _refused("/other", "Both ends are the same lesson.", "same")
        if not first | second:
            raise _refused("/other", "There is no lesson at either end.", "empty")
        anchors = [self._anchor(spot, blocks) for spot, blocks in self._ends]
        for (_, blocks), anchor, there in zip(self._ends, anchors, reversed(anchors), strict=True):
            if anchor is None:
                if there is None:
                    raise _refused("/other", "Neither end has a place.", "empty")
                return self._shifted(blocks, there, None)
        if anchors[0] == anchors[1]:
            raise _refused("/other", "Both ends are at the same time.", "same")
        return self._exchanged(anchors[0] or 0, anchors[1] or 0)

    def _exchanged(self, first: Slot, second: Slot) -> dict[str, Slot]:
        (_, ours), (_, theirs) = self._ends
        lengths = self._length(ours), self._length(theirs)
        if lengths[1] > lengths[0]:  # the longer one leads
            ours, theirs, first, second = theirs, ours, second, first
        longer, shorter = max(lengths), min(lengths)
        between = abs(second - first) - (longer if second > first else shorter)
        on_one_day = self._problem.calendar.day_of[first] == self._problem.calendar.day_of[second]
        if ours and theirs and on_one_day and between < 0:
            raise _refused("/other", "Both ends are at the same time.", "same")
        if theirs and longer > shorter and on_one_day:
            return self._turned(ours, theirs, (first, second), (longer, shorter))
        people = self._whose(ours, theirs)
        window, target = range(first, first + longer), range(second, second + longer)
        leading, back = ours, first - second
        if abs(back) < longer:  # a move that overlaps itself: what is in the way jumps over it
            back = longer if back > 0 else -longer
        else:
            leading = ours | self._in(people, window) - theirs
        following = theirs | self._in(people, target) - leading
        return {**self._shifted(leading, second - first, 0), **self._shifted(following, back, 0)}

    def _turned(
        self, ours: set[int], theirs: set[int], starts: tuple[Slot, Slot], lengths: tuple[int, int]
    ) -> dict[str, Slot]:
        """Return the starts where a longer lesson and a shorter one of a day change their order.

        Together they reach from and to where they did; what lies beside the shorter one in the place of the longer one
        comes to lie beside it again. Done twice it changes nothing.
        """
        (first, second), (longer, shorter) = starts, lengths
        is_after = second > first
        low = min(first, second)
        high = second + shorter if is_after else first + longer
        target = range(high - longer, high) if is_after else range(low, low + longer)
        others = self._in(self._whose(ours, theirs), target) - ours - theirs
        by = max(high - low - longer - shorter, longer - shorter)
        return {
            **self._shifted(others, -by if is_after else by, 0),
            **self._shifted(ours, target.start - first, 0),
            **self._shifted(theirs, (low if is_after else high - shorter) - second, 0),
        }

    def _shifted(self, blocks: Collection[int], by: int, since: int | None) -> dict[str, Slot]:
        """Return the starts of blocks moved ``by`` so many slots, or placed at ``by`` where they had no place."""
        found = {}
        for block in blocks:
            for i in self._problem.tied[block]:
                lesson = self._problem.lessons[i]
                start = by if since is None else self._view.span(lesson).start + by
                if not 0 <= start < self._problem.calendar.slots:
                    raise _refused("/other", f"{self._view.label(lesson)} would leave the week.", "out_of_range")
                found[lesson.id] = start
        return found

    def _found(self, spot: Spot, where: str, opposite: Spot) -> set[int]:
        """Return the blocks that a spot holds. Raises ``InvalidInput``."""
        if spot.lesson is not None:
            if spot.lesson not in self._problem.lesson:
                raise _refused(f"{where}/lesson", f"There is no lesson “{spot.lesson}”.", "unknown")
            return {self._problem.block_of[spot.lesson]}
        if spot.slot is None or not 0 <= spot.slot < self._problem.calendar.slots:
            last = self._problem.calendar.slots - 1
            raise _refused(f"{where}/slot", f"Name a lesson, or a slot from 0 to {last}.", "out_of_range")
        if spot.who is None and opposite.lesson not in self._problem.lesson:
            raise _refused(f"{where}/who", "Say whose slot this is, or name a lesson at the other end.", "missing")
        if spot.who is not None:
            require_known(self._problem, spot.who, f"{where}/who")
        return self._beside(spot.who, spot.slot, opposite.lesson)

    def _beside(self, who: tuple[str, str] | None, slot: Slot, opposite: str | None) -> set[int]:
        """Return what somebody has in a slot, but not the lesson at the other end, which may reach into it."""
        lesson = self._problem.lesson.get(opposite or "")
        own = {self._problem.block_of[lesson.id]} if lesson else set()
        people = [("group", group) for group in lesson.groups] if lesson else []
        if lesson and not self._view.span(lesson):
            return set()
        return self._in([who] if who else people, range(slot, slot + 1)) - own

    def _anchor(self, spot: Spot, blocks: Collection[int]) -> Slot | None:
        """Return where what a spot holds starts; its slot where it holds nothing, None where that has no place."""
        starts = [span.start for block in blocks for span in self._spans(block)]
        return min(starts, default=spot.slot if not blocks else None)

    def _length(self, blocks: Collection[int]) -> int:
        spans = [span for block in blocks for span in self._spans(block)]
        return max((span.stop for span in spans), default=1) - min((span.start for span in spans), default=0)

    def _spans(self, block: int) -> list[range]:
        lessons = [self._problem.lessons[i] for i in self._problem.tied[block]]
        return [self._view.span(lesson) for lesson in self._view.placed(lessons)]

    def _in(self, people: Iterable[tuple[str, str]], window: range) -> set[int]:
        """Return the blocks that any of these have in a window of slots."""
        there = {lesson.id: lesson for who in people for lesson in lessons_of(self._view, who)}
        return {
            self._problem.block_of[name]
            for name, lesson in there.items()
            if any(slot in window for slot in self._view.span(lesson))
        }

    def _whose(self, ours: Collection[int], theirs: Collection[int]) -> list[tuple[str, str]]:
        """Return whose day a swap is in: who the spots name, else the classes both have, else the teachers."""
        named = [spot.who for spot, _ in self._ends if spot.who is not None]
        if named or not theirs:
            return named or [("group", group) for lesson in self._lessons(ours) for group in lesson.groups]
        one, other = self._lessons(ours), self._lessons(theirs)
        near = {near for lesson in one for group in lesson.groups for near in self._problem.sharing[group]}
        groups = [("group", group) for lesson in one + other for group in lesson.groups if group in near]
        if any(who[1] in lesson.groups for lesson in other for who in groups):
            return groups
        teachers = {t for lesson in one for t in lesson.teachers} & {t for lesson in other for t in lesson.teachers}
        return [("teacher", teacher) for teacher in teachers]

    def _lessons(self, blocks: Collection[int]) -> list[Lesson]:
        return [self._problem.lessons[i] for block in blocks for i in self._problem.tied[block]]


def lessons_of(view: View, who: tuple[str, str]) -> list[Lesson]:
    """Return the placed lessons of a class, a teacher or a room."""
    if who[0] != "room":
        return view.placed(view.problem.lessons_of[who])
    return [lesson for lesson in view.placed(view.problem.lessons) if who[1] in view.rooms(lesson)]


def require_known(problem: Problem, who: tuple[str, str], where: str) -> None:
    """Raise ``InvalidInput`` where there is no such class, teacher or room."""
    known: dict[str, Mapping[str, Any]] = {"group": problem.group, "teacher": problem.teacher, "room": problem.room}
    if who[1] not in known.get(who[0], ()):
        raise _refused(where, f"There is no {who[0]} “{who[1]}”.", "unknown")


def _refused(where: str, what: str, code: str) -> InvalidInput:
    return InvalidInput(what, [Fault(where, what, code)])
