"""How hot an annealing is to be: from what moves cost on the problem at hand, not from a table."""

import numpy as np
from numpy.typing import NDArray

_HALVINGS = 60
_COLDEST, _HOTTEST = 1e-6, 1e12


def temperature(worse: NDArray[np.float64], share: float) -> float:
    """Return where moves that are worse by these amounts would be kept with a mean chance of ``share``.

    A mean of the amounts would say little: a few that are a hundred times dearer than the rest, as of a full hall's
    lesson in a small room, would make everything else free.
    """
    amounts = worse if len(worse) else np.ones(1)
    low, high = _COLDEST, _HOTTEST
    for _ in range(_HALVINGS):
        middle = float(np.sqrt(low * high))
        if np.exp(-amounts / middle).mean() < share:
            low = middle
        else:
            high = middle
    return high
