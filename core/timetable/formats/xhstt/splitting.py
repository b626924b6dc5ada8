"""How events are cut into parts before a timetable is sought.

The format leaves the cut to the solver; here it is settled first: the cheapest that the constraints on parts allow, of
these one whose parts have starts and days enough, and of these the one with most parts, which is the easiest to place.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Hashable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice

from core.timetable.formats.xhstt.archive import Event, Instance

MOST_CUTS = 6_000
"""Of an event of more than 30 times not all cuts are looked at: those with small parts, and the even ones."""


@dataclass(frozen=True, slots=True)
class Prices:
    """What cuts cost."""

    of: Callable[[Event, Sequence[int]], tuple[int, int]]
    """(hard, soft) of a cut of an event."""
    alike: Callable[[Event], Hashable]
    """The same for events to which every cut costs the same."""


def cuts_of(
    instance: Instance, linked: Sequence[Sequence[str]], bound: Collection[str], prices: Prices
) -> dict[str, tuple[int, ...]]:
    """Return the parts of each event, longest first. Linked events of one duration are cut alike.

    Only the cuts of ``bound`` events have prices; the others fall into single periods.
    """
    chosen: dict[str, tuple[int, ...]] = {}
    known: dict[Hashable, tuple[int, ...]] = {}
    for together in _alike(instance, linked):
        events = [instance.events[one] for one in together]
        if any(event.time is not None for event in events):
            best: tuple[int, ...] = (events[0].duration,)
        elif not any(event.id in bound for event in events):
            best = (1,) * events[0].duration
        else:
            key = tuple(prices.alike(event) for event in events)
            if key not in known:
                known[key] = _best(events, prices)
            best = known[key]
        chosen |= dict.fromkeys(together, best)
    return chosen


def _best(events: Sequence[Event], prices: Prices) -> tuple[int, ...]:
    """Return the cheapest cut for all of these together; of several, the one with most parts."""
    duration = events[0].duration
    even = (_even(duration, parts) for parts in range(1, duration + 1))
    candidates = chain(even, islice(_partitions(duration), MOST_CUTS))
    return min(candidates, key=lambda cut: (*_total(events, cut, prices), -len(cut)))


def _even(duration: int, parts: int) -> tuple[int, ...]:
    short, longer = divmod(duration, parts)
    return (short + 1,) * longer + (short,) * (parts - longer)


def _total(events: Sequence[Event], cut: tuple[int, ...], prices: Prices) -> tuple[int, int]:
    costs = [prices.of(event, cut) for event in events]
    return sum(hard for hard, _ in costs), sum(soft for _, soft in costs)


def _alike(instance: Instance, linked: Sequence[Sequence[str]]) -> Iterator[list[str]]:
    """Yield the events in sets that are cut alike."""
    parent = {event: event for event in instance.events}

    def root(event: str) -> str:
        while parent[event] != event:
            parent[event] = event = parent[parent[event]]
        return event

    for group in linked:
        first: dict[int, str] = {}
        for event in group:
            near = first.setdefault(instance.events[event].duration, event)
            parent[root(event)] = root(near)
    found: dict[str, list[str]] = defaultdict(list)
    for event in instance.events:
        found[root(event)].append(event)
    yield from found.values()


def _partitions(total: int) -> Iterator[tuple[int, ...]]:
    """Yield each way to write a number as a sum, parts falling; those with small parts first."""
    for largest in range(1, total + 1):
        if largest == total:
            yield (total,)
        else:
            yield from ((largest, *rest) for rest in _at_most(total - largest, largest))


def _at_most(total: int, largest: int) -> Iterator[tuple[int, ...]]:
    if total == 0:
        yield ()
        return
    for part in range(1, min(total, largest) + 1):
        yield from ((part, *rest) for rest in _at_most(total - part, part))
