"""Looks for changes of a few blocks: a move, a swap, and what pushes a third on or goes round several places."""

import heapq
import time
from collections.abc import Callable, Collection, Iterator
from itertools import count, product
from random import Random

from core.timetable.suggesting_board import Board, Changed, Chosen

_LIMITS = (2, 3, 4)
"""So many blocks move at most: where a lesson's class and its teacher both have another then, two have to give way."""
_Kind = tuple[tuple[str, int], ...]
_Found = tuple[tuple[int, int], int, int, dict[int, int], Chosen]


class Search:
    """Collects the best changes that begin with any of some blocks."""

    def __init__(self, board: Board, kinds: list[_Kind], accept: Callable[[Changed], bool], keep: int) -> None:
        """Take what blocks are alike by (course, duration), and which changes are of use at all."""
        self._board = board
        self._kinds = kinds
        self._accept = accept
        self._keep = keep
        self._best: list[_Found] = []
        self._seen: set[frozenset[tuple[int, int]]] = set()
        self._number = count()

    def run(self, roots: Collection[int], until: float) -> list[tuple[Changed, Chosen]]:
        """Return the best changes first, as many as are kept, of those found by a time of ``time.monotonic``.

        Changes of one and two blocks are looked at before those of more, and these in no particular order.
        """
        firsts = [(root, start) for root in roots for start in self._elsewhere(root)]
        shuffled = Random(0).sample(firsts, len(firsts))  # noqa: S311 - an order, no secret
        for limit, (root, start) in product(_LIMITS, shuffled):
            if time.monotonic() > until:
                break
            for changed in self._placed(root, start, {}, (), limit):
                self._weigh(changed)
        return [(changed, chosen) for *_, changed, chosen in sorted(self._best, reverse=True, key=lambda f: f[:3])]

    def _elsewhere(self, block: int) -> Iterator[int]:
        return (start for start in self._board.program.blocks[block].starts if start != self._board.starts[block])

    def _placed(
        self, block: int, start: int, changed: dict[int, int], pending: tuple[int, ...], limit: int
    ) -> Iterator[dict[int, int]]:
        """Yield the changes in which a block starts there, whatever has to go because of that."""
        for displaced in self._board.in_the_way(block, start, {*changed, *pending}):
            if len(changed) + 1 + len(pending) + len(displaced) > limit or self._is_detour(displaced, block, changed):
                continue
            yield from self._pushed({**changed, block: start}, (*pending, *sorted(displaced)), limit)

    def _is_detour(self, displaced: Collection[int], block: int, changed: Changed) -> bool:
        """Tell whether a block would make way for its like, which might as well go there itself."""
        moved = {self._kinds[block], *(self._kinds[other] for other in changed)}
        return any(self._kinds[other] in moved for other in displaced)

    def _pushed(self, changed: dict[int, int], pending: tuple[int, ...], limit: int) -> Iterator[dict[int, int]]:
        if not pending:
            yield changed
            return
        block, rest = pending[0], pending[1:]
        for start in self._elsewhere(block):
            if not self._board.clash(block, start, changed):
                yield from self._placed(block, start, changed, rest, limit)

    def _weigh(self, changed: dict[int, int]) -> None:
        key = frozenset(changed.items())
        if key in self._seen:
            return
        self._seen.add(key)
        chosen = self._board.housed(changed) if self._accept(changed) else None
        if chosen is None:
            return
        gain = self._board.gain(changed, chosen)
        if gain[0] < 0 or (len(self._best) == self._keep and gain < self._best[0][0]):
            return
        push = heapq.heappush if len(self._best) < self._keep else heapq.heappushpop
        push(self._best, (gain, -len(changed), -next(self._number), changed, chosen))
