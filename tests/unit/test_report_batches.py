"""How a batch is cut into chunks, and how it ends by what came of its cards."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.jobs.model import JobState
from core.reports.batch_records import CARDS_A_DOCUMENT, Counts, chunk_sizes
from core.reports.chunks import ChunkPolicy


@given(st.lists(st.integers(min_value=1, max_value=120), max_size=40))
def test_chunks_hold_every_card_and_no_more_than_fit(classes: list[int]) -> None:
    """Whatever the classes' sizes, chunks hold all cards in order and 1 to 25 each."""
    sizes = chunk_sizes(classes)
    assert sum(sizes) == sum(classes)
    assert all(1 <= size <= CARDS_A_DOCUMENT for size in sizes)


@pytest.mark.parametrize(
    ("classes", "sizes"),
    [([40, 40], [20, 20, 20, 20]), ([3, 4, 5], [12]), ([20, 6], [20, 6]), ([51, 2], [17, 17, 19]), ([], [])],
)
def test_large_classes_are_parted_evenly_and_small_ones_share(classes: list[int], sizes: list[int]) -> None:
    """A class past a chunk is parted evenly; small classes that follow each other share one."""
    assert chunk_sizes(classes) == sizes


@pytest.mark.parametrize(
    ("counts", "cancelled", "state"),
    [
        (Counts(total=3, done=3, failed=0, withheld=0, cancelled=0), False, JobState.SUCCEEDED),
        (Counts(total=3, done=2, failed=1, withheld=0, cancelled=0), False, JobState.COMPLETED_WITH_ERRORS),
        (Counts(total=3, done=2, failed=0, withheld=1, cancelled=0), False, JobState.SUCCEEDED),
        (Counts(total=3, done=1, failed=1, withheld=1, cancelled=0), False, JobState.COMPLETED_WITH_ERRORS),
        (Counts(total=3, done=0, failed=0, withheld=3, cancelled=0), False, JobState.COMPLETED_WITH_ERRORS),
        (Counts(total=3, done=0, failed=2, withheld=1, cancelled=0), False, JobState.FAILED),
        (Counts(total=3, done=0, failed=3, withheld=0, cancelled=0), False, JobState.FAILED),
        (Counts(total=3, done=1, failed=0, withheld=0, cancelled=2), True, JobState.CANCELLED),
    ],
)
def test_a_job_ends_by_what_came_of_its_cards(counts: Counts, cancelled: bool, state: JobState) -> None:
    """Printed as far as the school lets it, in part, not at all, or stopped: what is withheld is no failure."""
    assert counts.end(cancelled=cancelled) is state
    assert counts.over == counts.total


def test_a_store_that_is_away_is_left_alone_longer_each_time() -> None:
    """Waits double to a bound, and together outlast a store that is away for ten seconds by far."""
    policy = ChunkPolicy()
    waits = [policy.wait(number) for number in range(policy.most_waits)]
    assert waits[:4] == [timedelta(seconds=seconds) for seconds in (0.5, 1, 2, 4)]
    assert max(waits) == policy.wait_at_most
    assert timedelta(seconds=60) < sum(waits, timedelta()) < timedelta(seconds=120)
