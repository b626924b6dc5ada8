"""What is counted of somebody's day, for checks."""

from collections.abc import Collection, Iterator, Sequence


def gaps(busy: Collection[int], window: Sequence[int]) -> list[int]:
    """Return the idle slots between the first and the last busy one of a window."""
    on = [slot for slot in window if slot in busy]
    return [slot for slot in window if on and on[0] < slot < on[-1] and slot not in busy]


def late(busy: Collection[int], window: Sequence[int]) -> list[int]:
    """Return the idle slots of a window before its last busy one."""
    on = [slot for slot in window if slot in busy]
    return [slot for slot in window if on and slot < on[-1] and slot not in busy]


def runs(busy: Collection[int], window: Sequence[int]) -> Iterator[list[int]]:
    """Yield each run of neighbouring busy slots of a window."""
    run: list[int] = []
    for slot in window:
        if slot in busy:
            run.append(slot)
        elif run:
            yield run
            run = []
    if run:
        yield run


def outside(value: int, low: int, high: int, *, or_zero: bool = False) -> int:
    """Return the distance of a value to ``[low, high]``."""
    if or_zero and value == 0:
        return 0
    return max(low - value, value - high, 0)


def shares(things: int, days: int) -> tuple[int, int]:
    """Return each day's share of so many things, rounded down and up."""
    return (things // days, -(-things // days)) if days else (0, 0)
