"""Random programs small enough to try every assignment, with every hard primitive there is."""

from collections.abc import Iterator
from itertools import product
from random import Random

from core.timetable.cost_function import CostFunction
from core.timetable.program import (
    CLASH,
    Assignment,
    Block,
    Combine,
    Exclusive,
    Measure,
    Pair,
    Program,
    Relation,
    RoomOption,
    Stability,
    Term,
    Travel,
)

DAY_OF = (0, 0, 0, 0, 1, 1, 1)
WINDOWS = ((0, 1, 2, 3), (4, 5, 6))
ROOMS = 3


def random_program(seed: int) -> Program:
    """Return four blocks in a week of two days, with up to five hard pieces of any kind."""
    random = Random(seed)
    blocks = tuple(_block(random, i) for i in range(4))
    pieces = [random.randrange(4) for _ in range(random.randint(1, 5))]
    tracks = tuple(tuple(sorted(random.sample(range(4), random.randint(2, 4)))) for _ in range(3))
    return Program(
        day_of=DAY_OF,
        blocks=blocks,
        rooms=tuple(frozenset(random.sample(range(len(DAY_OF)), random.randint(0, 3))) for _ in range(ROOMS)),
        building_of=tuple(random.choice((-1, 0, 1)) for _ in range(ROOMS)),
        exclusives=tuple(Exclusive(CLASH, track, ("teacher", "t")) for track in tracks[: random.randint(0, 2)]),
        tracks=(*tracks, tuple(range(4))),
        terms=(*(_term(random) for piece in pieces if piece == 0), *_kinds(Random(-seed - 1))),
        pairs=tuple(_pair(random) for piece in pieces if piece == 1),
        stabilities=tuple(_stability(random, blocks) for piece in pieces if piece == 2),
        travels=tuple(_travel(random, blocks, tracks) for piece in pieces if piece == 3),
        cuts=(),
    )


def assignments(program: Program) -> Iterator[Assignment]:
    """Yield every assignment that places each block and gives each need a room of its own."""
    each = (product(*([option.room for option in need] for need in block.needs)) for block in program.blocks)
    rooms = list(product(*each))
    # Where a need has no room left, millions of starts would be tried for nothing.
    for starts in product(*(block.starts for block in program.blocks)) if rooms else ():
        for chosen in rooms:
            yield Assignment(starts, chosen)


def _block(random: Random, i: int) -> Block:
    duration = random.choice((1, 1, 2))
    fitting = [s for s in range(len(DAY_OF) - duration + 1) if DAY_OF[s] == DAY_OF[s + duration - 1]]
    starts = tuple(sorted(random.sample(fitting, random.randint(1, len(fitting)))))
    needs = tuple(
        tuple(RoomOption(room, 0) for room in sorted(random.sample(range(ROOMS), random.randint(1, 2))))
        for _ in range(random.choice((0, 1, 1, 2)))
    )
    return Block((i,), duration, starts, {}, needs)


def _term(random: Random) -> Term:
    low = random.choice((0, 0, 1, 2))
    return Term(
        source=0,
        track=random.randrange(3),
        measure=random.choice(list(Measure)),
        windows=random.choice((WINDOWS, WINDOWS[:1], ((1, 3), (4, 6)), ((0, 1, 2, 3, 4, 5, 6),))),
        low=low,
        high=low + random.choice((0, 1, 2)),
        or_zero=random.random() < 0.4,
        run=random.choice((1, 2)),
        combine=random.choice(list(Combine)),
        function=random.choice(list(CostFunction)),
        hard=True,
        weight=1,
    )


def _kinds(random: Random) -> Iterator[Term]:
    """Yield, now and then, that of two or three tracks not all are active in one window."""
    if random.random() < 0.7:
        return
    tracks = tuple(random.sample(range(3), random.randint(2, 3)))
    yield Term(
        source=0,
        track=3,
        measure=Measure.ACTIVE,
        windows=(random.choice(WINDOWS),) * len(tracks),
        window_tracks=tracks,
        high=random.randint(1, len(tracks) - 1),
        combine=Combine.SUM_VALUE,
        hard=True,
        weight=1,
    )


def _pair(random: Random) -> Pair:
    first, second = random.sample(range(4), 2)
    relation = random.choice(list(Relation))
    return Pair(
        source=0, first=first, second=second, relation=relation, amount=random.choice((0, 1, 2)), hard=True, weight=1
    )


def _stability(random: Random, blocks: tuple[Block, ...]) -> Stability:
    needs = tuple((b, n) for b, block in enumerate(blocks) for n in range(len(block.needs)))
    return Stability(
        source=0, needs=needs, most=random.choice((1, 2)), function=CostFunction.LINEAR, hard=True, weight=1
    )


def _travel(random: Random, blocks: tuple[Block, ...], tracks: tuple[tuple[int, ...], ...]) -> Travel:
    track, rooms_apart = random.randrange(3), random.choice((0, 0, 1, 2))
    return Travel(
        source=0,
        track=track,
        stops=tuple((b, 0 if blocks[b].needs else -1) for b in tracks[track]),
        slots_between={(0, 1): random.randint(0, 2), (1, 0): random.randint(0, 2)},
        rooms_apart=rooms_apart,
        home=-1 if rooms_apart else random.choice((-1, 0)),
        hard=True,
        weight=1,
    )
