"""Finds who lacks slots: demands that together have fewer slots than they need (Hall's theorem, by maximum flow)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ortools.graph.python import max_flow


@dataclass(frozen=True, slots=True)
class Demand:
    """So many slots that something needs, out of these."""

    amount: int
    slots: frozenset[int]


@dataclass(frozen=True, slots=True)
class Deficit:
    """Demands that can't all be met."""

    demands: tuple[int, ...]
    """Their indices."""
    slots: frozenset[int]
    """All the slots that they could use."""
    needed: int
    available: int


def deficit(
    demands: Sequence[Demand],
    capacity: Mapping[int, int],
    windows: Sequence[Sequence[int]] = (),
    most: int | None = None,
) -> Deficit | None:
    """Return demands that ask for more than there is; None where all can be met.

    A slot serves ``capacity`` demands, the slots of one window together ``most``.
    """
    flow = max_flow.SimpleMaxFlow()
    slots = {slot: 2 + i for i, slot in enumerate(sorted(capacity))}
    first = 2 + len(slots)
    for i, demand in enumerate(demands):
        flow.add_arc_with_capacity(0, first + i, demand.amount)
        for slot in demand.slots & slots.keys():
            flow.add_arc_with_capacity(first + i, slots[slot], demand.amount)
    gates = {slot: first + len(demands) + w for w, window in enumerate(windows) for slot in window}
    for slot, node in slots.items():
        flow.add_arc_with_capacity(node, gates.get(slot, 1), capacity[slot])
    for gate in sorted(set(gates.values())):
        flow.add_arc_with_capacity(gate, 1, most if most is not None else sum(capacity.values()))
    needed = sum(demand.amount for demand in demands)
    flow.solve(0, 1)
    missing = needed - flow.optimal_flow()
    return _short(flow, demands, slots, first, missing) if missing else None


def _short(
    flow: max_flow.SimpleMaxFlow, demands: Sequence[Demand], slots: Mapping[int, int], first: int, missing: int
) -> Deficit:
    reached = set(flow.get_source_side_min_cut())
    short = tuple(i for i in range(len(demands)) if first + i in reached)
    needed = sum(demands[i].amount for i in short)
    usable = frozenset().union(*(demands[i].slots for i in short)) & slots.keys()
    return Deficit(short, usable, needed, needed - missing)
