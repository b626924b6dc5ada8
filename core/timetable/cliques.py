"""Which groups can't be taught at one time, in as few sets as are easily found."""

from collections.abc import Iterable, Iterator, Mapping

from core.timetable.model import Problem


def clashing_sets(problem: Problem) -> Iterator[frozenset[str]]:
    """Yield sets of groups that pairwise share students; every pair that does is in one of them.

    One clique says more to a solver than the pairs in it. Each is grown greedily, so it need not be the largest.
    """
    seen: set[frozenset[str]] = set()
    for group in problem.groups:
        near = sorted(problem.sharing[group.id] - {group.id})
        uncovered = near
        while True:
            clique = _grown({group.id}, [*uncovered, *near], problem.sharing)
            if clique not in seen:
                seen.add(clique)
                yield clique
            uncovered = [other for other in uncovered if other not in clique]
            if not uncovered:
                break


def _grown(clique: set[str], others: Iterable[str], sharing: Mapping[str, frozenset[str]]) -> frozenset[str]:
    for other in others:
        if clique <= sharing[other]:
            clique.add(other)
    return frozenset(clique)
