"""A class's cards as one document, sorted by name, with a bookmark for each student."""

from collections.abc import Iterable

from core.reports.broadsheet import name_key
from core.reports.card import Card
from core.reports.splitting import merge
from core.reports.wording import name_of


def bundle(printed: Iterable[tuple[Card, bytes]]) -> bytes:
    """Return printed cards as one PDF, by family name and given names where the records tell them apart."""
    by_name = sorted(printed, key=lambda each: (_sorted_by(each[0]), each[0].student.student_no))
    return merge((name_of(card), pdf) for card, pdf in by_name)


def _sorted_by(card: Card) -> str:
    student = card.student
    return name_key(f"{student.family_name} {student.given_names}".strip() or student.name)
