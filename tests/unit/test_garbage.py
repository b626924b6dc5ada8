"""Tests of how often a busy process looks for garbage."""

import gc

from cluster.garbage import rarely_collecting


def test_what_is_there_is_looked_through_no_more_until_the_end() -> None:
    """What was there before is left out, new circles are still found, and afterwards all is as it was."""
    before, frozen = gc.get_threshold(), gc.get_freeze_count()
    with rarely_collecting():
        assert gc.get_freeze_count() > frozen + 1_000
        assert gc.get_threshold() > before
        circle: list[object] = []
        circle.append(circle)
        del circle
        assert gc.collect() >= 1
    assert (gc.get_threshold(), gc.get_freeze_count()) == (before, 0)
