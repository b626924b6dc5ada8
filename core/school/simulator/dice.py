"""Chance that is the same everywhere: seeded streams that depend on no library's choice of method.

NumPy keeps the raw stream of PCG64 stable but may change how it turns it into a normal or a choice (NEP 19), so
only uniforms are taken from it and the rest is worked out here.
"""

import hashlib
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
T = TypeVar("T")


class Dice:
    """One stream of chance, named by what it decides. Streams of other names don't disturb it."""

    def __init__(self, *name: object) -> None:
        digest = hashlib.sha256("|".join(map(str, name)).encode()).digest()
        self._uniform = np.random.Generator(np.random.PCG64(int.from_bytes(digest[:16])))

    def uniform(self, *shape: int) -> Floats:
        """Return numbers in [0, 1)."""
        return self._uniform.random(shape)

    def normal(self, *shape: int) -> Floats:
        """Return standard normal numbers (Box and Muller, 1958)."""
        radius = np.sqrt(-2 * np.log1p(-self.uniform(*shape)))
        normals: Floats = radius * np.cos(2 * np.pi * self.uniform(*shape))
        return normals

    def happens(self, probability: float) -> bool:
        """Tell whether something of this probability happens."""
        return bool(self.uniform(1)[0] < probability)

    def below(self, limit: int) -> int:
        """Return a whole number in [0, limit)."""
        return int(self.uniform(1)[0] * limit)

    def pick(self, choices: Sequence[T]) -> T:
        """Return one of the choices, each as likely."""
        return choices[self.below(len(choices))]

    def weighted(self, choices: Sequence[tuple[T, float]]) -> T:
        """Return one of the choices, by its share; the shares add up to 1."""
        left = float(self.uniform(1)[0])
        for choice, share in choices:
            left -= share
            if left < 0:
                return choice
        return choices[-1][0]

    def shuffled(self, things: Sequence[T]) -> list[T]:
        """Return the things in a chance order."""
        return [things[int(place)] for place in np.argsort(self.uniform(len(things)), kind="stable")]


def logistic(x: Floats) -> Floats:
    """Return the probability of log-odds."""
    odds: Floats = 1 / (1 + np.exp(-x))
    return odds
