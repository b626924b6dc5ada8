"""Psychomotor and affective ratings: the school's traits, 1 to 5. Pure."""

from collections.abc import Mapping
from typing import Literal

from core.errors import Fault, InvalidInput
from core.reports.card import Rating
from core.school.report_policies import ReportPolicy

BEST = 5
SCALE = {5: "Excellent", 4: "Very good", 3: "Good", 2: "Fair", 1: "Poor"}


def traits(rules: ReportPolicy) -> tuple[str, ...]:
    """Return every trait that is rated, as cards list them."""
    return (*rules.affective, *rules.psychomotor)


def require_valid(scores: Mapping[str, int], rules: ReportPolicy, where: str = "/scores") -> None:
    """Raise ``InvalidInput`` with a fault for each trait that is not the school's and each score off the scale."""
    known = frozenset(traits(rules))
    faults = [
        Fault(f"{where}/{trait}", f"is none of the school's traits: {', '.join(sorted(known))}", "unknown")
        for trait in scores
        if trait not in known
    ]
    faults += [
        Fault(f"{where}/{trait}", f"ratings go from 1 to {BEST}", "out_of_range")
        for trait, score in scores.items()
        if not 1 <= score <= BEST
    ]
    if faults:
        raise InvalidInput("the ratings do not fit the school's traits", faults)


def as_printed(scores: Mapping[str, int], rules: ReportPolicy) -> tuple[Rating, ...]:
    """Return the ratings as the card lists them; a trait not rated yet has no score. Empty where nothing is rated."""
    groups: tuple[tuple[Literal["affective", "psychomotor"], tuple[str, ...]], ...] = (
        ("affective", rules.affective),
        ("psychomotor", rules.psychomotor),
    )
    if not scores:
        return ()
    return tuple(
        Rating(group=group, name=trait, score=scores.get(trait), of=BEST) for group, names in groups for trait in names
    )
