"""The annealing learns how often to make each kind of move."""

from collections import Counter

import numpy as np

from core.timetable.solvers.native import mixing
from core.timetable.solvers.native.chance import dice
from core.timetable.solvers.native.pack import Ints

PRIOR = {mixing.ROOM: 10, mixing.CHAIN: 20, mixing.DAY_CHAIN: 20}


def made(mix: Ints, throws: int = 2000) -> Counter[int]:
    """Return how often each kind is thrown."""
    rolls = dice(1)
    with np.errstate(over="ignore"):  # the dice count on it
        return Counter(mixing.kind_of_move(mix, rolls) for _ in range(throws))


def test_kinds_are_made_as_their_priors_say_at_first() -> None:
    """A kind of twice the prior is made twice as often, one without a prior never."""
    found = made(mixing.mixed(PRIOR))
    assert set(found) == set(PRIOR)
    assert 1.5 < found[mixing.CHAIN] / found[mixing.ROOM] < 2.5


def test_what_changes_the_cost_is_made_more_often_and_nothing_is_given_up() -> None:
    """After a while of learning a kind that is never kept is made seldom, but still made."""
    mix = mixing.mixed(PRIOR)
    for _ in range(5):
        mix[mixing.TRIED + np.array(list(PRIOR))] += 4000
        mix[mixing.CHANGED + mixing.CHAIN] += 400
        mix[mixing.CHANGED + mixing.DAY_CHAIN] += 100
        mixing.learn(mix)
    share = mix[mixing.SHARE : mixing.SHARE + mixing.KINDS]
    assert share.sum() <= mixing.WHOLE
    assert share[mixing.CHAIN] > share[mixing.DAY_CHAIN] > 5 * share[mixing.ROOM] > 0
    assert set(made(mix)) == set(PRIOR)
