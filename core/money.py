"""Money as whole kobo."""

from typing import NewType

Kobo = NewType("Kobo", int)
"""A hundredth of a naira. Amounts are never floats."""


def as_text(amount: Kobo) -> str:
    """Return the amount for people: ``NGN 45,000.00``.

    The letters NGN stand for the naira sign, which is not in GSM-7 and would make an SMS of one segment three.
    """
    sign = "-" if amount < 0 else ""
    naira, kobo = divmod(abs(amount), 100)
    return f"NGN {sign}{naira:,}.{kobo:02d}"
