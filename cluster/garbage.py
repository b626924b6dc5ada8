"""How often a busy process looks for objects that refer to each other in a circle."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_YOUNG = 20_000
"""New objects before the young are looked at. Python's 700 are reached with every few messages, and what is under way
is looked at over and over: a fifth of a notifier's CPU. Hundreds of messages make so few circles that memory stays."""
_OLDER = 20


@contextmanager
def rarely_collecting() -> Iterator[None]:
    """Leave out of every search what is there already, and search less often, until the end."""
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, _OLDER, _OLDER)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
