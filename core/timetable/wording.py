"""Numbers and people in sentences."""

from collections.abc import Sequence


def counted(number: int, noun: str) -> str:
    """Return a number of things in words: ``no periods``, ``1 period``, ``7 periods``."""
    return f"{number} {noun}" if number == 1 else f"{number or 'no'} {noun}s"


def bounds(least: int, most: int | None) -> str:
    """Return what is allowed in words."""
    if most is None:
        return f"at least {least} should be"
    return f"from {least} to {most} may be" if least else f"at most {most} may be"


def whom(who: tuple[str, str]) -> dict[str, tuple[str, ...]]:
    """Return a (kind, id) as a violation names it."""
    kind, one = who
    return {f"{kind}s": (one,)}


def listed(names: Sequence[str]) -> str:
    """Return names as a list in words: ``A, B and C``."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
