"""Blocks that nothing tells apart, as the five single lessons of a class in one subject.

A timetable in which they change places is the same timetable, and a search that tells them apart visits each many times
over. A bundle has one literal a start, of which as many are true as it has blocks.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass

from core.timetable.program import Pair, Program, Relation

_SYMMETRIC = frozenset(
    {
        Relation.SAME_START,
        Relation.NO_OVERLAP,
        Relation.DAYS_APART,
        Relation.SAME_DAY,
        Relation.DIFFERENT_DAY,
        Relation.ADJACENT_ON_DAY,
        Relation.APART_ON_DAY,
    }
)


@dataclass(frozen=True, slots=True)
class BundlePair:
    """The pairs between all blocks of one bundle and all of another, or among those of one."""

    first: int
    second: int
    pair: Pair
    """One of them; each of the others says the same."""
    times: int
    """How often each two blocks are bound so."""


class Bundles:
    """The blocks of a program in bundles."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.members = [tuple(blocks) for blocks in _alike(program)]
        self.of = {block: bundle for bundle, blocks in enumerate(self.members) for block in blocks}

    def __len__(self) -> int:
        return len(self.members)

    def among(self, blocks: Sequence[int]) -> list[int]:
        """Return the bundles of these blocks."""
        return list(dict.fromkeys(self.of[block] for block in blocks))

    def pairs(self) -> Iterator[BundlePair]:
        """Yield the pairs, each once for all blocks that it binds alike."""
        count: dict[tuple[int, int, Hashable], int] = defaultdict(int)
        example: dict[tuple[int, int, Hashable], Pair] = {}
        for pair in self.program.pairs:
            one, other = self.of[pair.first], self.of[pair.second]
            key = one, other, _terms_of(pair)
            count[key] += 1
            example.setdefault(key, pair)
        for (one, other, terms), times in count.items():
            size, more = len(self.members[one]), len(self.members[other])
            bound = size * more if one != other else max(1, size * (size - 1) // 2)
            yield BundlePair(one, other, example[one, other, terms], times // bound)


def _terms_of(pair: Pair) -> tuple[Hashable, ...]:
    return pair.source, pair.relation, pair.amount, pair.function, pair.hard, pair.weight


def _alike(program: Program) -> Iterator[list[int]]:
    by_itself = _memberships(program)
    groups: dict[Hashable, list[int]] = defaultdict(list)
    for b, one in enumerate(program.blocks):
        cost = frozenset(one.start_cost.items())
        groups[one.duration, one.starts, cost, one.needs, tuple(by_itself[b])].append(b)
    group_of = {block: number for number, blocks in enumerate(groups.values()) for block in blocks}
    outer, inner = _profiles(program, group_of)
    excluding = {block for exclusive in program.exclusives for block in exclusive.blocks}
    for number, blocks in enumerate(groups.values()):
        if not set(blocks) <= excluding or not _is_uniform(len(blocks), inner[number]):
            yield from ([block] for block in blocks)
            continue
        parts: dict[Hashable, list[int]] = defaultdict(list)
        for block in blocks:
            parts[frozenset(outer[block].items())].append(block)
        yield from parts.values() if len(parts) == 1 or not inner[number] else ([block] for block in blocks)


def _memberships(program: Program) -> list[list[Hashable]]:
    found: list[list[Hashable]] = [[] for _ in program.blocks]
    for kind, sets in (("exclusive", [e.blocks for e in program.exclusives]), ("track", program.tracks)):
        for number, blocks in enumerate(sets):
            for block in blocks:
                found[block].append((kind, number))
    for number, stability in enumerate(program.stabilities):
        for block, need in stability.needs:
            found[block].append(("stability", number, need))
    for number, travel in enumerate(program.travels):
        for block, need in travel.stops:
            found[block].append(("travel", number, need))
    for cut in program.cuts:
        found[cut.block].append(("cut", cut.source, cut.starts))
    return found


def _profiles(
    program: Program, group_of: dict[int, int]
) -> tuple[dict[int, dict[Hashable, int]], dict[int, dict[Hashable, int]]]:
    """Return how each block is bound to those of other groups, and how each group's are among themselves."""
    outer: dict[int, dict[Hashable, int]] = defaultdict(lambda: defaultdict(int))
    inner: dict[int, dict[Hashable, int]] = defaultdict(lambda: defaultdict(int))
    for number, pair in enumerate(program.pairs):
        if group_of[pair.first] == group_of[pair.second]:
            what = _terms_of(pair) if pair.hard and pair.relation in _SYMMETRIC else number
            inner[group_of[pair.first]][what] += 1
            continue
        # A soft pair other than this costs by how many of both bundles it concerns, which literals can't count.
        own = -1 if pair.hard or pair.relation is Relation.NOT_NEXT else number
        outer[pair.first][0, pair.second, _terms_of(pair), own] += 1
        outer[pair.second][1, pair.first, _terms_of(pair), own] += 1
    return outer, inner


def _is_uniform(size: int, inner: dict[Hashable, int]) -> bool:
    return all(isinstance(what, tuple) and count == size * (size - 1) // 2 for what, count in inner.items())
