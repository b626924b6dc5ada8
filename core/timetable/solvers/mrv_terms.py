"""What a hard term still allows, by bounds that never rule out what may yet become feasible.

Slots are bits of an integer. A term is broken for certain where its values can't come back under ``high``, or can't
reach ``low`` any more. Values of gaps may fall as blocks fill them, at most by what is left to place; all other
measures only grow.
"""

from collections.abc import Iterator, Sequence

from core.timetable.program import Combine, Measure, Term

_FILLABLE = frozenset({Measure.GAPS, Measure.LATE, Measure.LONE})


def bits(mask: int) -> Iterator[int]:
    """Yield the indices of the bits that are set, ascending."""
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


def span(start: int, duration: int) -> int:
    """Return the slots of a block."""
    return ((1 << duration) - 1) << start


def touching(slots: int, duration: int) -> int:
    """Return the starts from which a block touches any of these slots."""
    starts = slots
    for k in range(1, duration):
        starts |= slots >> k
    return starts


def reach(starts: int, duration: int) -> int:
    """Return every slot in which a block with these starts may be."""
    slots = starts
    for k in range(1, duration):
        slots |= starts << k
    return slots


def _by_day(window: Sequence[int], day_of: Sequence[int]) -> Iterator[int]:
    """Yield a window's slots of each day, as bits."""
    for day in dict.fromkeys(day_of[slot] for slot in window):
        yield sum(1 << slot for slot in window if day_of[slot] == day)


class TermBounds:
    """One hard term over the window masks of its track."""

    def __init__(self, term: Term, day_of: Sequence[int]) -> None:
        self.track = term.track
        self.window_tracks = term.window_tracks
        self._term = term
        self._windows = [sum(1 << slot for slot in window) for window in term.windows]
        self._slots = term.windows
        self._contiguous = [window[-1] - window[0] + 1 == len(window) if window else True for window in term.windows]
        self._each = term.combine is not Combine.SUM_VALUE
        self._days = [tuple(_by_day(window, day_of)) for window in term.windows]
        self._fills = term.measure in _FILLABLE

    def holds(self, busy: int, starts: list[int], left: int, possible: list[tuple[int, int]]) -> bool:
        """Tell whether the term can still hold.

        Args:
            busy: slots in which a placed block of the track is on.
            starts: of the placed blocks.
            left: slots that the blocks yet to place will take.
            possible: (starts, duration) of each block yet to place.
        """
        values = self._values(busy, starts)
        return self._over(values) <= self._allowance(left) and self._reaches(values, busy, left, possible)

    def forbidden(self, busy: int, starts: list[int], left: int, duration: int, among: int) -> int:
        """Return those of the starts from which a block of this duration would break the term for certain."""
        values = self._values(busy, starts)
        allowance = self._allowance(left - duration)
        suspicious = among & touching(self._tight(values, duration), duration)
        found = 0
        for start in bits(suspicious):
            changed = self._changed(values, busy, start, duration)
            if self._over(changed) > allowance:
                found |= 1 << start
        return found

    def closed(self, busy: Sequence[int]) -> list[int] | None:
        """Return the slots of each window that its track can't begin to use; None where too many do already.

        Where windows have tracks of their own; ``busy`` is where those are.
        """
        active = [on & window != 0 for on, window in zip(busy, self._windows, strict=True)]
        if sum(active) > self._term.high:
            return None
        full = sum(active) == self._term.high
        return [window if full and not is_on else 0 for is_on, window in zip(active, self._windows, strict=True)]

    def _tight(self, values: list[int], duration: int) -> int:
        """Return the slots where one more block might be too much."""
        high = self._term.high
        if self._fills or self._term.measure is Measure.EXCESS_RUN:
            return self._all(self._windows)
        if self._each:
            return self._all(w for w, value in zip(self._windows, values, strict=True) if value + duration > high)
        return self._all(self._windows) if sum(values) + duration > high else 0

    def _all(self, windows: "Iterator[int] | list[int]") -> int:
        union = 0
        for window in windows:
            union |= window
        return union

    def _changed(self, values: list[int], busy: int, start: int, duration: int) -> list[int]:
        more = span(start, duration)
        now = busy | more
        changed = list(values)
        for i, window in enumerate(self._windows):
            if self._term.measure is Measure.STARTS:
                changed[i] += window >> start & 1
            elif window & more:
                changed[i] = self._value(i, now)
        return changed

    def _values(self, busy: int, starts: list[int]) -> list[int]:
        if self._term.measure is Measure.STARTS:
            return [sum(window >> start & 1 for start in starts) for window in self._windows]
        return [self._value(i, busy) for i in range(len(self._windows))]

    def _value(self, i: int, busy: int) -> int:
        on = busy & self._windows[i]
        match self._term.measure:
            case Measure.BUSY | Measure.STARTS:
                return on.bit_count()
            case Measure.ACTIVE:
                return int(on != 0)
            case Measure.MORE_DAYS:
                return max(0, sum(on & day != 0 for day in self._days[i]) - 1)
        return self._of_pattern(self._pattern(i, on))

    def _of_pattern(self, pattern: int) -> int:
        match self._term.measure:
            case Measure.LATE:
                return pattern.bit_length() - pattern.bit_count()
            case Measure.GAPS:
                first = (pattern & -pattern).bit_length() - 1
                return pattern.bit_length() - first - pattern.bit_count() if pattern else 0
            case Measure.LONE:
                return (pattern & ~(pattern << 1) & ~(pattern >> 1)).bit_count()
        runs = f"{pattern:b}".split("0")
        return sum(max(0, len(run) - self._term.run) for run in runs)

    def _pattern(self, i: int, on: int) -> int:
        """Return the busy slots by their place in the window."""
        slots = self._slots[i]
        if self._contiguous[i]:
            return on >> slots[0] if slots else 0
        return sum((on >> slot & 1) << place for place, slot in enumerate(slots))

    def _over(self, values: list[int]) -> int:
        high = self._term.high
        if self._each:
            return sum(value - high for value in values if value > high)
        return max(0, sum(values) - high)

    def _allowance(self, left: int) -> int:
        # One more busy slot may keep two lone ones company, and fills one gap.
        return (left * 2 if self._term.measure is Measure.LONE else left) if self._fills else 0

    def _reaches(self, values: list[int], busy: int, left: int, possible: list[tuple[int, int]]) -> bool:
        if self._term.low <= 0 or (possible and (self._fills or self._term.measure is Measure.EXCESS_RUN)):
            return True
        most = [self._most(i, value, busy, left, possible) for i, value in enumerate(values)]
        if not self._each:
            values, most = [sum(values)], [sum(most)]
        low, or_zero = self._term.low, self._term.or_zero
        return all(top >= low or (or_zero and value == 0) for value, top in zip(values, most, strict=True))

    def _most(self, i: int, value: int, busy: int, left: int, possible: list[tuple[int, int]]) -> int:
        window = self._windows[i]
        if self._term.measure is Measure.STARTS:
            return value + sum(starts & window != 0 for starts, _ in possible)
        free = 0
        for starts, duration in possible:
            free |= reach(starts, duration)
        free &= window & ~busy
        if self._term.measure is Measure.ACTIVE:
            return int(value > 0 or free != 0)
        return value + min(left, free.bit_count())
