"""Digests in number: many classes publish many subjects, in any order, some twice, and every guardian hears once."""

from tests.benchmarks.digests import measure


async def test_exactly_one_digest_a_guardian_and_child(database_url: str) -> None:
    """Of 24 classes with 12 subjects each guardian gets one SMS and one bell entry a child, with all twelve (C-15)."""
    classes, students = 24, 10
    figures = await measure(database_url, classes=classes, students=students, subjects=12)
    pairs = classes * students
    assert (figures.publications, figures.contributions) == (classes * 13, classes * 13 * students)
    assert (figures.sms_sent, figures.bell_entries, figures.guardians_and_children) == (pairs, pairs, pairs)
    assert (figures.more_than_one, figures.without, figures.results_wrong) == (0, 0, 0)
