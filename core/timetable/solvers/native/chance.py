"""Random numbers for kernels: splitmix64, whose one word of state comes from the seed."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.timetable.solvers.native.compiled import inner

Dice = NDArray[np.uint64]


def dice(seed: int) -> Dice:
    """Return the state for a seed."""
    return np.array([(seed * 0x9E3779B97F4A7C15 + 0x632BE59BD9B4E019) % 2**64], np.uint64)


@inner
def throw(dice: Dice) -> np.uint64:
    """Return 64 random bits (Steele, Lea and Flood, OOPSLA 2014)."""
    dice[0] += np.uint64(0x9E3779B97F4A7C15)
    z = dice[0]
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    found: np.uint64 = z ^ (z >> np.uint64(31))
    return found


@inner
def below(dice: Dice, most: int) -> int:
    """Return a random number of 0 to ``most`` - 1, for ``most`` below 2**31."""
    found: Any = np.int64(((throw(dice) >> np.uint64(33)) * np.uint64(most)) >> np.uint64(31))
    as_int: int = found
    return as_int


@inner
def fraction(dice: Dice) -> float:
    """Return a random number in [0, 1)."""
    return np.int64(throw(dice) >> np.uint64(11)) * (1.0 / 9007199254740992.0)
